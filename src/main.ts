// The command line. `serve` chooses the adapters and runs a node until it is told to stop.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pino from 'pino'
import { parseArguments } from './cli/arguments.ts'
import { printConfig } from './cli/config-command.ts'
import { help } from './cli/help.ts'
import { type Config, ConfigError, listenIn, readConfig } from './config.ts'
import { JsonWebTokens } from './json-web-tokens.ts'
import { lockDirectory } from './log/directory-lock.ts'
import { type EventLog, LogUnavailable } from './log/event-log.ts'
import { withoutPassword } from './log/eventstore-client.ts'
import { isServerAddress, openLog } from './log/open-log.ts'
import { LocalReadModels, rebuild, ThreadedReadModels } from './projections/read-models.ts'
import { SecureChance } from './secure-chance.ts'
import { type RunningServer, startServer } from './server.ts'
import { WallClock } from './wall-clock.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const DRAIN_MS = 10_000
/** before a server that keeps the log is asked again at the start */
const ASK_AGAIN_MS = 2_000

const serve = async (config: Config): Promise<void> => {
  const output = pino({ level: config.LOG_LEVEL }, pino.destination(2))
  const directory = resolve(config.DATA)
  const kept = config.LOG !== 'memory:'
  const address = isServerAddress(config.LOG) ? config.LOG : null
  if (kept) mkdirSync(directory, { recursive: true, mode: 0o700 })
  // The embedded log locks its directory itself; here it holds the read models' file, and is one process's as well.
  const lock = address ? lockDirectory(directory) : null
  const clock = new WallClock()
  const chance = new SecureChance(clock)
  const log = address
    ? await onceItAnswers(address, directory, (text) => output.warn(text))
    : await openLog(config.LOG, directory)
  const readModels = kept
    ? new ThreadedReadModels(directory, address)
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
  const removeNote = kept ? noteServer(directory, server, config.NODE) : () => {}
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
        lock?.close()
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

/** A server that keeps the log may start after this process, or be away just now. */
const onceItAnswers = async (address: string, directory: string, warn: (text: string) => void): Promise<EventLog> => {
  for (;;) {
    try {
      return await openLog(address, directory)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
      warn(`waiting for the log at ${error.message}`)
      await pause(ASK_AGAIN_MS)
    }
  }
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
  } else if (ownerToken && config.LOG !== 'memory:') {
    const file = join(directory, 'admin-token')
    writeFileSync(file, `${ownerToken}\n`, { mode: 0o600 })
    lines.push('', `the owner's token is in ${file}`)
  }
  for (const listener of listeners) lines.push(`${listener.dialect} alone on ${listener.url}`)
  lines.push(
    '',
    `  the chat page      ${url}/          take a name; open a second tab and talk`,
    `  the record         curl -H 'Authorization: Bearer <token>' ${url}/api/v1/facts`,
    `  health, metrics    ${url}/readyz  ${url}/metrics`,
    `  the log            ${whereIs(config.LOG, directory)}`,
    '',
    '  Ctrl-C stops in order; kill -9 loses nothing that was acknowledged.',
  )
  process.stdout.write(`${lines.join('\n')}\n`)
}

const whereIs = (log: string, directory: string): string => {
  if (log === 'memory:') return 'in memory: gone when this stops'
  return isServerAddress(log) ? withoutPassword(log) : directory
}

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

const main = async (args: readonly string[]): Promise<void> => {
  const { flags, words } = parseArguments(args)
  const [command = 'serve', ...more] = words
  if ('help' in flags || command === 'help') {
    process.stdout.write(help())
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
    ['ConfigError', 'DirectoryLocked', 'NoAddress', 'WrongNameKey', 'LogUnavailable', 'PoisonFact'].includes(
      error.name,
    ) || error instanceof ConfigError
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const told = inUse ? `${error.message}: choose another port with --port` : error.message
  process.stderr.write(`hansard: ${expected || inUse ? told : error.stack}\n`)
  process.exit(expected || inUse ? 2 : 1)
})
