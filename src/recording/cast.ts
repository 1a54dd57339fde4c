// Who and what a recording has to begin with, so that the player can set the stage: accounts with their roles, and
// rooms with their members as they were when the recording first met them.

import type { AccountRole, MemberRole } from '../actors/fact.ts'
import type { Account } from '../actors/identity.ts'
import type { RoomContext } from '../actors/room/room.context.ts'

/** The player has this account in any case. */
const OWNER = 'owner'

export class Cast {
  readonly #accounts = new Map<string, Account>()
  readonly #rooms = new Map<string, RoomContext>()
  /** ids of accounts and rooms → placeholder */
  readonly ids = new Map<string, string>()
  /** username → number */
  readonly people = new Map<string, number>()

  /** @returns whether it was not known */
  meet(account: Account): boolean {
    if (this.#accounts.has(account.id)) return false
    this.#accounts.set(account.id, account)
    this.people.set(account.username, account.number)
    if (account.username !== OWNER) this.ids.set(account.id, `$${account.username}.id`)
    return true
  }

  /** @returns whether it was not known */
  see(room: RoomContext): boolean {
    const [alias] = room.aliases
    if (alias === undefined || this.#rooms.has(room.room)) return false
    this.#rooms.set(room.room, room)
    this.ids.set(room.room, `$${alias}`)
    return true
  }

  /** The dialogue's second line. */
  line(): object {
    const users: Record<string, AccountRole> = {}
    for (const { username, role } of this.#accounts.values()) if (username !== OWNER) users[username] = role
    const rooms: Record<string, Record<string, MemberRole>> = {}
    const names: Record<string, string> = {}
    // A space before the rooms in it.
    for (const room of [...this.#rooms.values()].sort(
      (one, other) => Number(one.parent !== null) - Number(other.parent !== null),
    )) {
      const [first = ''] = room.aliases
      const parent = room.parent === null ? undefined : this.#rooms.get(room.parent)?.aliases[0]
      const words = [...room.aliases, ...(room.kind === 'space' ? ['space'] : []), ...(parent ? [`in:${parent}`] : [])]
      const members: Record<string, MemberRole> = {}
      for (const [user, role] of room.members) {
        const account = this.#accounts.get(user)
        if (account && account.username !== OWNER) members[account.username] = role
      }
      rooms[words.join(' ')] = members
      if (room.name !== first) names[first] = room.name
    }
    return { cast: { users, rooms, names } }
  }
}
