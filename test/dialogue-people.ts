// Participants of a dialogue: real clients on real sockets that remember what they heard, by the kinds of frame that
// the dialogue shows to them.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { createInflate, type Inflate } from 'node:zlib'
import * as undici from 'undici'
import ws from 'ws'
import type { Step } from './dialogue.ts'

const WAIT_MS = 5_000

/** `new_message` of a socket.io frame; `t`, `type` or `is` of a WebSocket frame. */
export const kindOf = (frame: unknown): string => {
  if (Array.isArray(frame)) return String(frame[0])
  const { t, type, is } = (frame ?? {}) as { t?: unknown; type?: unknown; is?: unknown }
  return String(t ?? type ?? is)
}

export abstract class Participant {
  readonly frames: unknown[] = []
  readonly acks = new Map<string, unknown[]>()
  /** how its connection ended: socket.io's reason, or a close code with its words */
  ended: { readonly code: number | null; readonly reason: string } | null = null
  wake: () => void = () => {}
  readonly #kinds: ReadonlySet<string>

  constructor(kinds: ReadonlySet<string>) {
    this.#kinds = kinds
  }

  protected heard(frame: unknown): void {
    if (this.#kinds.has(kindOf(frame))) this.frames.push(frame)
    this.wake()
  }

  protected end(code: number | null, reason: string): void {
    this.ended = { code, reason }
    this.wake()
  }

  until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        const rest = this.frames.length > 0 ? `; heard ${JSON.stringify(this.frames)}` : ''
        const ended = this.ended ? `; ended ${JSON.stringify(this.ended)}` : ''
        reject(new Error(`${what} did not come${rest}${ended}`))
      }, WAIT_MS)
      this.wake = () => {
        if (!holds()) return
        clearTimeout(timeout)
        this.wake = () => {}
        resolve()
      }
    })
  }

  /** Rejects if the server does not let it in. */
  abstract readonly connected: Promise<void>
  abstract send(step: Step): void
  abstract leave(): void
  /** Resolves when what either side wrote before this has arrived, or the connection has ended. */
  abstract barrier(): Promise<void>
}

/** The socket.io clients that there were, by the names that package.json gives their packages. */
export const GENERATIONS = ['sio1.3', 'sio1.7', 'sio2.5', 'sio3.1', 'socket.io-client'] as const
/** `undici` is also what Node's own WebSocket is made of, and made as a browser's. */
export const WEB_SOCKETS = ['ws', 'undici'] as const

/** By what the people of a dialogue connect. */
export interface Clients {
  readonly generation: (typeof GENERATIONS)[number]
  readonly transports: readonly string[]
  readonly webSocket: (typeof WEB_SOCKETS)[number]
}

export const NEWEST: Clients = { generation: 'socket.io-client', transports: ['websocket'], webSocket: 'ws' }

/** What is the same in all generations. */
interface IoSocket {
  on(event: string, heard: (given: never) => void): void
  emit(...args: unknown[]): void
  disconnect(): void
  /** lib/socket.js of each: every event passes here, also before anybody listens; `data` is its name and arguments */
  onevent(packet: { readonly data: readonly unknown[] }): void
  /** lib/manager.js of each: hands on the packets of every namespace, in their order */
  readonly io: {
    on(event: 'packet', heard: (packet: { readonly nsp: string }) => void): void
    readonly engine: {
      on(event: 'upgrade', run: () => void): void
      send(packet: string): void
      readonly transport: { readonly name: string }
    }
  }
}

/** A namespace that no server of ours has. */
const NOWHERE = '/nowhere'

const load = createRequire(import.meta.url)

export class IoParticipant extends Participant {
  readonly connected: Promise<void>
  readonly #socket: IoSocket
  /** the transport that it talks over in the end */
  readonly #carrier: string | undefined
  #rounds = { begun: 0, ended: 0 }

