// The command line. `serve` chooses the adapters and runs a node until it is told to stop.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import pino from 'pino'
import { parseArguments } from './cli/arguments.ts'
import { printConfig } from './cli/config-command.ts'
import { help } from './cli/help.ts'
import { importCommand } from './cli/import-command.ts'
import { record } from './cli/record-command.ts'
import { type Config, ConfigError, listenIn, readConfig } from './config.ts'
import { dialects } from './dialects/dialects.ts'
import { JsonWebTokens } from './json-web-tokens.ts'
import { lockDirectory } from './log/directory-lock.ts'
import { openLog } from './log/open-log.ts'
import { LocalReadModels, rebuild, ThreadedReadModels } from './projections/read-models.ts'
import { SecureChance } from './secure-chance.ts'
import { type RunningServer, startServer } from './server.ts'
import { WallClock } from './wall-clock.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const DRAIN_MS = 10_000

const serve = async (config: Config): Promise<void> => {
  const output = pino({ level: config.LOG_LEVEL }, pino.destination(2))
  const directory = resolve(config.DATA)
  if (config.LOG === 'sqlite:') mkdirSync(directory, { recursive: true, mode: 0o700 })
  const clock = new WallClock()
  const chance = new SecureChance(clock)
  const log = await openLog(config.LOG, directory)
  const readModels =
    config.LOG === 'sqlite:'
      ? new ThreadedReadModels(directory)
      : await LocalReadModels.open(log, (ms, run) => setTimeout(run, ms))
  const server = await startServer({
    log,
    readModels,
    clock,
    chance,
    version,
    host: config.HOST,
    port: config.PORT,
    node: config.NODE,
    adminToken: config.ADMIN_TOKEN,
    nameKey: config.NAME_KEY,
    rate: config.RATE_MESSAGES,
    guests: config.GUESTS,
    driversSignupExisting: config.DRIVERS_SIGNUP_EXISTING,
    origins: config.ORIGINS,
    publicUrl: config.PUBLIC_URL,
    trustProxy: config.TRUST_PROXY,
    maxConnections: config.MAX_CONNECTIONS,
    typing: config.TYPING === 'on',
    listen: listenIn(config),
    dialects: {
      plicAfkSeconds: config.PLIC_AFK_SECONDS,
      ayakaMessageCreate: config.AYAKA_MESSAGE_CREATE === 'on',
    },
    foreignTokens: {
      verifier:
        config.JWT_SECRET === '' && config.JWKS_URL === ''
          ? null
          : new JsonWebTokens(clock, {
              secret: config.JWT_SECRET,
              jwksUrl: config.JWKS_URL,
              audience: config.JWT_AUDIENCE,
              issuer: config.JWT_ISSUER,
            }),
      provision: config.JWT_PROVISION === 'on',
    },
    webhook:
      config.WEBHOOK_URL === ''
        ? null
        : { url: config.WEBHOOK_URL, secret: config.WEBHOOK_SECRET, types: config.WEBHOOK_TYPES },
    onWarning: (text) => output.warn(text),
    onFault: (where, error) => output.error({ where, err: error }, 'an unexpected fault, isolated'),
  })
  clock.onStep = (byMs) => {
    output.warn({ byMs }, 'the clock was set; time is adjusted slowly')
    server.noteClockStep(byMs)
  }
  const removeNote = config.LOG === 'sqlite:' ? noteServer(directory, server, config.NODE) : () => {}
  announce(server, config, directory)
  const stop = (signal: string) => {
    output.info({ signal }, 'stopping: telling clients, finishing what is under way')
    setTimeout(() => {
      output.error('not done in time; what was acknowledged is on the log')
      process.exit(1)
    }, DRAIN_MS).unref()
    server.close(signal).then(
      () => {
        removeNote()
        clock.stop()
        process.exit(0)
      },
      (error) => {
        output.error({ err: error }, 'could not stop in order')
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', () => stop('SIGTERM'))
  process.once('SIGINT', () => stop('SIGINT'))
}

/** Where tools find this server. */
const noteServer = (directory: string, { url }: RunningServer, node: string): (() => void) => {
  const file = join(directory, 'server.json')
  writeFileSync(file, `${JSON.stringify({ pid: process.pid, url, node })}\n`, { mode: 0o600 })
  return () => rmSync(file, { force: true })
}

const announce = (
  { url, listeners, ownerToken, recovered }: RunningServer,
  config: Config,
  directory: string,
): void => {
  const lines = [`hansard ${version} listening on ${url}`]
  if (recovered > 0) lines.push(`closed ${recovered} connections that a dead process had left open`)
  if (ownerToken && process.stdout.isTTY) {
    lines.push('', `the owner's token, shown this once: ${ownerToken}`)
  } else if (ownerToken && config.LOG === 'sqlite:') {
    const file = join(directory, 'admin-token')
    writeFileSync(file, `${ownerToken}\n`, { mode: 0o600 })
    lines.push('', `the owner's token is in ${file}`)
  }
  for (const listener of listeners) lines.push(`${listener.dialect} alone on ${listener.url}`)
  const paths = dialects.flatMap(({ path }) => path ?? [])
  lines.push(
    '',
    `  the chat page      ${url}/          take a name; open a second tab and talk`,
    `  the record         curl -H 'Authorization: Bearer <token>' ${url}/api/v1/facts`,
    `  protocols          ${url.replace('http', 'ws')}${paths.join(' ')}  ${url}/socket.io/`,
    `  health, metrics    ${url}/readyz  ${url}/metrics`,
    config.LOG === 'sqlite:'
      ? `  the log            ${directory}`
      : '  the log            in memory: gone when this stops',
    '',
    '  Ctrl-C stops in order; kill -9 loses nothing that was acknowledged.',
  )
  process.stdout.write(`${lines.join('\n')}\n`)
}

const rebuildCommand = (config: Config): void => {
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

/** `log record FILE`; what is not an option of its own is a setting, by which the server is found. */
const logCommand = async ([verb, file, ...more]: readonly string[], flags: Readonly<Record<string, string>>) => {
  if (verb !== 'record' || file === undefined || more.length > 0)
    throw new ConfigError('usage: hansard log record FILE [options]; see hansard help')
  const { url, seconds, dialect, user, ...rest } = flags
  const { config } = readConfig(process.env, rest)
  const tokenFile = join(resolve(config.DATA), 'admin-token')
  const token = config.ADMIN_TOKEN || (existsSync(tokenFile) ? readFileSync(tokenFile, 'utf8').trim() : '')
  if (token === '') throw new ConfigError(`no token: give --admin-token, or --data with the directory of the server`)
  if (seconds !== undefined && !(Number(seconds) > 0)) throw new ConfigError(`--seconds ${seconds}: a number above 0`)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const say = (text: string) => process.stderr.write(text)
  const wanted = {
    url: url ?? `http://${config.HOST}:${config.PORT}`,
    seconds: seconds === undefined ? null : Number(seconds),
  }
  await record({ file, token, dialect, user, ...wanted, signal: stop.signal, say })
}

/** `import irc FILE…` */
const importCommandOf = async ([form, ...files]: readonly string[], flags: Readonly<Record<string, string>>) => {
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
    ['ConfigError', 'ImportRefused', 'DirectoryLocked', 'WrongNameKey', 'LogUnavailable', 'PoisonFact'].includes(
      error.name,
    ) || error instanceof ConfigError
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const told = inUse ? `${error.message}: choose another port with --port` : error.message
  process.stderr.write(`hansard: ${expected || inUse ? told : error.stack}\n`)
  process.exit(expected || inUse ? 2 : 1)
})
