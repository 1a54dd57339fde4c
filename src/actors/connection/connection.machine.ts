// The connection's statechart: a socket from its first frame to its end, whatever its dialect.
//
// Its timers (sign-in, idle, typing) use limits that stand in its facts, so that a replay shows the chart that was.
// Whether a command may be handed to a room is asked here as `command.permit` and stores nothing.

import { Map as PersistentMap } from 'immutable'
import { setup } from 'xstate'
import type { Decided } from '../chart.ts'
import {
  already,
  choosing,
  closing,
  entering,
  failing,
  no,
  nothingNew,
  noting,
  only,
  timedOut,
  tooMany,
  yes,
} from './connection.branches.ts'
import { absentConnection, type ConnectionContext, type Typing } from './connection.context.ts'
import type { ConnectionCommand, ConnectionFactEvent } from './connection.facts.ts'
import { type ConnectionEvent, type FactOf, guards, TYPING_EVERY_MS } from './connection.guards.ts'

export { restoreContext, summarise } from './connection.context.ts'

const factRoomOf = (event: ConnectionEvent): string => (event as FactOf<'TypingStarted'>).data.room
const typingTimer = (room: string): string => `typing:${room}`

const connection = setup({
  types: { context: {} as ConnectionContext, events: {} as ConnectionEvent, emitted: {} as Decided },
  guards,
  delays: {
    /** measured from the opening, also when the dialect that says how long is chosen later */
    authTimeout: ({ context, event }) =>
      Math.max(0, context.openedAt + context.limits.authTimeoutMs - (event as FactOf<'ConnectionOpened'>).at),
    afkTimeout: ({ context, event }) => {
      const { data, at } = event as FactOf<'WentIdle'>
      return Math.max(0, data.since + context.limits.afkMs - at)
    },
  },
})

const fold = <T extends ConnectionFactEvent['type']>(
  evolve: (context: ConnectionContext, fact: FactOf<T>) => Partial<ConnectionContext>,
) => connection.assign(({ context, event }) => evolve(context, event as FactOf<T>))

const stopTyping = [
  connection.cancel(({ event }) => typingTimer(factRoomOf(event))),
  fold<'TypingStopped'>(({ typing }, { data }) => ({ typing: typing.delete(data.room) })),
]

/** Whatever closes a socket stops its typing: no timer outlives it. */
const ended = {
  target: 'closed',
  actions: [
    connection.enqueueActions(({ context, enqueue }) => {
      for (const room of context.typing.keys()) enqueue.cancel(typingTimer(room))
    }),
    fold<'ConnectionClosed'>(() => ({ typing: PersistentMap<string, Typing>() })),
  ],
  description: 'policies leave its rooms and its user',
}

const chosen = fold<'DialectChosen'>((_context, { data }) => ({
  dialect: data.dialect,
  limits: data.limits,
  options: data.options,
}))

