// socket.io as a transport: clients from 1.3 (Engine.IO 3) to 4.8, polling, websocket and the upgrade between them.

import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { type Socket as IoSocket, Server } from 'socket.io'
import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { Closing, Dialect, FrameOut } from '../dialects/dialect.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Batch, Socket } from './transport.ts'
import { textFrame } from './websocket-frame.ts'

export const SOCKET_IO_PATH = '/socket.io/'
const MAX_PACKET_BYTES = 64 * 1024
/** how long a stopping server waits for the answers under way */
const LAST_ANSWERS_MS = 2_000

export interface SocketIoOptions {
  /** `origin` as the browser sent it; `host` the request's own */
  allowedOrigin(origin: string | undefined, host: string | undefined): boolean
  newConnectionId(): string
  /** the only dialect spoken here; null: the first event tells */
  readonly dialect: Dialect | null
  readonly pingIntervalMs?: number
  readonly pingTimeoutMs?: number
}

/** Serves socket.io on `http` until the returned function is called. */
export const serveSocketIo = (
  http: HttpServer,
  sessions: Sessions,
  options: SocketIoOptions,
): (() => Promise<void>) => {
  const pingInterval = options.pingIntervalMs ?? 25_000
  const io = new Server(http, {
    path: SOCKET_IO_PATH,
    allowEIO3: true,
    maxHttpBufferSize: MAX_PACKET_BYTES,
    // engine.io would end an upgrade on another path that is not answered within a second
    destroyUpgrade: false,
    perMessageDeflate: false,
    pingInterval,
    pingTimeout: options.pingTimeoutMs ?? Math.min(20_000, pingInterval),
    // 1.x browser clients poll with credentials, so the origin must be echoed and never be `*`
    cors: ({ headers: { origin, host } }, decide) =>
      decide(null, { origin: options.allowedOrigin(origin, host), credentials: true }),
    allowRequest: (request: IncomingMessage, decide) => {
      const { origin, host } = request.headers
      if (!options.allowedOrigin(origin, host)) decide('this origin may not connect; see the setting ORIGINS', false)
      else if (!sessions.admits(io.engine.clientsCount))
        decide('as many connections as there may be; try again later', false)
      else decide(null, true)
    },
  })
  mendOldPolling(io)
  const upgraded = new Set<Duplex>()
  let stopped = false
  http.on('upgrade', (_request, socket) => {
    // Whoever comes back while the last connections end: engine.io answers no more, and the server would wait for it.
    if (stopped) {
      socket.destroy()
      return
    }
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
  })
  io.on('connection', (socket) => {
    const port = new IoPort(socket, options.newConnectionId())
    const session = sessions.open(port, options.dialect)
    if (session) receive(socket, session)
    else port.close({ how: 'drop' }, 'discard')
  })
  return async () => {
    stopped = true
    io.engine.close()
    // A peer that is gone answers no closing handshake, which ws would await for half a minute.
    for (const socket of upgraded) socket.end()
    await turn()
    for (const socket of upgraded) socket.destroy()
    // A poll of a client that shook hands at the last moment would be awaited for a minute; requests to the API are not
    // half as long. What is left then is ended with the server.
    await Promise.race([
      new Promise<void>((resolve) => io.close(() => resolve())),
      pause(LAST_ANSWERS_MS, undefined, { ref: false }),
    ])
  }
}

/** socket.io's packet types BINARY_EVENT and BINARY_ACK */
const ATTACHING = /^[56]/

const receive = (socket: IoSocket, session: Session): void => {
  tagAcks(socket)
  socket.onAny((event: unknown, ...args: unknown[]) => {
    const last = args.at(-1)
    const ack = typeof last === 'function' ? ((last as Acknowledge).packet ?? null) : null
    if (ack !== null) args.pop()
    if (typeof event === 'string') session.receive({ event, args, ack })
  })
  // No dialect of ours knows attachments: such a packet ends the connection before its parts are gathered.
  socket.conn.on('packet', ({ type, data }) => {
    if (type === 'message' && (typeof data !== 'string' || ATTACHING.test(data))) session.abort('protocol-error')
  })
  // A packet that cannot be read; a client may also send an event of this name, which then brings no Error.
  socket.on('error', (error: unknown) => {
    if (error instanceof Error) session.abort('protocol-error')
  })
  socket.on('disconnect', (reason: string, description?: unknown) => {
    session.closed(causeOf(reason, description), reason)
    // Leaving the namespace alone would leave a transport that nobody counts.
    socket.conn.close()
  })
}

/** ws closes by itself what breaks RFC 6455 or is too big. Of its error engine.io hands on the text only. */
const BROKEN = /WebSocket frame|Max payload size|Too many/

const causeOf = (reason: string, description: unknown): CloseCause =>
  reason === 'parse error' || BROKEN.test(String(description)) ? 'protocol-error' : 'client'

interface Acknowledge {
  (...args: unknown[]): void
  packet?: number
}

/**
 * socket.io hands a callback over and writes its packet when that is called, ahead of what waits in our outbox. We
 * need the packet's number instead, to send the answer in its place among the room's frames.
 */
const tagAcks = (socket: IoSocket): void => {
  const internal = socket as unknown as { ack(id: number): Acknowledge }
  const make = internal.ack
  // An answer could not name a number that was rounded.
  internal.ack = (id) => Object.assign(make.call(socket, id), Number.isSafeInteger(id) ? { packet: id } : {})
}

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

