import { ConfigError } from '../config.ts'

/** options without a value */
const SWITCHES: readonly string[] = ['help', 'json', 'replace', 'version']

/** `--name value` and `--name=value` into a record; the rest in order. @throws ConfigError */
export const parseArguments = (args: readonly string[]): { flags: Record<string, string>; words: string[] } => {
  const flags: Record<string, string> = {}
  const words: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '-h') flags.help = ''
    if (!arg.startsWith('--')) {
      if (arg !== '-h') words.push(arg)
      continue
    }
    const [name, inline] = arg.slice(2).split(/=(.*)/s, 2) as [string, string | undefined]
    if (SWITCHES.includes(name)) {
      if (inline !== undefined) throw new ConfigError(`option --${name} takes no value`)
      flags[name] = ''
      continue
    }
    const value = inline ?? args[++index]
    if (value === undefined) throw new ConfigError(`option --${name} needs a value`)
    flags[name] = value
  }
  return { flags, words }
}
