// One socket.io connection as a port: what its packets are on a WebSocket, and in the answers to polls.

import type { Socket as IoSocket } from 'socket.io'
import type { Closing, FrameOut } from '../dialects/dialect.ts'
import type { Batch, Socket } from './transport.ts'
import { textFrame } from './websocket-frame.ts'

/** `2["event",…]` and `3<id>[…]`: socket.io packets of the default namespace (socket.io-protocol v5, the same in v2 to v4). */
const packetOf = (frame: FrameOut): string => {
  if ('event' in frame) return `2${JSON.stringify([frame.event, ...frame.args])}`
  if ('ack' in frame) return `3${frame.ack}${JSON.stringify(frame.args)}`
  throw new Error('a dialect of WebSocket frames on a socket.io connection')
}

/**
 * A packet in ASCII only. COMPAT clients of Engine.IO 3 over polling: those of socket.io 1.x decode a text payload as
 * UTF-8 once more, those of 2.x do not, and nothing in the request tells them apart; JSON's own escapes suit both.
 */
const asciiPacketOf = (frame: FrameOut): string =>
  packetOf(frame).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

const packetsOf = (frames: readonly FrameOut[]): string[] => frames.map(asciiPacketOf)

/** Engine.IO's message type before a packet. */
const MESSAGE = '4'
/** Between two messages of one payload in Engine.IO 4. */
const BETWEEN = `\x1e${MESSAGE}`

/** Many messages handed over as the data of one: the engine puts the first one's type before it, and asks no more. */
const payloadOf = (frames: readonly FrameOut[]): string => packetsOf(frames).join(BETWEEN)

/** Whole WebSocket frames, one after another. */
const webSocketFrames = (frames: readonly FrameOut[]): Buffer =>
  Buffer.concat(frames.map((frame) => textFrame(MESSAGE + packetOf(frame))))

interface EngineTransport {
  readonly name: string
  /** Engine.IO's */
  readonly protocol: number
  /** polling: a poll waits */
  readonly writable: boolean
  /** polling: a poll came, and what the engine had for it has left */
  on(event: 'ready', run: () => void): void
  readonly socket?: { bufferedAmount: number; terminate(): void }
  /** engine.io's own test, see `write` */
  _canSendPreEncodedFrame?(packet: object): boolean
}

interface EngineSocket {
  readonly transport: EngineTransport
  readonly readyState: string
  /** packets that leave with the next flush; made anew by each */
  readonly writeBuffer?: object[]
  write(data: string, options?: object): void
  on(event: 'drain' | 'upgrade', run: () => void): void
  close(discard?: boolean): void
}

/**
 * Least time between two answers to the polls of one client, each a whole HTTP request: under load more leaves with each,
 * and what is told after a pause leaves at once, as does the answer to what its client asked. Nothing is decided by it, and it
 * bounds the work of this machine: it runs on real time, as the engine's own heartbeats do, which take no clock.
 */
const ANSWER_EVERY_MS = 12

/** What a client asked for ends with its acknowledgement. */
const isAnswer = ({ frames }: Batch): boolean => {
  const last = frames.at(-1)
  return last !== undefined && 'ack' in last
}

const PROBE = { options: { wsPreEncodedFrame: [] } }

export class IoPort implements Socket {
  readonly id: string
  readonly address: string | null
  readonly #socket: IoSocket
  readonly #engine: EngineSocket
  /** bytes handed to the engine, and not yet by it to the transport */
  #handed = 0
  /** for the next answer to a poll, and its bytes */
  #gathered: Batch[] = []
  #gatheredBytes = 0
  /** an acknowledgement is among it */
  #isAsked = false
  #answeredAt = Number.NEGATIVE_INFINITY
  #later: NodeJS.Timeout | undefined

  constructor(socket: IoSocket, id: string, address: string | null) {
    this.id = id
    this.#socket = socket
    this.#engine = socket.conn as unknown as EngineSocket
    this.address = address
    this.#engine.on('drain', () => {
      this.#handed = 0
    })
    this.#engine.transport.on('ready', () => this.#answer())
    this.#engine.on('upgrade', () => this.#hand())
  }

  get transport(): string {
    return `socket.io/${this.#engine.transport.name}`
  }

  write(batches: readonly Batch[]): number {
    // Several WebSocket frames in one buffer go out as one write. The option is meant for socket.io's own adapter:
    // where engine.io does not know it, or is not on a bare WebSocket, frames go as packets.
    if (this.#engine.transport._canSendPreEncodedFrame?.(PROBE) === true) {
      this.#hand()
      return this.#writeFrames(batches)
    }
    const size = batches.reduce((sum, batch) => sum + batch.as('socket.io/payload', payloadOf).length, 0)
    this.#gathered.push(...batches)
    this.#gatheredBytes += size
    this.#isAsked ||= batches.some(isAnswer)
    this.#answer()
    return size
  }

  /** What was gathered leaves as the answer to a poll, when one waits: packets written singly would be one answer each. */
  #answer(): void {
    const { name, protocol, writable } = this.#engine.transport
    if (this.#gathered.length === 0 || (name === 'polling' && !writable)) return
    if (name !== 'polling' || protocol !== 4) {
      this.#hand()
      return
    }
    const wait = this.#isAsked ? 0 : this.#answeredAt + ANSWER_EVERY_MS - performance.now()
    if (wait > 0) {
      this.#later ??= setTimeout(() => {
        this.#later = undefined
        this.#answer()
      }, wait).unref()
      return
    }
    this.#answeredAt = performance.now()
    const payloads = this.#taken().map((batch) => batch.as('socket.io/payload', payloadOf))
    this.#engine.write(payloads.join(BETWEEN))
  }

  /** What was gathered is the engine's to send, packet by packet; those in its own buffer leave with the next. */
  #hand(): void {
    const packets = this.#taken().flatMap((batch) => batch.as('socket.io/packets', packetsOf))
    const last = packets.pop()
    if (last === undefined) return
    const { writeBuffer, readyState } = this.#engine
    if (Array.isArray(writeBuffer) && readyState === 'open') {
      for (const data of packets) writeBuffer.push({ type: 'message', data, options: { compress: true } })
    } else for (const packet of packets) this.#engine.write(packet)
    this.#engine.write(last)
  }

  #taken(): readonly Batch[] {
    const batches = this.#gathered
    this.#gathered = []
    this.#handed += this.#gatheredBytes
    this.#gatheredBytes = 0
    this.#isAsked = false
    return batches
  }

  #writeFrames(batches: readonly Batch[]): number {
    const encoded = batches.map((batch) => batch.as('socket.io/websocket', webSocketFrames))
    const size = encoded.reduce((sum, { length }) => sum + length, 0)
    this.#handed += size
    // ws writes a list of two corked and of any other length its first only.
    const list = encoded.length <= 2 ? encoded : [Buffer.concat(encoded, size)]
    this.#engine.write('', { preEncoded: true, wsPreEncodedFrame: list, compress: false })
    return size
  }

  bufferedBytes(): number {
    return this.#gatheredBytes + this.#handed + (this.#engine.transport.socket?.bufferedAmount ?? 0)
  }

  close({ how }: Pick<Closing, 'how'>, waiting: 'flush' | 'discard'): void {
    if (waiting === 'flush') this.#hand()
    if (waiting === 'discard') {
      const { socket } = this.#engine.transport
      this.#engine.close(true)
      socket?.terminate()
    } else if (how === 'disconnect') this.#socket.disconnect(true)
    else this.#engine.close()
  }
}