/** Engine.IO's message type before a packet. */
const MESSAGE = '4'

/** Whole WebSocket frames, one after another. */
const webSocketFrames = (frames: readonly FrameOut[]): Buffer =>
  Buffer.concat(frames.map((frame) => textFrame(MESSAGE + packetOf(frame))))

interface EngineTransport {
  readonly name: string
  readonly socket?: { bufferedAmount: number; terminate(): void }
  /** engine.io's own test, see `write` */
  _canSendPreEncodedFrame?(packet: object): boolean
}

interface EngineSocket {
  readonly transport: EngineTransport
  write(data: string, options?: object): void
  on(event: 'drain', run: () => void): void
  close(discard?: boolean): void
}

const PROBE = { options: { wsPreEncodedFrame: [] } }

class IoPort implements Socket {
  readonly id: string
  readonly address: string
  readonly #socket: IoSocket
  readonly #engine: EngineSocket
  /** handed to the engine, and not yet by it to the transport */
  #waiting = 0

  constructor(socket: IoSocket, id: string) {
    this.id = id
    this.#socket = socket
    this.#engine = socket.conn as unknown as EngineSocket
    this.address = socket.handshake.address
    this.#engine.on('drain', () => {
      this.#waiting = 0
    })
  }

  get transport(): string {
    return `socket.io/${this.#engine.transport.name}`
  }

  write(batches: readonly Batch[]): number {
    // Several WebSocket frames in one buffer go out as one write. The option is meant for socket.io's own adapter:
    // where engine.io does not know it, or is not on a bare WebSocket, frames go as packets one by one.
    if (this.#engine.transport._canSendPreEncodedFrame?.(PROBE) === true) return this.#writeFrames(batches)
    let size = 0
    for (const batch of batches) {
      for (const packet of batch.as('socket.io/packets', (frames) => frames.map(asciiPacketOf))) {
        size += packet.length
        this.#waiting += packet.length
        this.#engine.write(packet)
      }
    }
    return size
  }

  #writeFrames(batches: readonly Batch[]): number {
    const encoded = batches.map((batch) => batch.as('socket.io/websocket', webSocketFrames))
    const size = encoded.reduce((sum, { length }) => sum + length, 0)
    this.#waiting += size
    // ws writes a list of two corked and of any other length its first only.
    const list = encoded.length <= 2 ? encoded : [Buffer.concat(encoded, size)]
    this.#engine.write('', { preEncoded: true, wsPreEncodedFrame: list, compress: false })
    return size
  }

  bufferedBytes(): number {
    return this.#waiting + (this.#engine.transport.socket?.bufferedAmount ?? 0)
  }

  close({ how }: Pick<Closing, 'how'>, waiting: 'flush' | 'discard'): void {
    if (waiting === 'discard') {
      const { socket } = this.#engine.transport
      this.#engine.close(true)
      socket?.terminate()
    } else if (how === 'disconnect') this.#socket.disconnect(true)
    else this.#engine.close()
  }
}

type Done = (packet: { readonly data?: unknown }, index: number, total: number) => unknown

interface OldTransport {
  readonly name: string
  readonly protocol: number
  parser: {
    encodePayload(packets: unknown, binary: unknown, callback?: unknown): unknown
    encodePayloadAsBinary(packets: unknown, callback: unknown): unknown
    decodePayload(data: unknown, binary: unknown, done?: Done): unknown
  }
}

/**
 * COMPAT socket.io-client 1.3 to 1.7 over polling. In a browser they read a poll over XHR2 only as
 * application/octet-stream, where engine.io 6 answers text/plain, and then fail with 'server error': their polls are
 * answered in the binary form. Without XHR2 they send text encoded as UTF-8 twice: it is decoded once more.
 */
const mendOldPolling = (io: Server): void => {
  const engine = io.engine as unknown as { createTransport(name: string, request: unknown): OldTransport }
  const create = engine.createTransport
  engine.createTransport = function (name, request) {
    const transport = create.call(this, name, request)
    if (transport.name !== 'polling' || transport.protocol !== 3) return transport
    const { parser } = transport
    transport.parser = {
      ...parser,
      encodePayload: (packets, binary, callback) => {
        const [supported, done] = typeof binary === 'function' ? [null, binary] : [binary, callback]
        return supported ? parser.encodePayloadAsBinary(packets, done) : parser.encodePayload(packets, null, done)
      },
      decodePayload: (data, binary, callback) => {
        const [kind, done] = typeof binary === 'function' ? [undefined, binary as Done] : [binary, callback as Done]
        if (typeof data !== 'string') return parser.decodePayload(data, kind, done)
        return parser.decodePayload(data, kind, (packet, index, total) =>
          done({ ...packet, data: decodedOnceMore(packet.data) }, index, total),
        )
      },
    }
    return transport
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** Text whose every unit is a byte, some above ASCII, and which reads as UTF-8, was encoded twice; other text was not. */
const decodedOnceMore = (data: unknown): unknown => {
  if (typeof data !== 'string' || !/[\u0080-\u00ff]/.test(data) || /[\u0100-\uffff]/.test(data)) return data
  try {
    return strictUtf8.decode(Buffer.from(data, 'latin1'))
  } catch {
    return data
  }
}
