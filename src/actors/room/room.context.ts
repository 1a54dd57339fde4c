// What a room remembers between facts, and how each fact changes it. Texts are not kept: a read model has them.

import { createHash } from 'node:crypto'
import { List, Map as PersistentMap } from 'immutable'
import type { AccountRole, MemberRole, Person, ShownRole } from '../fact.ts'
import { NO_RULES, type RuleSet } from '../rules.ts'
import type { Asker, RoomExtra, RoomFactEvent, RoomMode } from './room.facts.ts'

/** A client's reference is remembered this long, in the time of facts. */
export const REFERENCE_MS = 10 * 60_000

export interface Present {
  readonly user: Person
  readonly account: AccountRole
  readonly connections: PersistentMap<string, string>
}

/** A mute or ban in force: until when (null: no end) and the fact that set it. */
export interface Sanction {
  readonly until: number | null
  /** the length it was given with */
  readonly seconds: number | null
  readonly by: string | null
  readonly fact: string
}

export interface Mute extends Sanction {
  /** folded, as it was when the mute was set: lists show it */
  readonly name: string
}

/** Its time may have come before its timer fires, e.g. right after a start. */
export const inForce = (sanction: Pick<Sanction, 'until'> | undefined, at: number): boolean =>
  sanction !== undefined && (sanction.until === null || sanction.until > at)

export interface Reference {
  readonly message: number
  readonly textHash: string
}

export interface RoomContext {
  readonly room: string
  readonly number: number
  readonly name: string
  readonly kind: 'room' | 'space'
  readonly parent: string | null
  readonly aliases: readonly string[]
  /** what dialects keep of the room itself, by their names */
  readonly extra: RoomExtra
  readonly mode: RoomMode
  /** in mode `slow`: least time between two messages of one member; else 0 */
  readonly slowMs: number
  readonly members: PersistentMap<string, MemberRole>
  /** user id → who is here, on which connections (connection → node) */
  readonly presence: PersistentMap<string, Present>
  /** connection → user id */
  readonly connections: PersistentMap<string, string>
  /** whom it holds (user id, or a folded name that was nobody's) → mute */
  readonly mutes: PersistentMap<string, Mute>
  /** user id → ban */
  readonly bans: PersistentMap<string, Sanction>
  /** words that may not be posted here, beside those for all rooms */
  readonly rules: RuleSet
  /** `<user> <reference>` → the message it was first used for */
  readonly references: PersistentMap<string, Reference>
  /** the same keys, oldest first, with their times */
  readonly referenceAges: List<readonly [key: string, at: number]>
  readonly lastMessageId: number
  /** user id → time of the last message, in slow mode only */
  readonly lastPosts: PersistentMap<string, number>
}

export const absentRoom: RoomContext = {
  room: '',
  number: 0,
  name: '',
  kind: 'room',
  parent: null,
  aliases: [],
  extra: {},
  mode: 'open',
  slowMs: 0,
  members: PersistentMap(),
  presence: PersistentMap(),
  connections: PersistentMap(),
  mutes: PersistentMap(),
  bans: PersistentMap(),
  rules: NO_RULES,
  references: PersistentMap(),
  referenceAges: List(),
  lastMessageId: 0,
  lastPosts: PersistentMap(),
}

/** The role shown in this room: an owner wins over an admin, an admin over a mod. */
export const shownRole = (
  { members }: Pick<RoomContext, 'members'>,
  { id, account, spaceRole }: Pick<Asker, 'id' | 'account' | 'spaceRole'>,
): ShownRole => {
  const member = members.get(id) ?? spaceRole
  if (member === 'owner') return 'owner'
  if (account === 'admin') return 'admin'
  if (member === 'mod') return 'mod'
  return account === 'robot' ? 'robot' : 'member'
}

export const personIn = (context: Pick<RoomContext, 'members'>, asker: Asker): Person => ({
  id: asker.id,
  number: asker.number,
  role: shownRole(context, asker),
  username: asker.username,
})

export const referenceKey = (user: string, clientRef: string): string => `${user} ${clientRef}`

/** An erased text is an object (see FactCodec) and equals no other text. */
export const textHash = (text: unknown): string =>
  typeof text === 'string' ? createHash('sha256').update(text).digest('hex').slice(0, 16) : ''

type Evolve<T extends RoomFactEvent['type']> = (
  context: RoomContext,
  fact: Extract<RoomFactEvent, { type: T }>,
) => Partial<RoomContext>

type RoleFact = 'MemberAdded' | 'MemberRoleGranted'

export const opened: Evolve<'RoomOpened'> = (_context, { data }) => {
  const { room, number, name, kind, parent, aliases, extra = {} } = data
  return { room, number, name, kind, parent, aliases, extra }
}

export const changed: Evolve<'RoomChanged'> = (context, { data }) => ({
  name: data.name ?? context.name,
  aliases: data.aliases ?? context.aliases,
  extra: data.extra ? { ...context.extra, ...data.extra } : context.extra,
  mode: data.mode ?? context.mode,
  slowMs: (data.mode ?? context.mode) === 'slow' ? (data.slowMs ?? context.slowMs) : 0,
  lastPosts: data.mode === undefined ? context.lastPosts : PersistentMap(),
})

