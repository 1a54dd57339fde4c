// What leaves on one socket: everything of one turn as one write. It also knows how far behind the reader is, in
// bytes and in time, and so what the socket was surely handed.

import type { Clock } from '../actors/ports.ts'
import type { Batch, Socket } from './transport.ts'

const MAX_WAITING_BYTES = 1024 * 1024
const MAX_WAITING_MS = 20_000
/** a reader this far behind is noted on its record */
const BEHIND_MS = 1_000

export interface OutboxListener {
  /** after everything this turn acknowledged has been answered */
  flushLater(): void
  /** it fell behind, or has caught up: up to these revisions it was surely handed everything */
  progressed(): void
  tooSlow(): void
}

export class Outbox {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #listener: OutboxListener
  #batches: Batch[] = []
  #planned = false
  #closed = false
  /** room → revision: what is in the batches that wait for this turn's write */
  readonly #added = new Map<string, number>()
  /** room → revision: handed to the socket, which may still hold it */
  readonly #handed = new Map<string, number>()
  /** room → revision: taken by the network, and not yet asked for by `takeDelivered` */
  readonly #delivered = new Map<string, number>()
  #written = 0
  /** the largest write of what is waiting: a snapshot may be larger than the limit by itself */
  #largest = 0
  /** a place in what was written that the network has not reached, and since when it waits */
  #mark: { readonly written: number; readonly at: number } | null = null
  #cancelLook: (() => void) | null = null
  #behind = false

  constructor(socket: Socket, clock: Clock, listener: OutboxListener) {
    this.#socket = socket
    this.#clock = clock
    this.#listener = listener
  }

  add(batch: Batch): void {
    if (this.#closed) return
    this.#batches.push(batch)
    if (this.#planned) return
    this.#planned = true
    this.#listener.flushLater()
  }

  /** With the batches added so far, this room has been told up to `revision`. */
  reached(room: string, revision: number): void {
    this.#added.set(room, revision)
  }

  flush(): void {
    this.#planned = false
    if (this.#closed || this.#batches.length === 0) return
    if (this.#measure() > MAX_WAITING_BYTES + this.#largest) {
      this.#listener.tooSlow()
      return
    }
    this.#write()
    this.#mark ??= { written: this.#written, at: this.#clock.now() }
    this.#look()
  }

  /** The last write; nothing leaves after it. */
  end(batches: readonly Batch[]): void {
    if (this.#closed) return
    this.#batches.push(...batches)
    if (this.#batches.length > 0) this.#write()
    this.close()
  }

  close(): void {
    this.#closed = true
    this.#batches = []
    this.#cancelLook?.()
  }

  /** What the network took since this was last asked; empty: nothing new. */
  takeDelivered(): Readonly<Record<string, number>> {
    this.#measure()
    const delivered = Object.fromEntries(this.#delivered)
    this.#delivered.clear()
    return delivered
  }

  #write(): void {
    const batches = this.#batches
    this.#batches = []
    const size = this.#socket.write(batches)
    this.#written += size
    this.#largest = Math.max(this.#largest, size)
    move(this.#added, this.#handed)
  }

  #measure(): number {
    const waiting = this.#socket.bufferedBytes()
    if (waiting === 0) {
      move(this.#handed, this.#delivered)
      this.#mark = null
      this.#largest = 0
    } else if (this.#mark && this.#written - waiting >= this.#mark.written) {
      this.#mark = { written: this.#written, at: this.#clock.now() }
    }
    return waiting
  }

  /** Looks again in a second whether what was written now is out. */
  #look(): void {
    if (this.#cancelLook) return
    this.#cancelLook = this.#clock.at(this.#clock.now() + BEHIND_MS, () => {
      this.#cancelLook = null
      this.#measure()
      if (this.#mark) this.#judge(this.#clock.now() - this.#mark.at)
      else if (this.#behind) {
        this.#behind = false
        this.#listener.progressed()
      }
    })
  }

  #judge(age: number): void {
    if (age >= MAX_WAITING_MS) {
      this.#listener.tooSlow()
      return
    }
    if (age >= BEHIND_MS && !this.#behind) {
      this.#behind = true
      this.#listener.progressed()
    }
    this.#look()
  }
}

const move = (from: Map<string, number>, to: Map<string, number>): void => {
  if (from.size === 0) return
  for (const [room, revision] of from) to.set(room, revision)
  from.clear()
}
