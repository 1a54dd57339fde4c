// Who listens to which room. What one commit acknowledged for a room is encoded once per dialect and leaves as one
// write a socket; only listeners that an audience names get a selection of their own.

import type { ConnectionContext } from '../actors/connection/connection.context.ts'
import type { Fact, Person } from '../actors/fact.ts'
import type { Host } from '../actors/host.ts'
import type { Acknowledged } from '../actors/outcome.ts'
import { personIn, type RoomContext } from '../actors/room/room.context.ts'
import { roomOf, roomStream } from '../actors/room/room.facts.ts'
import type { UserContext } from '../actors/user/user.context.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { Dialect, MessageView, RoomView, View } from '../dialects/dialect.ts'
import { Attendance } from './attendance.ts'
import {
  ABOUT_A_MESSAGE,
  ABOUT_MORE,
  type Encoded,
  encode,
  type Heard,
  type Listener,
  needsMore,
  SANCTIONS,
  selection,
} from './audience.ts'

interface Place {
  readonly listener: Listener
  /** what it was shown already: facts of the room above this revision follow */
  readonly after: number
  /** live facts wait here until the snapshot has left; null: nothing waits */
  held: Heard[] | null
}

/** The message as it is at this revision of the room, or null. */
export type MessageOf = (room: string, id: number, revision: number) => Promise<MessageView | null>

/** Whose name this is, or null. @throws LogUnavailable */
export type AccountOf = (name: string) => Promise<Pick<Person, 'id'> | null>

/** Facts that may wait for one snapshot. */
const MAX_HELD = 10_000
export class Hub {
  readonly #host: Host
  readonly #messageOf: MessageOf
  readonly #accountOf: AccountOf
  readonly #onFault: (where: string, error: unknown) => void
  readonly #rooms = new Map<string, Map<string, Place>>()
  readonly #attendance = new Attendance()
  /** account → its number, which never changes */
  readonly #numbers = new Map<string, number>()
  /** room → dialect → facts that wait for what its frames tell with them; what comes after them waits in line */
  readonly #lines = new Map<string, Map<Dialect, Promise<void>>>()

