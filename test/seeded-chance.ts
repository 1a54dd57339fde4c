import type { Chance, Clock } from '../src/actors/ports.ts'

/** Chance from a seed (mulberry32): the same ids and choices in every run. */
export class SeededChance implements Chance {
  readonly #clock: Clock
  #state: number

  constructor(seed: number, clock: Clock) {
    this.#state = seed >>> 0
    this.#clock = clock
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** a whole number from 0 to below `n` */
  below(n: number): number {
    return Math.floor(this.fraction() * n)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  uuid(): string {
    const time = this.#clock.now().toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${this.#hex(3)}-8${this.#hex(3)}-${this.#hex(12)}`
  }

  token(): string {
    return this.#hex(32)
  }

  #hex(digits: number): string {
    let text = ''
    for (let digit = 0; digit < digits; digit++) text += this.below(16).toString(16)
    return text
  }
}
