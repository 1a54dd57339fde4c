// The rooms that one connection hears, by id and by the name its client gave them.

import type { RoomName } from '../dialects/dialect.ts'

export interface Place {
  readonly room: string
  /** the space the room is in */
  readonly parent: string | null
  /** entered, with a presence of its own; else it follows as a member */
  readonly entered: boolean
}

export class Places {
  readonly #places = new Map<string, Place>()
  readonly #names = new Map<RoomName, string>()

  add(place: Place, names: readonly RoomName[]): void {
    this.#places.set(place.room, place)
    for (const name of [place.room, ...names]) this.#names.set(name, place.room)
  }

  /** It is in the room no more as somebody who entered, and goes on hearing it as a member. */
  stay(room: string): void {
    const place = this.#places.get(room)
    if (place) this.#places.set(room, { ...place, entered: false })
  }

  delete(room: string): boolean {
    for (const [name, id] of this.#names) if (id === room) this.#names.delete(name)
    return this.#places.delete(room)
  }

  get(room: string): Place | null {
    return this.#places.get(room) ?? null
  }

  /** null: the only one */
  named(name: RoomName | null): Place | null {
    const room = name === null ? [...this.#places.keys()][0] : this.#names.get(name)
    return room === undefined ? null : (this.#places.get(room) ?? null)
  }

  rooms(): string[] {
    return [...this.#places.keys()]
  }
}
