// The connection's rules, one predicate each. A guard sees a command and the acknowledged state, and nothing else.

import type { ConnectionContext } from './connection.context.ts'
import type { ConnectionCommand, ConnectionFactEvent } from './connection.facts.ts'

/** Typing is told this often and no oftener, for each room. */
export const TYPING_EVERY_MS = 1_000
/** a client may enter this many rooms: many more than anybody reads, and each is remembered here */
const MAX_ROOMS = 1_000
/** of those that its account belongs to; a robot may hear every room there is */
const MAX_OWN_ROOMS = 50_000

export type ConnectionEvent = ConnectionCommand | ConnectionFactEvent
export type CommandOf<T extends ConnectionCommand['type']> = Extract<ConnectionCommand, { type: T }>
export type FactOf<T extends ConnectionFactEvent['type']> = Extract<ConnectionFactEvent, { type: T }>

export interface Given {
  readonly context: ConnectionContext
  readonly event: ConnectionEvent
}

const roomOf = (event: ConnectionEvent): string => (event as CommandOf<'typing.start'>).room
export const guards = {
  isFinal: ({ event }: Given) => (event as CommandOf<'auth.fail'>).final,
  isInRoom: ({ context, event }: Given) => context.rooms.has(roomOf(event)),
  isNotInRoom: ({ context, event }: Given) => !context.rooms.has(roomOf(event)) && !context.followed.has(roomOf(event)),
  roomsAreFull: ({ context, event }: Given) => {
    const isOwn = (event as CommandOf<'room.enter'>).own === true || context.user?.role === 'robot'
    return context.rooms.size >= (isOwn ? MAX_OWN_ROOMS : MAX_ROOMS)
  },
  followedAreFull: ({ context, event }: Given) =>
    context.followed.size + Object.keys((event as CommandOf<'rooms.follow'>).rooms).length > MAX_OWN_ROOMS,
  isOverRate: ({ event }: Given) => (event as CommandOf<'command.permit'>).overRate === true,
  followsNothingNew: ({ context, event }: Given) =>
    Object.keys((event as CommandOf<'rooms.follow'>).rooms).every((room) => context.followed.has(room)),
  hasReadFurther: ({ context, event }: Given) => {
    const { room, upTo } = event as CommandOf<'read.mark'>
    return (context.read.get(room) ?? 0) >= upTo
  },
  isReader: ({ context }: Given) => context.user === null,
  isChosen: ({ context, event }: Given) => context.dialect === (event as CommandOf<'dialect.choose'>).dialect,
  startedJustNow: ({ context, event }: Given) => {
    const last = context.typed.get(roomOf(event))
    return last !== undefined && event.at - last < TYPING_EVERY_MS
  },
  /** the timer of a typing that was stopped or told again since */
  isNotThatTyping: ({ context, event }: Given) =>
    context.typing.get(roomOf(event))?.due !== (event as CommandOf<'typing.expire'>).due,
  isNotTyping: ({ context, event }: Given) => !context.typing.has(roomOf(event)),
}

export type GuardName = keyof typeof guards
