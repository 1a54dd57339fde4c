// Who is in a room without having entered it: members whose connections follow the room. Clients hear of an account
// once, whichever way and however often it is there, so the first and the last are found out here.

import type { Person } from '../actors/fact.ts'

interface Follower {
  readonly person: Person
  readonly connections: Set<string>
}

export class Attendance {
  /** room → account → its connections that follow the room */
  readonly #rooms = new Map<string, Map<string, Follower>>()

  /** True when the account had no other connection that follows the room. */
  add(room: string, person: Person, connection: string): boolean {
    let followers = this.#rooms.get(room)
    if (!followers) {
      followers = new Map()
      this.#rooms.set(room, followers)
    }
    const known = followers.get(person.id)
    if (known) known.connections.add(connection)
    else followers.set(person.id, { person, connections: new Set([connection]) })
    return !known
  }

  /** True when that was the account's last connection that follows the room. */
  remove(room: string, user: string, connection: string): boolean {
    const followers = this.#rooms.get(room)
    const known = followers?.get(user)
    if (!followers || !known?.connections.delete(connection) || known.connections.size > 0) return false
    followers.delete(user)
    if (followers.size === 0) this.#rooms.delete(room)
    return true
  }

  has(room: string, user: string): boolean {
    return this.#rooms.get(room)?.has(user) ?? false
  }

  *of(room: string): Generator<Person> {
    for (const { person } of this.#rooms.get(room)?.values() ?? []) yield person
  }
}
