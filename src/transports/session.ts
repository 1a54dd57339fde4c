// One connection from its first frame to its end, whatever its dialect. It takes requests in order, asks its own
// actor and the room's, and answers once what the answer tells of is on the log.

import type { CloseCause, ConnectionLimits } from '../actors/connection/connection.facts.ts'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import { stateName } from '../actors/decide.ts'
import type { Submitted } from '../actors/host.ts'
import type { Account } from '../actors/identity.ts'
import { type Outcome, refused } from '../actors/outcome.ts'
import type { Refusal } from '../actors/refusals.ts'
import type { Asker } from '../actors/room/room.facts.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { Closing, Dialect, FrameIn, FrameOut, Request, Standing } from '../dialects/dialect.ts'
import { enter } from './entry.ts'
import type { Listener } from './hub.ts'
import { RefusalRecord } from './refusal-record.ts'
import type { Surroundings } from './surroundings.ts'
import { Batch, type Socket } from './transport.ts'

/** Frames that may wait while one is being decided. */
const MAX_PENDING = 200
const MAX_BUFFERED_BYTES = 1024 * 1024
const OPEN_AFTER_MS = 1_000
const BEHIND_MS = 1_000

/** Limits of a socket whose dialect is not known yet: it must say something within a minute. */
const UNTOLD: ConnectionLimits = { authTimeoutMs: 60_000, afkMs: 0, typingMs: 0, badFrameStrikes: 0 }

const COMMANDS: Record<Request['do'], string> = {
  enter: 'room.enter',
  post: 'message.post',
  mute: 'mute.set',
  unmute: 'mute.lift',
}

export class Session implements Listener {
  readonly id: string
  readonly socket: Socket
  readonly around: Surroundings
  readonly refusals: RefusalRecord
  /** who signed in; null: nobody, or an anonymous reader */
  account: Account | null = null
  /** the room it entered */
  room: string | null = null
  standing: Standing = 'connected'
  ended = false
  #dialect: Dialect | null = null
  #opened = false
  #cancelOpening: () => void
  #cancelIdle: () => void = () => {}
  #idle = false
  #lastInputAt = 0
  #pending: FrameIn[] = []
  #draining = false
  #outbox: Batch[] = []
  #flushing = false
  /** room → revision: queued for the socket, written to it, and surely taken from it by the network */
  readonly #delivered = new Map<string, number>()
  readonly #written = new Map<string, number>()
  readonly #handed = new Map<string, number>()
  /** since when something was left unsent at each write; `noted`: it is on record */
  #behind: number | 'noted' | null = null

  constructor(socket: Socket, around: Surroundings) {
    this.id = socket.id
    this.socket = socket
    this.around = around
    const { clock } = around.host
    this.refusals = new RefusalRecord(around.host, this.id, () => this.account?.id ?? null)
    this.#cancelOpening = clock.at(clock.now() + OPEN_AFTER_MS, () => void this.#open())
  }

  get dialect(): Dialect {
    if (!this.#dialect) throw new Error('the dialect is not known yet')
    return this.#dialect
  }

  get asker(): Asker | null {
    const { account } = this
    return account && { id: account.id, number: account.number, username: account.username, account: account.role }
  }

  // --- frames in ---

  receive(frame: FrameIn): void {
    if (this.ended) return
    const dialect = this.#dialect ?? this.around.dialectOf(frame.event)
    if (!dialect?.events.includes(frame.event)) {
      this.around.count('frames_ignored')
      return
    }
    this.#noteInput()
    if (!this.#dialect) {
      this.#dialect = dialect
      void this.#open()
    }
    if (this.#pending.length >= MAX_PENDING) {
      this.abort('flood')
      return
    }
    this.#pending.push(frame)
    if (!this.#draining) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#draining = true
    try {
      for (let frame = this.#pending.shift(); frame && !this.ended; frame = this.#pending.shift()) {
        const work = this.#handle(frame)
        if (work) await work
      }
    } catch (error) {
      this.around.onFault(`connection ${this.id}`, error)
      this.abort('server-error')
    } finally {
      this.#draining = false
    }
  }

  /** What returns a promise holds back the frames behind it; what only submits does not. */
  #handle(frame: FrameIn): Promise<void> | null {
    const decoded = this.dialect.decode(frame, this.standing)
    if (decoded.is === 'ignored') {
      this.around.count('frames_ignored')
      return null
    }
    if (decoded.is === 'malformed') {
      const refusal: Refusal = { code: 'malformed', state: '', guard: null, values: { path: decoded.path }, at: null }
      return this.#tellRefused('frame', refusal, decoded.reply)
    }
    const { request } = decoded
    if (request.do === 'enter') return this.#enter(request, frame.ack)
    if (request.do === 'post') {
      this.#answer(request, this.#post(request), frame.ack)
      return null
    }
    return this.#moderate(request, frame.ack)
  }

  async #enter(request: Extract<Request, { do: 'enter' }>, ack: number | null): Promise<void> {
    this.standing = 'authenticating'
    const outcome = await enter(this, request, ack)
    if (outcome.ok) {
      this.standing = 'entered'
      return
    }
    this.standing = 'connected'
    const signed = stateName(this.around.host.peek(connectionStream(this.id))?.snapshot ?? {}).startsWith(
      'authenticated',
    )
    if (!this.ended) await this.#tellRefused(COMMANDS.enter, outcome.refusal, this.dialect.reply(request, outcome, ack))
    // Signed in and not inside: the client comes back on a new socket and finds its way from the start.
    if (signed) this.abort('server-error')
  }

