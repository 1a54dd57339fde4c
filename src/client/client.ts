// A client of hansard's native protocol for browsers and Node, without dependencies. It comes back after a drop with
// jitter, resumes each room where it was, and sends again what had no answer, so that nothing is lost or doubled.

import type { CommandFrame, EventFrame, EventOf } from './frames.ts'
import { Room, type RoomEvent, type Shut } from './room.ts'

export type * from './frames.ts'
export { Room, type RoomEvent, type Shut } from './room.ts'

export interface ClientOptions {
  /** e.g. `wss://chat.example/native` */
  readonly url: string
  /** null: a reader without an account */
  readonly token: string | null
  /** default: the platform's own */
  readonly WebSocket?: new (
    url: string,
  ) => WebSocketLike
  /** ms before the first try to come back, doubled each time up to `longestWaitMs`; default 500 */
  readonly firstWaitMs?: number
  /** default 30,000 */
  readonly longestWaitMs?: number
}

export interface WebSocketLike {
  readonly readyState: number
  send(text: string): void
  close(code?: number, reason?: string): void
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: ((event: unknown) => void) | null
}

/** `waiting`: the connection was lost, and is tried again. `closed`: for good. */
export type State = 'connecting' | 'ready' | 'waiting' | 'closed'

/** A command was refused: `code` as in the table of refusals. */
export class Refused extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly values: EventOf<'refused'>['values']
  constructor({ code, title, retryable, values }: EventOf<'refused'>) {
    super(title)
    this.name = 'Refused'
    this.code = code
    this.retryable = retryable
    this.values = values
  }
}

/** The connection ended for good, or before a command that must not be repeated was answered. */
export class ConnectionLost extends Error {
  readonly code: number | null
  constructor(message: string, code: number | null) {
    super(message)
    this.name = 'ConnectionLost'
    this.code = code
  }
}

type Answer = Extract<EventFrame, { ref: string | number | null }>

interface Pending {
  readonly frame: CommandFrame & { readonly ref: number }
  /** may be sent again after a drop: it has the same effect once or twice */
  readonly repeatable: boolean
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

type Listener<Event> = (event: Event) => void

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000
/** once connected this long, the next drop is a new one */
const STEADY_MS = 10_000
/** before a room is entered again that could not be entered now */
const JOIN_AGAIN_MS = 1_000

export class Client {
  /** those that are heard; also after a drop, until the server refuses to let this account in again */
  readonly rooms = new Map<string, Room>()
  /** null until signed in */
  user: EventOf<'signed-in'>['user'] | null = null
  state: State = 'connecting'
  readonly #options: ClientOptions
  readonly #pending = new Map<number, Pending>()
  readonly #onState = new Set<Listener<State>>()
  readonly #onEvent = new Set<Listener<EventFrame>>()
  #socket: WebSocketLike | null = null
  #epoch: string | null = null
  #refs = 0
  #tries = 0
  #readyAt = 0
  #comeBackAfterMs: number | null | undefined
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(options: ClientOptions) {
    this.#options = options
    this.#open()
  }

  /** Called with each new state. Returns what ends it. */
  onState(listener: Listener<State>): () => void {
    this.#onState.add(listener)
    return () => this.#onState.delete(listener)
  }

  /** Called with every frame the server sends. Returns what ends it. */
  onEvent(listener: Listener<EventFrame>): () => void {
    this.#onEvent.add(listener)
    return () => this.#onEvent.delete(listener)
  }

  /** Enters a room, by its id or an alias; resolves with its snapshot in it. @throws Refused, ConnectionLost */
  async join(name: string): Promise<Room> {
    const answer = (await this.command({ do: 'join', room: name }, true)) as EventOf<'joined'>
    return this.rooms.get(answer.room) as Room
  }

  /** Sends a command and resolves with its answer. @throws Refused, ConnectionLost */
  command(frame: CommandFrame, repeatable = false): Promise<Answer> {
    if (this.state === 'closed') return Promise.reject(new ConnectionLost('this client is closed', null))
    const ref = ++this.#refs
    return new Promise((resolve, reject) => {
      const pending: Pending = { frame: { ...frame, ref }, repeatable, resolve, reject }
      this.#pending.set(ref, pending)
      if (this.state === 'ready') this.#send(pending.frame)
    })
  }

  /** Sends without waiting for an answer, if connected: typing, read marks. */
  tell(frame: CommandFrame): void {
    if (this.state === 'ready') this.#send(frame)
  }

  /** Ends it for good. */
  close(): void {
    this.#end(new ConnectionLost('closed by this client', null))
    this.#socket?.close(1000)
  }

