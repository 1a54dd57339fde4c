// Refusals of one connection on its record: the fact first, then the answer. A repeat of the same refusal within a
// second is told at once, since the reason is on record; how many there were follows as one fact.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host, Submitted } from '../actors/host.ts'
import { isAway, type Refusal } from '../actors/refusals.ts'
import { untilStored } from './until-stored.ts'

const REPEAT_MS = 1_000
/** Refusals told apart within a second; the path of a malformed frame may be the client's own word, new each time. */
const MAX_DISTINCT = 20
const OTHERS = '…'

interface Told {
  readonly command: string
  readonly refusal: Refusal
  readonly recorded: Promise<boolean>
  repeats: number
  cancel(): void
}

export class RefusalRecord {
  readonly #host: Host
  readonly #connection: string
  readonly #by: () => string | null
  readonly #stopping: () => boolean
  readonly #told = new Map<string, Told>()

  constructor(host: Host, connection: string, by: () => string | null, stopping: () => boolean = () => false) {
    this.#host = host
    this.#connection = connection
    this.#by = by
    this.#stopping = stopping
  }

  /** Resolves when the refusal may be told; false: it is not on record, so that only 'not available' may be said. */
  note(command: string, given: Refusal): Promise<boolean> {
    // What says only that the log is away: there is nothing to append it to.
    if (isAway(given.code)) return Promise.resolve(true)
    const crowded = this.#told.size >= MAX_DISTINCT && given.values.path !== undefined
    const refusal = crowded ? { ...given, values: { ...given.values, path: OTHERS } } : given
    const key = [command, refusal.code, refusal.values.path].join(' ')
    const before = this.#told.get(key)
    if (before) {
      before.repeats++
      return before.recorded
    }
    const recorded = this.#host.send(this.#stream, this.#fact(command, refusal, 1)).then(({ ok }) => ok)
    const { clock } = this.#host
    const cancel = clock.at(clock.now() + REPEAT_MS, () => void this.#count(key))
    const told: Told = { command, refusal, recorded, repeats: 0, cancel }
    this.#told.set(key, told)
    recorded.then((ok) => {
      if (ok || this.#told.get(key) !== told) return
      cancel()
      this.#told.delete(key)
    })
    return recorded
  }

  /** Appends what was told and not yet counted. */
  async flush(): Promise<void> {
    await Promise.all([...this.#told.keys()].map((key) => this.#count(key)))
  }

  async #count(key: string): Promise<void> {
    const told = this.#told.get(key)
    if (!told) return
    told.cancel()
    this.#told.delete(key)
    if (told.repeats === 0) return
    const fact = this.#fact(told.command, told.refusal, told.repeats)
    await untilStored(this.#host, this.#stopping, this.#stream, fact)
  }

  get #stream(): string {
    return connectionStream(this.#connection)
  }

  #fact(command: string, { code, state, guard, values, at }: Refusal, count: number): Submitted {
    return {
      type: 'refusal.note',
      by: this.#by(),
      connection: this.#connection,
      command,
      code,
      state,
      guard,
      values,
      decidedAt: at,
      count,
    }
  }
}
