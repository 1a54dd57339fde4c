// Frames of a connection as one zlib stream (RFC 1950): each is compressed by itself and ends on a byte boundary, as
// after a full flush, and is one binary message. What no frame takes from another is the same for every connection:
// a batch is compressed once for all of them, and only the stream's header is a connection's own.

import { constants, deflateRawSync } from 'node:zlib'
import type { FrameOut } from '../dialects/dialect.ts'
import type { Batch } from './transport.ts'
import { binaryFrame } from './websocket-frame.ts'

/** deflate, window of 32 KiB, default compression */
const HEADER = Buffer.from([0x78, 0x9c])

/** Blocks that another may follow: the flush ends them, and none is marked the last. */
const OPEN_ENDED = { finishFlush: constants.Z_SYNC_FLUSH }

const compressed = (frame: FrameOut): Buffer => {
  if (!('json' in frame)) throw new Error('a dialect of socket.io events on a WebSocket')
  return deflateRawSync(JSON.stringify(frame.json), OPEN_ENDED)
}

const payloads = (frames: readonly FrameOut[]): Buffer[] => frames.map(compressed)
const messages = (frames: readonly FrameOut[]): Buffer =>
  Buffer.concat(frames.map((frame) => binaryFrame(compressed(frame))))

export class ZlibStream {
  #begun = false

  /** WebSocket frames, to be written in this order. */
  encoded(batches: readonly Batch[]): Buffer[] {
    return batches.map((batch) => {
      if (this.#begun || batch.frames.length === 0) return batch.as('websocket-zlib', messages)
      this.#begun = true
      const [first, ...rest] = payloads(batch.frames)
      return Buffer.concat([binaryFrame(HEADER, first as Buffer), ...rest.map((payload) => binaryFrame(payload))])
    })
  }
}
