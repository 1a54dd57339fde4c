// What any fact becomes in any protocol: frames that JSON carries unchanged, in the carriage of their transport, and of the
// shape that the protocol's page gives them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Fact } from '../actors/fact.ts'
import { checkFact } from '../actors/fact-codec.ts'
import { absentRoom } from '../actors/room/room.context.ts'
import type { View } from './dialect.ts'
import { dialects } from './dialects.ts'
import { events } from './native/schema.ts'

const NUMBER = 7
const room = { ...absentRoom, room: 'r', number: NUMBER, name: 'r' }
const aliases = dialects.map(({ name }) => `${name}:${NUMBER}`)

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 })
const id = fc.uuid()
const number = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const at = fc.integer({ min: 0, max: 4e12 })
const person = fc.record({
  id,
  number,
  username: fc.string({ minLength: 1, maxLength: 32 }),
  role: fc.constantFrom('owner', 'admin', 'mod', 'robot', 'member'),
})
const by = fc.option(person.map(({ role: _, ...named }) => named))
const reason = fc.option(text)
const until = fc.option(at)
const role = fc.constantFrom('owner', 'mod', 'member')
const fired = { due: at, fired: at, late: fc.boolean(), armedBy: id, cause: fc.constant('timer') }
/** As the log gives it back. */
const kept = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)))
const extra = fc.option(
  fc.record(
    {
      drivers: fc.record({ attrs: kept, hasMedia: fc.boolean() }),
      ayaka: fc.record({ tts: fc.boolean(), embeds: fc.array(fc.dictionary(fc.string(), kept), { maxLength: 2 }) }),
    },
    { requiredKeys: [] },
  ),
)
const said = {
  id: number,
  author: person,
  text,
  kind: fc.constantFrom('text', 'action'),
  replyTo: fc.option(number),
  extra,
}

const facts: Readonly<Record<string, fc.Arbitrary<object>>> = {
  MessagePosted: fc.record({ ...said, clientRef: fc.option(text) }),
  MessageEdited: fc.record({ id: number, author: id, text, by }),
  MessageRemoved: fc.record({ id: number, author: id, by, reason }),
  MessageRestored: fc.record({ id: number, author: id, original: number, by }),
  PresenceEntered: fc.record({
    user: person,
    account: fc.constantFrom('admin', 'member', 'robot'),
    connection: id,
    node: fc.constant('main'),
    first: fc.boolean(),
  }),
  PresenceLeft: fc.record({
    user: person,
    connection: id,
    last: fc.boolean(),
    cause: fc.constantFrom('left', 'closed'),
  }),
  UserMuted: fc.record({ name: text, user: fc.option(id), holds: text, by, seconds: fc.option(number), until, reason }),
  UserUnmuted: fc.record({ name: text, holds: text, by }),
  MuteExpired: fc.record({ name: text, holds: text, ...fired }),
  MemberAdded: fc.record({ user: id, role, by }),
  MemberRemoved: fc.record({ user: id, by }),
  MemberRoleGranted: fc.record({ user: id, role, by }),
  MemberRoleRevoked: fc.record({ user: id, by }),
  MemberKicked: fc.record({ user: id, by, reason }),
  MemberBanned: fc.record({ user: id, by, until, reason }),
  RoomChanged: fc.record({ name: text, mode: fc.constantFrom('open', 'slow', 'locked') }),
  RoomArchived: fc.record({ by, reason }),
  InviteCreated: fc.record({ code: id, by }),
  TypingStarted: fc.record({ room: fc.constant('r') }),
  TypingStopped: fc.record({ room: fc.constant('r'), cause: fc.constantFrom('client', 'timeout') }),
  ReadMarked: fc.record({ room: fc.constant('r'), upTo: number }),
}

const recorded = (type: string): fc.Arbitrary<Fact> =>
  fc.record({ data: facts[type] ?? fc.constant({}), at, revision: number, connection: fc.option(id) }).map((given) => {
    const { data, revision, connection } = given
    const metadata = { at: given.at, by: null, connection, $correlationId: 'c', $causationId: 'c' }
    return { id: 'f', stream: 'room-r', type, v: 1, revision, data, metadata }
  })

