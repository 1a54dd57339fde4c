import { randomBytes, randomInt } from 'node:crypto'
import type { Chance, Clock } from './actors/ports.ts'

/** Identifiers and tokens from the system's secure source; uuid v7 (RFC 9562 § 5.7) on the given clock. */
export class SecureChance implements Chance {
  readonly #clock: Clock
  /** random bytes are drawn in blocks: one system call each costs more than the id */
  #pool = randomBytes(0)
  #used = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  uuid(): string {
    if (this.#used + 10 > this.#pool.length) {
      this.#pool = randomBytes(4_000)
      this.#used = 0
    }
    const random = this.#pool.subarray(this.#used, this.#used + 10)
    this.#used += 10
    random[0] = ((random[0] as number) & 0x0f) | 0x70
    random[2] = ((random[2] as number) & 0x3f) | 0x80
    const time = this.#clock.now().toString(16).padStart(12, '0')
    const hex = random.toString('hex')
    return `${time.slice(0, 8)}-${time.slice(8)}-${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8)}`
  }

  token(): string {
    return randomBytes(16).toString('hex')
  }

  fraction(): number {
    return randomInt(2 ** 32) / 2 ** 32
  }
}
