// Rooms by id, number and alias. An alias (`moneypot:18`) is where a dialect sees a room; a room without one is not
// visible there.

import { ALIAS } from './alias.ts'
import type { Claims, Confirms } from './claims.ts'
import type { MemberRole } from './fact.ts'
import type { Host } from './host.ts'
import type { Account, AskedFrom } from './identity.ts'
import { numbersStream } from './node.facts.ts'
import { isDecided, type Outcome, type Refused, refused } from './outcome.ts'
import { inForce, type RoomContext } from './room/room.context.ts'
import { type Asker, type RoomExtra, type RoomMode, roomStream } from './room/room.facts.ts'

export interface RoomRef {
  readonly id: string
  readonly number: number
  readonly name: string
  readonly kind: 'room' | 'space'
  readonly parent: string | null
  readonly aliases: readonly string[]
}

export interface RoomOpening {
  readonly name: string
  readonly kind?: 'room' | 'space'
  readonly parent?: string | null
  readonly aliases?: readonly string[]
  readonly members?: readonly { account: Account; role: MemberRole }[]
  /** also seen in this dialect, under the room's own number or, where that is taken, the next free one */
  readonly dialect?: string
  readonly extra?: RoomExtra
  readonly asker: Asker | null
  readonly correlationId?: string
  /** that it was asked on */
  readonly connection?: string
}

export interface RoomChange {
  readonly name?: string
  readonly mode?: RoomMode
  readonly slowMs?: number
  readonly aliases?: readonly string[]
  readonly extra?: RoomExtra
}

/** The account's role in the room, else in the space it is in; null: a stranger, or banned. @throws LogUnavailable */
export const roleIn = async (
  host: Host,
  { id, parent }: Pick<RoomRef, 'id' | 'parent'>,
  user: string,
): Promise<MemberRole | null> => {
  for (const place of parent === null ? [id] : [id, parent]) {
    const { members, bans } = await host.loadContext<RoomContext>(roomStream(place))
    if (inForce(bans.get(user), host.clock.now())) return null
    const role = members.get(user)
    if (role) return role
  }
  return null
}

/** An operator may have given numbers away ahead of the count, hardly so many in a row. */
const MAX_NUMBERS_TRIED = 10_000

export class Rooms {
  readonly #host: Host
  readonly #claims: Claims

  constructor(host: Host, claims: Claims) {
    this.#host = host
    this.#claims = claims
  }

  /** @throws LogUnavailable */
  async byId(id: string): Promise<RoomRef | null> {
    const actor = await this.#host.load(roomStream(id))
    if (actor.revision < 0) {
      this.#host.release(actor.stream)
      return null
    }
    const { room, number, name, kind, parent, aliases } = actor.snapshot.context as RoomContext
    return { id: room, number, name, kind, parent, aliases }
  }

  /** @throws LogUnavailable */
  async byAlias(alias: string): Promise<RoomRef | null> {
    const owner = ALIAS.test(alias) ? await this.#claims.owner('alias', alias) : null
    const room = owner === null ? null : await this.byId(owner)
    return room?.aliases.includes(alias) ? room : null
  }

  /** @throws LogUnavailable */
  async byNumber(number: number): Promise<RoomRef | null> {
    const taken = await this.#host.ledger.at(numbersStream('room'), number - 1)
    const room = taken === null ? null : await this.byId((taken.data as { owner: string }).owner)
    return room?.number === number ? room : null
  }

