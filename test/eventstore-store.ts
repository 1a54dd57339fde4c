// What the in-memory EventStoreDB of the tests keeps: streams, and all events at places that look like the real ones
// (byte offsets with gaps, the server's own events between the others).

import { randomUUID } from 'node:crypto'

export interface Proposed {
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly data: Uint8Array
  readonly metadata: Uint8Array
}

export interface StoredEvent extends Proposed {
  readonly stream: string
  readonly revision: number
  readonly position: number
  /** where the next record begins */
  readonly end: number
}

export type Outcome =
  | { readonly stored: { readonly lastRevision: number; readonly position: number } }
  | { readonly wrong: { readonly current: number } }

/** a system event after so many others */
const STATISTICS_EVERY = 7
const encoder = new TextEncoder()

export class EventStore {
  readonly all: StoredEvent[] = []
  readonly streams = new Map<string, StoredEvent[]>()
  readonly #waiting = new Set<() => void>()
  #end: number

  /** `start`: where the first record stands */
  constructor(start = 4_096) {
    this.#end = start
    this.#statistics()
  }

  /** where the next record will stand */
  get end(): number {
    return this.#end
  }

  /** As the server judges: the very same events at the very same place again are a success. */
  append(stream: string, events: readonly Proposed[], expected: number | 'any'): Outcome {
    const there = this.streams.get(stream) ?? []
    const current = there.length - 1
    if (expected !== 'any' && expected !== current) {
      const same = events.map(({ id }, index) => (there[expected + 1 + index]?.id === id ? index : -1))
      const last = there[expected + events.length]
      if (expected > current || same.includes(-1) || !last) return { wrong: { current } }
      return { stored: { lastRevision: last.revision, position: last.position } }
    }
    for (const event of events) this.#write(stream, event)
    const last = this.streams.get(stream)?.at(-1) as StoredEvent
    if (this.all.length % STATISTICS_EVERY === 0) this.#statistics()
    for (const wake of this.#waiting) wake()
    return { stored: { lastRevision: last.revision, position: last.position } }
  }

  /** Softly: its events stay in `all`, as they do until a real server is scavenged. False: there is no such stream. */
  delete(stream: string): boolean {
    return this.streams.delete(stream)
  }

  /** Resolves at the next append, or when `signal` says so. */
  news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      if (signal.aborted) return resolve()
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  #write(stream: string, event: Proposed): void {
    const there = this.streams.get(stream) ?? []
    this.streams.set(stream, there)
    const position = this.#end
    this.#end += 120 + event.data.length + event.metadata.length
    const stored = { ...event, stream, revision: there.length, position, end: this.#end }
    there.push(stored)
    this.all.push(stored)
  }

  #statistics(): void {
    const type = '$statsCollected'
    const data = encoder.encode('{"proc-cpu":0.1}')
    const event = { id: randomUUID(), type, contentType: 'application/json', data, metadata: new Uint8Array() }
    this.#write('$stats-127.0.0.1:2113', event)
  }
}
