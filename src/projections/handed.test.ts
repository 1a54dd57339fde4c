// Given facts, whom the read model says a message was handed to. Message n of the room is at its revision n.

import { describe, expect, it } from 'vitest'
import { factTypes } from '../actors/fact-codec.ts'
import type { Recorded } from '../log/event-log.ts'
import { handedTo, type Reach } from './handed.ts'
import { MEMORY, makeReadDatabase } from './read-database.ts'
import { Runner } from './runner.ts'

const PEOPLE = ['ann', 'ben'] as const
const person = (name: string) => ({ id: name, number: PEOPLE.indexOf(name as 'ann') + 1, username: name })
const EVERYBODY: readonly Reach[] = [{ exceptConnection: null, exceptUser: null }]

/** A log of one room and its people, to which facts are added in order. */
class Story {
  readonly facts: Recorded[] = []
  readonly #revisions = new Map<string, number>()

  constructor() {
    for (const name of PEOPLE) {
      const { id: user, number, username } = person(name)
      this.add(`user-${name}`, 'UserRegistered', { user, number, username, role: 'member', guest: false })
    }
    this.add('room-tea', 'RoomOpened', {
      ...{ room: 'tea', number: 1, name: 'tea', kind: 'room', parent: null, aliases: [], machine: '' },
    })
  }

