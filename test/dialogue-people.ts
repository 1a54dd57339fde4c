// Participants of a dialogue: real clients on real sockets that remember what they heard, by the kinds of frame that
// the dialogue shows to them.

import { createRequire } from 'node:module'
import { createInflate, type Inflate } from 'node:zlib'
import WebSocket from 'ws'
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

  abstract send(step: Step): void
  abstract leave(): void
  /** Resolves when everything that the server wrote before this has arrived. */
  abstract barrier(): Promise<void>
}

/** The socket.io clients that there were, by the names that package.json gives their packages. */
export const GENERATIONS = ['sio1.3', 'sio1.7', 'sio2.5', 'sio3.1', 'socket.io-client'] as const
export type Generation = (typeof GENERATIONS)[number]

/** What is the same in all of them. */
interface IoSocket {
  on(event: string, heard: (given: never) => void): void
  emit(...args: unknown[]): void
  disconnect(): void
  /** lib/socket.js of each: every event passes here, also before anybody listens; `data` is its name and arguments */
  onevent(packet: { readonly data: readonly unknown[] }): void
}

const load = createRequire(import.meta.url)
const clientOf = (generation: Generation) => load(generation) as (url: string, options: object) => IoSocket

export interface IoClient {
  readonly generation: Generation
  readonly transports: readonly string[]
}

export const NEWEST: IoClient = { generation: 'socket.io-client', transports: ['websocket'] }

export class IoParticipant extends Participant {
  readonly #socket: IoSocket

  private constructor(socket: IoSocket, kinds: ReadonlySet<string>) {
    super(kinds)
    this.#socket = socket
    const { onevent } = socket
    socket.onevent = (packet) => {
      this.heard([...packet.data])
      onevent.call(socket, packet)
    }
    socket.on('disconnect', (reason: string) => this.end(null, reason))
  }

  static async connect(
    url: string,
    kinds: ReadonlySet<string>,
    { generation, transports }: IoClient = NEWEST,
  ): Promise<IoParticipant> {
    const options = { transports: [...transports], forceNew: true, reconnection: false }
    const socket = clientOf(generation)(url, options)
    const participant = new IoParticipant(socket, kinds)
    await new Promise<void>((resolve, reject) => {
      socket.on('connect', () => resolve())
      socket.on('connect_error', reject)
    })
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

  /** One more round over the same transport: a packet of engine.io's own, which no dialect hears. */
  async barrier(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

export class WsParticipant extends Participant {
  readonly #socket: WebSocket
  readonly #inflate: Inflate = createInflate()

  private constructor(socket: WebSocket, kinds: ReadonlySet<string>) {
    super(kinds)
    this.#socket = socket
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary) this.#inflate.write(data)
      else this.heard(JSON.parse(String(data)))
    })
    // A full flush ends each payload, so that one inflater gives one text a frame.
    this.#inflate.on('data', (text: Buffer) => this.heard(JSON.parse(String(text))))
    socket.on('close', (code, reason) => this.end(code, String(reason)))
  }

  static async connect(url: string, kinds: ReadonlySet<string>): Promise<WsParticipant> {
    const socket = new WebSocket(url)
    const participant = new WsParticipant(socket, kinds)
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => resolve())
      socket.on('error', reject)
    })
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
    if (this.#socket.readyState !== WebSocket.OPEN) return
    await new Promise<void>((resolve) => {
      this.#socket.once('pong', () => resolve())
      this.#socket.ping()
    })
  }
}
