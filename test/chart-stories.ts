// Random stories for each statechart: few people, few names, so that they meet; and the lists of its commands.

import fc from 'fast-check'
import type { AnyStateMachine } from 'xstate'
import { type ConnectionCommand, connectionFacts } from '../src/actors/connection/connection.facts.ts'
import * as connection from '../src/actors/connection/connection.machine.ts'
import type { FactTypes } from '../src/actors/fact.ts'
import { type RoomCommand, roomFacts } from '../src/actors/room/room.facts.ts'
import * as room from '../src/actors/room/room.machine.ts'
import { type UserCommand, userFacts } from '../src/actors/user/user.facts.ts'
import * as user from '../src/actors/user/user.machine.ts'
import { T0 } from './chart-specification.ts'

// The compiler holds these lists to the unions of commands: a command without a place in its chart cannot be forgotten.
const connectionCommands: Record<ConnectionCommand['type'], true> = {
  'connection.open': true,
  'dialect.choose': true,
  'auth.succeed': true,
  'auth.fail': true,
  'room.enter': true,
  'rooms.follow': true,
  'read.mark': true,
  'room.leave': true,
  'history.note': true,
  'delivery.note': true,
  'typing.start': true,
  'typing.stop': true,
  'typing.expire': true,
  'activity.idle': true,
  'activity.resume': true,
  'command.permit': true,
  'refusal.note': true,
  'connection.close': true,
}
const userCommands: Record<UserCommand['type'], true> = {
  'user.register': true,
  'user.rename': true,
  'token.issue': true,
  'token.revoke': true,
  'profile.set': true,
  'role.set': true,
  'connection.attach': true,
  'connection.detach': true,
  'status.set': true,
  'user.ban': true,
  'user.unban': true,
  'user.kick': true,
  'ban.expire': true,
}
const roomCommands: Record<RoomCommand['type'], true> = {
  'room.open': true,
  'room.change': true,
  'room.archive': true,
  'member.add': true,
  'member.remove': true,
  'member.promote': true,
  'member.demote': true,
  'member.kick': true,
  'member.ban': true,
  'member.unban': true,
  'presence.enter': true,
  'presence.leave': true,
  'message.post': true,
  'message.edit': true,
  'message.remove': true,
  'message.restore': true,
  'removed.read': true,
  'mute.set': true,
  'mute.lift': true,
  'rules.set': true,
  'invite.create': true,
  'mute.expire': true,
  'ban.expire': true,
}

export interface Chart {
  readonly kind: string
  readonly machine: AnyStateMachine
  readonly facts: FactTypes
  readonly commands: readonly string[]
  readonly stories: fc.Arbitrary<Wished[]>
  summarise(context: unknown): unknown
  restoreContext(json: unknown): unknown
}

export type Wished = { readonly type: string; readonly wait: number } & Record<string, unknown>

/** Long enough for what takes several steps; fast-check alone prefers the very short. */
const LONG = { minLength: 10, maxLength: 40, size: 'max' } as const

const pick = <const T>(...values: readonly T[]) => fc.constantFrom(...values)
const people = ['olga', 'mona', 'ann', 'ada', 'robby'] as const
const person = pick(...people)
const asker = person.map((id) => ({
  id,
  number: people.indexOf(id) + 1,
  username: id,
  account: id === 'ada' ? 'admin' : id === 'robby' ? 'robot' : 'member',
}))
const anyAsker = fc.option(asker, { freq: 6 })
const seconds = pick(null, 0, 1, 30)
const socket = pick('c1', 'c2', 'c3')
const ref = pick(null, 'n1', 'n2')
const row = fc.option(
  fc.record({ id: pick(1), revision: pick(1), author: person, text: pick('a', 'b'), removed: fc.boolean() }),
)
const reason = pick(null, 'why')