  /** What is sent before it has connected, the client keeps until then. */
  constructor(url: string, kinds: ReadonlySet<string>, { generation, transports }: Clients = NEWEST) {
    super(kinds)
    const connect = load(generation) as (url: string, options: object) => IoSocket
    const socket = connect(url, { transports: [...transports], forceNew: true, reconnection: false })
    this.#socket = socket
    this.#carrier = transports.at(-1)
    const { onevent } = socket
    socket.onevent = (packet) => {
      this.heard([...packet.data])
      onevent.call(socket, packet)
    }
    socket.on('disconnect', (reason: string) => this.end(null, reason))
    socket.io.on('packet', ({ nsp }) => {
      if (nsp !== NOWHERE) return
      this.#rounds.ended++
      this.wake()
    })
    this.connected = new Promise((resolve, reject) => {
      socket.on('connect', () => resolve())
      socket.on('connect_error', reject)
    })
  }

  static async connect(url: string, kinds: ReadonlySet<string>, clients: Clients = NEWEST): Promise<IoParticipant> {
    const participant = new IoParticipant(url, kinds, clients)
    await participant.connected
    return participant
  }

  send({ ev = [], ack }: Step): void {
    const args = [...ev]
    if (ack === undefined) {
      this.#socket.emit(...args)
      return
    }
    this.#socket.emit(...args, (...answer: unknown[]) => {
      this.acks.set(ack, answer)
      this.wake()
    })
  }

  leave(): void {
    this.#socket.disconnect()
  }

  /**
   * One round over the same transport, after the upgrade where there is one. A ping would not do: Engine.IO 4 clients
   * send none. What each version answers at once, and no dialect hears, is that there is no such namespace.
   */
  async barrier(): Promise<void> {
    if (this.ended !== null) return
    const { engine } = this.#socket.io
    engine.on('upgrade', () => this.wake())
    await this.until(() => this.ended !== null || engine.transport.name === this.#carrier, `${this.#carrier}`)
    const round = ++this.#rounds.begun
    // socket.io's packet CONNECT, the same in its protocol's v2 to v5
    engine.send(`0${NOWHERE},`)
    await this.until(() => this.ended !== null || this.#rounds.ended >= round, 'the end of a round')
  }
}

/** What browsers know of a WebSocket. */
interface StandardSocket {
  binaryType: string
  addEventListener(event: string, heard: (given: never) => void): void
  send(data: string | Uint8Array): void
  close(): void
}

export class WsParticipant extends Participant {
  readonly connected: Promise<void>
  readonly #socket: StandardSocket
  readonly #inflate: Inflate = createInflate()

  private constructor(url: string, kinds: ReadonlySet<string>, client: Clients['webSocket']) {
    super(kinds)
    const socket = (client === 'ws' ? new ws(url) : new undici.WebSocket(url)) as unknown as StandardSocket
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
      if (typeof data === 'string') this.heard(JSON.parse(data))
      else this.#inflate.write(Buffer.from(data))
    })
    // A full flush ends each payload, so that one inflater gives one text a frame.
    this.#inflate.on('data', (text: Buffer) => this.heard(JSON.parse(String(text))))
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => this.end(code, reason))
    this.connected = new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', ({ error }: { error: Error }) => reject(error))
    })
  }

  static async connect(
    url: string,
    kinds: ReadonlySet<string>,
    client: Clients['webSocket'] = 'ws',
  ): Promise<WsParticipant> {
    const participant = new WsParticipant(url, kinds, client)
    await participant.connected
    return participant
  }

  send({ msg, text, binary }: Step): void {
    if (binary !== undefined) this.#socket.send(Buffer.from(binary, 'hex'))
    else this.#socket.send(text ?? JSON.stringify(msg))
  }

  leave(): void {
    this.#socket.close()
  }

  async barrier(): Promise<void> {
    let answered = false
    const stop = ping(this.#socket, () => {
      answered = true
      this.wake()
    })
    await this.until(() => answered || this.ended !== null, 'a pong')
    stop()
  }
}

/** A ping, which the standard has no word for. Returns what ends the wait for its pong. */
const ping = (socket: StandardSocket, pong: () => void): (() => void) => {
  if (socket instanceof ws) {
    socket.once('pong', pong)
    if (socket.readyState === ws.OPEN) socket.ping()
    return () => socket.off('pong', pong)
  }
  const heard = (message: unknown) => {
    if ((message as { websocket: unknown }).websocket === socket) pong()
  }
  subscribe('undici:websocket:pong', heard)
  undici.ping(socket as unknown as undici.WebSocket)
  return () => unsubscribe('undici:websocket:pong', heard)
}
