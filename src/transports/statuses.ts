// A changed status is told to whoever shares a room with the account, each connection once. It is no room's fact, so
// the rooms are asked for: those that the account belongs to in dialects that follow their members' rooms.

import type { Fact } from '../actors/fact.ts'
import type { SessionsOptions } from './surroundings.ts'

type Needs = Pick<SessionsOptions, 'readModels' | 'hub' | 'dialects' | 'onFault' | 'head'>

export class Statuses {
  readonly #needs: Needs
  /** account → what is being told of it: its statuses are heard in their order */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  hear(fact: Fact): void {
    if (fact.type !== 'StatusChanged') return
    const user = fact.stream.slice('user-'.length)
    const turn = (this.#turns.get(user) ?? Promise.resolve())
      .then(() => this.#tell(user, fact))
      .catch((error) => this.#needs.onFault(`status of ${user}`, error))
      .finally(() => {
        if (this.#turns.get(user) === turn) this.#turns.delete(user)
      })
    this.#turns.set(user, turn)
  }

  async #tell(user: string, fact: Fact): Promise<void> {
    const { readModels, hub, dialects, head } = this.#needs
    const atLeast = await head()
    const rooms = new Set<string>()
    for (const { name, profile } of dialects) {
      if (profile.rooms !== 'followed-at-sign-in') continue
      for (const room of (await readModels.query('rooms.of', { user, dialect: name }, { atLeast })).result)
        rooms.add(room)
    }
    await hub.tellOnce([...rooms], fact, user)
  }
}
