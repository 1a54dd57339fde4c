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

/** How far one room has been told, in revisions; -1: not yet. */
interface Told {
  readonly room: string
  /** in the batches that wait for this turn's write */
  added: number
  /** handed to the socket, which may still hold it */
  handed: number
  /** taken by the network */
  delivered: number
  /** what `takeDelivered` gave last */
  taken: number
}

/** A list that is filled and taken again and again, and keeps its storage. */
class Refilled<Item> {
  readonly #items: Item[] = []
  #count = 0

  add(item: Item): void {
    this.#items[this.#count++] = item
  }

  take(each: (item: Item) => void): void {
    for (let index = 0; index < this.#count; index++) each(this.#items[index] as Item)
    this.#count = 0
  }
}

// What changes with every write is kept in place: storage made anew on each of two hundred sockets a message hangs on
// long-lived objects, outlives the young generation, and brings a full collection every two seconds (measured).
export class Outbox {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #listener: OutboxListener
  /** what waits for this turn's write: mostly one batch */
  #first: Batch | null = null
  #more: Batch[] = []
  #planned = false
  #closed = false
  readonly #rooms = new Map<string, Told>()
  /** those with more in the batches that wait than was handed over */
  readonly #adding = new Refilled<Told>()
  /** those with more handed over than the network is known to have taken */
  readonly #inFlight = new Refilled<Told>()
  #written = 0
  /** the largest write of what is waiting: a snapshot may be larger than the limit by itself */
  #largest = 0
  /** a place in what was written that the network has not reached, and since when it waits; -1: there is none */
  #markWritten = -1
  #markAt = 0
  #cancelLook: (() => void) | null = null
  #behind = false

  constructor(socket: Socket, clock: Clock, listener: OutboxListener) {
    this.#socket = socket
    this.#clock = clock
    this.#listener = listener
  }

  add(batch: Batch): void {
    if (this.#closed) return
    if (this.#first) this.#more.push(batch)
    else this.#first = batch
    if (this.#planned) return
    this.#planned = true
    this.#listener.flushLater()
  }

  /** With the batches added so far, this room has been told up to `revision`. */
  reached(room: string, revision: number): void {
    let told = this.#rooms.get(room)
    if (!told) {
      told = { room, added: -1, handed: -1, delivered: -1, taken: -1 }
      this.#rooms.set(room, told)
    }
    if (told.added === told.handed) this.#adding.add(told)
    told.added = revision
  }

  flush(): void {
    this.#planned = false
    if (this.#closed || !this.#first) return
    if (this.#measure() > MAX_WAITING_BYTES + this.#largest) {
      this.#listener.tooSlow()
      return
    }
    this.#write(this.#first)
    if (this.#markWritten < 0) this.#markHere()
    this.#look()
  }

  /** The last write; nothing leaves after it. */
  end(batches: readonly Batch[]): void {
    if (this.#closed) return
    for (const batch of batches) this.add(batch)
    if (this.#first) this.#write(this.#first)
    this.close()
  }

  close(): void {
    this.#closed = true
    this.#first = null
    this.#more = []
    this.#cancelLook?.()
  }

  /** What the network took since this was last asked; empty: nothing new. */
  takeDelivered(): Readonly<Record<string, number>> {
    this.#measure()
    const fresh: Record<string, number> = {}
    for (const told of this.#rooms.values()) {
      if (told.delivered === told.taken) continue
      fresh[told.room] = told.delivered
      told.taken = told.delivered
    }
    return fresh
  }

  #write(first: Batch): void {
    const size = this.#socket.write(this.#more.length > 0 ? [first, ...this.#more] : [first])
    this.#first = null
    if (this.#more.length > 0) this.#more = []
    this.#written += size
    this.#largest = Math.max(this.#largest, size)
    this.#adding.take((told) => {
      if (told.handed === told.delivered) this.#inFlight.add(told)
      told.handed = told.added
    })
  }

  #measure(): number {
    const waiting = this.#socket.bufferedBytes()
    if (waiting === 0) {
      this.#inFlight.take((told) => {
        told.delivered = told.handed
      })
      this.#markWritten = -1
      this.#largest = 0
    } else if (this.#markWritten >= 0 && this.#written - waiting >= this.#markWritten) this.#markHere()
    return waiting
  }

  #markHere(): void {
    this.#markWritten = this.#written
    this.#markAt = this.#clock.now()
  }

  /** Looks again in a second whether what was written now is out. */
  #look(): void {
    if (this.#cancelLook) return
    this.#cancelLook = this.#clock.at(this.#clock.now() + BEHIND_MS, () => {
      this.#cancelLook = null
      this.#measure()
      if (this.#markWritten >= 0) this.#judge(this.#clock.now() - this.#markAt)
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
