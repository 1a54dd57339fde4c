// The real clock: the wall's time at start plus the monotonic clock, so that a step of the wall clock neither fires
// timers at once nor turns time back. A step is noticed, reported, and slewed at a tenth of real time.

import type { Clock } from './actors/ports.ts'

const CHECK_MS = 1_000
const STEP_MS = 5_000
const SLEW_MS = CHECK_MS / 10
/** setTimeout fires at once beyond this */
const LONGEST_TIMEOUT = 2 ** 31 - 1

export class WallClock implements Clock {
  /** told once a step, with how far the wall clock went */
  onStep: (byMs: number) => void = () => {}
  #offset = Date.now() - performance.now()
  #slewing = false
  readonly #waiting = new Set<NodeJS.Timeout>()
  readonly #check = setInterval(() => this.#compare(), CHECK_MS).unref()

  now(): number {
    return Math.floor(performance.now() + this.#offset)
  }

  at(due: number, run: () => void): () => void {
    let timeout: NodeJS.Timeout
    const arm = () => {
      const left = due - this.now()
      timeout = setTimeout(left > LONGEST_TIMEOUT ? again : fire, Math.min(Math.max(left, 0), LONGEST_TIMEOUT))
      this.#waiting.add(timeout)
    }
    const again = () => {
      this.#waiting.delete(timeout)
      arm()
    }
    // A timeout may come a fraction of a millisecond early.
    const fire = () => {
      this.#waiting.delete(timeout)
      if (this.now() < due) arm()
      else run()
    }
    arm()
    return () => {
      this.#waiting.delete(timeout)
      clearTimeout(timeout)
    }
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  /** Nothing more becomes due, and no wait keeps the process. */
  stop(): void {
    clearInterval(this.#check)
    for (const timeout of this.#waiting) clearTimeout(timeout)
    this.#waiting.clear()
  }

  #compare(): void {
    const drift = Date.now() - this.now()
    if (!this.#slewing && Math.abs(drift) > STEP_MS) {
      this.#slewing = true
      this.onStep(drift)
    }
    if (!this.#slewing) return
    this.#offset += Math.max(-SLEW_MS, Math.min(SLEW_MS, drift))
    if (Math.abs(drift) <= SLEW_MS) this.#slewing = false
  }
}
