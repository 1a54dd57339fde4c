// Refusals of one connection on its record: the fact first, then the answer. A repeat of the same refusal within a
// second is told at once, since the reason is on record; how many there were follows as one fact.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host } from '../actors/host.ts'
import type { Refusal } from '../actors/refusals.ts'

const REPEAT_MS = 1_000
/** refusals that say only that the log is away: there is nothing to append them to */
const UNRECORDED = new Set(['unavailable', 'busy', 'contended'])

interface Repeats {
  /** told since the first, and not yet on record */
  count: number
  /** resolves when the first is on record */
  readonly recorded: Promise<void>
  readonly refusal: Refusal
  readonly command: string
}

export class RefusalRecord {
  readonly #host: Host
  readonly #connection: string
  readonly #by: () => string | null
  readonly #repeats = new Map<string, Repeats>()

  constructor(host: Host, connection: string, by: () => string | null) {
    this.#host = host
    this.#connection = connection
    this.#by = by
  }

  /** Resolves when the refusal may be told. */
  async note(command: string, refusal: Refusal): Promise<void> {
    if (UNRECORDED.has(refusal.code)) return
    const key = `${command} ${refusal.code}`
    const repeats = this.#repeats.get(key)
    if (repeats) {
      repeats.count++
      return repeats.recorded
    }
    const recorded = this.#append(command, refusal, 1)
    this.#repeats.set(key, { count: 0, refusal, command, recorded })
    await recorded
    this.#host.clock.at(this.#host.clock.now() + REPEAT_MS, () => this.#flush(key))
  }

  /** Appends what was told and not yet counted. */
  async flush(): Promise<void> {
    await Promise.all([...this.#repeats.keys()].map((key) => this.#flush(key)))
  }

  async #flush(key: string): Promise<void> {
    const repeats = this.#repeats.get(key)
    this.#repeats.delete(key)
    if (repeats && repeats.count > 0) await this.#append(repeats.command, repeats.refusal, repeats.count)
  }

  async #append(command: string, { code, state, guard, values, at }: Refusal, count: number): Promise<void> {
    await this.#host.send(connectionStream(this.#connection), {
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
    })
  }
}
