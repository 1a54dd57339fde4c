// What the log hears of one connection: its beginning, its dialect, whether somebody is active on it, what it was
// refused, what it was surely handed, and its end.

import { type CloseCause, connectionStream, type FactData } from '../actors/connection/connection.facts.ts'
import type { Submitted } from '../actors/host.ts'
import type { Outcome } from '../actors/outcome.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { RefusalRecord } from './refusal-record.ts'
import type { Surroundings } from './surroundings.ts'
import type { Socket } from './transport.ts'
import { untilStored } from './until-stored.ts'

/** Strangers that come and go within it are counted, not recorded one by one. */
const BEGIN_AFTER_MS = 1_000

/** A socket whose dialect is not known yet: it must say something within a minute. */
const UNTOLD = {
  dialect: null,
  version: 0,
  limits: { authTimeoutMs: 60_000, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
  options: { oneRoom: false, socketsPerAccount: 0, closeCodes: {} },
}

/** What of a dialect stands in the connection's facts. */
const toldOf = ({ name, version, profile }: Dialect) => ({
  dialect: name,
  version,
  limits: profile.limits,
  options: {
    oneRoom: profile.oneRoom,
    socketsPerAccount: profile.socketsPerAccount,
    closeCodes: profile.closeCodes,
  },
})

const nothing = (): void => {}

export interface Ending {
  readonly cause: CloseCause
  /** in the transport's words, for whoever looks for the reason */
  readonly reason: string | null
  /** the socket is gone already */
  readonly late: boolean
}

export class ConnectionRecord {
  /** the account signed in */
  by: string | null = null
  /** while the beginning is not on record yet: everything else about the connection waits for it */
  opening: Promise<void> | null = null
  readonly #socket: Socket
  readonly #around: Surroundings
  #begun = false
  #ended = false
  readonly #since: number
  /** known from the listener; null: the first event tells */
  readonly #known: Dialect | null
  #chosen: Dialect | null = null
  #cancelBegin = nothing
  #cancelIdle = nothing
  #refusals: RefusalRecord | null = null
  #idle = false
  #lastInputAt = 0

  constructor(socket: Socket, around: Surroundings, known: Dialect | null) {
    this.#socket = socket
    this.#known = known
    this.#since = around.host.clock.now()
    this.#around = around
    this.#beginLater()
  }

  /** Made when it is first asked for: most connections are refused nothing. */
  get refusals(): RefusalRecord {
    const { host, stopping } = this.#around
    this.#refusals ??= new RefusalRecord(host, this.#socket.id, () => this.by, stopping)
    return this.#refusals
  }

  get begun(): boolean {
    return this.#begun
  }

  command(command: Submitted): Promise<Outcome> {
    const { host } = this.#around
    return host.send(connectionStream(this.#socket.id), { by: this.by, connection: this.#socket.id, ...command })
  }

  /** What the command would be answered; nothing is stored. null: its actor is not in memory. */
  ask(command: Submitted): Outcome | null {
    return this.#around.host.ask(connectionStream(this.#socket.id), { by: this.by, ...command })
  }

  /** With the first frame, or after a second; and its dialect once that is known. Submitted together, so one append. */
  begin(dialect: Dialect | null): void {
    const { host, node, incarnation } = this.#around
    if (!this.#begun) {
      this.#begun = true
      this.#cancelBegin()
      this.#cancelBegin = nothing
      const opening = this.command({
        type: 'connection.open',
        connection: this.#socket.id,
        ...(this.#known ? toldOf(this.#known) : UNTOLD),
        since: this.#since,
        transport: this.#socket.transport,
        node,
        incarnation,
        machine: host.machineHash('connection'),
      })
      this.opening = opening.then(({ ok }) => {
        this.opening = null
        if (!ok) this.#beginAgain()
      })
    }
    if (!dialect || this.#known || this.#chosen) return
    this.#chosen = dialect
    void this.command({ type: 'dialect.choose', ...toldOf(dialect) })
  }

  /** The log was away: with the next frame, or after a second. */
  #beginAgain(): void {
    if (this.#ended) return
    this.#begun = false
    const dialect = this.#chosen
    this.#chosen = null
    this.#beginLater(dialect)
  }

  #beginLater(dialect: Dialect | null = null): void {
    const { clock } = this.#around.host
    this.#cancelBegin = clock.at(clock.now() + BEGIN_AFTER_MS, () => this.begin(dialect))
  }

  /** A frame came. */
  noteInput(): void {
    this.#lastInputAt = this.#around.host.clock.now()
    if (!this.#idle) return
    this.#idle = false
    void this.command({ type: 'activity.resume' })
  }

  /** From now on, no frame for `idleAfterMs` is noted. */
  watchActivity(idleAfterMs: number): void {
    const { clock } = this.#around.host
    const since = this.#idle ? clock.now() : this.#lastInputAt
    this.#cancelIdle = clock.at(since + idleAfterMs, () => {
      if (!this.#idle && clock.now() - this.#lastInputAt >= idleAfterMs) {
        this.#idle = true
        void this.command({ type: 'activity.idle', since: this.#lastInputAt })
      }
      this.watchActivity(idleAfterMs)
    })
  }

  /** What the network took of each room. */
  noteDelivered(rooms: FactData<'Delivered'>['rooms']): void {
    if (Object.keys(rooms).length > 0) void this.command({ type: 'delivery.note', rooms })
  }

  /** Its timers end; what its actor decided itself needs nothing more. */
  stop(): void {
    this.#ended = true
    this.#cancelBegin()
    this.#cancelIdle()
  }

  /** The refusals not yet counted, what was surely handed over, and the end: submitted together. */
  async end({ cause, reason, late }: Ending, delivered: FactData<'Delivered'>['rooms']): Promise<void> {
    this.stop()
    await this.opening
    void this.refusals.flush()
    this.noteDelivered(delivered)
    const { host, stopping } = this.#around
    const { id } = this.#socket
    const close = { type: 'connection.close', code: null, reason, cause, late } as const
    await untilStored(host, stopping, connectionStream(id), { ...close, by: this.by, connection: id })
  }
}
