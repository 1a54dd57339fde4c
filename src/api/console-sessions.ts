// Who is signed in to the console. A session stands for a token without being it: an opaque cookie that only this node
// knows, good for reading what the console reads, and over as soon as its token, its account or its role is.
//
// It writes little: rooms, and accounts with the role member. What outlives a session and may do more than a new member
// takes the token itself (`Authorization: Bearer`), as if there were no session: making an admin, or a robot (which hears
// every room that its protocol shows), and giving or ending a token of an account that exists. So whoever gets hold of a
// cookie for an hour has read for an hour, and has become nobody; the page asks for the token again where it is needed,
// sends it with that one request, and forgets it.

import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Host } from '../actors/host.ts'
import type { Bearing, Identity } from '../actors/identity.ts'
import type { Chance, Clock } from '../actors/ports.ts'
import { userStream } from '../actors/user/user.facts.ts'
import { onRightsLost } from './rights.ts'

export const COOKIE = 'hansard_console'
/** the cookie is sent here and nowhere else */
export const COOKIE_PATH = '/api/v1'
/** what scripts of other origins cannot send without asking first, and are refused (callers.ts); needed for every write */
export const CONSOLE_HEADER = 'x-hansard-console'
export const LIFE_MS = 12 * 3_600_000
const IDLE_MS = 2 * 3_600_000
const MOST = 200
const MOST_OF_ONE = 10

/** What a session may read: everything the console's pages ask for, and nothing else. */
const READABLE: ReadonlySet<string> = new Set(
  [
    '/console/session',
    '/console/overview',
    '/console/changes',
    '/connections',
    '/connections/:id/life',
    '/connections/:id/timeline',
    '/rooms',
    '/rooms/:room',
    '/rooms/:id/life',
    '/rooms/:id/timeline',
    '/rooms/:room/messages',
    '/rooms/:room/messages/:id/story',
    '/rooms/:room/members',
    '/rooms/:room/mutes',
    '/rooms/:room/bans',
    '/users',
    '/users/:user',
    '/users/:user/bans',
    '/users/:user/tokens',
    '/users/:id/life',
    '/users/:id/timeline',
    '/machines/:kind',
    '/search',
  ].map((path) => `/api/v1${path}`),
)

/** What a session may write, and of which bodies; they are checked by their schemas before anybody asks who it is. */
const WRITABLE: Readonly<Record<string, (body: unknown) => boolean>> = {
  'POST /api/v1/rooms': () => true,
  'POST /api/v1/users': (body) => (body as { role?: unknown }).role === 'member',
}

interface Session {
  readonly user: string
  readonly token: string
  readonly openedAt: number
  usedAt: number
  readonly over: AbortController
}

export interface Opened {
  readonly cookie: string
  readonly maxAgeSeconds: number
}

const keyOf = (cookie: string): string => createHash('sha256').update(cookie).digest('hex')

export class ConsoleSessions {
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #publicOrigin: string | null
  /** hash of the cookie → its session, oldest first */
  readonly #sessions = new Map<string, Session>()

  constructor(host: Host, identity: Identity, publicUrl: string) {
    this.#identity = identity
    this.#clock = host.clock
    this.#chance = host.chance
    this.#publicOrigin = publicUrl === '' ? null : new URL(publicUrl).origin
    onRightsLost(host, (stream, token) => this.#endOf(stream, token))
  }

  open(user: string, token: string): Opened {
    const own = [...this.#sessions].filter(([, session]) => session.user === user)
    for (const [key] of own.slice(0, Math.max(0, own.length - MOST_OF_ONE + 1))) this.#end(key)
    for (const key of this.#sessions.keys()) {
      if (this.#sessions.size < MOST) break
      this.#end(key)
    }
    const now = this.#clock.now()
    const cookie = this.#chance.token()
    const key = keyOf(cookie)
    this.#sessions.set(key, { user, token, openedAt: now, usedAt: now, over: new AbortController() })
    this.#endInTime(key)
    return { cookie, maxAgeSeconds: LIFE_MS / 1_000 }
  }

  /** Who asks by a cookie, where a cookie counts; null: nobody. @throws LogUnavailable */
  async of(request: FastifyRequest): Promise<Bearing | null> {
    const found = this.#find(request)
    if (!found || !this.#counts(request)) return null
    const [key, session] = found
    const bearing = await this.#identity.stillBears(session.user, session.token)
    if (bearing?.account.role !== 'admin') {
      this.#end(key)
      return null
    }
    session.usedAt = this.#clock.now()
    return bearing
  }

  #counts(request: FastifyRequest): boolean {
    const { method, body, headers, routeOptions } = request
    const { url = '' } = routeOptions
    if (method === 'GET') return READABLE.has(url)
    // Every browser says of a POST where it comes from, at least by one of the two: silence is no browser's.
    const saysFrom = headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
    return WRITABLE[`${method} ${url}`]?.(body) === true && saysFrom && this.isOwnScript(request)
  }

  /** Aborted when the session that asks is over; null when none does. */
  overOf(request: FastifyRequest): AbortSignal | null {
    return this.#find(request)?.[1].over.signal ?? null
  }

  close(request: FastifyRequest): void {
    const found = this.#find(request)
    if (found) this.#end(found[0])
  }

  /**
   * Sent by a page of this server. SameSite keeps other sites out; this keeps out other origins of the same site, such
   * as another port of this machine, which CORS may let read.
   */
  isOwnPage({ headers }: FastifyRequest): boolean {
    const { origin, host } = headers
    const site = headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin') return false
    if (origin === undefined || origin === this.#publicOrigin) return true
    return URL.canParse(origin) && new URL(origin).host === host
  }

  /**
   * Sent by a script of such a page: forms cannot send the header, nor can scripts of other origins, from whom CORS
   * withholds it (callers.ts). SameSite stops other sites before; for what is of the same site either check would do alone.
   */
  isOwnScript(request: FastifyRequest): boolean {
    return request.headers[CONSOLE_HEADER] === '1' && this.isOwnPage(request)
  }

  #find(request: FastifyRequest): [string, Session] | null {
    const [, cookie] = COOKIE_FORM.exec(request.headers.cookie ?? '') ?? []
    if (cookie === undefined || !this.isOwnPage(request)) return null
    const key = keyOf(cookie)
    const session = this.#sessions.get(key)
    if (!session) return null
    if (this.#endsAt(session) > this.#clock.now()) return [key, session]
    this.#end(key)
    return null
  }

  #endsAt({ openedAt, usedAt }: Session): number {
    return Math.min(openedAt + LIFE_MS, usedAt + IDLE_MS)
  }

  /** Also what only listens ends in time. */
  #endInTime(key: string): void {
    const session = this.#sessions.get(key)
    if (!session) return
    const due = this.#endsAt(session)
    if (due <= this.#clock.now()) this.#end(key)
    else this.#clock.at(due, () => this.#endInTime(key))
  }

  #end(key: string): void {
    this.#sessions.get(key)?.over.abort()
    this.#sessions.delete(key)
  }

  #endOf(stream: string, token: string | null): void {
    for (const [key, session] of this.#sessions) {
      if (userStream(session.user) === stream && (token === null || session.token === token)) this.#end(key)
    }
  }
}

const COOKIE_FORM = new RegExp(`(?:^|;\\s*)${COOKIE}=([0-9a-f]{32})(?:;|$)`)
