// The facts acknowledged last, kept in memory, so that a subscription that is up to date needs no read. What stands
// here is acknowledged, in position order and without gaps: one process appends, and it hears of each append in order.

import { envelopeBytes } from './envelope.ts'
import type { Envelope, Position, Recorded, Revision } from './event-log.ts'

const MAX_FACTS_KEPT = 2_048
const MAX_BYTES_KEPT = 8 * 1024 * 1024
const MAX_TAKEN = 512

export class LiveTail {
  /** facts up to this position are not here (any more) */
  #after: Position
  #facts: Recorded[] = []
  #bytes = 0

  constructor(head: Position) {
    this.#after = head
  }

  get head(): Position {
    return this.#after + this.#facts.length
  }

  push(stream: string, revision: Revision, { id, type, v, data, metadata }: Envelope): void {
    const fact: Recorded = { id, type, v, data, metadata, stream, revision, position: this.head + 1 }
    this.#facts.push(fact)
    this.#bytes += envelopeBytes(fact)
    if (this.#facts.length > MAX_FACTS_KEPT || this.#bytes > MAX_BYTES_KEPT) this.#forgetOlderHalf()
  }

  /** From now on facts up to the head are read from the log: some of them are there no more. */
  forget(): void {
    this.#after = this.head
    this.#facts = []
    this.#bytes = 0
  }

  /** The next facts after `position`; null when some of them are here no more and must be read. */
  since(position: Position): readonly Recorded[] | null {
    if (position < this.#after) return null
    const start = position - this.#after
    return this.#facts.slice(start, start + MAX_TAKEN)
  }

  #forgetOlderHalf(): void {
    const forgotten = this.#facts.splice(0, Math.ceil(this.#facts.length / 2))
    this.#after += forgotten.length
    for (const fact of forgotten) this.#bytes -= envelopeBytes(fact)
  }
}
