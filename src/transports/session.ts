// One connection from its first frame to its end, whatever its dialect. It takes requests in order, asks its own
// actor and the room's, and answers once what the answer tells of is on the log.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { ActorKind, Fact } from '../actors/fact.ts'
import type { Account } from '../actors/identity.ts'
import { type Outcome, refused } from '../actors/outcome.ts'
import type { Asker } from '../actors/room/room.facts.ts'
import type {
  CloseReason,
  Closing,
  ConnectionOptions,
  Dialect,
  FrameIn,
  FrameOut,
  Request,
  Standing,
  Told,
} from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import { Answers, UNTOLD } from './answers.ts'
import { Arrival } from './arrival.ts'
import type { Listener } from './audience.ts'
import { Commands } from './commands.ts'
import { ConnectionRecord, type Ending } from './connection-record.ts'
import { Following } from './following.ts'
import { Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'
import { Places } from './places.ts'
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
  ended = false
  readonly #socket: Socket
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  readonly #commands = new Commands(this)
  readonly #answers = new Answers(this)
  readonly #arrival = new Arrival(this)
  #account: Account | null = null
  #standing: Standing = 'connected'
  #dialect: Dialect | null = null
  #options: ConnectionOptions = {}
  readonly #following = new Following(this.places, {
    isEverywhere: () => this.isEverywhere,
    follow: (room, because) => this.#arrival.follow(room, because),
    fault: (error) => this.#fail(error),
  })

  /** `dialect` null: the first event tells. */
  constructor(socket: Socket, around: Surroundings, dialect: Dialect | null) {
    this.id = socket.id
    this.around = around
    this.#socket = socket
    this.#dialect = dialect
    this.record = new ConnectionRecord(socket, around, dialect)
    this.#inbox = new Inbox({
      take: (frame) => this.#take(frame),
      overflow: () => this.abort('flood'),
      fault: (error) => this.#fail(error),
    })
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

  /** What its client sent is not wholly dealt with. */
  get busy(): boolean {
    return this.#inbox.busy
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
    this.#inbox.add(frame)
  }

  #take(frame: FrameIn): Promise<void> | null {
    const { opening } = this.record
    return opening ? opening.then(() => this.#handle(frame) ?? undefined) : this.#handle(frame)
  }

  /** What returns a promise holds back the frames behind it; what only submits does not. */
  #handle(frame: FrameIn): Promise<void> | null {
    if (this.ended) return null
    // Now, and not when it came: what it waited for happened before it.
    for (const tap of this.around.taps) tap.heard(this, frame)
    const decoded = this.dialect.decode(frame, this.#standing, this.id)
    const ack = 'ack' in frame ? frame.ack : null
    if (decoded.is === 'ignored') {
      this.around.count('frames_ignored')
      return null
    }
    if (decoded.is === 'malformed') return this.#answers.malformed(decoded)
    const { request } = decoded
    switch (request.do) {
      case 'answer':
        this.send(request.frames)
        return null
      case 'sign-in':
      case 'enter':
        this.#standing = 'authenticating'
        return this.#arrival.run(request, ack).then((standing) => {
          this.#standing = standing
          this.#following.resume(standing)
        })
      case 'join':
        return this.#arrival.join(request, ack)
      case 'leave':
        return this.#arrival.leave(request, ack)
      case 'post':
        return this.#send('room', request, ack, () => this.#commands.post(request), Boolean(request.replyTo))
      case 'typing':
        return this.#send('connection', request, ack, () => this.#commands.typing(request))
      case 'read':
        return this.#send('connection', request, ack, () => this.#commands.read(request))
      case 'edit':
      case 'remove':
      case 'restore':
        return this.#answered(request, ack, this.#commands.change(request))
      case 'status':
        return this.#send('user', request, ack, () => this.#commands.status(request))
      case 'history':
        return this.#answered(request, ack, this.#commands.history(request))
      default:
        return this.#answered(request, ack, this.#commands.moderate(request))
    }
  }

  #send(
    to: ActorKind,
    request: Request,
    ack: number | null,
    command: () => Promise<{ outcome: Outcome; told?: Partial<Told> }>,
    holds = false,
  ): Promise<void> | null {
    const answered = async () => {
      if (!this.ended) await this.#answered(request, ack, command())
    }
    return this.#inbox.send(to, () => answered().catch((error) => this.#fail(error)), holds)
  }

  #answered(
    request: Request,
    ack: number | null,
    answer: Promise<{ outcome: Outcome; told?: Partial<Told> }>,
  ): Promise<void> {
    return answer
      .catch((error) => {
        if (!(error instanceof LogUnavailable)) throw error
        return { outcome: refused('unavailable'), told: {} }
      })
      .then(({ outcome, told }) => this.answer(request, outcome, ack, told))
  }

  answer(request: Request, outcome: Outcome, ack: number | null, more: Partial<Told> = {}): Promise<void> {
    return this.#answers.answer(request, outcome, ack, more)
  }

  #fail(error: unknown): void {
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

  /** What cannot be written ends this connection and no other. */
  flush(): void {
    try {
      this.#outbox.flush()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** It may be told what is news in its dialect. */
  get hearsNews(): boolean {
    return this.#standing === 'ready' && this.#account !== null && this.#dialect?.announce !== undefined
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

  /** Its account became a member of this room, or the room was opened in a space that it follows. */
  follow(room: string, because: Fact): void {
    const follows = this.#dialect?.profile.rooms === 'followed-at-sign-in'
    if (follows && !this.ended) this.#following.add(room, because, this.#standing)
  }

  /** It hears this room no more. */
  forget(room: string): void {
    this.around.hub.leave(room, this)
    this.places.delete(room)
  }

  /** Its account is a member of this room no more: leaving it is on its way. */
  unfollow(room: string): void {
    this.#following.end(room)
  }

  /** That it left the room is on record. */
  left(room: string): void {
    this.forget(room)
    if (!this.ended) this.#following.left(room, this.#standing)
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
    this.#inbox.clear()
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
