// What the console may show: fields of facts and of what actors remember, one list a kind. What is not named here does
// not leave the server there, also when a fact gets a new field: hashes, invite codes, and what dialects keep of a
// person or a message under names of their own.

import type { connectionFacts } from './connection/connection.facts.ts'
import type { roomFacts } from './room/room.facts.ts'
import type { userFacts } from './user/user.facts.ts'

export type ShownKind = 'connection' | 'room' | 'user'

export const factsShown: Readonly<
  Record<keyof typeof connectionFacts | keyof typeof roomFacts | keyof typeof userFacts, readonly string[]>
> = {
  ConnectionOpened: ['dialect', 'version', 'since', 'transport', 'limits', 'node'],
  DialectChosen: ['dialect', 'version', 'limits'],
  AuthSucceeded: ['user'],
  AuthFailed: ['code'],
  RoomEntered: ['room', 'revision', 'history', 'resumedFrom'],
  RoomsFollowed: ['rooms'],
  RoomLeft: ['room'],
  HistoryRead: ['room', 'count', 'firstId', 'lastId'],
  TypingStarted: ['room'],
  TypingStopped: ['room', 'cause'],
  ReadMarked: ['room', 'upTo'],
  WentIdle: ['since'],
  BecameActive: [],
  Delivered: ['rooms'],
  CommandRefused: ['command', 'code', 'state', 'guard', 'values', 'at', 'count'],
  ConnectionClosed: ['code', 'reason', 'cause', 'late'],

  UserRegistered: ['user', 'number', 'username', 'role', 'guest'],
  UserRenamed: ['username'],
  TokenIssued: ['token', 'label'],
  TokenRevoked: ['token'],
  ProfileSet: ['dialect'],
  RoleGranted: ['role', 'by'],
  RoleRevoked: ['role', 'by'],
  CameOnline: ['connection', 'node', 'first'],
  WentOffline: ['connection', 'last'],
  StatusChanged: [],
  UserBanned: ['by', 'until', 'reason'],
  BanLifted: ['by', 'reason'],
  BanExpired: ['due', 'fired', 'late', 'armedBy'],
  UserKicked: ['by', 'reason'],

  RoomOpened: ['room', 'number', 'name', 'kind', 'parent', 'aliases'],
  RoomChanged: ['name', 'mode', 'slowMs', 'aliases'],
  RoomArchived: ['by', 'reason'],
  MemberAdded: ['user', 'role', 'by'],
  MemberRemoved: ['user', 'by', 'reason'],
  PresenceEntered: ['user', 'connection', 'first'],
  PresenceLeft: ['user', 'connection', 'last', 'cause'],
  MessagePosted: ['id', 'author', 'text', 'kind', 'replyTo'],
  MessageEdited: ['id', 'text', 'by'],
  MessageRemoved: ['id', 'by', 'reason'],
  MessageRestored: ['id', 'original', 'by'],
  RemovedTextRead: ['ids', 'by'],
  UserMuted: ['name', 'user', 'holds', 'by', 'until', 'reason'],
  UserUnmuted: ['name', 'holds', 'by', 'reason'],
  MuteExpired: ['name', 'holds', 'due', 'fired', 'late', 'armedBy'],
  MemberKicked: ['user', 'by', 'reason'],
  MemberBanned: ['user', 'by', 'until', 'reason'],
  MemberBanLifted: ['user', 'by', 'reason'],
  MemberBanExpired: ['user', 'due', 'fired', 'late', 'armedBy'],
  MemberRoleGranted: ['user', 'role', 'by'],
  MemberRoleRevoked: ['user', 'by'],
  RoomRulesSet: ['version', 'by'],
  InviteCreated: ['by'],
}

const CONTEXT: Readonly<Record<ShownKind, readonly string[]>> = {
  connection: ['dialect', 'user', 'openedAt', 'limits', 'rooms', 'followed', 'read', 'typing'],
  user: ['username', 'number', 'role', 'guest', 'connections', 'ban'],
  room: ['name', 'kind', 'mode', 'slowMs', 'aliases', 'members', 'presence', 'mutes', 'bans', 'lastMessageId'],
}

/** Of a list or a map as much as somebody reads; how many there are is said. */
const MOST = 50

/** As long as a token of ours, its hash or an invite; and two parts of a JSON Web Token, or more. */
const CREDENTIAL = /[0-9a-f]{32,}|(?<![\w-])[\w-]{16,}(?:\.[\w-]{16,})+/gi

/** A refusal repeats words of the client's own, such as the name of an event or of a field: they may be anything. */
export const withoutCredentials = <T>(value: T): T => {
  if (typeof value === 'string') return value.replace(CREDENTIAL, '…') as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withoutCredentials) as T
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [withoutCredentials(name), withoutCredentials(inner)]),
  ) as T
}

export const shownFact = (type: string, data: unknown): Record<string, unknown> => {
  const fields = Object.hasOwn(factsShown, type) ? factsShown[type as keyof typeof factsShown] : []
  const all = data as Readonly<Record<string, unknown>>
  const shown = Object.fromEntries(
    fields.flatMap((field) => (all[field] === undefined ? [] : [[field, plain(all[field])]])),
  )
  return type === 'CommandRefused' ? withoutCredentials(shown) : shown
}

type Context = Readonly<Record<string, unknown>>

interface Values {
  map(shape: (value: never) => unknown): unknown
}

/** Of what is in a collection, what is read. */
const SHAPES: Readonly<Record<string, (value: never) => unknown>> = {
  presence: ({ user }: { user: unknown }) => user,
  mutes: ({ name, until, by }: { name: unknown; until: unknown; by: unknown }) => ({ name, until, by }),
  bans: ({ until, by }: { until: unknown; by: unknown }) => ({ until, by }),
  typing: ({ due }: { due: unknown }) => ({ due }),
}

const shaped = (key: string, value: unknown): unknown => {
  const shape = SHAPES[key]
  return shape ? (value as Values).map(shape) : value
}

/** What differs from `before`; everything without it. Contexts share what did not change. */
export const shownContext = (kind: ShownKind, context: Context, before?: Context): Record<string, unknown> =>
  Object.fromEntries(
    CONTEXT[kind]
      .filter((key) => !before || before[key] !== context[key])
      .map((key) => [key, plain(shaped(key, context[key]))]),
  )

interface Collection {
  readonly size: number
  take(count: number): { toJSON(): unknown }
}

const isCollection = (value: object): value is Collection => 'size' in value && 'take' in value

const plain = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (isCollection(value)) {
    const some = JSON.parse(JSON.stringify(value.take(MOST).toJSON())) as unknown
    return value.size > MOST ? { some, of: value.size } : some
  }
  if (Array.isArray(value) || Object.keys(value).length <= MOST) return value
  return { some: Object.fromEntries(Object.entries(value).slice(0, MOST)), of: Object.keys(value).length }
}
