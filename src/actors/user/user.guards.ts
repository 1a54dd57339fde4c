// The user's rules, one predicate each. A guard sees a command and the acknowledged state, and nothing else.

import { type AccountRole, MAX_SANCTION_SECONDS } from '../fact.ts'
import type { Asker } from '../room/room.facts.ts'
import type { UserContext } from './user.context.ts'
import type { UserCommand, UserFactEvent } from './user.facts.ts'

export const MAX_TOKENS = 100
export const MAX_CONNECTIONS = 200

export type UserEvent = UserCommand | UserFactEvent
export type CommandOf<T extends UserCommand['type']> = Extract<UserCommand, { type: T }>
export type FactOf<T extends UserFactEvent['type']> = Extract<UserFactEvent, { type: T }>

export interface Given {
  readonly context: UserContext
  readonly event: UserEvent
}

/** The fields that guards read, whichever command carries them. */
const read = (event: UserEvent) =>
  event as unknown as {
    asker: Asker | null
    token?: string | null
    attaching?: string
    detaching?: string
    username?: string
    role?: AccountRole
    seconds?: number | null
    due?: number
  }

const isAdmin = ({ event }: Given): boolean => {
  const { asker } = read(event)
  return asker === null || asker.account === 'admin'
}

export const guards = {
  isNotAdmin: (given: Given) => !isAdmin(given),
  isNeitherSelfNorAdmin: (given: Given) => !isAdmin(given) && read(given.event).asker?.id !== given.context.user,
  /** staff is not put out by itself, so that nobody locks the last admin out by a slip */
  isSelf: ({ context, event }: Given) => read(event).asker?.id === context.user,
  isTokenRevoked: ({ context, event }: Given) => {
    const { token } = read(event)
    return typeof token === 'string' && !context.tokens.has(token)
  },
  isUnknownToken: ({ context, event }: Given) => !context.tokens.has(read(event).token ?? ''),
  hasTokenAlready: ({ context, event }: Given) => context.tokens.has(read(event).token ?? ''),
  tokensAreFull: ({ context }: Given) => context.tokens.size >= MAX_TOKENS,
  connectionsAreFull: ({ context }: Given) => context.connections.size >= MAX_CONNECTIONS,
  isAttached: ({ context, event }: Given) => context.connections.has(read(event).attaching ?? ''),
  isNotAttached: ({ context, event }: Given) => !context.connections.has(read(event).detaching ?? ''),
  /** with the last connection the status ends, too */
  takesStatusAlong: ({ context }: Given) => context.connections.size === 1 && Object.keys(context.status).length > 0,
  isSameName: ({ context, event }: Given) => context.username === read(event).username,
  isSameRole: ({ context, event }: Given) => context.role === read(event).role,
  isPlainRole: ({ event }: Given) => read(event).role === 'member',
  isDurationInvalid: ({ event }: Given) => {
    const { seconds } = read(event)
    return (
      seconds !== null &&
      !(Number.isInteger(seconds) && (seconds as number) >= 1 && (seconds as number) <= MAX_SANCTION_SECONDS)
    )
  },
  /** its time may have come before its timer fires, e.g. right after a start */
  isBannedStill: ({ context, event }: Given) =>
    context.ban !== null && (context.ban.until === null || event.at < context.ban.until),
  isNotThatBan: ({ context, event }: Given) => context.ban?.until !== read(event).due,
  wasLast: ({ context, event }: Given) => {
    const { data } = event as FactOf<'WentOffline'>
    return context.connections.size === 1 && context.connections.has(data.connection)
  },
}

export type GuardName = keyof typeof guards
