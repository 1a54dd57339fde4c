// What every route needs of a request: who asks, which room or user is meant, and how a command is put and answered.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { isOpenToAll } from '../actors/alias.ts'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host, Submitted } from '../actors/host.ts'
import type { Account, Bearing, Identity } from '../actors/identity.ts'
import { nameFault } from '../actors/names.ts'
import { type Done, type Outcome, refused } from '../actors/outcome.ts'
import type { Chance, Clock } from '../actors/ports.ts'
import type { RateLimits } from '../actors/rate.ts'
import type { Refusal } from '../actors/refusals.ts'
import { inForce } from '../actors/room/room.context.ts'
import { type Asker, roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef, Rooms } from '../actors/rooms.ts'
import type { Dialect } from '../dialects/dialect.ts'
import type { CaughtUp, EventLog, Filter, Position, Recorded } from '../log/event-log.ts'
import type { ReadModels } from '../projections/read-models.ts'
import type { Sessions } from '../transports/sessions.ts'
import { ConsoleSessions } from './console-sessions.ts'
import { EventStreams, type Events } from './event-streams.ts'
import { notFound, Problem, refusalProblem } from './problem.ts'
import { Reading } from './reading.ts'
import { RestConnections } from './rest-connections.ts'
import { Rights } from './rights.ts'

export interface ApiDependencies {
  readonly host: Host
  readonly identity: Identity
  readonly rooms: Rooms
  /** of messages */
  readonly rates: RateLimits
  /** of what else is stored at somebody's asking */
  readonly acts: RateLimits
  readonly readModels: ReadModels
  readonly log: EventLog
  readonly sessions: Sessions
  readonly dialects: readonly Dialect[]
  readonly clock: Clock
  readonly chance: Chance
  readonly node: string
  readonly incarnation: string
  readonly guests: 'auto' | 'on' | 'off'
  /** the setting, which no recording may hold; empty: none */
  readonly adminToken: string
  /** whoever names a registered phone number on drivers.uz: is refused, or gets a token of its account */
  readonly driversSignupExisting: 'refuse' | 'return'
  readonly trustProxy: readonly string[]
  readonly version: string
  /** the address clients see, when a proxy stands before the server; empty: the request's own */
  readonly publicUrl: string
  allowedOrigin(origin: string | undefined, host: string | undefined): boolean
  /** for the operator */
  onWarning(text: string): void
  onFault(where: string, error: unknown): void
}

export interface Bearer {
  readonly account: Account
  readonly asker: Asker
  /** the id of the token shown; null: it is another party's */
  readonly token: string | null
}

const bearing = ({ account, token }: Bearing): Bearer => {
  const { id, number, username, role } = account
  return { account, asker: { id, number, username, account: role }, token }
}

export class Requests extends Reading {
  readonly deps: ApiDependencies
  readonly connections: RestConnections
  readonly console: ConsoleSessions
  readonly rights: Rights
  readonly #streams: EventStreams

  constructor(deps: ApiDependencies, epoch: string) {
    super(deps.log, deps.readModels, epoch)
    this.deps = deps
    this.connections = new RestConnections(deps.host, deps.incarnation)
    this.rights = new Rights(deps.host)
    this.#streams = new EventStreams(deps.clock)
    this.console = new ConsoleSessions(deps.host, deps.identity, deps.publicUrl)
  }

  /** Whose token this is, or whose session of the console where that may read. @throws Problem 401, 403 when banned */
  async bearer(request: FastifyRequest): Promise<Bearer> {
    if (request.headers.authorization === undefined) {
      const signedIn = await this.console.of(request)
      if (signedIn && !this.#isBanned(signedIn)) return bearing(signedIn)
    }
    const [, token] = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(request.headers.authorization ?? '') ?? []
    return this.bearerOf(token)
  }

  /** A token of ours, or one of another party. */
  async #known(token: string): Promise<Bearing | 'expired' | 'invalid'> {
    const { identity } = this.deps
    return (await identity.byToken(identity.hashToken(token))) ?? (await identity.byForeignToken(token))
  }

  /** The same, for a protocol that has its own words for what is wrong with a token. */
  async bearing(token: string): Promise<Bearer | 'expired' | 'invalid'> {
    const known = await this.#known(token)
    if (typeof known === 'string') return known
    return this.#isBanned(known) ? 'invalid' : bearing(known)
  }