export const connectionMachine = connection.createMachine({
  id: 'connection',
  context: absentConnection,
  initial: 'absent',
  states: {
    absent: {
      description: 'no fact yet',
      on: {
        'connection.open': yes(
          'connection.open',
          'ConnectionOpened',
          ({ connection: id, dialect, version, since, transport, limits, options, node, incarnation, machine }) => ({
            connection: id,
            dialect,
            version,
            since,
            transport,
            limits,
            options,
            node,
            incarnation,
            machine,
          }),
        ),
        'connection.close': already,
        ConnectionOpened: [
          {
            guard: ({ event }) => (event as FactOf<'ConnectionOpened'>).data.limits.authTimeoutMs > 0,
            target: 'authenticating.timed',
            actions: fold<'ConnectionOpened'>(opened),
            description: 'a socket that must sign in within its limit',
          },
          {
            target: 'authenticating.patient',
            actions: fold<'ConnectionOpened'>(opened),
            description: 'a socket whose dialect sets no limit',
          },
        ],
      },
    },

    authenticating: {
      description: 'who is it? No command reaches a room yet',
      initial: 'patient',
      on: {
        'connection.open': already,
        'dialect.choose': choosing,
        'auth.succeed': [tooMany, yes('auth.succeed', 'AuthSucceeded', ({ user, token }) => ({ user, token }))],
        'auth.fail': failing,
        'connection.close': closing,
        'refusal.note': noting,
        'command.permit': only('user-required'),
        DialectChosen: [
          {
            guard: ({ event }) => (event as FactOf<'DialectChosen'>).data.limits.authTimeoutMs > 0,
            target: '.timed',
            reenter: true,
            actions: chosen,
            description: 'its limit counts from the opening',
          },
          { target: '.patient', actions: chosen, description: 'this dialect sets no limit' },
        ],
        AuthFailed: { description: 'may try again unless the dialect closes' },
        AuthSucceeded: {
          target: 'authenticated',
          actions: fold<'AuthSucceeded'>((_context, { data }) => ({ user: data.user, token: data.token })),
          description: 'signed in, or an anonymous reader',
        },
        ConnectionClosed: ended,
        CommandRefused: { description: 'kept for the record; changes nothing' },
      },
      states: {
        patient: { description: 'no limit' },
        timed: {
          description: 'closes when nobody has signed in by the limit',
          after: { authTimeout: timedOut('auth-timeout') },
        },
      },
    },

    authenticated: {
      description: 'commands reach rooms; what it entered is remembered, so that closing can leave it',
      initial: 'activity',
      on: {
        'connection.open': already,
        'auth.succeed': [tooMany, only('already-exists')],
        'auth.fail': failing,
        'connection.close': closing,
        'refusal.note': noting,
        'command.permit': [no('isReader', 'user-required'), tooMany, already],
        'room.enter': [nothingNew('isInRoom'), tooMany, no('roomsAreFull', 'too-many-rooms'), entering],
        'rooms.follow': [
          nothingNew('followsNothingNew'),
          no('followedAreFull', 'too-many-rooms'),
          yes('rooms.follow', 'RoomsFollowed', ({ rooms }) => ({ rooms })),
        ],
        'room.leave': [nothingNew('isNotInRoom'), yes('room.leave', 'RoomLeft', ({ room }) => ({ room }))],
        'history.note': [
          tooMany,
          yes('history.note', 'HistoryRead', ({ room, count, firstId, lastId }) => ({ room, count, firstId, lastId })),
        ],
        'delivery.note': yes('delivery.note', 'Delivered', ({ rooms }) => ({ rooms })),
        'read.mark': [
          no('isReader', 'user-required'),
          nothingNew('hasReadFurther'),
          tooMany,
          yes('read.mark', 'ReadMarked', ({ room, upTo }) => ({ room, upTo })),
        ],
        'typing.start': [
          nothingNew('startedJustNow'),
          tooMany,
          yes('typing.start', 'TypingStarted', ({ room, named }) => ({ room, ...(named ? { named } : {}) })),
        ],
        'typing.stop': [
          nothingNew('isNotTyping'),
          yes('typing.stop', 'TypingStopped', ({ room, cause }) => ({ room, cause })),
        ],
        'typing.expire': [
          nothingNew('isNotThatTyping'),
          yes('typing.expire', 'TypingStopped', ({ room }) => ({ room, cause: 'timeout' })),
        ],

        RoomEntered: {
          actions: fold<'RoomEntered'>(({ rooms }, { data }) => ({ rooms: rooms.set(data.room, data.revision) })),
          description: 'the snapshot was read at this revision; live facts follow above it',
        },
        RoomsFollowed: {
          actions: fold<'RoomsFollowed'>(({ followed }, { data }) => ({
            followed: followed.merge(Object.entries(data.rooms)),
          })),
          description: 'live facts of these rooms follow above their revisions; presence follows from the account’s',
        },
        RoomLeft: {
          actions: [
            connection.cancel(({ event }) => typingTimer(factRoomOf(event))),
            fold<'RoomLeft'>(({ rooms, followed, typing }, { data }) => ({
              rooms: rooms.delete(data.room),
              followed: followed.delete(data.room),
              typing: typing.delete(data.room),
            })),
          ],
          description: 'leaving stops typing there',
        },
        HistoryRead: { description: 'older messages were handed out' },
        Delivered: { description: 'what the socket was surely handed' },
        ReadMarked: {
          actions: fold<'ReadMarked'>(({ read }, { data }) => ({ read: read.set(data.room, data.upTo) })),
          description: 'its account has read up to here; others in the room are told',
        },
        TypingStarted: {
          actions: [
            connection.cancel(({ event }) => typingTimer(factRoomOf(event))),
            fold<'TypingStarted'>(({ typing, typed, limits }, { data, at }) => ({
              typing: typing.set(data.room, { at, due: limits.typingMs > 0 ? at + limits.typingMs : null }),
              typed: typed.filter((last) => at - last < TYPING_EVERY_MS).set(data.room, at),
            })),
            connection.enqueueActions(({ context, event, enqueue }) => {
              const room = factRoomOf(event)
              const due = context.typing.get(room)?.due ?? null
              if (due === null) return
              const expire = { type: 'typing.expire', room, due } as ConnectionCommand
              enqueue.raise(expire, { id: typingTimer(room), delay: due - event.at })
            }),
          ],
          description: 'arms the typing timer; told again, arms it anew',
        },
        TypingStopped: { actions: stopTyping, description: 'by the client, a message, leaving, or its timer' },
        AuthFailed: { description: 'what it signed in with is in force no more' },
        ConnectionClosed: ended,
        CommandRefused: { description: 'kept for the record; changes nothing' },
      },
      states: {
        activity: {
          initial: 'active',
          states: {
            active: {
              description: 'frames came within the limit',
              on: {
                'activity.resume': already,
                'activity.idle': yes('activity.idle', 'WentIdle', ({ since }) => ({ since })),
                WentIdle: [
                  {
                    guard: ({ context }) => context.limits.afkMs > 0,
                    target: 'idle.counted',
                    description: 'the limit for idle sockets counts from the last frame',
                  },
                  { target: 'idle.tolerated', description: 'no limit for idle sockets' },
                ],
              },
            },
            idle: {
              description: 'no frame for a while',
              initial: 'tolerated',
              on: {
                'activity.idle': already,
                'activity.resume': yes('activity.resume', 'BecameActive', () => ({})),
                BecameActive: { target: 'active', description: 'input again' },
              },
              states: {
                tolerated: { description: 'this dialect lets idle sockets be' },
                counted: { description: 'closes at the limit', after: { afkTimeout: timedOut('afk') } },
              },
            },
          },
        },
      },
    },

    closed: {
      description: 'the end; its record stays',
      on: {
        'connection.close': already,
        'connection.open': already,
        'refusal.note': noting,
        'delivery.note': yes('delivery.note', 'Delivered', ({ rooms }) => ({ rooms })),
        Delivered: { description: 'what the socket was surely handed' },
        CommandRefused: { description: 'kept for the record; changes nothing' },
      },
    },
  },
})

function opened(_context: ConnectionContext, { data }: FactOf<'ConnectionOpened'>): Partial<ConnectionContext> {
  const { connection: id, dialect, limits, options, since } = data
  return { connection: id, dialect, limits, options, openedAt: since }
}
