// The port of a socket. A transport moves frames and knows nothing of their meaning.

import type { Closing, FrameOut } from '../dialects/dialect.ts'

/** Frames that go out together, to one socket or to many: each wire form is made once, when the first socket asks. */
export class Batch {
  readonly frames: readonly FrameOut[]
  readonly #forms = new Map<string, unknown>()

  constructor(frames: readonly FrameOut[]) {
    this.frames = frames
  }

  as<Form>(wire: string, make: (frames: readonly FrameOut[]) => Form): Form {
    let form = this.#forms.get(wire) as Form | undefined
    if (form === undefined) {
      form = make(this.frames)
      this.#forms.set(wire, form)
    }
    return form
  }
}

export interface Socket {
  /** the connection's id */
  readonly id: string
  /** as it is now: `polling` may become `websocket` */
  readonly transport: string
  /** where its peer is; null: on this machine */
  readonly address: string | null
  /** everything of one turn, in order, as one write where the transport can; returns its size in bytes */
  write(batches: readonly Batch[]): number
  /** From the next frame on, all frames are one zlib stream; absent: it has no such form. */
  startZlib?(): void
  /** bytes handed over and not yet taken by the network */
  bufferedBytes(): number
  /** `discard`: nobody reads what still waits, so it is thrown away. */
  close(closing: Pick<Closing, 'how' | 'code' | 'reason'>, waiting: 'flush' | 'discard'): void
}
