// `hansard serve`: chooses the adapters by the settings and runs a node until it is told to stop.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import pino, { type Logger } from 'pino'
import { type Clock, pause } from '../actors/ports.ts'
import { WaitingDoor } from '../api/waiting-door.ts'
import { type Config, listenIn, settings } from '../config.ts'
import { dialects } from '../dialects/dialects.ts'
import { JsonWebTokens } from '../json-web-tokens.ts'
import { type DirectoryLock, directoryId, lockDirectory } from '../log/directory-lock.ts'
import { type EventLog, LogUnavailable } from '../log/event-log.ts'
import { openLog } from '../log/open-log.ts'
import { isServerAddress, withoutPassword } from '../log/server-address.ts'
import { LocalReadModels, ThreadedReadModels } from '../projections/read-models.ts'
import { SecureChance } from '../secure-chance.ts'
import { type RunningServer, startServer } from '../server.ts'
import { WallClock } from '../wall-clock.ts'
import type { Task } from './commands.ts'
import { forTheRecord } from './config-command.ts'
import { SERVER_NOTE, TOKEN_FILE } from './door.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const DRAIN_MS = 10_000
/** exit code */
const NOT_ALONE = 2
/** before a server that keeps the log is asked again at the start */
const ASK_AGAIN_MS = 2_000

export interface OpenServer {
  readonly server: RunningServer
  readonly clock: WallClock
  readonly output: Logger
  /** of the data directory, where the log is not in it; the embedded log has its own */
  readonly lock: DirectoryLock | null
  /** speaks for the owner until the process ends */
  readonly token: string
}

