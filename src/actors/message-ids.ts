// Message ids: small integers, unique in the log, growing within each room.
//
// A node reserves blocks on stream `numbers-message` at an exact revision. When a room's last id stands above the
// node's block (another node wrote there), what that room needs is reserved anew, above everything handed out.

import type { Fact } from './fact.ts'
import type { Ledger } from './ledger.ts'
import { numbersStream } from './node.facts.ts'

const BLOCK = 1_000

interface Reserved {
  from: number
  count: number
}

export class MessageIds {
  readonly #ledger: Ledger
  readonly #node: string
  #next = 1
  #end = 1
  #reserving: Promise<unknown> = Promise.resolve()

  constructor(ledger: Ledger, node: string) {
    this.#ledger = ledger
    this.#node = node
  }

  /** `count` ids in a row, all above `above`. @throws LogUnavailable */
  async take(count: number, above: number): Promise<number> {
    if (this.#next + count <= this.#end && this.#next > above) return this.#hand(count)
    const turn = this.#reserving.then(() => this.#reserve(count, above))
    this.#reserving = turn.catch(() => {})
    return turn
  }

  #hand(count: number): number {
    const first = this.#next
    this.#next += count
    return first
  }

  async #reserve(count: number, above: number): Promise<number> {
    if (this.#next + count <= this.#end && this.#next > above) return this.#hand(count)
    const foreign = this.#next <= above && this.#next < this.#end
    const wanted = foreign ? count : Math.max(BLOCK, count)
    const fact = await this.#ledger.append(numbersStream('message'), (last) => {
      const before = (last as Fact<string, Reserved> | null)?.data
      return {
        type: 'IdsReserved',
        data: { from: before ? before.from + before.count : 1, count: wanted, node: this.#node },
      }
    })
    const { from } = (fact as Fact<string, Reserved>).data
    if (foreign) return from
    this.#next = from
    this.#end = from + wanted
    return this.#hand(count)
  }
}
