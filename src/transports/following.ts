// Rooms that a connection comes to hear after it has signed in: its account became a member, or a room was opened in a
// space that it hears. One after the other, so that a space is told before its channels, and no room twice.

import type { Fact } from '../actors/fact.ts'
import type { Standing } from '../dialects/dialect.ts'
import type { Places } from './places.ts'

interface Reason {
  readonly room: string
  readonly because: Fact
}

export interface FollowingListener {
  /** it hears every room that its dialect shows, whatever space that is in */
  isEverywhere(): boolean
  follow(room: string, because: Fact): Promise<void>
  fault(error: unknown): void
}

export class Following {
  readonly #places: Places
  readonly #listener: FollowingListener
  /** rooms in line */
  readonly #expected = new Set<string>()
  #last: Promise<void> = Promise.resolve()
  /** what came while it signed in, when its rooms may have been asked for already */
  readonly #missed: Reason[] = []
  /** rooms whose membership ended, and that it hears until its leaving them is on record */
  readonly #ending = new Set<string>()
  /** of those, the ones whose membership came back meanwhile */
  readonly #again = new Map<string, Fact>()

  constructor(places: Places, listener: FollowingListener) {
    this.#places = places
    this.#listener = listener
  }

  /** `because`: MemberAdded, RoomOpened, or RoomChanged with another alias. */
  add(room: string, because: Fact, standing: Standing): void {
    if (this.#places.get(room)) {
      if (this.#ending.has(room)) this.#again.set(room, because)
      return
    }
    if (standing === 'authenticating') {
      this.#missed.push({ room, because })
      return
    }
    const { parent = null } = because.data as { parent?: string | null }
    const within = parent === null || this.#listener.isEverywhere()
    if (!within && !this.#places.get(parent) && !this.#expected.has(parent)) return
    this.#expected.add(room)
    this.#last = this.#last
      .then(() => this.#listener.follow(room, because))
      .catch((error) => this.#listener.fault(error))
      .finally(() => this.#expected.delete(room))
  }

  /** Its account is no member any more. */
  end(room: string): void {
    if (this.#places.get(room)) this.#ending.add(room)
    this.#again.delete(room)
  }

  /** It hears this room no more, unless its account has come back meanwhile. */
  left(room: string, standing: Standing): void {
    const because = this.#again.get(room)
    this.#again.delete(room)
    this.#ending.delete(room)
    if (because) this.add(room, because, standing)
  }

  /** It has signed in, or has not. */
  resume(standing: Standing): void {
    for (const { room, because } of this.#missed.splice(0)) {
      if (standing === 'ready') this.add(room, because, standing)
    }
  }
}
