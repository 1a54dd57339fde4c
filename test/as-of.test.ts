// Every question that takes `at=`, against a plain fold of the facts until then, over random logs: streams whose times are
// years apart (imports), that stand still or leap (clocks that are set), and that say anything a chart lets them say.

import type { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { factTypes, readFact } from '../src/actors/fact-codec.ts'
import { roomFacts } from '../src/actors/room/room.facts.ts'
import { userFacts } from '../src/actors/user/user.facts.ts'
import type { Recorded } from '../src/log/event-log.ts'
import type { At } from '../src/projections/projection.ts'
import { type QueryArgs, type QueryName, runQuery } from '../src/projections/queries.ts'
import { makeReadDatabase } from '../src/projections/read-database.ts'
import { Runner } from '../src/projections/runner.ts'
import { PlainFold, plain } from './plain-fold.ts'
import { randomLog } from './random-log.ts'

/** A message's story takes the message's own time, which is no moment to ask about. */
type Temporal = Exclude<{ [Name in QueryName]: Takes<keyof QueryArgs<Name>, Name> }[QueryName], 'message.story'>
type Takes<Keys, Name> = string extends Keys ? never : 'at' extends Keys ? Name : never
// biome-ignore lint/suspicious/noExplicitAny: each question's own
type Args = any
/** What it should say, from what was known then and what is known now. */
type Expected = (then: PlainFold, now: PlainFold, args: Args) => unknown

const LIMIT = 1_000
const sorted = <Item>(items: Iterable<Item>, by: (item: Item) => string | number): Item[] =>
  [...items].sort((one, other) => (by(one) < by(other) ? -1 : 1))
const person = ({ id, number, username }: { id: string; number: number; username: string }) => ({
  id,
  number,
  username,
})
const nameNow = (now: PlainFold, id: string | null) => {
  const row = id === null ? undefined : now.users.get(id)?.row
  return row ? person(row) : null
}
const usersThen = (then: PlainFold) =>
  sorted(
    [...then.users.values()].flatMap(({ row }) => (row ? [row] : [])),
    ({ number }) => number,
  )

const expected: Readonly<Record<Temporal, Expected>> = {
  'rooms.get': (then, _, { id }) => then.rooms.get(id)?.row ?? null,
  'rooms.list': (then) =>
    sorted(
      [...then.rooms.values()].map(({ row }) => row),
      ({ number }) => number,
    ),
  'room.messages': (then, now, { room, removed }) =>
    (then.rooms.get(room)?.messages ?? [])
      .filter((message) => removed === 'shown' || !message.removed)
      .map((message) => ({ ...message, removedNow: messageNow(now, room, message.id).removed })),
  'room.message': (then, now, { room, id }) => {
    const found = then.rooms.get(room)?.messages.find((message) => message.id === id)
    return found ? { ...found, removedNow: messageNow(now, room, id).removed } : null
  },
  'room.mutes': (then, _, { room }) => sorted(then.rooms.get(room)?.mutes.values() ?? [], ({ name }) => name),
  'room.bans': (then, _, { room }) =>
    room === ''
      ? sorted(
          [...then.users.values()].flatMap(({ ban }) => (ban ? [ban] : [])),
          ({ user }) => user,
        )
      : sorted(then.rooms.get(room)?.bans.values() ?? [], ({ user }) => user),
  'user.bans': (then, _, { user }) => {
    const ban = then.users.get(user)?.ban
    return ban ? [ban] : []
  },
  'room.members': (then, _, { room }) =>
    usersThen(then).flatMap((row) => {
      const held = then.rooms.get(room)?.members.get(row.id)
      const online = then.rooms.get(room)?.present.some(({ user }) => user.id === row.id)
      return held ? [{ user: person(row), role: held.role, online }] : []
    }),
  'room.presence': (then, _, { room }) => {
    const present = then.rooms.get(room)?.present ?? []
    return present.flatMap(({ user }, index) => {
      const own = present.filter((each) => each.user.id === user.id)
      return own[0] === present[index] ? [{ user, connections: own.length }] : []
    })
  },
  'room.reads': (then, _, { room }) =>
    usersThen(then).flatMap((row) => {
      const own = then.marks.filter((mark) => mark.room === room && mark.user === row.id)
      const furthest = own.find(({ message }) => message === Math.max(...own.map((mark) => mark.message)))
      return furthest ? [{ user: person(row), message: furthest.message, at: furthest.at }] : []
    }),
  'rules.at': (then, _, { room }) => (room === null ? then.rules : (then.rooms.get(room)?.rules ?? null)),
  'users.get': (then, _, { id }) => then.users.get(id)?.row ?? null,
  'users.list': usersThen,
  'users.tokens': (then, _, { user }) => then.users.get(user)?.tokens ?? [],
  'users.roles': (then, _, { user }) => sorted(then.users.get(user)?.roles ?? [], ({ position }) => -position),
  'users.profile': (then, _, { id, dialect }) => then.users.get(id)?.profiles.get(dialect) ?? null,
  'connections.list': (then, now) =>
    sorted(then.connections.values(), ({ opened }) => -opened).map((row) => {
      const { user, dialect } = now.connections.get(row.id)
      return { ...row, dialect, user: nameNow(now, user) }
    }),
  'moderation.list': (then, now) =>
    sorted(then.moderation, ({ position }) => -position).map(({ target, name, by, ...row }) => {
      const who = nameNow(now, target) ?? { id: target, number: null, username: name }
      return { ...row, target: target === null && name === null ? null : who, by: nameNow(now, by) }
    }),
}

const messageNow = (now: PlainFold, room: string, id: number) =>
  now.rooms.get(room)?.messages.find((message) => message.id === id)

/** Each question, once for everybody and everything that it may be about. */
const questions = (now: PlainFold): [Temporal, object][] => {
  const [rooms, users] = [[...now.rooms.keys()], [...now.users.keys()]]
  const list: Readonly<Record<Temporal, readonly object[]>> = {
    'rooms.get': rooms.map((id) => ({ id })),
    'rooms.list': [{}],
    'room.messages': rooms.flatMap((room) => [{ room }, { room, removed: 'shown' }, { room, after: 0 }]),
    'room.message': rooms.flatMap((room) => now.rooms.get(room)?.messages.map(({ id }) => ({ room, id })) ?? []),
    'room.mutes': rooms.map((room) => ({ room })),
    'room.bans': ['', ...rooms].map((room) => ({ room })),
    'user.bans': users.map((user) => ({ user })),
    'room.members': rooms.map((room) => ({ room })),
    'room.presence': rooms.map((room) => ({ room })),
    'room.reads': rooms.map((room) => ({ room })),
    'rules.at': [null, ...rooms].map((room) => ({ room })),
    'users.get': users.map((id) => ({ id })),
    'users.list': [{}],
    'users.tokens': users.map((user) => ({ user })),
    'users.roles': users.map((user) => ({ user })),
    'users.profile': users.flatMap((id) => ['ayaka', 'drivers'].map((dialect) => ({ id, dialect }))),
    'connections.list': [{}],
    'moderation.list': [{}],
  }
  return Object.entries(list).flatMap(([name, args]) =>
    args.map((each): [Temporal, object] => [name as Temporal, { limit: LIMIT, ...each }]),
  )
}

const folded = (facts: readonly Recorded[]): DatabaseSync => {
  const db = makeReadDatabase(':memory:', 'random')
  new Runner(db, { read: () => [] }, () => {}).fold(facts, 'stop')
  return db
}

/** Whatever order its columns have. */
const same = (answer: unknown) => JSON.parse(JSON.stringify(answer))

const holdsAt = (db: DatabaseSync, now: PlainFold, then: PlainFold, at: At): void => {
  for (const [name, args] of questions(now)) {
    // The rules in force are asked of the room itself: the read models tell of earlier ones.
    if (at === null && name === 'rules.at') continue
    const answer = same(runQuery(db, name, { ...args, at }))
    expect([name, args, at, answer]).toEqual([name, args, at, same(expected[name](then, now, args as Args))])
  }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const LENGTH = 160

describe('as of a moment', () => {
  it('is of logs that the charts could have written', () => {
    const types = new Set<string>()
    for (let seed = 0; seed < 15; seed++) {
      for (const fact of randomLog(seed, LENGTH)) {
        const read = readFact(fact)
        if (read instanceof Error) throw read
        factTypes[fact.type]?.schema.parse(read.data)
        types.add(fact.type)
      }
    }
    const unasked = ['CameOnline', 'WentOffline', 'StatusChanged']
    const ofPeople = Object.keys({ ...roomFacts, ...userFacts }).filter((type) => !unasked.includes(type))
    expect([...types]).toEqual(expect.arrayContaining(ofPeople))
  })

  it('by position, every answer is that of the log’s beginning up to there', () => {
    fc.assert(
      fc.property(seeds, fc.nat(LENGTH), (seed, place) => {
        const facts = randomLog(seed, LENGTH)
        const all = facts.map(plain)
        const [now, then] = [all, all.filter(({ position }) => position <= place)].map((some) => new PlainFold(some))
        holdsAt(folded(facts), now as PlainFold, then as PlainFold, { position: place })
      }),
      { numRuns: 25 },
    )
  })

  it('by time, every answer is that of the facts of each stream that are not after it', () => {
    fc.assert(
      fc.property(seeds, fc.nat(LENGTH - 1), fc.integer({ min: -1, max: 1 }), (seed, index, shift) => {
        const facts = randomLog(seed, LENGTH)
        const all = facts.map(plain)
        const time = (all[index]?.at ?? 0) + shift
        const [now, then] = [all, all.filter(({ at }) => at <= time)].map((some) => new PlainFold(some))
        holdsAt(folded(facts), now as PlainFold, then as PlainFold, { time })
      }),
      { numRuns: 25 },
    )
  })

  it('now, every answer is that of the whole log', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const facts = randomLog(seed, LENGTH)
        const now = new PlainFold(facts.map(plain))
        holdsAt(folded(facts), now, now, null)
      }),
      { numRuns: 10 },
    )
  })
})