  /** The same, for a protocol that sends its tokens elsewhere. @throws Problem 401, 403 when banned */
  async bearerOf(token: string | undefined): Promise<Bearer> {
    const known = token === undefined ? 'invalid' : await this.#known(token)
    if (known === 'expired') throw new Problem(401, 'user-required', 'this token is expired')
    if (known === 'invalid') {
      const unknown = token === undefined ? '' : 'this token is unknown or was revoked; '
      throw new Problem(401, 'user-required', `${unknown}send a token: Authorization: Bearer <token>`)
    }
    if (this.#isBanned(known)) throw refusalProblem('banned', { until: known.ban?.until ?? null })
    return bearing(known)
  }

  #isBanned({ ban }: Bearing): boolean {
    return inForce(ban ?? undefined, this.deps.clock.now())
  }

  /** Who asks something of this room: members of a space are members of its channels. @throws LogUnavailable */
  async askerIn({ account, asker }: Bearer, room: RoomRef): Promise<Asker> {
    const spaceRole = await this.deps.rooms.spaceRoleOf(room, account.id)
    return spaceRole ? { ...asker, spaceRole } : asker
  }

  /** The room that a command is for, and who asks there. @throws Problem 404 for strangers as well, LogUnavailable */
  async asked(bearer: Bearer, reference: string): Promise<{ room: RoomRef; asker: Asker }> {
    const room = await this.readable(bearer, reference)
    return { room, asker: await this.askerIn(bearer, room) }
  }

  /** @throws Problem 401, 403; that somebody tried stands on their record */
  async admin(request: FastifyRequest): Promise<Bearer> {
    const bearer = await this.bearer(request)
    if (bearer.account.role !== 'admin') await this.refuse(request, bearer)
    return bearer
  }

  /** @throws Problem 403, once the try is on the bearer's record */
  async refuse(request: FastifyRequest, { account }: Bearer): Promise<never> {
    const command = `${request.method} ${request.routeOptions.url}`
    return this.accepted(account, command, refused('not-authorized')) as Promise<never>
  }

  /** @throws Problem 404 */
  async room(reference: string): Promise<RoomRef> {
    const room = await this.deps.rooms.resolve(reference)
    if (!room) throw notFound('room')
    return room
  }

  /**
   * A room whose record this bearer may read: an admin's, a member's, or one that anybody may enter.
   * @throws Problem 404: a stranger cannot tell it from no room
   */
  async readable(bearer: Bearer, reference: string): Promise<RoomRef> {
    const room = await this.room(reference)
    await this.mayRead(bearer, room)
    return room
  }

  /** @throws Problem 404 for whom the room is as good as none */
  async mayRead({ account }: Bearer, room: RoomRef): Promise<void> {
    if (account.role === 'admin' || isOpenToAll(room)) return
    if ((await this.deps.rooms.roleOf(room, account.id)) === null) throw notFound('room')
  }

  /** @throws Problem 404, and 403 for whoever keeps no order there */
  async moderated(request: FastifyRequest, bearer: Bearer, reference: string): Promise<RoomRef> {
    const room = await this.readable(bearer, reference)
    if (bearer.account.role === 'admin') return room
    const role = await this.deps.rooms.roleOf(room, bearer.account.id)
    return role === 'owner' || role === 'mod' ? room : this.refuse(request, bearer)
  }

  /** @throws Problem 404 */
  async user(reference: string): Promise<Account> {
    const user = await this.deps.identity.resolve(reference)
    if (!user) throw notFound('user')
    return user
  }

  /** Takes one of the acts that an account may have stored. @throws Problem 429, once that is on the bearer's record */
  async permit({ account }: Pick<Bearer, 'account'>, command: string): Promise<void> {
    const { acts, host } = this.deps
    if (!acts.overRate(account)) return
    const { id } = await this.connections.of(account)
    const asked = host.ask(connectionStream(id), { type: 'command.permit', command, overRate: true })
    await this.accepted(account, command, asked ?? refused('rate-limited'))
  }

  /** What makes rooms counts as messages do. @throws Problem 429 */
  async permitRoom({ account }: Pick<Bearer, 'account'>): Promise<void> {
    if (this.deps.rates.overRate(account)) await this.accepted(account, 'room.open', refused('rate-limited'))
  }

