// A log in memory, for tests and the simulation: everything happens in microtasks, in one order, without timers.

import { checkAppend, judgeAppend, placeOf } from './envelope.ts'
import {
  type Appended,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  LastFact,
  LogUnavailable,
  NoSuchPosition,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
} from './event-log.ts'
import { matches } from './filter.ts'

export interface MemoryLogOptions {
  readonly epoch?: string
  /** a throw here: nothing is stored, and the caller gets that error */
  readonly beforeAppend?: (stream: string, facts: readonly Envelope[]) => void | Promise<void>
  /** a throw here: the facts are stored, and the caller gets that error instead of the answer */
  readonly afterAppend?: (stream: string, facts: readonly Envelope[]) => void | Promise<void>
}

export class MemoryLog implements EventLog {
  readonly #options: MemoryLogOptions
  /** null: its stream was deleted */
  readonly #all: (Recorded | null)[] = []
  readonly #streams = new Map<string, Recorded[]>()
  readonly #sleeping = new Set<() => void>()
  readonly #underWay = new Set<Promise<Appended>>()
  #closed = false

  constructor(options: MemoryLogOptions = {}) {
    this.#options = options
  }

  append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    const append = this.#append(stream, facts, expected)
    this.#underWay.add(append)
    const settled = () => this.#underWay.delete(append)
    append.then(settled, settled)
    return append
  }

  async #append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    this.#mustBeOpen()
    checkAppend(stream, facts, expected)
    await this.#options.beforeAppend?.(stream, facts)
    const recorded = this.#streams.get(stream) ?? []
    const verdict = judgeAppend(stream, facts, expected, recorded.length - 1, (revision) => recorded[revision]?.id)
    if (verdict === 'append') {
      this.#streams.set(stream, recorded)
      for (const { id, type, v, data, metadata } of facts) {
        const position = this.#all.length + 1
        const fact: Recorded = { id, type, v, data, metadata, stream, revision: recorded.length, position }
        recorded.push(fact)
        this.#all.push(fact)
      }
      this.#wakeAll()
    }
    await this.#options.afterAppend?.(stream, facts)
    const firstRevision = placeOf(expected)
    return { firstRevision, lastRevision: firstRevision + facts.length - 1 }
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    const facts = this.#streams.get(stream) ?? []
    const last = facts.length - 1
    const { direction = 'forwards', limit = Number.POSITIVE_INFINITY } = options
    const forwards = direction === 'forwards'
    let revision = forwards ? (options.from ?? 0) : Math.min(options.from ?? last, last)
    for (let left = limit; left > 0 && revision >= 0 && revision <= last; left--) {
      yield facts[revision] as Recorded
      revision += forwards ? 1 : -1
    }
  }

  async *readAll({ from = 0, to = this.#all.length, filter, limit }: ReadAll = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    if (from > this.#all.length) throw new NoSuchPosition(from)
    let left = limit ?? Number.POSITIVE_INFINITY
    for (let position = from + 1; position <= to && left > 0; position++) {
      const fact = this.#all[position - 1]
      if (fact === undefined) return
      if (fact === null || !matches(filter, fact)) continue
      yield fact
      left--
    }
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    this.#mustBeOpen()
    const goal = this.#all.length
    if (from > goal) throw new NoSuchPosition(from)
    const ended = () => this.#closed || signal?.aborted === true
    let position = from
    let told = false
    while (!ended()) {
      if (!told && position >= goal) {
        told = true
        yield { caughtUp: position }
      } else if (position < this.#all.length) {
        const fact = this.#all[position++]
        if (fact && matches(filter, fact)) yield fact
      } else {
        await this.#sleep(signal)
      }
    }
  }

  async deleteStreams(streams: readonly string[]): Promise<void> {
    this.#mustBeOpen()
    for (const stream of streams) if (this.#all.at(-1)?.stream === stream) throw new LastFact(stream)
    for (const stream of streams) {
      for (const { position } of this.#streams.get(stream) ?? []) this.#all[position - 1] = null
      this.#streams.delete(stream)
    }
  }

  async head(): Promise<Position> {
    this.#mustBeOpen()
    return this.#all.length
  }

  async epoch(): Promise<string> {
    this.#mustBeOpen()
    return this.#options.epoch ?? 'memory'
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wakeAll()
    await Promise.allSettled(this.#underWay)
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new LogUnavailable('the log is closed', 'no')
  }

  #wakeAll(): void {
    for (const wake of this.#sleeping) wake()
  }

  #sleep(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleeping.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#sleeping.add(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}
