// A log in memory, for tests and the simulation: everything happens in microtasks, in one order, without timers.

import { checkBounds, judgeAppend } from './envelope.ts'
import {
  type Appended,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  LogUnavailable,
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
  /** a throw here: the facts are stored, and the caller is not told */
  readonly afterAppend?: (stream: string, facts: readonly Envelope[]) => void | Promise<void>
}

export class MemoryLog implements EventLog {
  readonly #options: MemoryLogOptions
  readonly #all: Recorded[] = []
  readonly #streams = new Map<string, Recorded[]>()
  readonly #waiting = new Set<() => void>()
  #closed = false

  constructor(options: MemoryLogOptions = {}) {
    this.#options = options
  }

  async append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    this.#mustBeOpen()
    checkBounds(facts)
    await this.#options.beforeAppend?.(stream, facts)
    const recorded = this.#streams.get(stream) ?? []
    const last = recorded.length - 1
    const verdict = judgeAppend(stream, facts, expected, last, (revision) => recorded[revision]?.id)
    const firstRevision = expected === 'no-stream' ? 0 : expected + 1
    if (verdict === 'append') {
      for (const { id, type, v, data, metadata } of facts) {
        const position = this.#all.length + 1
        const fact: Recorded = { id, type, v, data, metadata, stream, revision: recorded.length, position }
        recorded.push(fact)
        this.#all.push(fact)
      }
      this.#streams.set(stream, recorded)
      for (const wake of this.#waiting) wake()
    }
    await this.#options.afterAppend?.(stream, facts)
    return { firstRevision, lastRevision: firstRevision + facts.length - 1 }
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    const { direction = 'forwards', limit = Number.POSITIVE_INFINITY } = options
    const facts = [...(this.#streams.get(stream) ?? [])]
    const { from = direction === 'forwards' ? 0 : facts.length - 1 } = options
    const step = direction === 'forwards' ? 1 : -1
    let left = limit
    for (
      let revision = Math.min(from, direction === 'forwards' ? from : facts.length - 1);
      left > 0;
      revision += step
    ) {
      const fact = facts[revision]
      if (!fact) return
      yield fact
      left--
    }
  }

  async *readAll({ from = 0, to = this.#all.length, filter, limit }: ReadAll = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    let left = limit ?? Number.POSITIVE_INFINITY
    for (let position = from + 1; position <= to && left > 0; position++) {
      const fact = this.#all[position - 1]
      if (!fact || !matches(filter, fact)) continue
      yield fact
      left--
    }
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    let position = from
    let caughtUpAt: Position | null = this.#all.length
    while (!this.#closed && !signal?.aborted) {
      while (position < this.#all.length) {
        const fact = this.#all[position++] as Recorded
        if (matches(filter, fact)) yield fact
        if (this.#closed || signal?.aborted) return
      }
      if (caughtUpAt !== null) {
        yield { caughtUp: position }
        caughtUpAt = null
        continue
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        this.#waiting.add(wake)
        signal?.addEventListener('abort', wake)
      })
    }
  }

  async head(): Promise<Position> {
    this.#mustBeOpen()
    return this.#all.length
  }

  async epoch(): Promise<string> {
    return this.#options.epoch ?? 'memory'
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const wake of this.#waiting) wake()
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new LogUnavailable('the log is closed', 'no')
  }
}
