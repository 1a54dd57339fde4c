// The addresses a node listens on for sockets. On the main one every dialect is told apart by path or first event; one
// of its own (the setting LISTEN_<DIALECT>) serves a single dialect at any path, and the same API.

import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../actors/ports.ts'
import type { Dialect } from '../dialects/dialect.ts'
import type { Sessions } from './sessions.ts'
import { serveSocketIo } from './socket-io.ts'
import { serveWebSockets } from './websocket.ts'

export interface SocketOptions {
  readonly clock: Clock
  allowedOrigin(origin: string | undefined, host: string | undefined): boolean
  newConnectionId(): string
  /** null: this machine's own */
  addressOf(request: IncomingMessage): string | null
  /** 0: no heartbeat over raw WebSocket, and socket.io's own over that; absent: each transport's own */
  readonly pingIntervalMs?: number
}

export interface Address {
  readonly host: string
  /** 0 picks one */
  readonly port: number
}

const WHY_NOT: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'there is no such host',
  EACCES: 'this process may not; ports below 1024 are the system’s',
}

/** An address that cannot be listened on. */
export class AddressRefused extends Error {
  constructor(setting: string, { host, port }: Address, error: unknown) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const at = `${host.includes(':') ? `[${host}]` : host}:${port}`
    super(`cannot listen on ${at}: ${WHY_NOT[code] ?? message}. Choose another address with ${setting}`, {
      cause: error,
    })
    this.name = 'AddressRefused'
  }
}

const WS_PING_INTERVAL_MS = 20_000

/** Serves all `dialects` on `http`. Returns what stops it, once the sessions have ended. */
export const serveSockets = (
  http: HttpServer,
  sessions: Sessions,
  dialects: readonly Dialect[],
  { clock, pingIntervalMs, ...options }: SocketOptions,
): (() => Promise<void>) => {
  const [only = null, ...others] = dialects
  const own = others.length === 0 ? only : null
  const stopSocketIo = serveSocketIo(http, sessions, {
    ...options,
    dialect: own,
    ...(pingIntervalMs ? { pingIntervalMs } : {}),
  })
  const stopHeartbeat = serveWebSockets(http, sessions, {
    ...options,
    clock,
    dialectOf: own
      ? () => (own.path === null ? null : own)
      : ({ pathname, searchParams }) =>
          dialects.find(({ path }) => path === pathname) ??
          // A client may have been given any address that its token is then appended to.
          (searchParams.has('token') ? (dialects.find(({ readsAddress }) => readsAddress) ?? null) : null),
    pingIntervalMs: pingIntervalMs ?? WS_PING_INTERVAL_MS,
  })
  return async () => {
    stopHeartbeat()
    await stopSocketIo()
  }
}

/** An address of one dialect's own. */
export const listenFor = async (
  dialect: Dialect,
  { host, port }: Address,
  answer: RequestListener,
  sessions: Sessions,
  options: SocketOptions,
): Promise<{ readonly dialect: string; readonly url: string; stop(): Promise<void> }> => {
  const http = createServer(answer)
  const stopSockets = serveSockets(http, sessions, [dialect], options)
  await new Promise<void>((resolve, reject) => {
    http.once('error', (error) => {
      reject(new AddressRefused(`HANSARD_LISTEN_${dialect.name.toUpperCase()}`, { host, port }, error))
    })
    http.listen(port, host, resolve)
  })
  const shown = host.includes(':') ? `[${host}]` : host
  return {
    dialect: dialect.name,
    url: `http://${shown}:${(http.address() as AddressInfo).port}`,
    stop: async () => {
      await stopSockets()
      http.closeAllConnections()
    },
  }
}
