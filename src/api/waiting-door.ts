// The server's address before there is a server: while the log is away, or there are no read models to answer from yet,
// it says that it is alive and not ready, why, and how far it is; then it makes room for the server itself.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const RETRY_AFTER_S = 5

export class WaitingDoor {
  readonly #address: { readonly host: string; readonly port: number }
  readonly #version: string
  /** told once, when it opens */
  readonly #opened: (url: string) => void
  #server: Server | null = null
  #listens: Promise<boolean> = Promise.resolve(false)
  #port: number
  #why: () => Promise<string> = async () => 'starting'

  constructor(address: { host: string; port: number }, version: string, opened: (url: string) => void) {
    this.#address = address
    this.#port = address.port
    this.#version = version
    this.#opened = opened
  }

  /** What it says from now on. Opens it, unless it is open or its address is taken: then the server will say so. */
  async say(why: () => Promise<string>): Promise<void> {
    this.#why = why
    if (this.#server) return
    const { host, port } = this.#address
    const server = createServer((request, response) => {
      const answer = async () => {
        const alive = request.url === '/healthz'
        const detail = await this.#why().catch((error: Error) => error.message)
        const body = alive
          ? { status: 'starting', version: this.#version }
          : { ready: false, problems: [detail], detail: `not ready yet: ${detail}` }
        response
          .writeHead(alive ? 200 : 503, { 'content-type': 'application/json', 'retry-after': String(RETRY_AFTER_S) })
          .end(JSON.stringify(body))
      }
      void answer()
    })
    this.#server = server
    this.#listens = new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, host, () => resolve(true))
    })
    if (!(await this.#listens)) return
    this.#port = (server.address() as AddressInfo).port
    this.#opened(`http://${host.includes(':') ? `[${host}]` : host}:${this.#port}`)
  }

  /** Makes room; returns the port that it had told. */
  async close(): Promise<number> {
    const server = this.#server
    if (server && (await this.#listens)) {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    }
    return this.#port
  }
}
