// What every route needs of a request: who asks, which room or user is meant, and how a command is put and answered.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { isOpenToAll } from '../actors/alias.ts'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host, Submitted } from '../actors/host.ts'
import type { Account, Bearing, Identity } from '../actors/identity.ts'
import { type Done, type Outcome, refused } from '../actors/outcome.ts'
import type { Chance, Clock } from '../actors/ports.ts'
import type { RateLimits } from '../actors/rate.ts'
import type { Refusal } from '../actors/refusals.ts'
import { inForce } from '../actors/room/room.context.ts'
import { type Asker, roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef, Rooms } from '../actors/rooms.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { type CaughtUp, type EventLog, type Filter, isPlaceIn, type Position, type Recorded } from '../log/event-log.ts'
import { ReadModelsUnavailable } from '../projections/poison.ts'
import type { QueryArgs, QueryName } from '../projections/queries.ts'
import type { ReadModels } from '../projections/read-models.ts'
import type { Freshness } from '../projections/runner.ts'
import type { Sessions } from '../transports/sessions.ts'
import { ConsoleSessions } from './console-sessions.ts'
import { EventStreams, type Events } from './event-streams.ts'
import { positionText, readAt, readPosition } from './position.ts'
import { notFound, Problem, refusalProblem } from './problem.ts'
import { RestConnections } from './rest-connections.ts'

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

/** Whoever asks again would do it twice. @throws Problem */
const storedAllTheSame = (error: unknown): never => {
  if (!(error instanceof ReadModelsUnavailable)) throw error
  const detail =
    'it is stored, and cannot be shown yet: look again later (/readyz says why) rather than ask for it again'
  throw new Problem(503, 'unavailable', detail, { stored: 'yes' })
}

const bearing = ({ account, token }: Bearing): Bearer => {
  const { id, number, username, role } = account
  return { account, asker: { id, number, username, account: role }, token }
}

export class Requests {
  readonly deps: ApiDependencies
  readonly epoch: string
  readonly connections: RestConnections
  readonly console: ConsoleSessions
  readonly #streams: EventStreams

  constructor(deps: ApiDependencies, epoch: string) {
    this.deps = deps
    this.epoch = epoch
    this.connections = new RestConnections(deps.host, deps.incarnation)
    this.#streams = new EventStreams(deps.clock)
    this.console = new ConsoleSessions(deps.host, deps.identity, deps.publicUrl)
  }

  /** Whose token this is, or whose session of the console where that may read. @throws Problem 401, 403 when banned */
  async bearer(request: FastifyRequest): Promise<Bearer> {
    if (request.headers.authorization === undefined) {
      const signedIn = await this.console.of(request)
      if (signedIn && !this.#isBanned(signedIn)) return bearing(signedIn)
    }
    const [, token] = /^Bearer ([\x21-\x7e]{1,8192})$/.exec(request.headers.authorization ?? '') ?? []
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
    if (known === 'invalid') throw new Problem(401, 'user-required', 'send a token: Authorization: Bearer <token>')
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

  /** The room that a command is for, and who asks there. @throws Problem 404, LogUnavailable */
  async asked(bearer: Bearer, reference: string): Promise<{ room: RoomRef; asker: Asker }> {
    const room = await this.room(reference)
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
    const { account } = bearer
    if (account.role === 'admin' || isOpenToAll(room)) return room
    if ((await this.deps.rooms.roleOf(room, account.id)) === null) throw notFound('room')
    return room
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
    const connection = await this.connections.of(account)
    this.deps.sessions.refused(refusal.code)
    await connection.refusals.note(command, refusal)
    throw refusalProblem(refusal.code, refusal.values)
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
   * the reader goes, its session ends or the server stops; what goes wrong ends it and is a fault.
   */
  async follow(
    request: FastifyRequest,
    reply: FastifyReply,
    { from, filter }: { from: Position | null; filter: Filter },
    tell: (item: Recorded | CaughtUp, events: Events) => Promise<void>,
  ): Promise<void> {
    const events = this.#streams.open(request, reply, this.console.overOf(request))
    try {
      const { log } = this.deps
      const after = from ?? (await log.head())
      for await (const item of log.subscribe({ from: after, filter, signal: events.gone })) await tell(item, events)
    } catch (error) {
      this.deps.onFault(`GET ${request.routeOptions.url}`, error)
    } finally {
      events.end()
    }
  }

  async stop(): Promise<void> {
    this.#streams.stop()
    await this.connections.stop()
  }

  at(query: { at?: string | undefined }) {
    return readAt(this.epoch, query.at)
  }

  /** Asks the read models, as fresh as the request wants. */
  async read<Name extends QueryName>(name: Name, args: QueryArgs<Name>, atLeast?: Freshness | string) {
    const wanted = typeof atLeast === 'string' ? readPosition(this.epoch, atLeast) : atLeast
    if (typeof wanted === 'number' && wanted > (await this.deps.log.head())) {
      throw new Problem(400, 'malformed', 'atLeast: beyond the end of the log')
    }
    const reading = this.deps.readModels.query(name, args, wanted === undefined ? {} : { atLeast: wanted })
    // A place in a stream is where something was stored: what this request asked for, or what it goes by.
    return typeof wanted === 'object' ? reading.catch(storedAllTheSame) : reading
  }

  /** Where a reader goes on. @throws Problem 400 naming the parameter, 410 of another log; LogUnavailable */
  async placeIn(parameter: string, text: string): Promise<Position> {
    const from = readPosition(this.epoch, text)
    if (await isPlaceIn(this.deps.log, from)) return from
    throw new Problem(400, 'malformed', `${parameter}: ${text} is no place in this log; take a position that it gave`)
  }

  position(position: number): string {
    return positionText(this.epoch, position)
  }
}
