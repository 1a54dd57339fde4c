// The API as commands use it: of the server that runs on the data directory, of one named by its address, or, where
// none runs, of one that this process opens on the directory for as long as the command takes.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Config, ConfigError } from '../config.ts'
import { openServer, SERVER_NOTE, TOKEN_FILE } from './serve-command.ts'

// biome-ignore lint/suspicious/noExplicitAny: the API's answers, whose shapes its own schemas give
export type Answer = any

export interface Door {
  readonly url: string
  readonly token: string
  /** @throws ConfigError with what the server says of it */
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  close(): Promise<void>
}

/** `running`: only a server that runs will do. @throws ConfigError */
export const openDoor = async (
  config: Config,
  named: string | undefined,
  { running: mustRun = false } = {},
): Promise<Door> => {
  const directory = resolve(config.DATA)
  const tokenFile = join(directory, TOKEN_FILE)
  const token = config.ADMIN_TOKEN || (existsSync(tokenFile) ? readFileSync(tokenFile, 'utf8').trim() : '')
  const running = await runningServer(config, named)
  if (running !== null) {
    if (token === '') throw new ConfigError(`no token for ${running}: give --admin-token, or --data with its directory`)
    return doorTo(running, token, async () => {})
  }
  if (mustRun) throw new ConfigError(`no server runs on ${directory}: start one, or name it with --url`)
  if (config.LOG !== 'sqlite:' || !existsSync(join(directory, 'log.db')))
    throw new ConfigError(`no server runs, and there is no log in ${directory}: start one, or name it with --url`)
  return ownDoor(config, token)
}

/** The address of the server that the settings mean; null: none runs. */
export const runningServer = async (config: Config, named: string | undefined): Promise<string | null> =>
  named ?? (await runningOn(resolve(config.DATA))) ?? (await answering(`http://${config.HOST}:${config.PORT}`))

const runningOn = async (directory: string): Promise<string | null> => {
  const note = join(directory, SERVER_NOTE)
  if (!existsSync(note)) return null
  const { url } = JSON.parse(readFileSync(note, 'utf8')) as { url: string }
  return answering(url)
}

const answering = async (url: string): Promise<string | null> => {
  const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
  const told = (await ready?.json().catch(() => null)) as { ready?: unknown } | null | undefined
  return typeof told?.ready === 'boolean' ? url : null
}

/** Without anything that a server does for others: no listeners of dialects, no webhook. */
const ownDoor = async (config: Config, known: string): Promise<Door> => {
  const listeners = Object.keys(config).filter((name) => name.startsWith('LISTEN_'))
  const alone = {
    ...config,
    ...Object.fromEntries(listeners.map((name) => [name, null])),
    ...{ HOST: '127.0.0.1', PORT: 0, WEBHOOK_URL: '', LOG_LEVEL: 'error' as const },
  }
  const { server, clock } = await openServer(alone)
  const owner = known === '' ? await server.identity.byName('owner') : null
  const issued = owner && (await server.identity.issueToken(owner, null))
  const token = issued?.ok ? issued.token : known
  return doorTo(server.url, token, async () => {
    if (owner && issued?.ok) {
      const revoking = { type: 'token.revoke', by: owner.id, asker: null, token: issued.id } as const
      await server.host.send(`user-${owner.id}`, revoking)
    }
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
    const answer = text === '' ? null : JSON.parse(text)
    if (!response.ok) throw new ConfigError(`the server refuses: ${answer?.detail ?? response.statusText}`)
    return answer
  },
  close,
})

/** Every item of a listing, page after page. */
export async function* every(door: Door, path: string): AsyncGenerator<Answer> {
  for (let next: string | null = ''; next !== null; ) {
    const more: string = next === '' ? '' : `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next)}`
    const page = await door.ask('GET', path + more)
    yield* page.items
    next = page.next ?? null
  }
}
