// A WebSocket without a library, for frames that no library would send (RFC 6455 § 5.2).

import { connect, type Socket } from 'node:net'

const MASK = Buffer.from([1, 2, 3, 4])

/** A client's frame: its first byte as given, masked. */
export const frame = (first: number, payload: Buffer | string = ''): Buffer => {
  const data = Buffer.from(payload)
  const masked = data.map((byte, at) => byte ^ (MASK[at % 4] as number))
  const length = Buffer.alloc(data.length < 126 ? 1 : data.length < 65_536 ? 3 : 9)
  if (data.length < 126) length[0] = 0x80 | data.length
  else if (data.length < 65_536) {
    length[0] = 0x80 | 126
    length.writeUInt16BE(data.length, 1)
  } else {
    length[0] = 0x80 | 127
    length.writeBigUInt64BE(BigInt(data.length), 1)
  }
  return Buffer.concat([Buffer.from([first]), length, MASK, masked])
}

export const text = (payload: string): Buffer => frame(0x81, payload)

export class RawWebSocket {
  /** what the server said in text */
  readonly heard: string[] = []
  /** the code of its close frame; 1006: the connection ended without one */
  readonly closed: Promise<number>
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #upgraded = false
  #code = 1006

  private constructor(socket: Socket, upgraded: () => void) {
    this.#socket = socket
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => socket.on('close', () => resolve(this.#code)))
    socket.on('data', (data) => {
      this.#rest = Buffer.concat([this.#rest, data])
      if (!this.#upgraded) {
        const end = this.#rest.indexOf('\r\n\r\n')
        if (end < 0) return
        this.#upgraded = true
        this.#rest = this.#rest.subarray(end + 4)
        upgraded()
      }
      while (this.#take());
    })
  }

  static async connect(url: string, path: string): Promise<RawWebSocket> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
        'Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
    )
    return new Promise((resolve) => {
      const raw: RawWebSocket = new RawWebSocket(socket, () => resolve(raw))
    })
  }

  send(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames))
  }

  end(): void {
    this.#socket.destroy()
  }

  #take(): boolean {
    const [first = 0, second = 0] = this.#rest
    const header = second < 126 ? 2 : second === 126 ? 4 : 10
    if (this.#rest.length < header) return false
    const length =
      second < 126 ? second : second === 126 ? this.#rest.readUInt16BE(2) : Number(this.#rest.readBigUInt64BE(2))
    if (this.#rest.length < header + length) return false
    const payload = this.#rest.subarray(header, header + length)
    this.#rest = this.#rest.subarray(header + length)
    if (first === 0x81) this.heard.push(String(payload))
    if (first === 0x88) {
      this.#code = length >= 2 ? payload.readUInt16BE(0) : 1005
      this.#socket.end()
    }
    return true
  }
}
