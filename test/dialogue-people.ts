// Participants of a dialogue: real clients on real sockets that remember what they heard, by the kinds of frame that
// the dialogue shows to them.

import { createInflate, type Inflate } from 'node:zlib'
import { io, type Socket } from 'socket.io-client'
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

export class IoParticipant extends Participant {
  readonly #socket: Socket

  private constructor(socket: Socket, kinds: ReadonlySet<string>) {
    super(kinds)
    this.#socket = socket
    socket.onAny((...frame: unknown[]) => this.heard(frame))
    socket.on('disconnect', (reason) => this.end(null, reason))
  }

  static async connect(url: string, transports: readonly string[], kinds: ReadonlySet<string>): Promise<IoParticipant> {
    const socket = io(url, { transports: [...transports], forceNew: true, reconnection: false })
    const participant = new IoParticipant(socket, kinds)
    await new Promise<void>((resolve, reject) => {
      socket.on('connect', resolve)
      socket.on('connect_error', reject)
    })
    return participant
  }

  send({ ev = [], ack }: Step): void {
    const args = ev as [string, ...unknown[]]
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
