// The host's promises with more than one writer and a log that misbehaves: two nodes on one log, answers that get lost,
// a fact nobody can read, a log that goes away.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Summary } from '../src/actors/actor.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type HostOptions, type HostStore } from '../src/actors/host.ts'
import type { Outcome } from '../src/actors/outcome.ts'
import type { Asker, MessageRow } from '../src/actors/room/room.facts.ts'
import { type Envelope, LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const ROOM = 'room-r'
const ann: Asker = { id: 'ann', number: 1, username: 'ann', account: 'admin' }

let clock: VirtualClock
let log: MemoryLog
let trouble: { before?: () => void; after?: () => void }
let faults: string[]

beforeEach(() => {
  clock = new VirtualClock()
  trouble = {}
  faults = []
  log = new MemoryLog({ beforeAppend: () => trouble.before?.(), afterAppend: () => trouble.after?.() })
})

const node = (name: string, seed: number, more: Partial<HostOptions> = {}) =>
  new Host({
    log,
    codec: new FactCodec(),
    clock,
    chance: new SeededChance(seed, clock),
    store: { summary: async () => null, keepSummary: () => {}, message: async () => null },
    node: name,
    definitions,
    onFault: (where, error) => faults.push(`${where}: ${error}`),
    ...more,
  })

const open = (host: Host) =>
  host.send(ROOM, {
    type: 'room.open',
    asker: null,
    room: 'r',
    number: 1,
    name: 'r',
    kind: 'room',
    parent: null,
    aliases: [],
    machine: host.machineHash('room'),
    members: [],
  })

const post = (host: Host, text: string, clientRef: string | null = null) =>
  host.send(ROOM, {
    type: 'message.post',
    asker: ann,
    text,
    kind: 'text',
    clientRef,
    replyTo: null,
    extra: null,
    entered: false,
  })

const mute = (host: Host, seconds: number) =>
  host.send(ROOM, { type: 'mute.set', asker: null, name: 'bob', user: null, seconds, reason: null })

const facts = async (): Promise<Recorded[]> => {
  const found: Recorded[] = []
  for await (const fact of log.readStream(ROOM)) found.push(fact)
  return found
}
const types = async () => (await facts()).map(({ type }) => type)
const texts = async () =>
  (await facts()).filter(({ type }) => type === 'MessagePosted').map(({ data }) => JSON.parse(data).text)

/** Lets everything come to rest, moving the clock over short pauses. */
const rest = async () => {
  for (let round = 0; round < 50; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (clock.next() <= clock.now() + 3_000) clock.advance(Math.max(0, clock.next() - clock.now()))
  }
}

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

describe('a log whose answers get lost', () => {
  it('stores each message once, also when another wrote in between', async () => {
    const host = node('one', 1)
    await open(host)
    let lost = 2
    trouble.after = () => {
      if (lost-- > 0) throw new LogUnavailable('lost on the way back', 'unknown')
    }
    const posted = post(host, 'once')
    await rest()
    expect(await posted).toMatchObject({ ok: true })
    const foreign: Envelope = {
      id: 'f',
      type: 'MessageRemoved',
      v: 1,
      data: '{"author":"x","by":null,"id":9,"reason":null}',
      metadata: '{"at":1}',
    }
    await log.append(ROOM, [foreign], (await facts()).length - 1)
    const overtaken = post(host, 'twice')
    await rest()
    expect(await overtaken).toMatchObject({ ok: true })
    expect(await texts()).toEqual(['once', 'twice'])
  })

  it('refuses when nothing was stored, tells nothing, and goes on when the log is back', async () => {
    const host = node('one', 1)
    await open(host)
    const heard: string[] = []
    host.onAcknowledged((batch) => heard.push(...batch.facts.map(({ type }) => type)))
    trouble.before = () => {
      throw new LogUnavailable('away', 'no')
    }
    expect(await post(host, 'lost')).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    expect(heard).toEqual([])
    trouble = {}
    expect(await post(host, 'kept')).toMatchObject({ ok: true })
    expect(await texts()).toEqual(['kept'])
  })

  it('keeps a timer due until its fact is on the log', async () => {
    const host = node('one', 1)
    await open(host)
    await mute(host, 60)
    trouble.before = () => {
      throw new LogUnavailable('away', 'no')
    }
    clock.advance(60_000)
    await rest()
    expect(await types()).not.toContain('MuteExpired')
    trouble = {}
    clock.advance(5_000)
    await rest()
    const expired = (await facts()).find(({ type }) => type === 'MuteExpired')
    expect(JSON.parse(expired?.data ?? '{}')).toMatchObject({ name: 'bob', late: true, cause: 'timer' })
  })
})

describe('a room that never rests', () => {
  it('has a summary now and then, so that a start after a crash need not fold all of it', async () => {
    const kept: number[] = []
    let summary: Summary | null = null
    const store = {
      summary: async () => summary,
      keepSummary: (_stream: string, _source: string, made: Summary) => {
        kept.push(made.revision)
        summary = JSON.parse(JSON.stringify(made))
      },
      message: async () => null,
    }
    const host = node('one', 1, { store, summaryFrom: 2 })
    await host.start()
    await open(host)
    for (let number = 0; number < 100; number++) {
      await post(host, `message ${number}`)
      clock.advance(1_000)
    }
    expect(kept).toHaveLength(3)
    const read = vi.spyOn(log, 'readStream')
    const afterCrash = node('one', 2, { store, summaryFrom: 2 })
    expect(await post(afterCrash, 'next')).toMatchObject({ ok: true })
    expect(read).toHaveBeenCalledWith(ROOM, { from: (kept.at(-1) as number) + 1 })
    const stored = await facts()
    expect(stored.at(-1)?.data).toContain('"text":"next"')
    expect(afterCrash.peek(ROOM)?.revision).toBe(stored.length - 1)
  })
})

it('a stream is folded whole when its summary cannot be read', async () => {
  await open(node('one', 1))
  const unread = (error: Error) => ({
    summary: () => Promise.reject(error),
    keepSummary: () => {},
    message: async () => null,
  })
  const rebuilding = new LogUnavailable('the read models are being made anew', 'no')
  expect(await post(node('two', 2, { store: unread(rebuilding) }), 'hello')).toMatchObject({ ok: true })
  expect(faults).toEqual([])
  expect(await post(node('three', 3, { store: unread(new Error('the read models stopped')) }), 'hello')).toMatchObject({
    ok: true,
  })
  expect(faults).toEqual(['summary of room-r: Error: the read models stopped'])
})

describe('a host that is closed', () => {
  it('folds and tells nothing more, also of what was on its way to the log; the stream has it for whoever comes next', async () => {
    const warned = vi.spyOn(console, 'warn')
    let arrives = () => {}
    const slow = new MemoryLog({
      beforeAppend: async (_stream, [fact]) => {
        if (fact?.data.includes('on its way')) await new Promise<void>((resolve) => (arrives = resolve))
      },
    })
    log = slow
    const host = node('one', 1)
    await open(host)
    const heard: string[] = []
    host.onAcknowledged((batch) => heard.push(...batch.facts.map(({ type }) => type)))
    const posted = post(host, 'on its way')
    const behind = post(host, 'behind it')
    await rest()
    const later = post(host, 'waits')
    await host.close()
    arrives()
    await rest()
    expect(await Promise.all([posted, behind, later, post(host, 'after')])).toMatchObject(
      Array(4).fill({ ok: false, refusal: { code: 'unavailable' } }),
    )
    expect(heard).toEqual([])
    expect(warned).not.toHaveBeenCalled()
    expect(await texts()).toEqual(['on its way', 'behind it'])
    expect(await post(node('two', 2), 'next')).toMatchObject({ ok: true })
    expect(faults).toEqual([])
  })
})

describe('a fact that cannot be read', () => {
  it('puts its own actor out of service and nobody else', async () => {
    const host = node('one', 1)
    await open(host)
    await log.append(ROOM, [{ id: 'x', type: 'FromTheFuture', v: 1, data: '{}', metadata: '{"at":1}' }], 0)
    const other = node('two', 2)
    expect(await post(other, 'hello')).toMatchObject({ ok: false, refusal: { code: 'faulted' } })
    expect(other.counts()).toEqual({ actors: 1, quarantined: 1 })
    await rest()
    const noted: string[] = []
    for await (const fact of log.readStream('node-two')) noted.push(fact.type)
    expect(noted).toEqual(['ActorQuarantined'])
    const opened = await other.send('connection-c', {
      type: 'connection.open',
      connection: 'c',
      dialect: null,
      version: 0,
      transport: 'test',
      since: clock.now(),
      limits: { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
      options: { oneRoom: false, socketsPerAccount: 0, closeCodes: {} },
      node: 'two',
      incarnation: 'i',
      machine: '',
    })
    expect(opened.ok).toBe(true)
  })
})

describe('commands that come while their actor is loaded', () => {
  it('are decided and answered in the order they came', async () => {
    const first = node('one', 1)
    await open(first)
    const host = node('two', 2)
    const sent: Promise<unknown>[] = []
    const answered: string[] = []
    for (let turn = 0; turn < 40; turn++) {
      sent.push(post(host, `m${turn}`).then(() => answered.push(`m${turn}`)))
      await Promise.resolve()
    }
    await Promise.all(sent)
    const inOrder = Array.from({ length: 40 }, (_, turn) => `m${turn}`)
    expect(await texts()).toEqual(inOrder)
    expect(answered).toEqual(inOrder)
  })
})

describe('commands about messages that are decided together', () => {
  /** The row of a message as of the whole log, as the read model has it. */
  const message: HostStore['message'] = async (_stream, _revision, id) => {
    let row: MessageRow | null = null
    for (const { type, data, revision } of await facts()) {
      const said = JSON.parse(data)
      if (said.id !== id) continue
      if (type === 'MessagePosted') row = { id, revision, author: said.author.id, text: said.text, removed: false }
      else if (type === 'MessageEdited') row = { ...(row as MessageRow), text: said.text }
      else row = { ...(row as MessageRow), removed: type === 'MessageRemoved' }
    }
    return row
  }
  const store = { summary: async () => null, keepSummary: () => {}, message }
  const remove = (host: Host, id = 1) => host.send(ROOM, { type: 'message.remove', asker: ann, id, reason: null })
  const restore = (host: Host, id = 1) => host.send(ROOM, { type: 'message.restore', asker: ann, id })
  const edit = (host: Host, text: string, id = 1) => host.send(ROOM, { type: 'message.edit', asker: ann, id, text })
  const codes = (outcomes: readonly Outcome[]) =>
    outcomes.map((outcome) => (outcome.ok ? outcome.facts.map(({ type }) => type).join() : outcome.refusal.code))

  it('see what the ones before them did: a message is removed and restored once, and not edited while it is gone', async () => {
    const host = node('one', 1, { store })
    await open(host)
    await post(host, 'hello')
    const removed = await Promise.all([remove(host), edit(host, 'gone'), remove(host), remove(host)])
    expect(codes(removed)).toEqual(['MessageRemoved', 'unknown-message', '', ''])
    const restored = await Promise.all([restore(host), restore(host), edit(host, 'back'), edit(host, 'back')])
    expect(codes(restored)).toEqual(['MessageRestored', 'not-removed', 'MessageEdited', ''])
    const all = await Promise.all([remove(host), restore(host), remove(host), post(host, 'next'), remove(host, 2)])
    const stored = ['MessageRemoved', 'MessageRestored', 'MessageRemoved', 'MessagePosted', 'MessageRemoved']
    expect(codes(all)).toEqual(stored)
    expect((await types()).slice(-stored.length)).toEqual(stored)
  })

  it('see what another node did meanwhile', async () => {
    const [one, two] = [node('one', 1, { store }), node('two', 2, { store })]
    await open(one)
    await post(one, 'hello')
    trouble.before = async () => {
      trouble = {}
      await remove(two)
    }
    const own = Promise.all([remove(one), edit(one, 'gone'), post(one, 'stays')])
    await rest()
    expect(codes(await own)).toEqual(['', 'unknown-message', 'MessagePosted'])
    expect(await types()).toEqual(['RoomOpened', 'MessagePosted', 'MessageRemoved', 'MessagePosted'])
  })

  it('are refused alone when their message cannot be read, and hold the room up for a second at most', async () => {
    const reading = async (...[stream, revision, id]: Parameters<typeof message>) => {
      if (id === 1) throw new LogUnavailable('the read models are being made anew', 'no')
      if (id === 2) throw new Error('a defect')
      return id === 3 ? new Promise<never>(() => {}) : message(stream, revision, id)
    }
    const host = node('one', 1, { store: { ...store, message: reading } })
    await open(host)
    for (const text of ['one', 'two', 'three', 'four']) await post(host, text)
    const sentAt = clock.now()
    const together = Promise.all([
      edit(host, 'x', 1),
      remove(host, 2),
      remove(host, 3),
      edit(host, 'x', 4),
      post(host, 'five'),
    ])
    await rest()
    expect(codes(await together)).toEqual(['unavailable', 'faulted', 'unavailable', 'MessageEdited', 'MessagePosted'])
    expect(JSON.parse((await facts()).at(-1)?.metadata ?? '').at - sentAt).toBeLessThanOrEqual(1_000)
    expect(faults).toEqual(['room-r: Error: a defect'])
  })
})

describe('a resting room', () => {
  it('leaves memory, comes back on a command, and wakes for nothing that is far away', async () => {
    const host = node('one', 1)
    await host.start()
    await open(host)
    await mute(host, 60 * 24 * 3_600)
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000)
      await rest()
    }
    expect(host.peek(ROOM)).toBeNull()
    expect(await post(host, 'awake')).toMatchObject({ ok: true })
    expect(host.peek(ROOM)?.timers.armed()).toHaveLength(1)
  })

  it('refuses more than a thousand waiting commands instead of growing', async () => {
    const host = node('one', 1)
    await open(host)
    const all = await Promise.all(Array.from({ length: 1_200 }, (_, index) => post(host, `m${index}`)))
    expect(all.filter(({ ok }) => ok)).toHaveLength(1_000)
    expect(all.filter((outcome) => !outcome.ok && outcome.refusal.code === 'busy')).toHaveLength(200)
  })
})