export const roleSet: Evolve<RoleFact> = (context, { data }) =>
  withMembers(context, context.members.set(data.user, data.role), data.user)

export const roleRevoked: Evolve<'MemberRoleRevoked'> = (context, { data }) =>
  withMembers(context, context.members.set(data.user, 'member'), data.user)

export const memberRemoved: Evolve<'MemberRemoved'> = (context, { data }) =>
  withMembers(context, context.members.delete(data.user), data.user)

/** Who is here is shown with the role of now. */
const withMembers = (context: RoomContext, members: RoomContext['members'], user: string): Partial<RoomContext> => {
  const present = context.presence.get(user)
  if (!present) return { members }
  const role = shownRole({ members }, { id: user, account: present.account })
  return { members, presence: context.presence.set(user, { ...present, user: { ...present.user, role } }) }
}

export const entered: Evolve<'PresenceEntered'> = (context, { data }) => {
  const { user, account, connection, node } = data
  const connections = (context.presence.get(user.id)?.connections ?? PersistentMap<string, string>()).set(
    connection,
    node,
  )
  return {
    presence: context.presence.set(user.id, { user, account, connections }),
    connections: context.connections.set(connection, user.id),
  }
}

export const left: Evolve<'PresenceLeft'> = (context, { data }) => {
  const { user, connection } = data
  const present = context.presence.get(user.id)
  const connections = present?.connections.delete(connection)
  return {
    presence:
      present && connections && connections.size > 0
        ? context.presence.set(user.id, { ...present, connections })
        : context.presence.delete(user.id),
    connections: context.connections.delete(connection),
  }
}

export const posted: Evolve<'MessagePosted'> = (context, { data, at }) => ({
  lastMessageId: data.id,
  ...(context.slowMs > 0 ? { lastPosts: context.lastPosts.set(data.author.id, at) } : {}),
  ...(data.clientRef === null
    ? {}
    : referenced(context, referenceKey(data.author.id, data.clientRef), data.id, textHash(data.text), at)),
})

const referenced = (
  context: RoomContext,
  key: string,
  message: number,
  hash: string,
  at: number,
): Partial<RoomContext> => {
  let { references, referenceAges } = context
  const old = referenceAges.findIndex(([, used]) => used >= at - REFERENCE_MS)
  const gone = old < 0 ? referenceAges.size : old
  if (gone > 0) {
    references = references.deleteAll(referenceAges.take(gone).map(([used]) => used))
    referenceAges = referenceAges.skip(gone)
  }
  return {
    references: references.set(key, { message, textHash: hash }),
    referenceAges: referenceAges.push([key, at]),
  }
}

/** What was said of the name before it was an account's is said of the account now. */
export const muted: Evolve<'UserMuted'> = (context, { data, id }) => {
  const { name, holds, until, seconds } = data
  const mute = { name, until, seconds, by: data.by?.id ?? null, fact: id }
  return { mutes: context.mutes.delete(name).set(holds, mute) }
}

export const unmuted: Evolve<'UserUnmuted' | 'MuteExpired'> = (context, { data }) => ({
  mutes: context.mutes.delete(data.holds),
})

export const banned: Evolve<'MemberBanned'> = (context, { data, id }) => ({
  bans: context.bans.set(data.user, { until: data.until, seconds: null, by: data.by?.id ?? null, fact: id }),
})

export const unbanned: Evolve<'MemberBanLifted' | 'MemberBanExpired'> = (context, { data }) => ({
  bans: context.bans.delete(data.user),
})

export const ruled: Evolve<'RoomRulesSet'> = (_context, { data: { version, rules } }) => ({ rules: { version, rules } })

/** Plain JSON for a summary. `restoreContext` is its inverse. */
export const summarise = (context: RoomContext): unknown => ({
  ...context,
  members: [...context.members],
  presence: [...context.presence].map(([user, present]) => [
    user,
    { ...present, connections: [...present.connections] },
  ]),
  connections: [...context.connections],
  mutes: [...context.mutes],
  bans: [...context.bans],
  references: [...context.references],
  referenceAges: [...context.referenceAges],
  lastPosts: [...context.lastPosts],
})

type Entries = Record<string, readonly [string, never][]>

export const restoreContext = (json: unknown): RoomContext => {
  const plain = json as Omit<RoomContext, keyof Entries> & Entries
  const presence = plain.presence as unknown as readonly [
    string,
    Omit<Present, 'connections'> & { connections: [string, string][] },
  ][]
  return {
    ...(plain as unknown as RoomContext),
    members: PersistentMap(plain.members),
    presence: PersistentMap(
      presence.map(([user, present]) => [user, { ...present, connections: PersistentMap(present.connections) }]),
    ),
    connections: PersistentMap(plain.connections),
    mutes: PersistentMap(plain.mutes),
    bans: PersistentMap(plain.bans),
    references: PersistentMap(plain.references),
    referenceAges: List(plain.referenceAges as unknown as readonly [string, number][]),
    lastPosts: PersistentMap(plain.lastPosts),
  }
}
