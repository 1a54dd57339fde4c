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
import { muteCursor } from '../src/projections/sanctions.ts'
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
const named = (fold: PlainFold, id: string | null) => {
  const row = id === null ? undefined : fold.users.get(id)?.row
  return row ? person(row) : null
}
/** An account that nothing was known of then has no name in the answer. */
const someone = (fold: PlainFold, id: string | null) =>
  id === null ? null : (named(fold, id) ?? { id, number: null, username: null })
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
  'room.mutes': (then, _, { room }) =>
    sorted(
      [...(then.rooms.get(room)?.mutes.values() ?? [])].map((mute) => ({
        ...mute,
        number: named(then, mute.user)?.number ?? null,
      })),
      muteCursor,
    ),
  'room.bans': (then, _, { room, user }) => {
    const everywhere = [...then.users.values()].flatMap(({ ban }) => (ban ? [ban] : []))
    const bans = room === '' ? everywhere : [...(then.rooms.get(room)?.bans.values() ?? [])]
    return sorted(
      bans.flatMap((ban) => {
        const who = named(then, ban.user)
        return who && (user === undefined || user === who.id) ? [{ ...ban, user: who }] : []
      }),
      ({ user: { id } }) => id,
    )
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
  'connections.list': (then) =>
    sorted(then.connections.values(), ({ opened }) => -opened).map((row) => ({ ...row, user: named(then, row.user) })),
  'moderation.list': (then) =>
    sorted(then.moderation, ({ position }) => -position).map(({ target, name, by, ...row }) => {
      const who = named(then, target) ?? { id: target, number: null, username: name }
      return { ...row, target: target === null && name === null ? null : who, by: someone(then, by) }
    }),
  // What is removed now is found at no moment.
  'messages.search': (then, now, { words, room }) =>
    sorted(
      [...then.rooms].flatMap(([id, { messages }]) => (room === undefined || room === id ? messages : [])),
      ({ position }) => -position,
    )
      .map((message) => ({ ...message, removedNow: messageNow(now, message.room, message.id).removed }))
      .filter(({ text, removed, removedNow }) => text.includes(words) && !removed && !removedNow),
  'refusals.decided': (then, _, { stream, from, to }) =>
    then.refusals
      .filter(({ decidedAt: at }) => at?.stream === stream && at.revision >= from && at.revision <= to)
      .map(({ user, ...row }) => ({ ...row, user: someone(then, user) })),
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
    'room.bans': [...['', ...rooms].map((room) => ({ room })), ...users.map((user) => ({ room: '', user }))],
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
    'messages.search': ['text', 'other'].flatMap((words) => [{ words }, ...rooms.map((room) => ({ words, room }))]),
    'refusals.decided': rooms.flatMap((room) => [
      { stream: `room-${room}`, from: 0, to: LENGTH },
      { stream: `room-${room}`, from: 3, to: 9 },
    ]),
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

/** Where the next page begins, of those that have pages. */
const nextPage: Readonly<Partial<Record<Temporal, (last: Args, args: object) => object>>> = {
  'rooms.list': ({ number }) => ({ after: number }),
  'users.list': ({ number }) => ({ after: number }),
  'room.mutes': (last) => ({ after: muteCursor(last) }),
  'room.bans': ({ user }) => ({ after: user.id }),
  'room.members': ({ user }) => ({ after: user.number }),
  'room.reads': ({ user }) => ({ after: user.number }),
  'connections.list': ({ opened }) => ({ before: opened }),
  'moderation.list': ({ position }) => ({ before: position }),
  'users.roles': ({ position }) => ({ before: position }),
  'room.messages': ({ id }, args) => (isBackwards('room.messages', args) ? { before: id } : { after: id }),
}
/** Messages are asked for from the newest on, unless it is said after which. */
const isBackwards = (name: Temporal, args: object): boolean => name === 'room.messages' && !('after' in args)

const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const LENGTH = 160
const PLACES = { minLength: 12, maxLength: 12 }

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
      fc.property(seeds, fc.array(fc.nat(LENGTH), PLACES), (seed, places) => {
        const facts = randomLog(seed, LENGTH)
        const [db, all] = [folded(facts), facts.map(plain)]
        const now = new PlainFold(all)
        for (const place of places)
          holdsAt(db, now, new PlainFold(all.filter(({ position }) => position <= place)), { position: place })
      }),
      { numRuns: 6 },
    )
  })

  it('by time, every answer is that of the facts of each stream that are not after it', () => {
    const moments = fc.array(fc.tuple(fc.nat(LENGTH - 1), fc.integer({ min: -1, max: 1 })), PLACES)
    fc.assert(
      fc.property(seeds, moments, (seed, chosen) => {
        const facts = randomLog(seed, LENGTH)
        const [db, all] = [folded(facts), facts.map(plain)]
        const now = new PlainFold(all)
        for (const [index, shift] of chosen) {
          const time = (all[index]?.at ?? 0) + shift
          holdsAt(db, now, new PlainFold(all.filter(({ at }) => at <= time)), { time })
        }
      }),
      { numRuns: 6 },
    )
  })

  it('now, every answer is that of the whole log, and pages of it joined are all of it', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const facts = randomLog(seed, LENGTH)
        const [db, now] = [folded(facts), new PlainFold(facts.map(plain))]
        holdsAt(db, now, now, null)
        for (const [name, args] of questions(now)) {
          const after = nextPage[name]
          if (!after) continue
          const joined: unknown[] = []
          for (let cursor: object | null = {}; cursor; ) {
            const page = runQuery(db, name, { ...args, limit: 2, ...cursor }) as Args[]
            if (page.length > 2) throw new Error(`${name} gave ${page.length} of 2`)
            if (isBackwards(name, args)) joined.unshift(...page)
            else joined.push(...page)
            cursor = page.length < 2 ? null : after(isBackwards(name, args) ? page[0] : page.at(-1), args)
          }
          expect([name, args, joined]).toEqual([name, args, runQuery(db, name, args)])
        }
      }),
      { numRuns: 10 },
    )
  })
})
