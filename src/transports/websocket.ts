// Raw WebSocket as a transport (RFC 6455): one path a dialect, text frames in, frames of one turn out as one write.

import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { Clock } from '../actors/ports.ts'
import type { Closing, Dialect, FrameOut } from '../dialects/dialect.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { SOCKET_IO_PATH } from './socket-io.ts'
import type { Batch, Socket } from './transport.ts'
import { textFrame } from './websocket-frame.ts'
import { ZlibStream } from './zlib-stream.ts'

const MAX_FRAME_BYTES = 64 * 1024
/** how long a peer may take to answer a close frame */
const CLOSE_TIMEOUT_MS = 5_000

export interface WebSocketOptions {
  /** the dialect of an upgrade, or null when none is served there */
  dialectOf(url: URL): Dialect | null
  allowedOrigin(origin: string | undefined, host: string | undefined): boolean
  newConnectionId(): string
  /** null: this machine's own */
  addressOf(request: IncomingMessage): string | null
  readonly clock: Clock
  /** a ping each time; a peer from which nothing came between two is gone. 0: none */
  readonly pingIntervalMs: number
}

/** Serves raw WebSockets on `http`; an upgrade that nobody serves is answered 404. Returns what ends the heartbeat. */
export const serveWebSockets = (http: HttpServer, sessions: Sessions, options: WebSocketOptions): (() => void) => {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    // A requested subprotocol is not echoed.
    handleProtocols: () => false,
    clientTracking: false,
    // @types/ws lacks it
    ...({ closeTimeout: CLOSE_TIMEOUT_MS } as object),
  })
  const ports = new Set<WsPort>()
  http.on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith(SOCKET_IO_PATH)) return
    dropWhenBroken(socket)
    const turned = turnAway(request, sessions, ports.size, options)
    if (typeof turned === 'string') {
      socket.end(`HTTP/1.1 ${turned}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      // Whoever is turned away may still break RFC 6455: an error that nobody hears would end this process.
      webSocket.on('error', nothing)
      const port = new WsPort(webSocket, socket, options.newConnectionId(), options.addressOf(request))
      const session = sessions.open(port, turned)
      if (!session) {
        port.close(turned.profile.whenFull ?? { code: 1013, reason: 'try again later' }, 'flush')
        return
      }
      if (turned.readsAddress) session.receive({ query: new URL(request.url ?? '', 'http://server').searchParams })
      port.serve(session, ports)
    })
  })
  const { clock, pingIntervalMs } = options
  return pingIntervalMs > 0 ? heartbeat(clock, pingIntervalMs, ports) : nothing
}

// What hears of a socket for as long as it lives stands outside of the upgrade's handler: the request with all its headers
// would live as long.
const nothing = (): void => {}
const dropWhenBroken = (socket: Duplex): void => {
  socket.on('error', () => socket.destroy())
}

const turnAway = (
  request: IncomingMessage,
  sessions: Sessions,
  open: number,
  { dialectOf, allowedOrigin, addressOf }: WebSocketOptions,
): Dialect | string => {
  const { url, headers } = request
  const address = URL.canParse(url ?? '', 'http://server') ? new URL(url ?? '', 'http://server') : null
  const dialect = address && dialectOf(address)
  if (!dialect) return '404 Not Found'
  if (!allowedOrigin(headers.origin, headers.host)) return '403 Forbidden'
  if (sessions.admits(open, addressOf(request))) return dialect
  return `503 Service Unavailable\r\nretry-after: ${sessions.comeBackAfterSeconds()}`
}

/** Returns what ends it. */
const heartbeat = (clock: Clock, intervalMs: number, ports: Iterable<WsPort>): (() => void) => {
  let stopped = false
  let cancel = nothing
  const beat = () => {
    if (stopped) return
    later()
    for (const port of ports) port.beat()
  }
  // This process may have stood still: what its peers said meanwhile is at hand, and not taken in yet.
  const later = () => {
    cancel = clock.at(clock.now() + intervalMs, () => clock.soon(beat))
  }
  later()
  return () => {
    stopped = true
    cancel()
  }
}

/** ws ends by itself what breaks RFC 6455 or is too big, and says so here. */
const BROKEN = /^(WS_ERR_|ERR_)/

const joined = (frames: readonly FrameOut[]): Buffer =>
  Buffer.concat(
    frames.map((frame) => {
      if (!('json' in frame)) throw new Error('a dialect of socket.io events on a WebSocket')
      return textFrame(JSON.stringify(frame.json))
    }),
  )

class WsPort implements Socket {
  readonly transport = 'websocket'
  readonly id: string
  readonly address: string | null
  readonly #webSocket: WebSocket
  /** the stream under it: whole frames of ours go there joined, between those that ws writes itself (pong, close) */
  readonly #stream: Duplex
  #session: Session | null = null
  #alive = true
  #zlib: ZlibStream | null = null

  constructor(webSocket: WebSocket, stream: Duplex, id: string, address: string | null) {
    this.#webSocket = webSocket
    this.#stream = stream
    this.id = id
    this.address = address
  }

  /** `ports`: where it stands among the others until it is closed. */
  serve(session: Session, ports: Set<WsPort>): void {
    this.#session = session
    ports.add(this)
    const webSocket = this.#webSocket
    webSocket.on('message', (data: RawData, binary: boolean) => {
      this.#alive = true
      session.receive({ text: binary ? null : String(data) })
    })
    webSocket.on('ping', () => {
      this.#alive = true
      // ws has ended it: its answers to pings leave slower than the pings come.
      if (webSocket.readyState !== webSocket.OPEN) session.closed('flood', 'too many pings')
    })
    webSocket.on('pong', () => {
      this.#alive = true
    })
    webSocket.on('error', (error: NodeJS.ErrnoException) =>
      session.closed(BROKEN.test(error.code ?? '') ? 'protocol-error' : 'client', error.message),
    )
    webSocket.on('close', (code: number) => {
      ports.delete(this)
      session.closed('client', `close ${code}`)
    })
  }

  /** One ping; whoever sent nothing since the last one is gone. */
  beat(): void {
    if (!this.#alive) {
      this.#session?.lost()
      return
    }
    this.#alive = false
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping()
  }

  write(batches: readonly Batch[]): number {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return 0
    const encoded = this.#zlib ? this.#zlib.encoded(batches) : batches.map((batch) => batch.as('websocket', joined))
    const data = encoded.length === 1 ? (encoded[0] as Buffer) : Buffer.concat(encoded)
    this.#stream.write(data)
    return data.length
  }

  startZlib(): void {
    this.#zlib = new ZlibStream()
  }

  bufferedBytes(): number {
    return this.#stream.writableLength
  }

  close({ code, reason }: Pick<Closing, 'code' | 'reason'>, waiting: 'flush' | 'discard'): void {
    this.#webSocket.close(code ?? 1000, reason ?? '')
    // Whoever does not read does not answer either: the close frame is there for when it reads on.
    if (waiting === 'discard') this.#stream.end()
  }
}