  /** Whom a mute names, folded: it is kept by name and may precede the account, so `@name` need not exist. @throws Problem 404 */
  async target(reference: string): Promise<{ name: string; id: string | null }> {
    const { identity } = this.deps
    const account = await identity.resolve(reference)
    if (account) return { name: identity.fold(account.username), id: account.id }
    if (reference.startsWith('@')) return { name: identity.fold(reference.slice(1)), id: null }
    throw notFound('user')
  }

  /** The same, for a new mute: a name that has no account must be one that an account could have. @throws Problem 404, 400 */
  async toMute(reference: string): Promise<{ name: string; id: string | null }> {
    const target = await this.target(reference)
    const fault = target.id === null ? nameFault(reference.slice(1)) : null
    if (fault) throw refusalProblem('name-invalid', { field: 'user', rule: fault })
    return target
  }

  /** What a fact says of where it was asked, for what is not put as a command here. */
  async from(request: FastifyRequest, { account }: Pick<Bearer, 'account'>) {
    return { connection: (await this.connections.of(account)).id, correlationId: request.id }
  }

  /**
   * Puts a command in the bearer's name: an act, unless it carries a verdict of its own. A refusal is on
   * record before it is answered. @throws Problem
   */
  async command(request: FastifyRequest, bearer: Bearer, stream: string, command: Submitted): Promise<Done> {
    if (!('overRate' in command)) await this.permit(bearer, command.type)
    const { account } = bearer
    const from = { by: account.id, ...(await this.from(request, bearer)) }
    return this.accepted(account, command.type, await this.deps.host.send(stream, { ...from, ...command }))
  }

  /** @throws Problem for a refusal, once that is on the bearer's record */
  async accepted<O extends { ok: true } | Outcome>(
    account: Account,
    command: string,
    outcome: O | { ok: false; refusal: Refusal },
  ) {
    if (outcome.ok) return outcome as Extract<O, { ok: true }>
    const { refusal } = outcome as { refusal: Refusal }
    this.deps.sessions.refused(refusal.code)
    const connection = await this.connections.of(account)
    if (await connection.refusals.note(command, refusal)) throw refusalProblem(refusal.code, refusal.values)
    throw refusalProblem('unavailable')
  }

  /**
   * Archives a room, and a space's rooms before it, as one act: cut off between, the space is still there to be archived again.
   * @throws Problem
   */
  async archive(request: FastifyRequest, bearer: Bearer, room: RoomRef, reason: string | null): Promise<Done> {
    const { account } = bearer
    await this.permit(bearer, 'room.archive')
    const asker = await this.askerIn(bearer, room)
    const isOwner = (await this.deps.rooms.roleOf(room, account.id)) === 'owner'
    const archiving = { type: 'room.archive', reason, overRate: false } as const
    if (room.kind === 'space' && (isOwner || account.role === 'admin')) {
      const { result } = await this.read('rooms.within', { space: room.id }, await this.deps.log.head())
      const within = { ...asker, ...(isOwner ? { spaceRole: 'owner' as const } : {}) }
      for (const id of result) {
        await this.command(request, bearer, roomStream(id), { ...archiving, asker: within })
      }
    }
    return this.command(request, bearer, roomStream(room.id), { ...archiving, asker })
  }

  /**
   * Answers with server-sent events: `tell` sends what it will of each fact after `from` (null: from now on). Over when
   * the reader goes, loses the right to it or the server stops; what goes wrong ends it and is a fault.
   */
  async follow(
    request: FastifyRequest,
    reply: FastifyReply,
    bearer: Bearer,
    { from, filter }: { from: Position | null; filter: Filter },
    tell: (item: Recorded | CaughtUp, events: Events) => Promise<void>,
  ): Promise<void> {
    const right = this.rights.hold(bearer)
    const session = this.console.overOf(request)
    const events = this.#streams.open(request, reply, session ? AbortSignal.any([right.lost, session]) : right.lost)
    try {
      const { log } = this.deps
      const after = from ?? (await log.head())
      for await (const item of log.subscribe({ from: after, filter, signal: events.gone })) await tell(item, events)
    } catch (error) {
      this.deps.onFault(`GET ${request.routeOptions.url}`, error)
    } finally {
      right.release()
      events.end()
    }
  }

  async stop(): Promise<void> {
    this.#streams.stop()
    await this.connections.stop()
  }
}