  constructor(
    host: Host,
    messageOf: MessageOf,
    accountOf: AccountOf,
    onFault: (where: string, error: unknown) => void,
  ) {
    this.#host = host
    this.#messageOf = messageOf
    this.#accountOf = accountOf
    this.#onFault = onFault
    host.onAcknowledged((batch) => this.#hear(batch))
  }

  /** From now on the listener's facts of this room above `after` are held back, until `release`. */
  join(room: string, listener: Listener, after: number): void {
    let places = this.#rooms.get(room)
    if (!places) {
      places = new Map()
      this.#rooms.set(room, places)
    }
    places.set(listener.id, { listener, after, held: [] })
  }

  /** Facts of the room that a resuming listener missed, before anything live. */
  catchUp(room: string, listener: Listener, missed: readonly Fact[]): void {
    const heard = missed.map((fact) => ({ fact, revision: fact.revision, message: null, person: null }))
    const batch = selection(encode(listener.dialect, heard, this.#around(room, heard)).all, listener)
    if (batch.frames.length > 0) listener.deliver(batch, room, missed.at(-1)?.revision ?? null)
  }

  /** The snapshot has been handed over: what was held back follows, and then everything live. */
  release(room: string, listener: Listener): void {
    const place = this.#rooms.get(room)?.get(listener.id)
    if (!place?.held) return
    const { held } = place
    place.held = null
    if (held.length > 0) this.#tell(room, held, [place])
  }

  leave(room: string, listener: Listener): void {
    const places = this.#rooms.get(room)
    places?.delete(listener.id)
    if (places?.size === 0) this.#rooms.delete(room)
  }

  /** A room in memory, with whoever is there: entered, or online as a member. */
  view(room: string): RoomView {
    const actor = this.#host.peek(roomStream(room))
    if (!actor) throw new Error(`room ${room} is not in memory`)
    const context = actor.snapshot.context as RoomContext
    const entered = [...context.presence.values()].map(({ user }) => user)
    const following = [...this.#attendance.of(room)]
      .filter(({ id }) => !context.presence.has(id))
      .map((person) => shown(context, person))
    const owner = this.#ownerIn(context)
    return { room: context, present: [...entered, ...following], revision: actor.revision, owner }
  }

  /** The space that a room in memory is in, once `meet` has been there. */
  spaceOf({ parent }: RoomContext): RoomContext | null {
    const space = parent === null ? null : this.#host.peek(roomStream(parent))
    return space ? (space.snapshot.context as RoomContext) : null
  }

  /** Brings into memory what is told with a room: its space, and where asked for the owner. @throws LogUnavailable */
  async meet(room: string, withOwner: boolean): Promise<void> {
    const context = await this.#host.loadContext<RoomContext>(roomStream(room))
    if (context.parent !== null) await this.#host.load(roomStream(context.parent))
    const owner = withOwner && context.kind === 'space' ? ownerOf(context) : undefined
    if (owner !== undefined && !this.#numbers.has(owner)) this.#numbers.set(owner, (await this.#person(owner)).number)
  }

  async #person(user: string): Promise<Person> {
    const { number, username, role } = (await this.#host.load(userStream(user))).snapshot.context as UserContext
    return { id: user, number, username, role }
  }

  async #sanctioned({ data }: Fact): Promise<Person | null> {
    const { user = null, name = '' } = data as { user?: string | null; name?: string }
    const id = user ?? (await this.#accountOf(name))?.id
    return id === undefined ? null : this.#person(id)
  }

  #ownerIn(context: RoomContext): number | null {
    const owner = context.kind === 'space' ? ownerOf(context) : undefined
    return owner === undefined ? null : (this.#numbers.get(owner) ?? null)
  }

  /** Tells what is no room's own fact to whoever hears one of these rooms, each listener once. */
  async tellOnce(rooms: readonly string[], fact: Fact, about: string): Promise<void> {
    const told = new Set<string>()
    const heard: Heard[] = [{ fact, revision: null, message: null, person: await this.#person(about) }]
    for (const room of rooms) {
      if (!this.#rooms.has(room)) continue
      await this.meet(room, false)
      const places = [...(this.#rooms.get(room)?.values() ?? [])].filter(({ listener }) => !told.has(listener.id))
      for (const { listener } of places) told.add(listener.id)
      this.#tell(room, heard, places)
    }
  }

  #hear({ kind, stream, facts }: Acknowledged): void {
    if (kind === 'room') {
      const heard = facts.map((fact) => ({ fact, revision: fact.revision, message: null, person: null }))
      this.#queue(roomOf(stream), heard)
    } else if (kind === 'connection') {
      for (const fact of facts) this.#hearConnection(fact)
    }
  }

  #hearConnection(fact: Fact): void {
    const { type, stream, data } = fact
    if (type === 'TypingStarted' || type === 'TypingStopped' || type === 'ReadMarked') {
      const { user } = this.#host.contextOf<ConnectionContext>(stream)
      this.#queue((data as { room: string }).room, [{ fact, revision: null, message: null, person: user }])
    } else if (type === 'RoomsFollowed') {
      for (const room of Object.keys((data as { rooms: object }).rooms)) this.#follow(fact, room)
    } else if (type === 'RoomLeft') {
      this.#unfollow(fact, (data as { room: string }).room)
    } else if (type === 'ConnectionClosed') {
      const { followed } = this.#host.contextOf<ConnectionContext>(stream)
      for (const room of followed.keys()) this.#unfollow(fact, room)
    }
  }

  #follow(fact: Fact, room: string): void {
    const { connection, user } = this.#host.contextOf<ConnectionContext>(fact.stream)
    if (!user || !this.#isOf(room, user) || !this.#attendance.add(room, user, connection)) return
    const data = { user, account: 'member', connection, node: this.#host.node, first: true }
    this.#queue(room, [
      { fact: { ...fact, type: 'PresenceEntered', data }, revision: null, message: null, person: user },
    ])
  }

  /** A robot may hear every room there is; it is in those only that it belongs to. */
  #isOf(room: string, { id, role }: Person): boolean {
    if (role !== 'robot') return true
    const of = (stream: string) => this.#host.peek(stream)?.snapshot.context as RoomContext | undefined
    const context = of(roomStream(room))
    const space = context?.parent ? of(roomStream(context.parent)) : undefined
    return context?.members.has(id) === true || space?.members.has(id) === true
  }

  #unfollow(fact: Fact, room: string): void {
    const { connection, user } = this.#host.contextOf<ConnectionContext>(fact.stream)
    if (!user || !this.#attendance.remove(room, user.id, connection)) return
    const data = { user, connection, last: true, cause: 'closed' }
    this.#queue(room, [{ fact: { ...fact, type: 'PresenceLeft', data }, revision: null, message: null, person: user }])
  }

  /** Tells at once whoever needs nothing more for it; a dialect that does waits by itself, in a line of its own. */
  #queue(room: string, heard: readonly Heard[]): void {
    const places = this.#rooms.get(room)
    if (!places) return
    const lines = this.#lines.get(room)
    const near = this.#isNear(room)
    if (!lines && near && !heard.some(({ fact }) => ABOUT_MORE.has(fact.type))) {
      this.#tell(room, heard, places.values())
      return
    }
    const here = near || this.#host.peek(roomStream(room)) !== null
    for (const [dialect, own] of Map.groupBy(places.values(), ({ listener }) => listener.dialect)) {
      if (here && !lines?.has(dialect) && !needsMore(dialect, heard, near)) this.#tell(room, heard, own)
      else this.#wait(room, dialect, heard)
    }
  }

  #wait(room: string, dialect: Dialect, heard: readonly Heard[]): void {
    const lines = this.#lines.get(room) ?? new Map<Dialect, Promise<void>>()
    this.#lines.set(room, lines)
    const turn = (lines.get(dialect) ?? Promise.resolve())
      .then(() => this.#tellLater(room, dialect, heard))
      .catch((error) => this.#onFault(`ending who could not be told of room ${room}`, error))
      .finally(() => {
        if (lines.get(dialect) !== turn) return
        lines.delete(dialect)
        if (lines.size === 0) this.#lines.delete(room)
      })
    lines.set(dialect, turn)
  }

  async #tellLater(room: string, dialect: Dialect, heard: readonly Heard[]): Promise<void> {
    const places = () =>
      [...(this.#rooms.get(room)?.values() ?? [])].filter(({ listener }) => listener.dialect === dialect)
    if (places().length === 0) return
    try {
      this.#tell(room, await this.#prepared(room, dialect, heard), places())
    } catch (error) {
      this.#onFault(`fan-out of room ${room} in ${dialect.name}`, error)
      const last = heard.findLast(({ revision }) => revision !== null)?.revision ?? Number.NEGATIVE_INFINITY
      for (const { listener, after } of places()) if (last > after) listener.untold()
    }
  }

  /** In memory, and the space it is in with it. */
  #isNear(room: string): boolean {
    const actor = this.#host.peek(roomStream(room))
    const { parent = null } = (actor?.snapshot.context ?? {}) as Partial<RoomContext>
    return actor !== null && (parent === null || this.#host.peek(roomStream(parent)) !== null)
  }

  /** @throws LogUnavailable */
  async #prepared(room: string, { profile }: Dialect, heard: readonly Heard[]): Promise<Heard[]> {
    if (profile.tellsOfSpaces) await this.meet(room, tellsOwner(heard))
    else await this.#host.load(roomStream(room))
    return Promise.all(
      heard.map(async (each): Promise<Heard> => {
        const { type, data, revision } = each.fact
        if (type === 'MemberAdded' && profile.tellsOfSpaces)
          return { ...each, person: await this.#person((data as { user: string }).user) }
        if (SANCTIONS.has(type) && profile.tellsOfSanctions)
          return { ...each, person: await this.#sanctioned(each.fact) }
        if (!ABOUT_A_MESSAGE.has(type) || !profile.showsWholeMessages) return each
        return { ...each, message: await this.#messageOf(room, (data as { id: number }).id, revision) }
      }),
    )
  }

  #tell(room: string, heard: readonly Heard[], places: Iterable<Place>): void {
    const around = this.#around(room, heard)
    const known = heard.map((each) => this.#adjusted(room, around.room, each))
    const revision = heard.findLast((each) => each.revision !== null)?.revision ?? null
    const first = heard.find((each) => each.revision !== null)?.revision ?? Number.POSITIVE_INFINITY
    const encoded = new Map<Dialect, Encoded>()
    for (const place of places) {
      const { listener, after, held } = place
      // What waited in line may have been in the snapshot of whoever came meanwhile.
      const seen = first <= after
      if (held) {
        held.push(...(seen ? heard.filter((each) => each.revision === null || each.revision > after) : heard))
        if (held.length > MAX_HELD) listener.overflow()
        continue
      }
      let frames = seen ? undefined : encoded.get(listener.dialect)
      if (!frames) {
        const news = seen ? known.filter((each) => each.revision === null || each.revision > after) : known
        frames = encode(listener.dialect, news, around)
        if (!seen) encoded.set(listener.dialect, frames)
      }
      const batch = frames.names(listener) ? selection(frames.all, listener) : frames.shared
      if (batch.frames.length > 0) listener.deliver(batch, room, revision)
    }
  }

  #around(room: string, heard: readonly Heard[]): Pick<View, 'room' | 'space' | 'owner'> {
    const context = this.#host.peek(roomStream(room))?.snapshot.context as RoomContext
    return { room: context, space: this.spaceOf(context), owner: tellsOwner(heard) ? this.#ownerIn(context) : null }
  }

  /** An account that is there both ways is heard of once: when the first way begins, and when the last one ends. */
  #adjusted(room: string, context: RoomContext, heard: Heard): Heard {
    const { fact, revision, person } = heard
    if (fact.type !== 'PresenceEntered' && fact.type !== 'PresenceLeft') return heard
    const data = fact.data as { user: Person; first?: boolean; last?: boolean }
    const other = person ? context.presence.has(data.user.id) : this.#attendance.has(room, data.user.id)
    const user = person ? shown(context, data.user) : data.user
    const edge = fact.type === 'PresenceEntered' ? { first: data.first && !other } : { last: data.last && !other }
    return { ...heard, fact: { ...fact, data: { ...data, user, ...edge } }, revision }
  }
}

/** To look for the owner is to look through the members. */
const tellsOwner = (heard: readonly Heard[]): boolean => heard.some(({ fact }) => fact.type === 'RoomChanged')

const ownerOf = ({ members }: RoomContext): string | undefined => members.findKey((role) => role === 'owner')

/** With the role that is shown in this room. */
const shown = (context: RoomContext, person: Person): Person =>
  personIn(context, { ...person, account: person.role === 'admin' || person.role === 'robot' ? person.role : 'member' })
