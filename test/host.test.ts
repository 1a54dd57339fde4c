// What the host promises of commands: with other writers on the log, together in a batch, about one message.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Asker } from '../src/actors/room/room.facts.ts'
import { LogUnavailable, type Recorded, WrongExpectedRevision } from '../src/log/event-log.ts'
import {
  begin,
  calm,
  clock,
  edit,
  facts,
  faults,
  log,
  mute,
  node,
  open,
  overtake,
  post,
  ROOM,
  remove,
  rest,
  rows,
  settled,
  texts,
  trouble,
  types,
} from './hosted-room.ts'
import { VirtualClock } from './virtual-clock.ts'

beforeEach(begin)

describe('two nodes on one log', () => {
  it('decide again what the other overtook, and lose nothing', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await post(two, 'first')
    const all = Promise.all([post(one, 'a'), post(two, 'b'), post(one, 'c'), post(two, 'd')])
    await rest()
    expect((await all).every(({ ok }) => ok)).toBe(true)
    expect((await texts()).sort()).toEqual(['a', 'b', 'c', 'd', 'first'])
    const ids = (await facts()).filter(({ type }) => type === 'MessagePosted').map(({ data }) => JSON.parse(data).id)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('give a message an id above those that the other gave meanwhile', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await post(two, 'first')
    await settled(post(one, 'from a later block'))
    expect(await settled(post(two, 'last'))).toMatchObject({ ok: true })
    const ids = (await facts()).filter(({ type }) => type === 'MessagePosted').map(({ data }) => JSON.parse(data).id)
    expect(ids).toEqual([1, 1_002, 2_001])
    const reserved: unknown[] = []
    for await (const { data } of log.readStream('numbers-message')) reserved.push(JSON.parse(data))
    expect(reserved).toEqual([
      { from: 1, count: 1_000, node: 'two' },
      { from: 1_001, count: 1_000, node: 'one' },
      { from: 2_001, count: 1, node: 'two' },
    ])
  })

  it('decide about a message as the other left it', async () => {
    const [one, two] = [node('one', 1, rows), node('two', 2, rows)]
    await open(one)
    await post(one, 'hello')
    await remove(two, 1)
    expect(await settled(edit(one, 1, 'shown again'))).toMatchObject({
      ok: false,
      refusal: { code: 'unknown-message' },
    })
    expect(await types()).not.toContain('MessageEdited')
  })

  it('hear of each other’s facts when they are overtaken, and end what those have armed', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await two.load(ROOM)
    await mute(one, 60)
    await one.close()
    const heard: string[] = []
    two.onAcknowledged((batch) => heard.push(...batch.facts.map(({ type }) => type)))
    await settled(post(two, 'overtaken'))
    expect(heard).toEqual(['UserMuted', 'MessagePosted'])
    clock.advance(60_000)
    await rest()
    expect(heard).toEqual(['UserMuted', 'MessagePosted', 'MuteExpired'])
  })

  it('take what stands there under their own command for its answer', async () => {
    const host = node('one', 1)
    await open(host)
    trouble.after = () => {
      calm()
      throw new WrongExpectedRevision(ROOM, 0, 1)
    }
    expect(await settled(mute(host, 60))).toMatchObject({ ok: true, facts: [{ type: 'UserMuted', revision: 1 }] })
    expect(await types()).toEqual(['RoomOpened', 'UserMuted'])
  })

  it('decide nothing more on what they cannot read', async () => {
    const host = node('one', 1)
    await open(host)
    await log.append(ROOM, [{ id: 'x', type: 'FromTheFuture', v: 1, data: '{}', metadata: '{"at":1}' }], 0)
    expect(await settled(mute(host, 60))).toMatchObject({ ok: false, refusal: { code: 'faulted' } })
    expect(await types()).toEqual(['RoomOpened', 'FromTheFuture'])
  })

  it('give up on a command that is overtaken eight times, and say so', async () => {
    const host = node('one', 1)
    await open(host)
    overtake(8)
    const contended = { ok: false, refusal: { code: 'contended', values: { attempts: 8 } } }
    expect(await settled(mute(host, 60))).toMatchObject(contended)
    expect(await types()).toEqual(['RoomOpened', ...Array(8).fill('MemberKicked')])
    overtake(7)
    expect(await settled(mute(host, 60))).toMatchObject({ ok: true })
  })

  it('try a timer again that they were overtaken on for long', async () => {
    const host = node('one', 1)
    await open(host)
    await mute(host, 60)
    overtake(8)
    clock.advance(60_000)
    await rest()
    expect((await types()).slice(2)).toEqual([...Array(8).fill('MemberKicked'), 'MuteExpired'])
  })

  it('leave one fact when both fire the same timer', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await mute(one, 60)
    await two.load(ROOM)
    clock.advance(60_000)
    await rest()
    expect((await types()).filter((type) => type === 'MuteExpired')).toEqual(['MuteExpired'])
    expect(faults).toEqual([])
  })

  it('refuse a repeated reference with another text, whichever node took the first', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await post(one, 'hello', 'ref-1')
    expect(await post(two, 'hello', 'ref-1')).toMatchObject({ ok: true, facts: [], values: { messageId: 1 } })
    expect(await post(two, 'other', 'ref-1')).toMatchObject({ ok: false, refusal: { code: 'ref-reused' } })
  })
})

