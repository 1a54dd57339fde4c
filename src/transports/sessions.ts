// All sessions of this node: what they share, who is counted, and how they end together.

import type { ConnectionContext } from '../actors/connection/connection.context.ts'
import type { CloseCause, FactData } from '../actors/connection/connection.facts.ts'
import type { Fact } from '../actors/fact.ts'
import { nodeStream } from '../actors/node.facts.ts'
import { type Rate, RateLimits } from '../actors/rate.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import { roomOf } from '../actors/room/room.facts.ts'
import type { UserContext } from '../actors/user/user.context.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { Announcements } from './announcements.ts'
import { Session } from './session.ts'
import { Statuses } from './statuses.ts'
import type { Counted, SessionsOptions, Surroundings, Tap } from './surroundings.ts'
import type { Socket } from './transport.ts'

const TURNED_AWAY_MS = 60_000
/** Transports that shook hands and are no session, now and for a while. */
const MAX_UNJOINED = 1_000
/** Sockets that one address may open: many people may sit behind one, and each leaves facts that it came and went. */
const OPENINGS: Rate = { capacity: 1_200, perSecond: 20 }
/** whoever is turned away is told to come back after so long, and not everybody at once */
const COME_BACK_AFTER = { leastSeconds: 1, mostSeconds: 10 }

export class Sessions {
  readonly #options: SessionsOptions
  readonly #sessions = new Map<string, Session>()
  readonly #around: Surroundings
  readonly counters = new Map<Counted, number>()
  readonly taps = new Set<Tap>()
  readonly refusals = new Map<RefusalCode, number>()
  readonly #openings: RateLimits
  #turnedAway: Record<string, number> = {}
  #turnedAwaySince = 0
  #cancelNote = () => {}
  #dirty: Session[] = []
  #stopping = false

  constructor(options: SessionsOptions) {
    this.#options = options
    const { host, dialects } = options
    this.#openings = new RateLimits(OPENINGS, host.clock)
    this.#around = {
      ...options,
      taps: this.taps,
      onFault: (where, error) => options.onFault(where, error),
      dialectOf: (event) => dialects.find(({ events }) => events.includes(event)) ?? null,
      flushLater: (session) => this.#flushLater(session),
      count: (what) => bump(this.counters, what),
      refused: (code) => this.refused(code),
      turnedAway: (cause) => this.#turnAway(cause),
      gone: (session) => this.#sessions.delete(session.id),
      stopping: () => this.#stopping,
    }
    const announcements = new Announcements(options, (dialect) =>
      [...this.#sessions.values()].filter((session) => session.hearsNews && session.dialect === dialect),
    )
    const statuses = new Statuses(options)
    host.onAcknowledged(({ kind, stream, facts }) => {
      if (kind === 'room') for (const fact of facts) this.#hearRoom(stream, fact)
      if (kind === 'room') announcements.hear(stream, facts)
      if (kind === 'connection') for (const fact of facts) this.#hearConnection(fact)
      if (kind === 'user') for (const fact of facts) this.#hearUser(fact)
      if (kind === 'user') for (const fact of facts) statuses.hear(fact)
    })
  }

  /** Counts one, on whatever door. */
  refused(code: RefusalCode): void {
    bump(this.refusals, code)
  }