  add(stream: string, type: keyof typeof factTypes, data: object): this {
    const revision = (this.#revisions.get(stream) ?? -1) + 1
    const position = this.facts.length + 1
    this.#revisions.set(stream, revision)
    const metadata = JSON.stringify({ at: position * 1_000, by: null, connection: null })
    const { v } = factTypes[type] as { v: number }
    this.facts.push({ id: `f${position}`, stream, revision, position, type, v, data: JSON.stringify(data), metadata })
    return this
  }

  opens(connection: string, user: string | null, dialect = 'native'): this {
    const told = { connection, dialect, version: 1, since: 0, transport: 'ws', node: '', incarnation: '', machine: '' }
    this.add(`connection-${connection}`, 'ConnectionOpened', { ...told, limits: {}, options: {} })
    return this.of(connection, 'AuthSucceeded', { user: user && { ...person(user), role: 'member' }, token: null })
  }

  of(connection: string, type: keyof typeof factTypes, data: object): this {
    return this.add(`connection-${connection}`, type, data)
  }

  enters(connection: string, revision: number, ids: readonly number[] = [], more: object = {}): this {
    const history = { count: ids.length, firstId: ids.at(0) ?? null, lastId: ids.at(-1) ?? null }
    return this.of(connection, 'RoomEntered', { room: 'tea', revision, history, ...more })
  }

  /** as many messages, of which each has its revision as its id */
  say(count: number): this {
    const author = { ...person('ann'), role: 'member' }
    for (let said = 0; said < count; said++) {
      const id = (this.#revisions.get('room-tea') ?? 0) + 1
      const text = { text: 'x', kind: 'text', clientRef: null, replyTo: null, extra: null }
      this.add('room-tea', 'MessagePosted', { id, author, ...text })
    }
    return this
  }

  delivered(connection: string, revision: number): this {
    return this.of(connection, 'Delivered', { rooms: { tea: revision } })
  }

  closes(connection: string): this {
    return this.of(connection, 'ConnectionClosed', { code: null, reason: null, cause: 'client', late: true })
  }

  db() {
    const runner = new Runner(makeReadDatabase(MEMORY, 'story'), { read: () => [] }, () => {})
    runner.fold(this.facts, 'stop')
    return runner.db
  }

  /** `<connection>` for sure, `<connection>? <why>` maybe, `(<connection>)` told otherwise */
  seenOf(
    id: number,
    reach: Readonly<Record<string, readonly Reach[]>> = { native: EVERYBODY },
    afterMs = 1_000,
  ): string[] {
    const posted = this.facts.find(({ stream, revision }) => stream === 'room-tea' && revision === id) as Recorded
    const { position, revision } = posted
    const at = (position - 1) * 1_000 + afterMs
    const { sure, maybe, untold } = handedTo(this.db(), { room: 'tea', id, revision, position, at, reach })
    return [
      ...sure.map(({ connection }) => connection),
      ...maybe.map(({ connection, why }) => `${connection}? ${why}`),
      ...untold.map(({ connection }) => `(${connection})`),
    ]
  }

  handed(...ids: number[]): Record<number, string[]> {
    return Object.fromEntries(ids.map((id) => [id, this.seenOf(id)]))
  }
}

const story = () => new Story()

describe('what is live', () => {
  it('was handed to whom the network took it from, above where they came in and up to where they were told', () => {
    const told = story().say(2).opens('a', 'ben').enters('a', 2).say(4).delivered('a', 4).closes('a')
    expect(told.handed(1, 2, 3, 4, 5)).toEqual({ 1: [], 2: [], 3: ['a'], 4: ['a'], 5: ['a? ended'] })
  })

  it('is not known of who is still there', () => {
    expect(story().opens('a', 'ben').enters('a', 0).say(1).handed(1)).toEqual({ 1: ['a? open'] })
  })

  it('was not handed to who had left, or had gone', () => {
    const left = story().opens('a', 'ben').enters('a', 0).say(1).of('a', 'RoomLeft', { room: 'tea' }).say(1)
    expect(left.handed(1, 2)).toEqual({ 1: ['a? left'], 2: [] })
    expect(left.delivered('a', 1).closes('a').handed(1, 2)).toEqual({ 1: ['a'], 2: [] })
    expect(story().opens('a', 'ben').enters('a', 0).closes('a').say(1).handed(1)).toEqual({ 1: [] })
  })

  it('was handed to whom the log has as gone a moment before, where it says so later: it has two streams in either order', () => {
    const crossed = story().opens('a', 'ben').enters('a', 0).closes('a').say(2)
    expect(crossed.delivered('a', 1).handed(1, 2)).toEqual({ 1: ['a'], 2: [] })
  })

  it('was maybe handed to whom the log has as put out within a second before, not to who hung up', () => {
    const putOut = (cause: string, afterMs: number) => {
      const gone = story().opens('a', 'ben').enters('a', 0)
      gone.of('a', 'ConnectionClosed', { code: null, reason: null, cause, late: false }).say(1)
      return gone.seenOf(1, { native: EVERYBODY }, afterMs)
    }
    expect(putOut('banned', 999)).toEqual(['a? ended'])
    expect(putOut('banned', 1_000)).toEqual([])
    expect(putOut('client', 999)).toEqual([])
  })

  it('says nothing of an earlier stay where it may be of a later one', () => {
    const twice = story().opens('a', 'ben').enters('a', 0).say(1).of('a', 'RoomLeft', { room: 'tea' }).say(2)
    expect(twice.enters('a', 3).say(1).delivered('a', 4).handed(1, 2, 3, 4)).toEqual({
      ...{ 1: ['a? left'], 2: [], 3: [], 4: ['a'] },
    })
  })

  it('is what was missed as well, for who comes back', () => {
    const back = story().say(4).opens('a', 'ben').enters('a', 4, [], { resumedFrom: 2 })
    expect(back.handed(2, 3, 4)).toEqual({ 2: [], 3: ['a? open'], 4: ['a? open'] })
    expect(back.delivered('a', 4).closes('a').handed(2, 3, 4)).toEqual({ 2: [], 3: ['a'], 4: ['a'] })
  })

  it('reaches who follows the room without entering it', () => {
    const follows = story()
      .opens('a', 'ben')
      .of('a', 'RoomsFollowed', { rooms: { tea: 0, unknown: 7 } })
    expect(follows.say(1).delivered('a', 1).handed(1)).toEqual({ 1: ['a'] })
  })

  it('reaches those only whom their protocol sends a frame of it', () => {
    const three = story().opens('a', 'ann').opens('b', 'ann').opens('c', 'ben').opens('d', null, 'silent')
    for (const connection of ['a', 'b', 'c', 'd']) three.enters(connection, 0)
    three.say(1)
    for (const connection of ['a', 'b', 'c', 'd']) three.delivered(connection, 1)
    const but = (reach: Partial<Reach>) => ({ native: [{ ...EVERYBODY[0], ...reach } as Reach] })
    expect(three.seenOf(1)).toEqual(['a', 'b', 'c'])
    expect(three.seenOf(1, but({ exceptConnection: 'a' }))).toEqual(['b', 'c', '(a)'])
    expect(three.seenOf(1, but({ exceptUser: 'ann' }))).toEqual(['c', '(a)', '(b)'])
    expect(three.seenOf(1, { native: [], silent: [] })).toEqual(['(a)', '(b)', '(c)', '(d)'])
  })
})

describe('a history', () => {
  it('was handed over with the room, once something tells that it arrived', () => {
    const shown = story().say(5).opens('a', 'ben').enters('a', 5, [3, 4, 5])
    expect(shown.handed(2, 3, 5)).toEqual({ 2: [], 3: ['a? open'], 5: ['a? open'] })
    expect(shown.delivered('a', 5).closes('a').handed(2, 3, 5)).toEqual({ 2: [], 3: ['a'], 5: ['a'] })
    expect(story().say(1).opens('a', 'ben').enters('a', 1, [1]).closes('a').handed(1)).toEqual({ 1: ['a? ended'] })
  })

  it('that was asked for is never known to have arrived', () => {
    const asked = story().say(5).opens('a', 'ben').enters('a', 5)
    asked.of('a', 'HistoryRead', { room: 'tea', count: 2, firstId: 1, lastId: 2 }).delivered('a', 9).closes('a')
    expect(asked.handed(1, 2, 3)).toEqual({ 1: ['a? answered'], 2: ['a? answered'], 3: [] })
  })

  it('leaves out what was removed then, which is counted', () => {
    const gone = (id: number) => [
      { id, author: 'ann', by: null, reason: null },
      { id, author: 'ann', by: null, original: id },
    ]
    const [removal, restoral] = gone(2) as [object, object]
    const removed = story().say(4).add('room-tea', 'MessageRemoved', removal)
    const entered = removed.opens('a', 'ben').enters('a', 5, [1, 3, 4]).delivered('a', 5)
    expect(entered.handed(1, 2, 3)).toEqual({ 1: ['a'], 2: [], 3: ['a'] })
    // Removed again later, or restored before: what counts is how it stood then.
    const back = story().say(4).add('room-tea', 'MessageRemoved', removal).add('room-tea', 'MessageRestored', restoral)
    back.opens('a', 'ben').enters('a', 6, [1, 2, 3, 4]).delivered('a', 6).add('room-tea', 'MessageRemoved', removal)
    expect(back.handed(2)).toEqual({ 2: ['a'] })
    // Read a moment before the removal that was stored before it: it has them all.
    const all = story().say(4).add('room-tea', 'MessageRemoved', removal).opens('a', 'ben').enters('a', 5, [1, 2, 3, 4])
    expect(all.delivered('a', 5).handed(2)).toEqual({ 2: ['a'] })
    // A page that agrees with neither was read around that very moment.
    const around = story().say(4).add('room-tea', 'MessageRemoved', removal)
    around.add('room-tea', 'MessageRemoved', gone(3)[0] as object)
    expect(around.opens('a', 'ben').enters('a', 6, [1, 3, 4]).delivered('a', 6).handed(2)).toEqual({
      2: ['a? removed-then'],
    })
  })
})

it('keeps nothing of a connection that is forgotten, but that some are', () => {
  const lived = story().say(1).opens('a', 'ben').enters('a', 1, [1]).say(1).delivered('a', 2).closes('a')
  lived.opens('b', 'ben').enters('b', 2, [1, 2]).delivered('b', 2).closes('b')
  const before = handedTo(lived.db(), { room: 'tea', id: 1, revision: 1, position: 4, at: 4_000, reach: {} })
  expect(before.unknownBefore).toBe(null)
  lived.add('node-main', 'ConnectionsForgotten', { before: 77, ids: ['a'], closings: { client: 1 } })
  lived.add('node-other', 'ConnectionsForgotten', { before: 70, ids: [], closings: {} })
  expect(lived.handed(1, 2)).toEqual({ 1: ['b'], 2: ['b'] })
  const db = lived.db()
  for (const table of ['stays', 'deliveries', 'histories']) {
    expect(db.prepare(`select count(*) as n from ${table}`).get(), table).toEqual({ n: 1 })
  }
  expect(handedTo(db, { room: 'tea', id: 1, revision: 1, position: 4, at: 4_000, reach: {} }).unknownBefore).toBe(77)
})
