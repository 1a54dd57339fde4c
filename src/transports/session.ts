// One connection from its first frame to its end, whatever its dialect: whose it is, what leaves on its socket, and how
// it ends. What its client asks for is requests.ts.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { Account } from '../actors/identity.ts'
import type { Asker } from '../actors/room/room.facts.ts'
import type { CloseReason, Closing, ConnectionOptions, Dialect, FrameIn, FrameOut } from '../dialects/dialect.ts'
import { UNTOLD } from './answers.ts'
import type { Listener } from './audience.ts'
import { ConnectionRecord, type Ending } from './connection-record.ts'
import { Outbox } from './outbox.ts'
import { Places } from './places.ts'
import { Requests } from './requests.ts'
import type { Surroundings } from './surroundings.ts'
import { Batch, type Socket } from './transport.ts'

/** How a socket ends whose dialect is not known; one that said nothing in time need not come back by itself. */
const unknown = (cause: CloseCause): Closing => ({
  frames: [],
  how: cause === 'auth-timeout' ? 'disconnect' : 'drop',
  code: null,
  reason: null,
})

export class Session implements Listener {
  readonly id: string
  readonly around: Surroundings
  readonly record: ConnectionRecord
  /** the rooms it hears */
  readonly places = new Places()
  readonly requests: Requests
  ended = false
  readonly #socket: Socket
  readonly #outbox: Outbox
  #account: Account | null = null
  #dialect: Dialect | null = null
  #options: ConnectionOptions = {}

