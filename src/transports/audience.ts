// What a batch of a room's facts is in each dialect, and who gets which part of it: most listeners share one batch, and
// only those that an audience names get a selection of their own.

import type { Fact, Person } from '../actors/fact.ts'
import type { Addressed, Dialect, MessageView, View } from '../dialects/dialect.ts'
import { Batch } from './transport.ts'

/** A connection that hears a room. */
export interface Listener {
  readonly id: string
  /** the account's id; null: an anonymous reader */
  readonly user: string | null
  readonly dialect: Dialect
  /** it hears of others' statuses */
  readonly statuses: boolean
  /** facts of this room up to this revision are in `batch`; null: it tells of facts of other streams */
  deliver(batch: Batch, room: string, revision: number | null): void
  /** held back more than it may */
  overflow(): void
  /** what it would have to be told now cannot be had: it is to come back for it */
  untold(): void
}

/** A fact for a room's listeners, and what its encoding needs. */
export interface Heard {
  readonly fact: Fact
  /** place in the room's stream; null: a fact of another stream */
  readonly revision: number | null
  readonly message: MessageView | null
  readonly person: Person | null
}

export const ABOUT_A_MESSAGE: ReadonlySet<string> = new Set(['MessageEdited', 'MessageRemoved', 'MessageRestored'])
/** what is told of them where a space is shown names accounts that the room knows by id only */
const ABOUT_ACCOUNTS: ReadonlySet<string> = new Set(['MemberAdded', 'RoomChanged'])
/** Who they are about may be away, and a mute is kept by name. */
export const SANCTIONS: ReadonlySet<string> = new Set([
  'UserMuted',
  'UserUnmuted',
  'MuteExpired',
  'MemberBanned',
  'MemberKicked',
])

/** what some dialect looks something up for */
export const ABOUT_MORE: ReadonlySet<string> = new Set([...ABOUT_A_MESSAGE, ...ABOUT_ACCOUNTS, ...SANCTIONS])

/** Must something be looked up before this can be told in the dialect? `near`: the room's space is in memory. */
export const needsMore = ({ profile }: Dialect, heard: readonly Heard[], near: boolean): boolean =>
  (profile.tellsOfSpaces === true && !near) ||
  heard.some(
    ({ fact: { type } }) =>
      (ABOUT_ACCOUNTS.has(type) && profile.tellsOfSpaces) ||
      (ABOUT_A_MESSAGE.has(type) && profile.showsWholeMessages) ||
      (SANCTIONS.has(type) && profile.tellsOfSanctions),
  )

export interface Encoded {
  readonly all: readonly Addressed[]
  /** what everybody gets whom no audience names */
  readonly shared: Batch
  names(listener: Listener): boolean
}

export const encode = (
  dialect: Dialect,
  heard: readonly Heard[],
  around: Pick<View, 'room' | 'space' | 'owner'>,
): Encoded => {
  const all = heard.flatMap(({ fact, message, person }) => dialect.encode(fact, { ...around, message, person }))
  const connections = new Set<string>()
  const users = new Set<string>()
  const status = all.some(({ topic }) => topic === 'status')
  for (const { to } of all) {
    if (to === 'all') continue
    if ('except' in to) connections.add(to.except)
    else if ('only' in to) connections.add(to.only)
    else users.add('exceptUser' in to ? to.exceptUser : to.onlyUser)
  }
  const names = ({ id, user, statuses }: Listener) =>
    connections.has(id) || (user !== null && users.has(user)) || (status && !statuses)
  return { all, names, shared: selection(all, null) }
}

export const selection = (all: readonly Addressed[], listener: Listener | null): Batch =>
  new Batch(all.filter((each) => isFor(each, listener)).map(({ frame }) => frame))

const isFor = ({ to, topic }: Addressed, listener: Listener | null): boolean => {
  if (topic === 'status' && listener?.statuses === false) return false
  if (to === 'all') return true
  if ('except' in to) return to.except !== listener?.id
  if ('only' in to) return to.only === listener?.id
  if ('exceptUser' in to) return to.exceptUser !== listener?.user
  return listener !== null && to.onlyUser === listener.user
}