  #post({ text, clientRef, fault }: Extract<Request, { do: 'post' }>): Promise<Outcome> {
    const command = this.#inRoom()
    if ('ok' in command) return Promise.resolve(command)
    return this.around.host.send(command.stream, {
      type: 'message.post',
      ...command.fields,
      text,
      kind: 'text',
      clientRef,
      replyTo: null,
      extra: null,
      entered: true,
      ...(fault ? { fault } : {}),
    })
  }

  async #moderate(request: Extract<Request, { do: 'mute' | 'unmute' }>, ack: number | null): Promise<void> {
    const { name } = request
    const target =
      request.do === 'mute' && !request.fault ? await this.around.identity.byName(name).catch(() => null) : null
    const command = this.#inRoom()
    const fault = request.fault ? { fault: request.fault } : {}
    const outcome =
      'ok' in command
        ? command
        : await this.around.host.send(
            command.stream,
            request.do === 'mute'
              ? {
                  type: 'mute.set',
                  ...command.fields,
                  name,
                  user: target?.id ?? null,
                  seconds: request.seconds,
                  reason: null,
                  ...fault,
                }
              : { type: 'mute.lift', ...command.fields, name, ...fault },
          )
    this.#answer(request, Promise.resolve(outcome), ack)
  }

  /** The fields every command to the room carries, once this connection's own chart permits one; else the refusal. */
  #inRoom(): Extract<Outcome, { ok: false }> | { stream: string; fields: CommandBasics } {
    const { host, rates } = this.around
    const { asker, account, room } = this
    if (!account || !asker || !room) return refused('user-required')
    const permitted = host.ask(connectionStream(this.id), { type: 'command.permit', command: 'message.post' })
    if (permitted && !permitted.ok) return permitted
    const fields = { by: account.id, connection: this.id, asker, overRate: rates.overRate(account) }
    return { stream: roomStream(room), fields }
  }

  #answer(request: Request, pending: Promise<Outcome>, ack: number | null): void {
    pending
      .then((outcome) => {
        const frames = this.dialect.reply(request, outcome, ack)
        return outcome.ok ? this.send(frames) : this.#tellRefused(COMMANDS[request.do], outcome.refusal, frames)
      })
      .catch((error) => this.around.onFault(`connection ${this.id}`, error))
  }

  async #tellRefused(command: string, refusal: Refusal, frames: readonly FrameOut[]): Promise<void> {
    this.around.refused(refusal.code)
    await this.refusals.note(command, refusal)
    this.send(frames)
  }

  // --- frames out: one write a socket and turn ---

  send(frames: readonly FrameOut[]): void {
    if (frames.length > 0) this.#queue(new Batch(frames))
  }

  deliver(batch: Batch, room: string, revision: number): void {
    this.#queue(batch)
    this.#delivered.set(room, revision)
  }

  overflow(): void {
    this.abort('slow-consumer')
  }

  #queue(batch: Batch): void {
    if (this.ended) return
    this.#outbox.push(batch)
    if (this.#flushing) return
    this.#flushing = true
    this.around.flushLater(this)
  }

  flush(): void {
    this.#flushing = false
    const batches = this.#outbox
    if (batches.length === 0) return
    this.#outbox = []
    const buffered = this.socket.bufferedBytes()
    if (buffered > MAX_BUFFERED_BYTES) {
      this.abort('slow-consumer')
      return
    }
    this.#noteProgress(buffered === 0)
    this.socket.write(batches)
  }

  /** What the socket was surely handed goes on record when it falls a second behind, and when it has caught up. */
  #noteProgress(caughtUp: boolean): void {
    const now = this.around.host.clock.now()
    if (caughtUp) {
      for (const [room, revision] of this.#written) this.#handed.set(room, revision)
      if (this.#behind === 'noted') this.#noteHanded()
      this.#behind = null
    } else if (this.#behind === null) this.#behind = now
    else if (this.#behind !== 'noted' && now - this.#behind >= BEHIND_MS) {
      this.#behind = 'noted'
      this.#noteHanded()
    }
    for (const [room, revision] of this.#delivered) this.#written.set(room, revision)
  }

  #noteHanded(): void {
    if (this.#handed.size > 0) void this.command({ type: 'delivery.note', rooms: Object.fromEntries(this.#handed) })
  }

  // --- its life ---

  command(command: Submitted): Promise<Outcome> {
    return this.around.host.send(connectionStream(this.id), {
      by: this.account?.id ?? null,
      connection: this.id,
      ...command,
    })
  }

  /** ConnectionOpened, and the dialect with it when it is known by now; submitted together, so one append. */
  async #open(): Promise<void> {
    const { host, node, incarnation } = this.around
    const dialect = this.#dialect
    if (!this.#opened) {
      this.#opened = true
      this.#cancelOpening()
      void this.command({
        type: 'connection.open',
        connection: this.id,
        dialect: null,
        version: 0,
        transport: this.socket.transport,
        limits: UNTOLD,
        node,
        incarnation,
        machine: host.machineHash('connection'),
      })
    }
    if (!dialect) return
    const { name, version, profile } = dialect
    void this.command({ type: 'dialect.choose', dialect: name, version, limits: profile.limits })
  }

  #noteInput(): void {
    const { clock } = this.around.host
    this.#lastInputAt = clock.now()
    if (this.#idle) {
      this.#idle = false
      void this.command({ type: 'activity.resume' })
    }
  }

  /** Activity is counted once somebody is signed in. */
  watchActivity(): void {
    const { clock } = this.around.host
    const { idleAfterMs } = this.dialect.profile
    const due = (this.#idle ? clock.now() : this.#lastInputAt) + idleAfterMs
    this.#cancelIdle = clock.at(due, () => {
      if (this.ended) return
      if (!this.#idle && clock.now() - this.#lastInputAt >= idleAfterMs) {
        this.#idle = true
        void this.command({ type: 'activity.idle', since: this.#lastInputAt })
      }
      this.watchActivity()
    })
  }

  /** The transport is gone: the client's end, a lost heartbeat, or our own close. */
  closed(): void {
    this.#end('client', true)
  }

  /** We end it for a reason of the transport's; its fact follows, marked late. */
  abort(cause: CloseCause): void {
    if (this.ended) return
    const closing = this.#dialect?.closing(cause) ?? DROPPED
    this.#end(cause, true)
    this.#closeSocket(closing)
  }

  /** Its actor has closed it (banned, kicked, timed out …): the client is told in its protocol. */
  obey(cause: CloseCause): void {
    if (this.ended) return
    this.#leave()
    this.#closeSocket(this.#dialect?.closing(cause) ?? DROPPED)
  }

  /** An orderly stop: the fact first, then the client. */
  async stop(): Promise<void> {
    if (this.ended) return
    if (this.#opened) await this.#close('shutdown', false)
    this.obey('shutdown')
  }

  #end(cause: CloseCause, late: boolean): void {
    if (this.ended) return
    this.#leave()
    if (this.#opened) void this.#close(cause, late)
    else this.around.turnedAway(cause)
  }

  #leave(): void {
    this.ended = true
    this.#cancelOpening()
    this.#cancelIdle()
    if (this.room) this.around.hub.leave(this.room, this)
    this.around.gone(this)
  }

  /** What was surely handed over, the refusals not yet counted, and the end: submitted together. */
  #close(cause: CloseCause, late: boolean): Promise<Outcome> {
    void this.refusals.flush()
    if (this.socket.bufferedBytes() === 0) this.#noteProgress(true)
    this.#noteHanded()
    return this.command({ type: 'connection.close', code: null, reason: null, cause, late })
  }

  #closeSocket({ frames, how }: Closing): void {
    const last = frames.length > 0 ? [...this.#outbox, new Batch(frames)] : this.#outbox
    this.#outbox = []
    if (last.length > 0) this.socket.write(last)
    this.socket.close(how)
  }
}

interface CommandBasics {
  readonly by: string
  readonly connection: string
  readonly asker: Asker
  readonly overRate: boolean
}

const DROPPED: Closing = { frames: [], how: 'drop' }