  /** `dialect` null: the first event tells. */
  constructor(socket: Socket, around: Surroundings, dialect: Dialect | null) {
    this.id = socket.id
    this.around = around
    this.#socket = socket
    this.#dialect = dialect
    this.record = new ConnectionRecord(socket, around, dialect)
    this.requests = new Requests(this)
    this.#outbox = new Outbox(socket, around.host.clock, {
      flushLater: () => around.flushLater(this),
      progressed: () => this.record.noteDelivered(this.#outbox.takeDelivered()),
      tooSlow: () => this.abort('slow-consumer'),
    })
    for (const tap of around.taps) tap.opened(this)
    if (dialect) this.send(dialect.greeting)
  }

  get dialect(): Dialect {
    if (!this.#dialect) throw new Error('the dialect is not known yet')
    return this.#dialect
  }

  /** null: its first event has not told */
  get spoken(): Dialect | null {
    return this.#dialect
  }

  /** who signed in; null: nobody, or an anonymous reader */
  get account(): Account | null {
    return this.#account
  }

  set account(account: Account | null) {
    this.#account = account
    this.record.by = account?.id ?? null
  }

  /** It hears and may write in every room that its dialect shows. */
  get isEverywhere(): boolean {
    return this.#account?.role === 'robot' && this.#dialect?.profile.robots === 'everywhere'
  }

  get user(): string | null {
    return this.#account?.id ?? null
  }

  /** Takes one of the acts that its account may have stored; those of nobody are its address's. */
  isOverActs(account: Pick<Account, 'id' | 'role'> | null = this.#account): boolean {
    return this.around.acts.overRate(account ?? { id: this.#socket.address ?? this.id, role: 'member' })
  }

  asker({ id, number, username, role }: Account): Asker {
    return { id, number, username, account: role }
  }

  // --- frames in ---

  receive(frame: FrameIn): void {
    if (this.ended) return
    if ('event' in frame) {
      const dialect = this.#dialect ?? this.around.dialectOf(frame.event)
      if (!dialect?.events.includes(frame.event)) {
        this.around.count('frames_ignored')
        return
      }
      this.#dialect = dialect
    }
    this.record.noteInput()
    this.record.begin(this.dialect)
    this.requests.add(frame)
  }

  /** Nobody foresaw this: it ends the connection, and no other. */
  fail(error: unknown): void {
    this.around.onFault(`connection ${this.id}`, error)
    this.abort('server-error')
  }

  // --- frames out ---

  send(frames: readonly FrameOut[]): void {
    if (frames.length > 0) this.#add(new Batch(frames))
  }

  #add(batch: Batch): void {
    if (!this.ended) for (const tap of this.around.taps) tap.told(this, batch.frames)
    this.#outbox.add(batch)
  }

  deliver(batch: Batch, room: string, revision: number | null): void {
    this.#add(batch)
    if (revision !== null) this.reached(room, revision)
  }

  /** What was sent so far tells all of this room up to there. */
  reached(room: string, revision: number): void {
    this.#outbox.reached(room, revision)
  }

  /** What is news to everybody of its dialect. */
  announce(batch: Batch): void {
    if (!this.ended) this.#add(batch)
  }

  overflow(): void {
    this.abort('slow-consumer')
  }

  untold(): void {
    this.abort('server-error')
  }

  flush(): void {
    try {
      this.#outbox.flush()
    } catch (error) {
      this.fail(error)
    }
  }

  /** It may be told what is news in its dialect. */
  get hearsNews(): boolean {
    return this.requests.standing === 'ready' && this.#account !== null && this.#dialect?.announce !== undefined
  }

  /** How its client wants to be served, before the first frame that tells it anything. */
  serve(options: ConnectionOptions): void {
    this.#options = options
    if (options.zlib) this.#socket.startZlib?.()
  }

  get zlib(): boolean {
    return this.#options.zlib === true
  }

  get statuses(): boolean {
    return this.#options.statuses !== false
  }

  /** It hears this room no more. */
  forget(room: string): void {
    this.around.hub.leave(room, this)
    this.places.delete(room)
  }

  // --- its end ---

  /** The transport is gone: the client's end, or a lost heartbeat. */
  closed(cause: CloseCause = 'client', reason: string | null = null): void {
    if (this.ended) return
    for (const tap of this.around.taps) tap.left(this)
    this.#leave(cause)
    this.#end({ cause, reason, late: true })
    this.#outbox.close()
  }

  /** We end it for a reason of the transport's; its fact follows, marked late. */
  abort(cause: CloseCause, told: CloseReason = UNTOLD): void {
    if (this.ended) return
    this.#leave(cause)
    this.#end({ cause, reason: told.reason, late: true })
    this.#closeSocket(cause, told)
  }

  /** Its peer answers no more: its fact follows, marked late, and what the protocol closes with then is tried. */
  lost(): void {
    if (this.ended) return
    this.#leave('client')
    this.#end({ cause: 'client', reason: 'ping timeout', late: true })
    this.#closeSocket('slow-consumer', { code: this.dialect.profile.lostCode, reason: null })
  }

  /** We end it by its chart, whose fact `obey` then hears; where no fact comes (its beginning is not on record), at once. */
  async end(cause: CloseCause, { code, reason }: CloseReason): Promise<void> {
    if (this.ended) return
    const ended = await this.record.command({ type: 'connection.close', code, reason, cause, late: false })
    if (!ended.ok || ended.facts.length === 0) this.abort(cause, { code, reason })
  }

  /** Its actor has closed it (banned, kicked, timed out …): the client is told in its protocol. */
  obey(cause: CloseCause, told: CloseReason = UNTOLD): void {
    if (this.ended) return
    this.#leave(cause)
    this.record.stop()
    void this.record.refusals.flush()
    this.record.noteDelivered(this.#outbox.takeDelivered())
    this.#closeSocket(cause, told)
  }

  /** An orderly stop: the fact first, which `obey` then hears, and the client after it. */
  async stop(): Promise<void> {
    if (this.ended) return
    if (this.record.begun) {
      await this.record.end({ cause: 'shutdown', reason: null, late: false }, this.#outbox.takeDelivered())
    }
    this.obey('shutdown')
  }

  #end(ending: Ending): void {
    if (!this.record.begun) {
      this.record.stop()
      this.around.turnedAway(ending.cause)
      return
    }
    this.record
      .end(ending, this.#outbox.takeDelivered())
      .catch((error) => this.around.onFault(`connection ${this.id}`, error))
  }

  #leave(cause: CloseCause): void {
    this.ended = true
    this.requests.clear()
    for (const room of this.places.rooms()) this.around.hub.leave(room, this)
    this.around.count(`closed_${cause}`)
    this.around.gone(this)
  }

  #closeSocket(cause: CloseCause, told: CloseReason): void {
    const closing = this.#dialect?.closing(cause, told) ?? unknown(cause)
    for (const tap of this.around.taps) tap.closed(this, closing)
    if (cause === 'slow-consumer') {
      this.#outbox.close()
      this.#socket.close(closing, 'discard')
      return
    }
    this.#outbox.end(closing.frames.length > 0 ? [new Batch(closing.frames)] : [])
    this.#socket.close(closing, 'flush')
  }
}
