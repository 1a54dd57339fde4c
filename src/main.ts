// The command line: which command, and what its options are.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArguments } from './cli/arguments.ts'
import { chosen, parted } from './cli/commands.ts'
import { printConfig } from './cli/config-command.ts'
import { openDoor } from './cli/door.ts'
import { help } from './cli/help.ts'
import { importCommand } from './cli/import-command.ts'
import { LOG_FLAGS, runLog } from './cli/log-commands.ts'
import { rebuildCommand } from './cli/rebuild-command.ts'
import { roomCommands } from './cli/room-commands.ts'
import { serve } from './cli/serve-command.ts'
import { userCommands } from './cli/user-commands.ts'
import { ConfigError, readConfig } from './config.ts'
import { openLog } from './log/open-log.ts'

type Flags = Readonly<Record<string, string>>

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

/** `import irc FILE…` */
const importCommandOf = async ([form, ...files]: readonly string[], flags: Flags) => {
  const { room, name, ...rest } = flags
  if (form !== 'irc' || files.length === 0 || room === undefined)
    throw new ConfigError('usage: hansard import irc FILE… --room ALIAS [--name NAME]; see hansard help')
  const { config } = readConfig(process.env, rest)
  const directory = resolve(config.DATA)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = await openLog(config.LOG, directory)
  const say = (text: string) => process.stderr.write(text)
  try {
    await importCommand({ files, room, roomName: name ?? room, log, nameKey: config.NAME_KEY, node: config.NODE, say })
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
  if (command === 'import') {
    await importCommandOf(more, flags)
    return
  }
  if (command === 'rebuild' && more.length === 0) {
    const { url, ...settings } = flags
    const say = (text: string) => process.stderr.write(text)
    process.stdout.write(await rebuildCommand(readConfig(process.env, settings).config, url, say))
    return
  }
  if (more.length > 0) throw new ConfigError(`${more[0]}? hansard ${command} takes options only; see hansard help`)
  const { config, origins } = readConfig(process.env, flags)
  if (command === 'serve') await serve(config)
  else if (command === 'config') process.stdout.write(`${printConfig(origins)}\n`)
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
    ].includes(error.name) || error instanceof ConfigError
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const told = inUse
    ? `${error.message}: choose another port with --port`
    : error.name === 'PoisonFact'
      ? `${error.message}; --rebuild-poison park leaves it out and goes on`
      : error.message
  process.stderr.write(`hansard: ${expected || inUse ? told : error.stack}\n`)
  process.exit(expected || inUse ? 2 : 1)
})
