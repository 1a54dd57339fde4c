// One connection from its first frame to its end, whatever its dialect. It takes requests in order, asks its own
// actor and the room's, and answers once what the answer tells of is on the log.

import { type CloseCause, connectionStream } from '../actors/connection/connection.facts.ts'
import type { Account } from '../actors/identity.ts'
import { type Outcome, type Refused, refused } from '../actors/outcome.ts'
import type { Refusal } from '../actors/refusals.ts'
import { type Asker, roomStream } from '../actors/room/room.facts.ts'
import type { Closing, Dialect, FrameIn, FrameOut, Request, Standing } from '../dialects/dialect.ts'
import { ConnectionRecord, type Ending } from './connection-record.ts'
import { Entry } from './entry.ts'
import type { Listener } from './hub.ts'
import { Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'
import type { Surroundings } from './surroundings.ts'
import { Batch, type Socket } from './transport.ts'

const COMMANDS: Record<Request['do'], string> = {
  enter: 'room.enter',
  post: 'message.post',
  mute: 'mute.set',
  unmute: 'mute.lift',
}

/** How a socket ends whose dialect is not known. */
const DROPPED: Closing = { frames: [], how: 'drop' }

export class Session implements Listener {
  readonly id: string
  readonly around: Surroundings
  readonly record: ConnectionRecord
  /** the room it listens to */
  room: string | null = null
  ended = false
  readonly #socket: Socket
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  #account: Account | null = null
  #standing: Standing = 'connected'
  #dialect: Dialect | null = null

  constructor(socket: Socket, around: Surroundings) {
    this.id = socket.id
    this.around = around
    this.#socket = socket
    this.record = new ConnectionRecord(socket, around)
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
  }

  get dialect(): Dialect {
    if (!this.#dialect) throw new Error('the dialect is not known yet')
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

  // --- frames in ---

  receive(frame: FrameIn): void {
    if (this.ended) return
    const dialect = this.#dialect ?? this.around.dialectOf(frame.event)
    if (!dialect?.events.includes(frame.event)) {
      this.around.count('frames_ignored')
      return
    }
    this.#dialect = dialect
    this.record.noteInput()
    this.record.begin(dialect)
    this.#inbox.add(frame)
  }

  #take(frame: FrameIn): Promise<void> | null {
    const { opening } = this.record
    return opening ? opening.then(() => this.#handle(frame) ?? undefined) : this.#handle(frame)
  }

  /** What returns a promise holds back the frames behind it; what only submits does not. */
  #handle(frame: FrameIn): Promise<void> | null {
    if (this.ended) return null
    const decoded = this.dialect.decode(frame, this.#standing)
    if (decoded.is === 'ignored') {
      this.around.count('frames_ignored')
      return null
    }
    if (decoded.is === 'malformed') {
      const refusal: Refusal = { code: 'malformed', state: '', guard: null, values: { path: decoded.path }, at: null }
      return this.#refuse('frame', refusal, decoded.reply, [])
    }
    const { request } = decoded
    if (request.do === 'enter') return this.#enter(request, frame.ack)
    if (request.do === 'post') {
      const answered = this.#post(request).then((outcome) => this.#answer(request, outcome, frame.ack))
      this.#inbox.follow(answered.catch((error) => this.#fail(error)))
      return null
    }
    return this.#moderate(request).then((outcome) => this.#answer(request, outcome, frame.ack))
  }

  async #enter(request: Extract<Request, { do: 'enter' }>, ack: number | null): Promise<void> {
    this.#standing = 'authenticating'
    const entry = new Entry(this, request, ack)
    const outcome = await entry.run()
    if (!outcome.ok && !this.ended) await this.#answer(request, outcome, ack)
    if (!outcome.ok || this.ended) await entry.undo()
    this.#standing = outcome.ok ? 'entered' : 'connected'
  }

  #post({ text, clientRef, fault }: Extract<Request, { do: 'post' }>): Promise<Outcome> {
    const speaker = this.#speaker()
    if ('ok' in speaker) return Promise.resolve(speaker)
    return this.around.host.send(speaker.stream, {
      type: 'message.post',
      ...speaker.fields,
      text,
      kind: 'text',
      clientRef,
      replyTo: null,
      extra: null,
      entered: true,
      ...(fault ? { fault } : {}),
    })
  }

  async #moderate(request: Extract<Request, { do: 'mute' | 'unmute' }>): Promise<Outcome> {
    const { identity, host } = this.around
    const { name } = request
    // A mute is kept by name, which may precede the account; that the log is away is the room's to say.
    const target = request.do === 'mute' && name !== '' ? await identity.byName(name).catch(() => null) : null
    const speaker = this.#speaker()
    if ('ok' in speaker) return speaker
    const fault = request.fault ? { fault: request.fault } : {}
    if (request.do === 'unmute') {
      return host.send(speaker.stream, { type: 'mute.lift', ...speaker.fields, name, ...fault })
    }
    const { seconds } = request
    const muting = { type: 'mute.set', name, user: target?.id ?? null, seconds, reason: null } as const
    return host.send(speaker.stream, { ...speaker.fields, ...muting, ...fault })
  }

  /** What every command to the room carries, once this connection's own chart permits one; else the refusal. */
  #speaker(): Refused | Speaker {
    const { host, rates } = this.around
    const { account, room } = this
    if (!account || !room) return refused('user-required')
    const permitted = host.ask(connectionStream(this.id), { type: 'command.permit', command: 'message.post' })
    if (permitted && !permitted.ok) return permitted
    const { id, number, username, role } = account
    const asker = { id, number, username, account: role }
    const fields = { by: id, connection: this.id, asker, overRate: rates.overRate(account) }
    return { stream: roomStream(room), fields }
  }

  async #answer(request: Request, outcome: Outcome, ack: number | null): Promise<void> {
    const frames = this.dialect.reply(request, outcome, ack)
    if (outcome.ok) this.send(frames)
    else {
      const away = this.dialect.reply(request, refused('unavailable'), ack)
      await this.#refuse(COMMANDS[request.do], outcome.refusal, frames, away)
    }
  }

  /** `away` is all that may be said when the refusal cannot be put on record. */
  async #refuse(
    command: string,
    refusal: Refusal,
    frames: readonly FrameOut[],
    away: readonly FrameOut[],
  ): Promise<void> {
    this.around.refused(refusal.code)
    const recorded = await this.record.refusals.note(command, refusal)
    this.send(recorded ? frames : away)
  }

  #fail(error: unknown): void {
    this.around.onFault(`connection ${this.id}`, error)
    this.abort('server-error')
  }

  // --- frames out ---

  send(frames: readonly FrameOut[]): void {
    if (frames.length > 0) this.#outbox.add(new Batch(frames))
  }

  deliver(batch: Batch, room: string, revision: number): void {
    this.#outbox.add(batch)
    this.#outbox.reached(room, revision)
  }

  overflow(): void {
    this.abort('slow-consumer')
  }

  flush(): void {
    this.#outbox.flush()
  }

  // --- its end ---

  /** The transport is gone: the client's end, or a lost heartbeat. */
  closed(cause: CloseCause = 'client', reason: string | null = null): void {
    if (this.ended) return
    this.#leave(cause)
    this.#end({ cause, reason, late: true })
    this.#outbox.close()
  }

  /** We end it for a reason of the transport's; its fact follows, marked late. */
  abort(cause: CloseCause): void {
    if (this.ended) return
    this.#leave(cause)
    this.#end({ cause, reason: null, late: true })
    this.#closeSocket(cause)
  }

  /** Its actor has closed it (banned, kicked, timed out …): the client is told in its protocol. */
  obey(cause: CloseCause): void {
    if (this.ended) return
    this.#leave(cause)
    this.record.stop()
    void this.record.refusals.flush()
    this.record.noteDelivered(this.#outbox.takeDelivered())
    this.#closeSocket(cause)
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
    if (this.room) this.around.hub.leave(this.room, this)
    this.around.count(`closed_${cause}`)
    this.around.gone(this)
  }

  #closeSocket(cause: CloseCause): void {
    const { frames, how } = this.#dialect?.closing(cause) ?? DROPPED
    if (cause === 'slow-consumer') {
      this.#outbox.close()
      this.#socket.close(how, 'discard')
      return
    }
    this.#outbox.end(frames.length > 0 ? [new Batch(frames)] : [])
    this.#socket.close(how, 'flush')
  }
}

interface Speaker {
  readonly stream: string
  readonly fields: {
    readonly by: string
    readonly connection: string
    readonly asker: Asker
    readonly overRate: boolean
  }
}
