// The real clock: the wall's time at start plus the monotonic clock, so that a step of the wall clock neither fires
// timers at once nor turns time back. A step is noticed, reported, and slewed at a tenth of real time.

import type { Clock } from './actors/ports.ts'

const CHECK_MS = 1_000
const STEP_MS = 5_000
const SLEW_MS = CHECK_MS / 10
/** setTimeout fires at once beyond this */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** Every open connection has some: one object each, and no function of its own. */
interface Alarm {
  readonly due: number
  readonly run: () => void
  timeout: NodeJS.Timeout | undefined
}

export class WallClock implements Clock {
  /** told once a step, with how far the wall clock went */
  onStep: (byMs: number) => void = () => {}
  #offset = Date.now() - performance.now()
  #slewing = false
  readonly #waiting = new Set<Alarm>()
  readonly #check = setInterval(() => this.#compare(), CHECK_MS).unref()

  now(): number {
    return Math.floor(performance.now() + this.#offset)
  }

  at(due: number, run: () => void): () => void {
    const alarm: Alarm = { due, run, timeout: undefined }
    this.#arm(alarm)
    return () => {
      this.#waiting.delete(alarm)
      clearTimeout(alarm.timeout)
    }
  }

  #arm(alarm: Alarm): void {
    const left = Math.min(Math.max(alarm.due - this.now(), 0), LONGEST_TIMEOUT)
    alarm.timeout = setTimeout(this.#rang, left, alarm)
    this.#waiting.add(alarm)
  }

  /** A timeout may come a fraction of a millisecond early, and what is due in months has several. */
  readonly #rang = (alarm: Alarm): void => {
    this.#waiting.delete(alarm)
    if (this.now() < alarm.due) this.#arm(alarm)
    else alarm.run()
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  /** Nothing more becomes due, and no wait keeps the process. */
  stop(): void {
    clearInterval(this.#check)
    for (const { timeout } of this.#waiting) clearTimeout(timeout)
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