const view: fc.Arbitrary<View> = fc
  .record({
    kind: fc.constantFrom('room' as const, 'space' as const),
    owner: fc.option(number),
    message: fc.option(
      fc.record({ ...said, at, ref: fc.option(text), edited: fc.boolean() }) as fc.Arbitrary<
        NonNullable<View['message']>
      >,
    ),
    person: fc.option(person) as fc.Arbitrary<View['person']>,
  })
  .map(({ kind, ...rest }) => ({ ...rest, room: { ...room, kind, aliases }, space: null }))

const closed = (shape: z.ZodRawShape) => z.strictObject(shape)
const iso = z.iso.datetime({ precision: 3 })
const uname = { uname: z.string(), role: z.enum(['admin', 'mod', 'owner', 'member']) }
const ayakaMessage = closed({
  id: z.int(),
  channel_id: z.literal(NUMBER),
  guild_id: z.null(),
  author: closed({
    id: z.int(),
    user: closed({ id: z.int(), username: z.string(), separator: z.string().length(4) }),
    nick: z.null(),
    owner: z.boolean(),
    roles: z.tuple([]),
  }),
  content: z.string(),
  tts: z.boolean(),
  embeds: z.array(z.record(z.string(), z.json())),
  created_at: iso,
})

/** A message as each protocol's page shows it, no key more and none less. */
const shapes: Readonly<Record<string, z.ZodType>> = {
  moneypot: closed({
    event: z.literal('new_message'),
    args: z.tuple([closed({ id: z.int(), user: closed(uname), text: z.string() })]),
  }),
  drivers: closed({
    event: z.literal('message_events'),
    args: z.tuple([
      closed({
        event_type: z.literal('sent'),
        data: closed({
          id: z.int(),
          stamp_id: z.string().nullable(),
          topic_id: z.literal(NUMBER),
          owner: closed({ id: z.int(), username: z.string() }),
          reply_to: z.int().nullable(),
          body: z.string(),
          attrs: z.json(),
          sent_at: z.int(),
          has_media: z.boolean(),
        }),
      }),
    ]),
  }),
  plic: closed({
    json: closed({
      type: z.literal('MessageReceived'),
      data: closed({ room_id: z.literal(NUMBER), sender_id: z.uuid(), message: z.string() }),
    }),
  }),
  ayaka: closed({
    json: z.union([
      closed({ t: z.literal('MESSAGE_CREATE'), d: ayakaMessage }),
      closed({
        t: z.literal('NOTIFICATION'),
        type: z.enum(['MESSAGE', 'EVERYONE', 'HERE']),
        excerpt: ayakaMessage,
      }),
    ]),
  }),
  maint: closed({
    json: closed({
      t: z.literal(3),
      d: closed({
        id: z.int(),
        room: z.literal(NUMBER),
        user: closed({ id: z.int(), uname: z.string() }),
        text: z.string(),
        at: iso,
      }),
    }),
  }),
  native: closed({ json: events.posted.strict() }),
}

describe('the facts here', () => {
  it.each(Object.keys(facts))('%s are of their kind', (type) => {
    fc.assert(fc.property(facts[type] as fc.Arbitrary<object>, (data) => checkFact(type, data) !== null))
  })
})

describe.each(dialects.map((dialect) => [dialect.name, dialect] as const))('%s', (name, dialect) => {
  it.each(Object.keys(facts))('tells %s in frames that JSON carries unchanged', (type) => {
    fc.assert(
      fc.property(recorded(type), view, (fact, seen) => {
        for (const { frame } of dialect.encode(fact, seen)) {
          expect(JSON.parse(JSON.stringify(frame))).toEqual(frame)
          expect('json' in frame).toBe(dialect.path !== null)
          if (name === 'native') z.union(Object.values(events)).parse((frame as { json: unknown }).json)
          // The seed's client sends its token whenever it sees a `t` that equals 1, loosely.
          if (name === 'maint') expect(Number((frame as { json: { t: unknown } }).json.t)).not.toBe(1)
        }
      }),
    )
  })

  it('tells a message as its page shows it', () => {
    const inRoom = view.filter((seen) => seen.room.kind === 'room')
    fc.assert(
      fc.property(recorded('MessagePosted'), inRoom, (fact, seen) => {
        const told = dialect.encode(fact, seen)
        expect(told.length).toBeGreaterThan(0)
        for (const { frame } of told) shapes[name]?.parse(frame)
      }),
    )
  })
})