  #hearConnection({ type, stream, data }: Fact): void {
    const session = this.#sessions.get(stream.slice('connection-'.length))
    if (!session) return
    if (type === 'RoomLeft') {
      const { room } = data as { room: string }
      const { followed } = this.#options.host.contextOf<ConnectionContext>(stream)
      // Followed in the same append: a member's visit is over, and it goes on hearing the room.
      if (followed.has(room)) session.places.stay(room)
      else session.requests.left(room)
    }
    if (type !== 'ConnectionClosed') return
    const { cause, code, reason } = data as FactData<'ConnectionClosed'>
    session.obey(cause, { code, reason })
  }

  /**
   * Whoever becomes a member hears the room from now on, where their dialect follows all that they belong to; a room
   * opened in a space is heard by whoever hears the space; and whoever hears all rooms hears a new one.
   */
  #hearRoom(stream: string, fact: Fact): void {
    const { type, data } = fact
    const room = roomOf(stream)
    const isNew =
      type === 'RoomOpened' || (type === 'RoomChanged' && (data as { aliases?: unknown }).aliases !== undefined)
    if (type !== 'MemberAdded' && type !== 'MemberRemoved' && !isNew) return
    const { user, kind = 'room', parent = null } = data as { user?: string; kind?: string; parent?: string | null }
    for (const session of this.#sessions.values()) {
      if (isNew) {
        if (session.isEverywhere ? kind === 'room' : parent !== null) session.requests.follow(room, fact)
      } else if (session.account?.id === user) {
        if (type === 'MemberRemoved') session.requests.unfollow(room)
        else session.requests.follow(room, fact)
      }
    }
  }

  /** Who is renamed, or gains or loses a role, speaks as that from now on, on the sockets that are open. */
  #hearUser({ type, stream }: Fact): void {
    if (type !== 'UserRenamed' && type !== 'RoleGranted' && type !== 'RoleRevoked') return
    const known = this.#options.host.peek(stream)?.snapshot.context as UserContext
    const { user: id, number, username, role } = known
    for (const session of this.#sessions.values()) {
      if (session.account?.id === id) session.account = { id, number, username, role }
    }
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Sessions with frames that are not wholly dealt with. */
  get busy(): number {
    let busy = 0
    for (const session of this.#sessions.values()) if (session.requests.busy) busy++
    return busy
  }

  /**
   * May one more handshake begin from this address, with `begun` of them open? Those that never come to a session are
   * bounded, too; this machine's own are not.
   */
  admits(begun: number, address: string | null): boolean {
    const tooOften = address !== null && this.#openings.overRate({ id: address, role: 'member' })
    if (!this.#stopping && !tooOften && begun - this.#sessions.size < MAX_UNJOINED) return true
    this.#turnAway('flood')
    return false
  }

  comeBackAfterSeconds(): number {
    const { leastSeconds, mostSeconds } = COME_BACK_AFTER
    return leastSeconds + Math.floor(this.#options.host.chance.fraction() * (mostSeconds - leastSeconds + 1))
  }

  /**
   * `dialect` null: the first event tells. Returns null when there are as many as may be, or the server is stopping:
   * the transport turns the socket away.
   */
  open(socket: Socket, dialect: Dialect | null = null): Session | null {
    if (this.#stopping || this.#sessions.size >= this.#options.maxConnections) {
      this.#turnAway('flood')
      return null
    }
    const session = new Session(socket, this.#around, dialect)
    this.#sessions.set(socket.id, session)
    bump(this.counters, 'opened')
    return session
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Tells every client in its protocol that the server stops. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()))
    await this.#noteTurnedAway()
  }

  #flushLater(session: Session): void {
    if (this.#dirty.push(session) > 1) return
    // After everything this turn acknowledged has been answered: room frames and acks leave as one write.
    this.#options.host.clock.soon(() => {
      const dirty = this.#dirty
      this.#dirty = []
      for (const each of dirty) each.flush()
    })
  }

  #turnAway(cause: CloseCause): void {
    bump(this.counters, 'turned_away')
    this.#turnedAway[cause] = (this.#turnedAway[cause] ?? 0) + 1
    if (this.#turnedAwaySince !== 0) return
    const { clock } = this.#options.host
    this.#turnedAwaySince = clock.now()
    this.#cancelNote = clock.at(this.#turnedAwaySince + TURNED_AWAY_MS, () => void this.#noteTurnedAway())
  }

  async #noteTurnedAway(): Promise<void> {
    this.#cancelNote()
    if (this.#turnedAwaySince === 0) return
    const data = { since: this.#turnedAwaySince, counts: this.#turnedAway }
    this.#turnedAway = {}
    this.#turnedAwaySince = 0
    const { host, node, onFault } = this.#options
    await host.ledger
      .append(nodeStream(node), () => ({ type: 'ConnectionsTurnedAway', data }))
      .catch((error) => onFault('connections turned away', error))
  }
}

const bump = <Key>(counters: Map<Key, number>, key: Key): void => {
  counters.set(key, (counters.get(key) ?? 0) + 1)
}
