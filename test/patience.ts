// The process's own time, but that nobody answered in time is a test's to say: no slow machine says it by itself.

import { processTimers, type Timers } from '../src/log/timers.ts'

/** What is due later than this is waited for in case of silence; pauses before another try are shorter. */
const SHORT_MS = 1_000

export class Patience implements Timers {
  readonly #waiting = new Set<() => void>()
  #gone = 0

  now(): number {
    return processTimers.now() + this.#gone
  }

  at(due: number, run: () => void): () => void {
    const left = due - this.now()
    if (left < SHORT_MS) return processTimers.at(processTimers.now() + left, run)
    const once = () => {
      this.#waiting.delete(once)
      run()
    }
    this.#waiting.add(once)
    return () => this.#waiting.delete(once)
  }

  /** Whoever waits for an answer now has waited long enough. */
  end(): void {
    this.#gone += 60_000
    for (const run of [...this.#waiting]) run()
  }
}
