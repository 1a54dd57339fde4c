// Deadlines of actors that are not in memory: a read model knows every armed timer, and whoever is due within the
// next minute is loaded, which arms its timers. Overdue ones fire at once.

import type { Host } from './host.ts'
import type { Clock } from './ports.ts'

const LOOK_EVERY_MS = 30_000
const HORIZON_MS = 60_000

/** The streams with a deadline before `instant`, from the read model. */
export type DueBefore = (instant: number) => Promise<readonly string[]>

export class Deadlines {
  readonly #host: Host
  readonly #clock: Clock
  readonly #dueBefore: DueBefore
  readonly #onFault: (where: string, error: unknown) => void
  #cancel: () => void = () => {}
  #stopped = false

  constructor(host: Host, dueBefore: DueBefore, onFault: (where: string, error: unknown) => void) {
    this.#host = host
    this.#clock = host.clock
    this.#dueBefore = dueBefore
    this.#onFault = onFault
  }

  /** Looks now and then every half minute. */
  async start(): Promise<void> {
    await this.#look()
    if (this.#stopped) return
    this.#cancel = this.#clock.at(this.#clock.now() + LOOK_EVERY_MS, () => void this.start())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  async #look(): Promise<void> {
    try {
      for (const stream of await this.#dueBefore(this.#clock.now() + HORIZON_MS)) {
        if (this.#stopped) return
        await this.#host.load(stream)
      }
    } catch (error) {
      this.#onFault('deadlines', error)
    }
  }
}