const wish = (type: string, fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Wished> =>
  fc
    .record({ type: pick(type), wait: pick(0, 1, 999, 1_000, 20_000, 700_000), ...fields })
    .map((wished) => wished as Wished)

const roomStories = fc
  .array(
    fc.oneof(
      wish('room.change', {
        asker: anyAsker,
        mode: pick(undefined, 'open', 'slow', 'locked'),
        slowMs: pick(undefined, 0, 5),
        extra: pick(undefined, { a: { x: 1 } }, { a: { x: 1 }, b: 2 }),
      }),
      wish('presence.enter', { asker, connection: socket, node: pick('n') }),
      wish('presence.leave', { leaving: socket, cause: pick('left') }),
      {
        weight: 3,
        arbitrary: wish('message.post', {
          asker,
          connection: socket,
          entered: fc.boolean(),
          text: pick('a', 'b'),
          kind: pick('text'),
          clientRef: ref,
          replyTo: pick(null),
          extra: pick(null),
          blocked: pick(null, null, { rule: 'r', version: 1, scope: 'all' }),
        }),
      },
      wish('message.edit', { asker: anyAsker, message: row, id: pick(1), text: pick('a', 'b') }),
      wish('message.remove', { asker: anyAsker, message: row, id: pick(1), reason }),
      wish('message.restore', { asker: anyAsker, message: row, id: pick(1) }),
      wish('removed.read', { asker: anyAsker, ids: pick([1], [1, 2]) }),
      wish('mute.set', { asker: anyAsker, name: person, user: pick(null), seconds, reason }),
      wish('mute.lift', { asker: anyAsker, name: person }),
      wish('member.add', { asker: anyAsker, user: person, role: pick('member', 'mod') }),
      wish('member.remove', { asker: anyAsker, user: person }),
      wish('member.promote', { asker: anyAsker, user: person, role: pick('owner', 'mod', 'member') }),
      wish('member.demote', { asker: anyAsker, user: person }),
      wish('member.kick', { asker: anyAsker, user: person, reason }),
      wish('member.ban', { asker: anyAsker, user: person, seconds, reason }),
      wish('member.unban', { asker: anyAsker, user: person }),
      wish('rules.set', { asker: anyAsker, rules: pick([], [{ name: 'no b', text: 'b' }]) }),
      wish('invite.create', { asker: anyAsker, code: pick('x') }),
      { weight: 3, arbitrary: wish('timer', {}) },
      wish('room.archive', {
        asker: fc.option(pick({ id: 'mona', number: 2, username: 'mona', account: 'member' }), { freq: 9 }),
        reason,
      }),
    ),
    LONG,
  )
  .map((wishes) => [
    {
      type: 'room.open',
      wait: 0,
      room: 'r',
      number: 1,
      name: 'r',
      kind: 'room',
      parent: null,
      aliases: [],
      machine: 'h',
      asker: null,
      members: [
        { user: 'olga', role: 'owner' },
        { user: 'mona', role: 'mod' },
      ],
    },
    ...wishes,
  ])

const userStories = fc
  .array(
    fc.oneof(
      wish('user.rename', { asker: anyAsker, username: pick('ann', 'anna') }),
      wish('token.issue', { asker: anyAsker, token: pick('t1', 't2'), hash: pick('h') }),
      wish('token.revoke', { asker: anyAsker, token: pick('t1', 't2') }),
      wish('profile.set', { asker: anyAsker, dialect: pick('plic'), fields: pick({ a: 1 }) }),
      wish('role.set', { asker: anyAsker, role: pick('admin', 'member', 'robot') }),
      wish('connection.attach', { attaching: socket, node: pick('n'), token: pick(null, 't1', 't2') }),
      wish('connection.detach', { detaching: socket }),
      wish('status.set', { status: pick({ s: 1 }) }),
      wish('user.ban', { asker: anyAsker, seconds, reason }),
      wish('user.unban', { asker: anyAsker, reason }),
      wish('user.kick', { asker: anyAsker, reason }),
      { weight: 3, arbitrary: wish('timer', {}) },
    ),
    LONG,
  )
  .map((wishes) => [
    {
      type: 'user.register',
      wait: 0,
      user: 'ann',
      number: 3,
      username: 'ann',
      role: 'member',
      guest: false,
      machine: 'h',
      token: { id: 't1', hash: 'h' },
      asker: null,
    },
    ...wishes,
  ])

const limits = fc.record({
  authTimeoutMs: pick(0, 30_000),
  afkMs: pick(0, 60_000),
  typingMs: pick(0, 5_000),
  badFrameStrikes: pick(5),
})
const options = pick({ oneRoom: false, socketsPerAccount: 0, closeCodes: { banned: 4403 } })
const ann = { id: 'ann', number: 3, username: 'ann', role: 'member' }
const history = { count: 0, firstId: null, lastId: null }
const connectionStories = fc
  .tuple(
    wish('connection.open', {
      connection: pick('c1'),
      dialect: pick(null, 'maint'),
      version: pick(1),
      since: pick(T0),
      transport: pick('ws'),
      limits,
      options,
      node: pick('n'),
      incarnation: pick('i'),
      machine: pick('h'),
    }),
    fc.option(wish('auth.succeed', { user: pick(ann, ann, null), token: pick(null) }), { freq: 5 }),
    fc.array(
      fc.oneof(
        wish('dialect.choose', { dialect: pick('plic', 'maint'), version: pick(1), limits, options }),
        wish('auth.succeed', { user: pick(ann, null), token: pick(null) }),
        wish('auth.fail', {
          code: pick('banned', 'token-revoked'),
          final: pick(false, false, false, true),
          closeCode: pick(null),
          reason,
        }),
        wish('room.enter', { room: pick('r', 's'), revision: pick(1), history: pick(history) }),
        wish('read.mark', { room: pick('r', 's'), upTo: pick(1, 2) }),
        wish('rooms.follow', { rooms: pick({ r: 1 }, { r: 1, t: 2 }) }),
        wish('room.leave', { room: pick('r', 's') }),
        wish('history.note', { room: pick('r'), count: pick(0), firstId: pick(null), lastId: pick(null) }),
        wish('delivery.note', { rooms: pick({ r: 1 }) }),
        { weight: 3, arbitrary: wish('typing.start', { room: pick('r', 's') }) },
        wish('typing.stop', { room: pick('r', 's'), cause: pick('client', 'message', 'left') }),
        wish('activity.idle', { since: pick(T0) }),
        wish('activity.resume', {}),
        wish('command.permit', { command: pick('message.post') }),
        wish('refusal.note', {
          command: pick('x'),
          code: pick('muted'),
          state: pick(''),
          guard: pick(null),
          values: pick({}),
          decidedAt: pick(null),
          count: pick(1),
        }),
        { weight: 3, arbitrary: wish('timer', {}) },
        wish('connection.close', { code: pick(null), reason, cause: pick('client'), late: pick(false) }),
      ),
      LONG,
    ),
  )
  .map(([open, signIn, wishes]) => (signIn ? [open, signIn, ...wishes] : [open, ...wishes]))

export const charts: readonly Chart[] = [
  {
    kind: 'connection',
    machine: connection.connectionMachine,
    facts: connectionFacts,
    commands: Object.keys(connectionCommands),
    stories: connectionStories,
    summarise: connection.summarise as Chart['summarise'],
    restoreContext: connection.restoreContext,
  },
  {
    kind: 'user',
    machine: user.userMachine,
    facts: userFacts,
    commands: Object.keys(userCommands),
    stories: userStories,
    summarise: user.summarise as Chart['summarise'],
    restoreContext: user.restoreContext,
  },
  {
    kind: 'room',
    machine: room.roomMachine,
    facts: roomFacts,
    commands: Object.keys(roomCommands),
    stories: roomStories,
    summarise: room.summarise as Chart['summarise'],
    restoreContext: room.restoreContext,
  },
]
