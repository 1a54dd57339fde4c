// Somebody on the native protocol in room `native:1`, frame by frame: no client of ours that comes back by itself.

import WebSocket from 'ws'

interface Frame {
  readonly is: string
  readonly revision?: number
  readonly epoch?: string
  readonly message?: unknown
  readonly resumed?: boolean
}

export interface Since {
  readonly epoch: string
  readonly revision: number
}

export class NativeVisitor {
  /** what came after it had entered */
  readonly heard: Frame[] = []
  readonly ended: Promise<void>
  readonly #socket: WebSocket
  #waiting: ((frame: Frame) => void) | null = null
  #since: Since = { epoch: '', revision: 0 }

  /** Resolves in the room. `since`: with what it missed after that. */
  static async enter(url: string, token: string, since?: Since): Promise<NativeVisitor> {
    const visitor = new NativeVisitor(`${url.replace('http', 'ws')}/native`)
    await visitor.#next()
    const signedIn = await visitor.#ask({ do: 'sign-in', ref: 1, token })
    const joined = await visitor.#ask({ do: 'join', ref: 2, room: 'native:1', ...(since ? { since } : {}) })
    if (joined.is !== 'joined') throw new Error(JSON.stringify(joined))
    visitor.#since = { epoch: signedIn.epoch as string, revision: joined.revision as number }
    return visitor
  }

  private constructor(url: string) {
    this.#socket = new WebSocket(url)
    this.#socket.on('message', (text) => {
      const frame = JSON.parse(String(text)) as Frame
      if (this.#waiting) this.#waiting(frame)
      else this.heard.push(frame)
    })
    this.ended = new Promise((resolve) => {
      this.#socket.on('error', () => {}).on('close', () => resolve())
    })
  }

  /** how far it is surely told */
  get since(): Since {
    const { epoch, revision } = this.#since
    return { epoch, revision: Math.max(revision, ...this.heard.map((frame) => frame.revision ?? 0)) }
  }

  post(text: string, ref: string): void {
    this.#socket.send(JSON.stringify({ do: 'post', ref, id: ref, room: 'native:1', text }))
  }

  read(message: number): void {
    this.#socket.send(JSON.stringify({ do: 'read', room: 'native:1', message }))
  }

  leave(): void {
    this.#socket.close()
  }

  #ask(frame: object): Promise<Frame> {
    this.#socket.send(JSON.stringify(frame))
    return this.#next()
  }

  #next(): Promise<Frame> {
    return new Promise((resolve) => {
      this.#waiting = (frame) => {
        this.#waiting = null
        resolve(frame)
      }
    })
  }
}
