// Time that moves only when told, for everything that runs in one thread: tests, the simulation, dialogues.

import type { Clock } from '../src/actors/ports.ts'

interface Entry {
  readonly due: number
  readonly order: number
  readonly run: () => void
}

/** 2026-01-01T00:00:00Z */
const START = 1_767_225_600_000

export class VirtualClock implements Clock {
  #now: number
  #order = 0
  readonly #entries = new Set<Entry>()
  readonly #soon: (run: () => void) => void

  /** `soon` is real by default: real sockets and a real log answer in real turns of the event loop. */
  constructor(soon: (run: () => void) => void = setImmediate, start = START) {
    this.#soon = soon
    this.#now = start
  }

  /** In whole ms, as the wall's. */
  now(): number {
    return Math.floor(this.#now)
  }

  at(due: number, run: () => void): () => void {
    const entry = { due, order: this.#order++, run }
    // Pauses for retries are short and must not wait for somebody to move the clock when `due` is now.
    this.#entries.add(entry)
    if (due <= this.#now) this.#soon(() => this.#fire(entry))
    return () => this.#entries.delete(entry)
  }

  soon(run: () => void): void {
    this.#soon(run)
  }

  /** ms since 1970 of the next entry, or infinity */
  next(): number {
    return this.#first()?.due ?? Number.POSITIVE_INFINITY
  }

  /** Moves on by `ms`, firing what falls due on the way at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let entry = this.#first(); entry && entry.due <= until; entry = this.#first()) {
      this.#now = Math.max(this.#now, entry.due)
      this.#fire(entry)
    }
    this.#now = until
  }

  #first(): Entry | null {
    let first: Entry | null = null
    for (const entry of this.#entries) {
      if (!first || entry.due < first.due || (entry.due === first.due && entry.order < first.order)) first = entry
    }
    return first
  }

  #fire(entry: Entry): void {
    if (this.#entries.delete(entry)) entry.run()
  }
}
