// The account's rate, a token bucket outside the statecharts: its verdict travels in the command, so that a replay
// decides as life did. One bucket an account over all its connections and dialects.

import type { Account } from './identity.ts'
import type { Clock } from './ports.ts'

export interface Rate {
  readonly capacity: number
  readonly perSecond: number
}

const SWEEP_ABOVE = 10_000

export class RateLimits {
  readonly #rate: Rate | 'off'
  readonly #clock: Clock
  readonly #buckets = new Map<string, { level: number; at: number }>()

  constructor(rate: Rate | 'off', clock: Clock) {
    this.#rate = rate
    this.#clock = clock
  }

  /** Takes one token of the account's; true when there was none. Admins and robots are exempt. */
  overRate({ id, role }: Pick<Account, 'id' | 'role'>): boolean {
    if (this.#rate === 'off' || role !== 'member') return false
    const { capacity, perSecond } = this.#rate
    const at = this.#clock.now()
    const bucket = this.#buckets.get(id) ?? { level: capacity, at }
    const level = Math.min(capacity, bucket.level + ((at - bucket.at) / 1_000) * perSecond)
    if (this.#buckets.size > SWEEP_ABOVE && !this.#buckets.has(id)) this.#sweep(at, capacity, perSecond)
    this.#buckets.set(id, { level: level < 1 ? level : level - 1, at })
    return level < 1
  }

  /** A bucket that is full again says nothing that its absence does not. */
  #sweep(now: number, capacity: number, perSecond: number): void {
    for (const [id, { level, at }] of this.#buckets) {
      if (level + ((now - at) / 1_000) * perSecond >= capacity) this.#buckets.delete(id)
    }
  }
}