  #open(): void {
    const { url, WebSocket: Given } = this.#options
    const WebSocketClass = Given ?? (globalThis as { WebSocket?: ClientOptions['WebSocket'] }).WebSocket
    if (!WebSocketClass) throw new Error('this platform has no WebSocket: give one')
    this.#set('connecting')
    const socket = new WebSocketClass(url)
    this.#socket = socket
    this.#comeBackAfterMs = undefined
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#hear(JSON.parse(String(data)) as EventFrame)
    }
    socket.onerror = () => {}
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#dropped(code, reason)
    }
  }

  #hear(event: EventFrame): void {
    if (event.is === 'hello') this.#send({ do: 'sign-in', ref: 0, token: this.#options.token })
    else if (event.is === 'signed-in') this.#signedIn(event)
    else if (event.is === 'joined') this.#joined(event)
    else if (event.is === 'closing') this.#comeBackAfterMs = event.comeBackAfterMs
    else if ('room' in event) this.#heardOf(event)
    for (const listener of this.#onEvent) listener(event)
    if ('ref' in event) this.#answered(event)
  }

  #signedIn({ epoch, user }: EventOf<'signed-in'>): void {
    this.user = user
    // Another log: what was heard of the old one says nothing of this.
    if (this.#epoch !== null && this.#epoch !== epoch) for (const room of this.rooms.values()) room.revision = 0
    const resumed = this.#epoch ?? epoch
    this.#epoch = epoch
    this.#readyAt = Date.now()
    this.#set('ready')
    const unanswered = [...this.#pending.values()]
    for (const room of this.rooms.values()) this.#resume(room, resumed)
    for (const { frame } of unanswered) this.#send(frame)
  }

  /** Until it is entered again: who is in many rooms and comes back often may have to wait. */
  #resume(room: Room, epoch: string): void {
    const socket = this.#socket
    this.command({ do: 'join', room: room.id, since: { epoch, revision: room.revision } }).catch((error: Error) => {
      if (!(error instanceof Refused)) return
      if (!error.retryable) {
        this.rooms.delete(room.id)
        room.hear({ is: 'shut', room: room.id, refused: error })
        return
      }
      setTimeout(
        () => {
          if (this.#socket === socket && this.rooms.has(room.id)) this.#resume(room, epoch)
        },
        JOIN_AGAIN_MS * (0.5 + Math.random() / 2),
      )
    })
  }

  #heardOf(event: Exclude<RoomEvent, Shut>): void {
    this.rooms.get(event.room)?.hear(event)
    const putOut = (event.is === 'kicked' || event.is === 'banned') && event.user === this.user?.id
    if (putOut || event.is === 'archived') this.rooms.delete(event.room)
  }

  #joined(event: EventOf<'joined'>): void {
    const known = this.rooms.get(event.room)
    if (known) known.hear(event)
    else this.rooms.set(event.room, new Room(this, event))
  }

  #answered(event: Answer): void {
    if (typeof event.ref !== 'number') return
    // Not now: it comes back as after a drop.
    if (event.ref === 0 && event.is === 'refused' && event.retryable) this.#socket?.close(1000)
    const pending = this.#pending.get(event.ref)
    if (!pending) return
    // A refusal that passes by itself is not the end of what can be sent again.
    this.#pending.delete(event.ref)
    if (pending.frame.do === 'leave' && event.is === 'done') this.rooms.delete(pending.frame.room)
    if (event.is === 'refused') pending.reject(new Refused(event))
    else pending.resolve(event)
  }

  #send(frame: CommandFrame): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame))
  }

  #dropped(code: number, reason: string): void {
    this.#socket = null
    if (this.state === 'closed') return
    if (this.#comeBackAfterMs === null) {
      this.#end(new ConnectionLost(reason || 'the server ended the connection', code))
      return
    }
    for (const [ref, { repeatable, reject }] of this.#pending) {
      if (repeatable || this.state !== 'ready') continue
      this.#pending.delete(ref)
      reject(new ConnectionLost('the connection was lost before the answer came', code))
    }
    if (this.#readyAt > 0 && Date.now() - this.#readyAt > STEADY_MS) this.#tries = 0
    this.#readyAt = 0
    const { firstWaitMs = FIRST_WAIT_MS, longestWaitMs = LONGEST_WAIT_MS } = this.#options
    const least = Math.max(firstWaitMs * 2 ** this.#tries++, this.#comeBackAfterMs ?? 0)
    // Between half and the whole of it, so that not everybody comes back at once.
    const wait = Math.min(least, longestWaitMs) * (0.5 + Math.random() / 2)
    this.#set('waiting')
    this.#timer = setTimeout(() => this.#open(), wait)
  }

  #end(error: ConnectionLost): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#set('closed')
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }

  #set(state: State): void {
    if (this.state === 'closed' || this.state === state) return
    this.state = state
    for (const listener of this.#onState) listener(state)
  }
}

/** Connects, and resolves once signed in. @throws ConnectionLost when the server does not let it in */
export const connect = (options: ClientOptions): Promise<Client> =>
  new Promise((resolve, reject) => {
    const client = new Client(options)
    const stop = client.onState((state) => {
      if (state !== 'ready' && state !== 'closed') return
      stop()
      if (state === 'ready') resolve(client)
      else reject(new ConnectionLost('the server did not let this client in', null))
    })
  })
