// The API as commands use it: of the server that runs on the data directory, of one named by its address, or, where
// none runs, of one that this process opens on the directory for as long as the command takes.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Config, ConfigError } from '../config.ts'

/** In the data directory: where the running server is with a token that lives as long as it, and its owner's token. */
export const SERVER_NOTE = 'server.json'
export const TOKEN_FILE = 'admin-token'

// biome-ignore lint/suspicious/noExplicitAny: the API's answers, whose shapes its own schemas give
export type Answer = any

export interface Door {
  readonly url: string
  readonly token: string
  /** @throws ConfigError with what the server says of it */
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  close(): Promise<void>
}

export interface Wanted {
  readonly config: Config
  /** `url` and `token`, if they are given */
  readonly own: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

interface Note {
  readonly url: string
  readonly token?: string
}

/** `running`: only a server that runs will do. @throws ConfigError */
export const openDoor = async (
  { config, own, environment }: Wanted,
  { running: mustRun = false } = {},
): Promise<Door> => {
  const directory = resolve(config.DATA)
  const named = addressIn({ own, environment })
  const token = own.token || environment.HANSARD_TOKEN || config.ADMIN_TOKEN
  const note = noteIn(directory)
  // What a directory knows of its own server is told to no other.
  if (named !== undefined && named !== note?.url) return doorTo(named, mustHave(token, named), async () => {})
  if (note && (await answers(note.url))) {
    const found = token || note.token || ownersToken(directory)
    return doorTo(note.url, mustHave(found, note.url), async () => {})
  }
  if (named !== undefined) throw new ConfigError(`no server answers at ${named}`)
  if (config.LOG === 'sqlite:' && existsSync(join(directory, 'log.db'))) {
    if (mustRun) throw new ConfigError(`no server runs on ${directory}: start one, or name it with --url`)
    return ownDoor(config)
  }
  const usual = `http://${config.HOST}:${config.PORT}`
  if (token !== '' && (await answers(usual))) return doorTo(usual, token, async () => {})
  throw new ConfigError(`no server runs, and there is no log in ${directory}: start one, or name it with --url`)
}

/** The server that is named, else the one that runs on the data directory; null: none does. */
export const runningServer = async ({ config, own, environment }: Wanted): Promise<string | null> => {
  const named = addressIn({ own, environment })
  if (named !== undefined) return named
  const note = noteIn(resolve(config.DATA))
  return note && (await answers(note.url)) ? note.url : null
}

const addressIn = ({ own, environment }: Pick<Wanted, 'own' | 'environment'>): string | undefined =>
  (own.url ?? environment.HANSARD_URL)?.replace(/\/+$/, '')

const mustHave = (token: string, url: string): string => {
  if (token === '') throw new ConfigError(`no token for ${url}: give --token, or HANSARD_TOKEN`)
  return token
}

const noteIn = (directory: string): Note | null => {
  const file = join(directory, SERVER_NOTE)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Note) : null
}

const ownersToken = (directory: string): string => {
  const file = join(directory, TOKEN_FILE)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

const answers = async (url: string): Promise<boolean> => {
  const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
  const told = (await ready?.json().catch(() => null)) as { ready?: unknown } | null | undefined
  return typeof told?.ready === 'boolean'
}

/** Without anything that a server does for others: no listeners of dialects, no webhook. */
const ownDoor = async (config: Config): Promise<Door> => {
  const { openServer } = await import('./serve-command.ts')
  const listeners = Object.keys(config).filter((name) => name.startsWith('LISTEN_'))
  const alone = {
    ...config,
    ...Object.fromEntries(listeners.map((name) => [name, null])),
    ...{ HOST: '127.0.0.1', PORT: 0, WEBHOOK_URL: '', LOG_LEVEL: 'error' as const },
  }
  const { server, clock, token } = await openServer(alone)
  return doorTo(server.url, token, async () => {
    await server.close('the command is done')
    clock.stop()
  })
}

const doorTo = (url: string, token: string, close: () => Promise<void>): Door => ({
  url,
  token,
  ask: async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new ConfigError(
        `no server answers at ${url}: ${(error.cause as Error | undefined)?.message ?? error.message}`,
      )
    })
    const text = await response.text()
    const answer = text === '' ? null : readJson(text)
    if (!response.ok) throw new ConfigError(`the server refuses: ${answer?.detail ?? response.statusText}`)
    if (answer === undefined) throw new ConfigError(`${url} is no hansard: it answers ${path} with something else`)
    return answer
  },
  close,
})

const readJson = (text: string): Answer => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Every item of a listing, page after page. */
export async function* every(door: Door, path: string): AsyncGenerator<Answer> {
  for (let next: string | null = ''; next !== null; ) {
    const more: string = next === '' ? '' : `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next)}`
    const page = await door.ask('GET', path + more)
    yield* page.items
    next = page.next ?? null
  }
}
