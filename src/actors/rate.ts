// Token buckets outside the statecharts: the verdict travels in the command, so that a replay decides as life did. One
// bucket an account over all its connections and dialects, one kind for messages and one for acts: whatever else a client
// has stored (signing in, entering, typing, marking as read, asking for history, changing rooms and members …).

import type { Account } from './identity.ts'
import type { Clock } from './ports.ts'

export interface Rate {
  readonly capacity: number
  readonly perSecond: number
}

const SWEEP_ABOVE = 10_000
/** what is charged at once goes no deeper below nothing than this part of the whole */
const DEEPEST = 1 / 4

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
    const level = this.#level(id, this.#rate)
    this.#buckets.set(id, { level: level < 1 ? level : level - 1, at: this.#clock.now() })
    return level < 1
  }

  /** Takes more for what came of it: it is done, and the next has to wait. */
  charge({ id, role }: Pick<Account, 'id' | 'role'>, tokens: number): void {
    if (this.#rate === 'off' || role !== 'member') return
    const level = Math.max(this.#level(id, this.#rate) - tokens, -this.#rate.capacity * DEEPEST)
    this.#buckets.set(id, { level, at: this.#clock.now() })
  }

  #level(id: string, { capacity, perSecond }: Rate): number {
    const at = this.#clock.now()
    const bucket = this.#buckets.get(id)
    if (bucket) return Math.min(capacity, bucket.level + ((at - bucket.at) / 1_000) * perSecond)
    if (this.#buckets.size > SWEEP_ABOVE) this.#sweep(at, capacity, perSecond)
    return capacity
  }

  /** A bucket that is full again says nothing that its absence does not. */
  #sweep(now: number, capacity: number, perSecond: number): void {
    for (const [id, { level, at }] of this.#buckets) {
      if (level + ((now - at) / 1_000) * perSecond >= capacity) this.#buckets.delete(id)
    }
  }
}
