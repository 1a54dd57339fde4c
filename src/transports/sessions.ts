// All sessions of this node: what they share, who is counted, and how they end together.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import { nodeStream } from '../actors/node.facts.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import { Session } from './session.ts'
import type { Counted, SessionsOptions, Surroundings } from './surroundings.ts'
import type { Socket } from './transport.ts'

const TURNED_AWAY_MS = 60_000

export class Sessions {
  readonly #options: SessionsOptions
  readonly #sessions = new Map<string, Session>()
  readonly #around: Surroundings
  readonly counters = new Map<Counted, number>()
  readonly refusals = new Map<RefusalCode, number>()
  #turnedAway: Record<string, number> = {}
  #turnedAwaySince = 0
  #dirty: Session[] = []
  #stopping = false

  constructor(options: SessionsOptions) {
    this.#options = options
    const { host, dialects } = options
    this.#around = {
      ...options,
      onFault: (where, error) => options.onFault(where, error),
      dialectOf: (event) => dialects.find(({ events }) => events.includes(event)) ?? null,
      flushLater: (session) => this.#flushLater(session),
      count: (what) => bump(this.counters, what),
      refused: (code) => bump(this.refusals, code),
      turnedAway: (cause) => this.#turnAway(cause),
      gone: (session) => this.#sessions.delete(session.id),
    }
    host.onAcknowledged(({ kind, facts }) => {
      if (kind !== 'connection') return
      for (const { type, stream, data } of facts) {
        if (type !== 'ConnectionClosed') continue
        this.#sessions.get(stream.slice('connection-'.length))?.obey((data as { cause: CloseCause }).cause)
      }
    })
  }

  get size(): number {
    return this.#sessions.size
  }

  /** null when there are as many as may be, or the server is stopping: the transport turns the socket away. */
  open(socket: Socket): Session | null {
    if (this.#stopping || this.#sessions.size >= this.#options.maxConnections) {
      this.#turnAway('flood')
      return null
    }
    const session = new Session(socket, this.#around)
    this.#sessions.set(socket.id, session)
    bump(this.counters, 'opened')
    return session
  }

  /** Tells every client in its protocol that the server stops. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()))
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
    const { host, node, onFault } = this.#options
    this.#turnedAwaySince = host.clock.now()
    host.clock.at(this.#turnedAwaySince + TURNED_AWAY_MS, () => {
      const data = { since: this.#turnedAwaySince, counts: this.#turnedAway }
      this.#turnedAway = {}
      this.#turnedAwaySince = 0
      host.ledger
        .append(nodeStream(node), () => ({ type: 'ConnectionsTurnedAway', data }))
        .catch((error) => onFault('connections turned away', error))
    })
  }
}

const bump = <Key>(counters: Map<Key, number>, key: Key): void => {
  counters.set(key, (counters.get(key) ?? 0) + 1)
}