describe('a batch', () => {
  it('refuses on what the commands before leave, and tells of it only once they are on the log', async () => {
    const host = node('one', 1)
    await open(host)
    let arrives = () => {}
    trouble.before = () => new Promise<void>((resolve) => (arrives = resolve))
    const told: string[] = []
    const muted = mute(host, 60).then(() => told.push('muted'))
    const bob: Asker = { id: 'bob', number: 2, username: 'bob', account: 'member' }
    const lifted = host
      .send(ROOM, { type: 'mute.lift', asker: bob, name: 'bob', user: null })
      .then((outcome) => told.push('refused') && outcome)
    await rest()
    expect(told).toEqual([])
    arrives()
    expect(await lifted).toEqual({
      ok: false,
      refusal: {
        code: 'muted',
        state: 'living.open',
        guard: 'isMuted',
        values: { until: clock.now() + 60_000, by: null },
        at: { stream: ROOM, revision: 1 },
      },
    })
    await muted
    expect(told).toEqual(['muted', 'refused'])
  })

  it('is told apart into appends that the log takes', async () => {
    const host = node('one', 1)
    await open(host)
    const appended = vi.spyOn(log, 'append')
    const posted = await Promise.all(Array.from({ length: 600 }, (_, n) => post(host, `m${n}`)))
    const long = await Promise.all(Array.from({ length: 30 }, () => post(host, 'ж'.repeat(30_000))))
    expect([...posted, ...long].every(({ ok }) => ok)).toBe(true)
    expect(await texts()).toHaveLength(630)
    const rooms = appended.mock.calls.filter(([stream]) => stream === ROOM).map(([, some]) => some.length)
    expect(rooms.slice(0, 3)).toEqual([256, 256, 88])
    const revisions = [...posted, ...long].map((outcome) => outcome.ok && outcome.facts[0]?.revision)
    expect(revisions).toEqual(Array.from({ length: 630 }, (_, n) => n + 1))
    expect(faults).toEqual([])
  })

  it('goes on past a command that its own chart cannot decide, which is a fault', async () => {
    const host = node('one', 1)
    await open(host)
    const broken = { type: 'mute.set', asker: null, name: 5 as never, user: null, seconds: 60, reason: null } as const
    const answers = await Promise.all([mute(host, 60), host.send(ROOM, broken), mute(host, 70)])
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.refusal.code))).toEqual(['ok', 'faulted', 'ok'])
    expect(await types()).toEqual(['RoomOpened', 'UserMuted', 'UserMuted'])
    expect(host.faults).toBe(1)
    expect(host.counts().quarantined).toBe(0)
    await rest()
    for await (const { type } of log.readStream('node-one')) expect(type).toBeUndefined()
  })

  it('names in each fact the command and what it came of', async () => {
    const host = node('one', 1)
    await open(host)
    const wish = { type: 'mute.set', asker: null, name: 'bob', user: null, seconds: 60, reason: null } as const
    await host.send(ROOM, { ...wish, commandId: 'c', correlationId: 'd', by: 'ann', connection: 'e' })
    const [, fact] = await facts()
    expect(JSON.parse(fact?.metadata ?? '')).toEqual({
      at: clock.now(),
      by: 'ann',
      connection: 'e',
      $causationId: 'c',
      $correlationId: 'd',
    })
  })

  it('never takes time back, whatever the clock of the node does', async () => {
    const first = node('one', 1)
    await open(first)
    await post(first, 'later')
    const behind = new VirtualClock(setImmediate, clock.now() - 60_000)
    const host = node('two', 2, { clock: behind })
    await post(host, 'earlier')
    await mute(host, 60)
    const times = (await facts()).map(({ metadata }) => JSON.parse(metadata).at)
    expect(times).toEqual(Array(4).fill(clock.now()))
    const ids: number[] = []
    for await (const { metadata } of log.readStream('numbers-message')) ids.push(JSON.parse(metadata).at)
    expect(ids).toEqual([clock.now(), clock.now()])
  })

  it('is heard by each listener, whatever another does', async () => {
    const host = node('one', 1)
    const heard: string[] = []
    host.onAcknowledged(() => {
      throw new Error('of the listener')
    })
    const stop = host.onAcknowledged((batch) => heard.push(...batch.facts.map(({ type }) => type)))
    expect(await open(host)).toMatchObject({ ok: true })
    stop()
    await post(host, 'unheard')
    expect(heard).toEqual(['RoomOpened'])
    expect(faults).toEqual(Array(2).fill(`a listener of ${ROOM}: Error: of the listener`))
  })
})

