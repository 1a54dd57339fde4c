// The command line: which command, and what its options are.

import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArguments } from './cli/arguments.ts'
import { chosen, parted } from './cli/commands.ts'
import { printConfig } from './cli/config-command.ts'
import { DEMO_FLAGS, demoCommand } from './cli/demo-command.ts'
import { openDoor } from './cli/door.ts'
import { help } from './cli/help.ts'
import { importCommand } from './cli/import-command.ts'
import { LOG_FLAGS, runLog } from './cli/log-commands.ts'
import { roomCommands } from './cli/room-commands.ts'
import { serve } from './cli/serve-command.ts'
import { userCommands } from './cli/user-commands.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { lockDirectory } from './log/directory-lock.ts'
import { openLog } from './log/open-log.ts'
import { rebuild } from './projections/read-models.ts'

type Flags = Readonly<Record<string, string>>

const rebuildCommand = (config: Config): void => {
  if (config.LOG !== 'sqlite:')
    throw new ConfigError('the log is elsewhere: delete read.db, and the next start makes it anew')
  const directory = resolve(config.DATA)
  if (!existsSync(join(directory, 'log.db')))
    throw new ConfigError(`no log in ${directory}; give its directory with --data`)
  const lock = lockDirectory(directory)
  const started = performance.now()
  let shown = 0
  const head = rebuild(directory, (done, of) => {
    if (performance.now() - shown < 200 && done < of) return
    shown = performance.now()
    process.stderr.write(`\rrebuilding the read models: ${done} of ${of} facts (${Math.floor((100 * done) / of)} %)`)
  })
  lock.close()
  const seconds = (performance.now() - started) / 1_000
  process.stderr.write('\n')
  process.stdout.write(`rebuilt from ${head} facts in ${seconds.toFixed(1)} s\n`)
}

const GROUPS = { user: userCommands, room: roomCommands }

/** `user …` and `room …`: asks the API, of the server that runs or of one opened for it. */
const askCommand = async (group: keyof typeof GROUPS, words: readonly string[], flags: Flags) => {
  const { command, words: given, own, settings } = chosen(GROUPS[group], group, words, flags)
  const { url, ...rest } = settings
  const door = await openDoor(readConfig(process.env, rest).config, url)
  try {
    process.stdout.write(await command.run(door, given, own))
  } finally {
    await door.close()
  }
}

const logCommand = async ([verb = '', ...words]: readonly string[], flags: Flags) => {
  const wanted = LOG_FLAGS[verb]
  if (!wanted) throw new ConfigError(`hansard log ${Object.keys(LOG_FLAGS).join(' | ')}; see hansard help`)
  const { url, ...given } = flags
  const { own, settings } = parted(given, wanted)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  // What happens from now on happens on a server that runs.
  const door = await openDoor(readConfig(process.env, settings).config, url, { running: verb !== 'export' })
  const print = (text: string) => process.stdout.write(text)
  const say = (text: string) => process.stderr.write(text)
  try {
    await runLog({ door, verb, words, flags: own, signal: stop.signal, print, say })
  } finally {
    await door.close()
  }
}

/** `demo` or `demo irc FILE…` */
const demoCommandOf = async ([form, ...files]: readonly string[], flags: Flags) => {
  if (form !== undefined && (form !== 'irc' || files.length === 0))
    throw new ConfigError('usage: hansard demo, or hansard demo irc FILE…; see hansard help')
  const { own, settings } = parted(flags, DEMO_FLAGS)
  const { config, origins } = readConfig(process.env, settings)
  const given = Object.entries(origins).flatMap(([name, { from }]) => (from === 'flag' ? [name] : []))
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  await demoCommand({
    files,
    flags: own,
    config,
    given,
    environment: process.env,
    signal: stop.signal,
    print: (text) => process.stdout.write(text),
    say: (text) => process.stderr.write(text),
  })
  process.exit(0)
}

/** `import irc FILE…` */
const importCommandOf = async ([form, ...files]: readonly string[], flags: Flags) => {
  const { room, name, ...rest } = flags
  if (form !== 'irc' || files.length === 0)
    throw new ConfigError('usage: hansard import irc FILE… [--room ALIAS] [--name NAME]; see hansard help')
  const { config } = readConfig(process.env, rest)
  const directory = resolve(config.DATA)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = await openLog(config.LOG, directory)
  const say = (text: string) => process.stderr.write(text)
  try {
    await importCommand({ files, room, name, log, nameKey: config.NAME_KEY, node: config.NODE, say })
  } finally {
    await log.close()
  }
}

const main = async (args: readonly string[]): Promise<void> => {
  const { flags, words } = parseArguments(args)
  const [command = 'serve', ...more] = words
  if ('help' in flags || command === 'help') {
    process.stdout.write(help())
    return
  }
  if (command === 'log') {
    await logCommand(more, flags)
    return
  }
  if (command === 'user' || command === 'room') {
    await askCommand(command, more, flags)
    return
  }
  if (command === 'demo') {
    await demoCommandOf(more, flags)
    return
  }
  if (command === 'import') {
    await importCommandOf(more, flags)
    return
  }
  if (more.length > 0) throw new ConfigError(`${more[0]}? hansard ${command} takes options only; see hansard help`)
  const { config, origins } = readConfig(process.env, flags)
  if (command === 'serve') await serve(config)
  else if (command === 'config') process.stdout.write(`${printConfig(origins)}\n`)
  else if (command === 'rebuild') rebuildCommand(config)
  else throw new ConfigError(`unknown command ${command}; see hansard help`)
}

main(process.argv.slice(2)).catch((error: Error) => {
  const expected =
    [
      'ConfigError',
      'ImportRefused',
      'DirectoryLocked',
      'NoAddress',
      'WrongNameKey',
      'LogUnavailable',
      'PoisonFact',
      'StageRefused',
    ].includes(error.name) || error instanceof ConfigError
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const told = inUse ? `${error.message}: choose another port with --port` : error.message
  process.stderr.write(`hansard: ${expected || inUse ? told : error.stack}\n`)
  process.exit(expected || inUse ? 2 : 1)
})