/** A server with these settings on its log; `settings` go on record. @throws DirectoryLocked, LogUnavailable, WrongNameKey */
export const openServer = async (
  config: Config,
  settings: Readonly<Record<string, string>> | null = null,
  door: WaitingDoor | null = null,
): Promise<OpenServer> => {
  const output = pino({ level: config.LOG_LEVEL }, pino.destination(2))
  const directory = resolve(config.DATA)
  const kept = config.LOG !== 'memory:'
  const address = isServerAddress(config.LOG) ? config.LOG : null
  const lock = address ? lockDirectory(directory) : null
  const clock = new WallClock()
  const chance = new SecureChance(clock)
  const waiting = (text: string): void => {
    output.warn(text)
    void door?.say(async () => text)
  }
  const log = address
    ? await onceItAnswers(address, directory, clock, waiting)
    : await openLog(config.LOG, directory, clock)
  const readModels = kept
    ? new ThreadedReadModels(directory, address, config.REBUILD_POISON)
    : await LocalReadModels.open(log, (ms, run) => setTimeout(run, ms))
  const token = chance.token()
  const building = await readModels.status().then(
    (status) => status.building,
    () => null, // the start itself says what is wrong
  )
  if (building) {
    output.warn(`read models are being made anew, from ${building.position} of ${building.head} on`)
    await door?.say(async () => {
      const now = (await readModels.status()).building
      return now ? `read models are being made anew: ${now.position} of ${now.head}` : 'starting'
    })
  }
  const server = await startServer({
    processToken: token,
    ...(settings ? { settings } : {}),
    ...(door ? { beforeListening: () => door.close() } : {}),
    ...(address
      ? {
          alone: {
            machine: hostname(),
            directory: directoryId(directory, () => chance.uuid()),
            onWaiting: waiting,
            onLost: ({ node, machine }) => {
              output.fatal(`node ${node} on ${machine} has taken the log, since this one did not answer: it ends`)
              process.exit(NOT_ALONE)
            },
          },
        }
      : {}),
    log,
    readModels,
    clock,
    chance,
    version,
    host: config.HOST,
    port: config.PORT,
    node: config.NODE,
    adminToken: config.ADMIN_TOKEN,
    // Kept before anything else can go wrong: it is made once in a log's life.
    ownerTokenMade: (made) => {
      if (kept) writeFileSync(join(directory, TOKEN_FILE), `${made}\n`, { mode: 0o600 })
    },
    nameKey: config.NAME_KEY,
    rate: config.RATE_MESSAGES,
    actRate: config.RATE_ACTS,
    guests: config.GUESTS,
    driversSignupExisting: config.DRIVERS_SIGNUP_EXISTING,
    origins: config.ORIGINS,
    publicUrl: config.PUBLIC_URL,
    trustProxy: config.TRUST_PROXY,
    retentionDays: config.RETENTION_DAYS,
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
  return { server, clock, output, lock, token }
}

/** A server that keeps the log may start after this process, or be away just now. */
const onceItAnswers = async (
  address: string,
  directory: string,
  clock: Clock,
  warn: (text: string) => void,
): Promise<EventLog> => {
  for (;;) {
    try {
      return await openLog(address, directory, clock)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
      warn(`waiting for the log at ${error.message}`)
      await pause(clock, ASK_AGAIN_MS)
    }
  }
}

/** Serves until it is told to stop. */
export const serve = async (
  { config, origins }: Pick<Task, 'config' | 'origins'>,
  told: AbortSignal,
): Promise<void> => {
  const beforeReady = () => {
    process.stderr.write('hansard: stopped before it was ready; nothing is lost\n')
    process.exit(0)
  }
  if (told.aborted) beforeReady()
  told.addEventListener('abort', beforeReady)
  const address = { host: config.HOST, port: config.PORT }
  const door = new WaitingDoor(address, version, (url) =>
    process.stderr.write(`not ready yet: ${url}/readyz says why\n`),
  )
  const { server, clock, output, lock, token } = await openServer(config, forTheRecord(origins), door)
  const directory = resolve(config.DATA)
  clock.onStep = (byMs) => {
    output.warn({ byMs }, 'the clock was set; time is adjusted slowly')
    server.noteClockStep(byMs)
  }
  const removeNote =
    config.LOG !== 'memory:' ? noteServer(directory, { url: server.url, node: config.NODE, token }) : () => {}
  announce(server, config, directory)
  const stop = () => {
    output.info({ signal: told.reason }, 'stopping: telling clients, finishing what is under way')
    setTimeout(() => {
      output.error('not done in time; what was acknowledged is on the log')
      process.exit(1)
    }, DRAIN_MS).unref()
    server.close(told.reason).then(
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
  told.removeEventListener('abort', beforeReady)
  told.addEventListener('abort', stop)
}

/** Where other commands find this server. */
const noteServer = (directory: string, note: { url: string; node: string; token: string }): (() => void) => {
  const file = join(directory, SERVER_NOTE)
  // Made anew: an older file would keep its mode.
  rmSync(file, { force: true })
  writeFileSync(file, `${JSON.stringify({ pid: process.pid, ...note })}\n`, { mode: 0o600 })
  return () => rmSync(file, { force: true })
}

const announce = (
  { url, listeners, ownerToken, recovered }: RunningServer,
  config: Config,
  directory: string,
): void => {
  const lines = [`hansard ${version} listening on ${url}`]
  if (recovered > 0) lines.push(`closed ${recovered} connections that a dead process had left open`)
  const kept = config.LOG !== 'memory:'
  const file = join(directory, TOKEN_FILE)
  if (ownerToken && process.stdout.isTTY) {
    if (kept) rmSync(file, { force: true })
    lines.push('', `the owner's token, shown this once: ${ownerToken}`)
  } else if (kept && existsSync(file)) lines.push('', `the owner's token is in ${file}`)
  else if (ownerToken) lines.push('', 'the owner has a token that nobody knows: give one with HANSARD_ADMIN_TOKEN')
  for (const listener of listeners) lines.push(`${listener.dialect} alone on ${listener.url}`)
  const elsewhere = config.DATA === settings.DATA.fallback ? '' : ` --data ${directory}`
  const paths = dialects.flatMap(({ path }) => path ?? [])
  lines.push(
    '',
    `  the chat page      ${url}/          take a name; open a second tab and talk`,
    `  the console        ${url}/console   every connection, room and user on its chart; sign in with the owner's token`,
    ...(kept ? [`  one more token     npm run hansard -- user token owner${elsewhere}`] : []),
    `  the record         curl -H 'Authorization: Bearer <token>' ${url}/api/v1/facts`,
    `  protocols          ${url.replace('http', 'ws')}${paths.join(' ')}  ${url}/socket.io/`,
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