describe('a start', () => {
  it('has each statechart on record once, under the hash that births carry', async () => {
    for (const seed of [1, 2]) await node('one', seed).start()
    const defined: Recorded[] = []
    for await (const fact of log.readStream('machines')) defined.push(fact)
    const kinds = defined.map(({ data }) => JSON.parse(data))
    expect(kinds.map(({ kind }) => kind)).toEqual(['connection', 'user', 'room'])
    const host = node('one', 3)
    await open(host)
    expect(kinds[2]).toMatchObject({
      hash: JSON.parse((await facts())[0]?.data ?? '{}').machine,
      definition: { id: 'room' },
    })
  })
})

describe('commands about one message that come together', () => {
  it('are decided one after the other, each on what the one before it left', async () => {
    const host = node('one', 1, rows)
    await open(host)
    await post(host, 'hello')
    const answers = await Promise.all([
      remove(host, 1),
      edit(host, 1, 'shown again'),
      remove(host, 1),
      post(host, 'beside it'),
    ])
    expect(answers.map((answer) => (answer.ok ? answer.facts.map(({ type }) => type) : answer.refusal.code))).toEqual([
      ['MessageRemoved'],
      'unknown-message',
      [],
      ['MessagePosted'],
    ])
  })

  it('are refused alone when the read models cannot say what it is', async () => {
    const message: typeof rows.store.message = async (stream, revision, id) => {
      if (id === 1) throw new LogUnavailable('behind', 'no')
      if (id === 2) throw new Error('a defect')
      return id === 3 ? new Promise<never>(() => {}) : rows.store.message(stream, revision, id)
    }
    const host = node('one', 1, { store: { ...rows.store, message } })
    await open(host)
    for (const text of ['one', 'two', 'three', 'four']) await post(host, text)
    const before = clock.now()
    const together = [1, 2, 3, 4].map((id) => remove(host, id))
    const answers = settled(Promise.all([...together, post(host, 'beside them')]))
    expect((await answers).map((answer) => (answer.ok ? 'done' : answer.refusal.code))).toEqual([
      'unavailable',
      'faulted',
      'unavailable',
      'done',
      'done',
    ])
    const { at } = JSON.parse((await facts()).at(-1)?.metadata ?? '')
    expect(at - before, 'ms that the room waited').toBeLessThanOrEqual(1_000)
    expect([host.logFailure, host.faults, ...faults]).toEqual([null, 1, 'room-r: Error: a defect'])
    expect(host.counts().quarantined).toBe(0)
  })
})