  /** `<id>`, `#number` or an alias. @throws LogUnavailable */
  async resolve(reference: string): Promise<RoomRef | null> {
    if (/^#[1-9][0-9]{0,14}$/.test(reference)) return this.byNumber(Number(reference.slice(1)))
    if (reference.includes(':')) return this.byAlias(reference)
    return /^[0-9a-f-]{36}$/.test(reference) ? this.byId(reference) : null
  }

  /** @throws LogUnavailable */
  async open(wanted: RoomOpening): Promise<{ ok: true; room: RoomRef; revision: number } | Refused> {
    const { name, kind = 'room', parent = null, members = [], extra, dialect = null, asker } = wanted
    let { aliases = [] } = wanted
    const within = parent === null ? null : await this.#faultOfParent(kind, parent)
    if (within) return within
    const id = this.#host.chance.uuid()
    const correlationId = wanted.correlationId ?? id
    const taken = await this.#claimAll(id, aliases)
    if (taken) return refused('alias-taken', { field: 'aliases', alias: taken })
    const fact = await this.#host.ledger.append(
      numbersStream('room'),
      () => ({ type: 'NumberTaken', data: { owner: id } }),
      { by: asker?.id ?? null, correlationId },
    )
    const number = (fact?.revision ?? 0) + 1
    if (dialect !== null) {
      const own = await this.#claimNumber(id, dialect, number)
      if (own === null) return refused('alias-taken', { field: 'aliases', alias: `${dialect}:${number}` })
      aliases = [...aliases, own]
    }
    const outcome = await this.#host.send(roomStream(id), {
      type: 'room.open',
      correlationId,
      connection: wanted.connection ?? null,
      by: asker?.id ?? 'system',
      asker,
      room: id,
      number,
      name,
      kind,
      parent,
      aliases,
      ...(extra ? { extra } : {}),
      machine: this.#host.machineHash('room'),
      members: members.map(({ account, role }) => ({ user: account.id, role })),
    })
    if (!outcome.ok) return outcome
    return { ok: true, room: { id, number, name, kind, parent, aliases }, revision: outcome.revision }
  }

  /**
   * A space holds rooms and nothing deeper: who is a member of it, what is archived with it and what is heard by following
   * it are looked for one step up. A parent stands before its rooms and none ever gets another, so no circle is possible.
   */
  async #faultOfParent(kind: RoomRef['kind'], parent: string): Promise<Refused | null> {
    const space = await this.byId(parent)
    if (!space) return refused('unknown-room', { field: 'parent', room: parent })
    if (space.kind === 'room') return refused('malformed', { field: 'parent', rule: 'a room, and no space' })
    if (kind === 'space') return refused('malformed', { field: 'parent', rule: 'a space is in no other space' })
    const { snapshot } = await this.#host.load(roomStream(parent))
    return snapshot.value === 'archived' ? refused('room-archived', { field: 'parent' }) : null
  }

  /** @throws LogUnavailable */
  async change(room: RoomRef, change: RoomChange, asker: Asker | null, from: AskedFrom = {}): Promise<Outcome> {
    const stream = roomStream(room.id)
    const command = { type: 'room.change', ...from, by: asker?.id ?? null, asker, ...change } as const
    // Whoever may not do it claims nothing, and learns of no alias.
    const { aliases } = await this.#host.loadContext<RoomContext>(stream)
    const asked = this.#host.ask(stream, command)
    if (asked && !asked.ok) return asked
    const wanted = change.aliases ?? aliases
    const added = wanted.filter((alias) => !aliases.includes(alias))
    const taken = await this.#claimAll(room.id, added)
    if (taken) return refused('alias-taken', { field: 'aliases', alias: taken })
    const outcome = await this.#host.send(stream, command)
    const undone = isDecided(outcome) ? added : []
    const given = outcome.ok ? aliases.filter((alias) => !wanted.includes(alias)) : undone
    for (const alias of given) await this.#claims.release('alias', alias, room.id)
    return outcome
  }

  /** @throws LogUnavailable */
  roleOf(room: RoomRef, user: string): Promise<MemberRole | null> {
    return roleIn(this.#host, room, user)
  }

  /** Members of a space are members of its rooms, in the same role. @throws LogUnavailable */
  async spaceRoleOf({ parent }: RoomRef, user: string): Promise<MemberRole | null> {
    const space = parent === null ? null : await this.byId(parent)
    return space && this.roleOf(space, user)
  }

  /** A code that lets its bearer become a member. @throws LogUnavailable */
  async invite(
    room: RoomRef,
    asker: Asker,
    from: AskedFrom = {},
  ): Promise<{ ok: true; code: string; revision: number } | Refused> {
    const code = this.#host.chance.token()
    const inviting = { type: 'invite.create', ...from, by: asker.id, asker, code } as const
    const outcome = await this.#host.send(roomStream(room.id), inviting)
    if (!outcome.ok) return outcome
    // The record first: a crash here leaves a code that nobody was told.
    await this.#claims.claim('invite', code, room.id, async () => true)
    return { ok: true, code, revision: outcome.revision }
  }

  /** @throws LogUnavailable */
  async byInvite(code: string): Promise<RoomRef | null> {
    const owner = await this.#claims.owner('invite', code)
    return owner === null ? null : this.byId(owner)
  }

  async #claimNumber(room: string, dialect: string, from: number): Promise<string | null> {
    for (let number = from; number < from + MAX_NUMBERS_TRIED; number++) {
      const alias = `${dialect}:${number}`
      if (await this.#claims.claim('alias', alias, room, this.#hasAlias(alias))) return alias
    }
    return null
  }

  /** Claims each; the first that another owns undoes the rest and is returned. */
  async #claimAll(room: string, aliases: readonly string[]): Promise<string | null> {
    const claimed: string[] = []
    for (const alias of aliases) {
      if (await this.#claims.claim('alias', alias, room, this.#hasAlias(alias))) {
        claimed.push(alias)
        continue
      }
      for (const undone of claimed) await this.#claims.release('alias', undone, room)
      return alias
    }
    return null
  }

  #hasAlias(alias: string): Confirms {
    return async (owner) => (await this.byId(owner))?.aliases.includes(alias) ?? false
  }
}
