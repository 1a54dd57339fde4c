// socket.io as a transport: clients from 1.3 (Engine.IO 3) to 4.8, polling, websocket and the upgrade between them.

import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { type Socket as IoSocket, Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { Dialect } from '../dialects/dialect.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { IoPort } from './socket-io-port.ts'

export const SOCKET_IO_PATH = '/socket.io/'
const MAX_PACKET_BYTES = 64 * 1024
/** how long a stopping server waits for the answers under way; in real time, since no clock of ours moves requests on */
const LAST_ANSWERS_MS = 2_000

export interface SocketIoOptions {
  /** `origin` as the browser sent it; `host` the request's own */
  allowedOrigin(origin: string | undefined, host: string | undefined): boolean
  newConnectionId(): string
  /** null: this machine's own */
  addressOf(request: IncomingMessage): string | null
  /** the only dialect spoken here; null: the first event tells */
  readonly dialect: Dialect | null
  readonly pingIntervalMs?: number
}

/** Serves socket.io on `http` until the returned function is called. */
export const serveSocketIo = (
  http: HttpServer,
  sessions: Sessions,
  options: SocketIoOptions,
): (() => Promise<void>) => {
  const pingInterval = options.pingIntervalMs ?? 25_000
  /** of handshakes: a poll's own socket may be gone when its session begins */
  const addresses = new WeakMap<object, string | null>()
  const io = new Server(http, {
    path: SOCKET_IO_PATH,
    allowEIO3: true,
    maxHttpBufferSize: MAX_PACKET_BYTES,
    // engine.io would end an upgrade on another path that is not answered within a second
    destroyUpgrade: false,
    perMessageDeflate: false,
    // engine.io's own ws is older and keeps the answers to any number of pings for a client that reads none
    wsEngine: WebSocketServer,
    pingInterval,
    pingTimeout: Math.min(20_000, pingInterval),
    // 1.x browser clients poll with credentials, so the origin must be echoed and never be `*`
    cors: ({ headers: { origin, host } }, decide) =>
      decide(null, { origin: origin !== undefined && options.allowedOrigin(origin, host), credentials: true }),
    allowRequest: (request: IncomingMessage, decide) => {
      const { origin, host } = request.headers
      const address = options.addressOf(request)
      addresses.set(request, address)
      if (!options.allowedOrigin(origin, host)) decide('this origin may not connect; see the setting ORIGINS', false)
      else if (!sessions.admits(io.engine.clientsCount, address))
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
  const sessionOf = new WeakMap<object, Session>()
  io.on('connection', (socket) => {
    const port = new IoPort(socket, options.newConnectionId(), addresses.get(socket.request) ?? null)
    // A client that connects again before it is answered gets a second socket on its transport: one is all it may have.
    const first = sessionOf.get(socket.conn)
    first?.abort('protocol-error')
    const session = first ? null : sessions.open(port, options.dialect)
    if (session) {
      sessionOf.set(socket.conn, session)
      receive(socket, session)
    } else port.close({ how: 'drop' }, 'discard')
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
    // A number may be an event's name, too: nobody's here.
    session.receive({ event: String(event), args, ack })
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

/**
 * Text whose every unit is a byte, some above ASCII, and which reads as UTF-8, is taken as encoded twice; other text was
 * not. A 2.x client whose whole packet is such by chance ("Ã©") sends the same bytes as a 1.x client that says "é".
 */
const decodedOnceMore = (data: unknown): unknown => {
  if (typeof data !== 'string' || !/[\u0080-\u00ff]/.test(data) || /[\u0100-\uffff]/.test(data)) return data
  try {
    return strictUtf8.decode(Buffer.from(data, 'latin1'))
  } catch {
    return data
  }
}
