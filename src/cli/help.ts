import { flagOf, type SettingName, settings } from '../config.ts'
import { catalogue } from './catalogue.ts'
import type { Command } from './commands.ts'

const WIDTH = 110

/** Lines no longer than a terminal's, indented alike. */
const wrapped = (text: string, indent: string): string => {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string
    if (line !== '' && indent.length + line.length + word.length + 1 > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line) => `${indent}${line}\n`).join('')
}

const EXIT_CODES = `exit codes
  0  done
  1  a fault of this program; what is told of it is for its makers
  2  not done, for a reason that is said in a line: a command or option that there is not, a setting, a refusal, a
     directory in use, no server
`

const settingLines = (): string =>
  (Object.keys(settings) as SettingName[])
    .map((name) => {
      const { says, fallback } = settings[name]
      return `  --${flagOf(name).padEnd(18)} ${says}${fallback ? ` (${fallback})` : ''}\n`
    })
    .join('')

const lineOf = ({ usage, says }: Command): string => `  ${usage}\n${wrapped(says, '             ')}`

export const helpOfAll = (): string => `hansard: an auditable chat backend

usage: hansard [command] [options]

commands
${Object.values(catalogue).map(lineOf).join('')}  help [COMMAND]
             this page, or all about one command; so does COMMAND --help
  version
             which version this is

user, room, message, log and debug ask the server that runs on the data directory, or the one named by --url (HANSARD_URL) with
--token (HANSARD_TOKEN), or, where none runs, open the directory themselves.

${EXIT_CODES}
settings, which are options of every command; each is also an environment variable, --port = HANSARD_PORT
${settingLines()}`

const optionLines = (options: Readonly<Record<string, string>>): string =>
  Object.entries(options)
    .map(([name, says]) => {
      const [value, what] = says.includes('  ') ? (says.split('  ') as [string, string]) : ['', says]
      return `  ${`--${name} ${value}`.padEnd(20)} ${what}\n`
    })
    .join('')

/** One command, or those of a group. */
export const helpOf = (names: readonly string[]): string =>
  names.length === 1 ? helpOfOne(catalogue[names[0] as string] as Command, names[0] as string) : helpOfGroup(names)

const helpOfGroup = (names: readonly string[]): string =>
  `${names.map((name) => lineOf(catalogue[name] as Command)).join('')}\nhansard help ${names[0]} tells all about one\n`

const helpOfOne = ({ usage, says, more = [], options = {} }: Command, name: string): string =>
  [
    `usage: hansard ${usage} [options]\n`,
    wrapped(says, ''),
    ...more.map((paragraph) => wrapped(paragraph, '')),
    ...(Object.keys(options).length === 0 ? [] : [`options\n${optionLines(options)}`]),
    name === 'serve'
      ? `settings; each is also an environment variable, --port = HANSARD_PORT\n${settingLines()}`
      : 'settings are options, too: --data DIRECTORY and those of hansard help serve\n',
    EXIT_CODES,
  ].join('\n')
