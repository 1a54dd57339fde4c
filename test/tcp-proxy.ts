// A TCP proxy between a client and a server: connections can be cut, and the door shut and opened again, while the
// client's address stays the same.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** where new connections lead; null: they are refused */
  target: number | null
  /** ends every connection without a word */
  cut(): void
  close(): Promise<void>
}

export const startTcpProxy = async (target: number): Promise<TcpProxy> => {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    if (proxy.target === null) {
      client.destroy()
      return
    }
    const upstream = connect(proxy.target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = {
    port: (server.address() as AddressInfo).port,
    target: target as number | null,
    cut: () => {
      for (const socket of open) socket.destroy()
    },
    close: async () => {
      for (const socket of open) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}
