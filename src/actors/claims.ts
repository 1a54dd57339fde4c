// Claims: who owns a name, an alias or a token. One stream a name, `name-<kind>-<HMAC of the folded name>`, so that
// no personal datum stands in a stream's name and uniqueness is one exact-revision append.
//
// A claim and the fact that confirms it (UserRegistered, RoomOpened, TokenIssued …) stand in two streams. A claim is
// good when its owner's stream confirms it; unconfirmed for 30 s (a crash between the two) it may be taken over.

import { createHmac } from 'node:crypto'
import type { Fact } from './fact.ts'
import type { Ledger } from './ledger.ts'
import type { Clock } from './ports.ts'

export type ClaimKind = 'username' | 'alias' | 'token' | 'invite' | 'phone'

/** Does the owner's own stream say that it has this name? */
export type Confirms = (owner: string) => Promise<boolean>

const TAKE_OVER_AFTER_MS = 30_000
const MAX_CACHED = 100_000

export class Claims {
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #key: string
  /** stream → owner; a hint only, the owner's stream confirms it each time */
  readonly #cache = new Map<string, string>()

  constructor(ledger: Ledger, clock: Clock, key: string) {
    this.#ledger = ledger
    this.#clock = clock
    this.#key = key
  }

  /** The owner that the stream names, confirmed or not; null when free. @throws LogUnavailable */
  async owner(kind: ClaimKind, folded: string): Promise<string | null> {
    const stream = this.#stream(kind, folded)
    const cached = this.#cache.get(stream)
    if (cached !== undefined) return cached
    const owner = ownerOf(await this.#ledger.last(stream))
    if (owner !== null) this.#remember(stream, owner)
    return owner
  }

  /** True when `owner` has the claim now. @throws LogUnavailable */
  async claim(kind: ClaimKind, folded: string, owner: string, confirms: Confirms): Promise<boolean> {
    const stream = this.#stream(kind, folded)
    let won = false
    await this.#ledger.append(stream, async (last) => {
      const holder = ownerOf(last)
      won = holder === owner
      if (won) return null
      if (holder !== null) {
        const age = this.#clock.now() - (last?.metadata.at ?? 0)
        if (age < TAKE_OVER_AFTER_MS || (await confirms(holder))) return null
      }
      won = true
      return { type: 'NameClaimed', data: { owner } }
    })
    if (won) this.#remember(stream, owner)
    return won
  }

  /** Gives a name up; nothing happens when another owns it. @throws LogUnavailable */
  async release(kind: ClaimKind, folded: string, owner: string): Promise<void> {
    const stream = this.#stream(kind, folded)
    this.#cache.delete(stream)
    await this.#ledger.append(stream, (last) =>
      ownerOf(last) === owner ? { type: 'NameReleased', data: { owner } } : null,
    )
  }

  #stream(kind: ClaimKind, folded: string): string {
    return `name-${kind}-${createHmac('sha256', this.#key).update(folded).digest('hex')}`
  }

  #remember(stream: string, owner: string): void {
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
    this.#cache.set(stream, owner)
  }
}

const ownerOf = (last: Fact | null): string | null =>
  last?.type === 'NameClaimed' ? (last.data as { owner: string }).owner : null
