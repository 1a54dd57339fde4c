// The host's promises with more than one writer and a log that misbehaves: two nodes on one log, answers that get lost,
// a fact nobody can read, a log that goes away.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Summary } from '../src/actors/actor.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type HostOptions } from '../src/actors/host.ts'
import type { Asker, MessageRow } from '../src/actors/room/room.facts.ts'
import { type Envelope, LogBusy, LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const ROOM = 'room-r'
const ann: Asker = { id: 'ann', number: 1, username: 'ann', account: 'admin' }

let clock: VirtualClock
let log: MemoryLog
let trouble: { before?: (stream: string) => void; after?: () => void }
let faults: string[]

beforeEach(() => {
  clock = new VirtualClock()
  trouble = {}
  faults = []
  log = new MemoryLog({ beforeAppend: (stream) => trouble.before?.(stream), afterAppend: () => trouble.after?.() })
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

const remove = (host: Host, id: number) => host.send(ROOM, { type: 'message.remove', asker: ann, id, reason: null })
const edit = (host: Host, id: number, text: string) => host.send(ROOM, { type: 'message.edit', asker: ann, id, text })

/** The row of a message as the read models have it, once they are at a revision: what the log says up to there. */
const rowOf = async (_stream: string, revision: number, id: number): Promise<MessageRow | null> => {
  const about = (await facts()).slice(0, revision + 1).filter(({ data }) => JSON.parse(data).id === id)
  const posted = about.find(({ type }) => type === 'MessagePosted')
  if (!posted) return null
  const { author, text } = JSON.parse(posted.data)
  const removed = about.some(({ type }) => type === 'MessageRemoved')
  return { id, revision: posted.revision, author: author.id, text, removed }
}
const rows = { store: { summary: async () => null, keepSummary: () => {}, message: rowOf } }

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

const settled = async <T>(work: Promise<T>): Promise<T> => {
  await rest()
  return work
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

  it('give a message an id above those that the other gave meanwhile', async () => {
    const [one, two] = [node('one', 1), node('two', 2)]
    await open(one)
    await post(two, 'first')
    await settled(post(one, 'from a later block'))
    expect(await settled(post(two, 'last'))).toMatchObject({ ok: true })
    const ids = (await facts()).filter(({ type }) => type === 'MessagePosted').map(({ data }) => JSON.parse(data).id)
    expect(ids).toEqual([1, 1_002, 2_001])
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

  it('give up on a command that is overtaken eight times, and say so', async () => {
    const host = node('one', 1)
    await open(host)
    let overtaken = 0
    trouble.before = () => {
      const { before } = trouble
      trouble = {}
      const fact = { id: `foreign ${overtaken}`, type: 'MemberKicked', v: 1, metadata: '{"at":1}' }
      void log.append(ROOM, [{ ...fact, data: '{"by":null,"reason":null,"user":"x"}' }], overtaken++)
      trouble = { ...(before ? { before } : {}) }
    }
    const muted = mute(host, 60)
    await rest()
    expect(await muted).toMatchObject({ ok: false, refusal: { code: 'contended', values: { attempts: 8 } } })
    expect(overtaken).toBe(8)
    trouble = {}
    expect(await post(host, 'goes on')).toMatchObject({ ok: true })
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
    const message = async () => {
      throw new LogUnavailable('behind', 'no')
    }
    const host = node('one', 1, { store: { ...rows.store, message } })
    await open(host)
    const [removed, posted] = await Promise.all([remove(host, 1), post(host, 'beside it')])
    expect(removed).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    expect(posted).toMatchObject({ ok: true })
    expect([host.logFailure, ...faults]).toEqual([null])
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

  it('decides nothing anew for whom it told that the log is away, though another wrote meanwhile', async () => {
    const [host, other] = [node('one', 1), node('two', 2)]
    await open(host)
    await post(host, 'first')
    let away = true
    trouble.before = () => {
      if (away) throw new LogUnavailable('lost on the way there', 'unknown')
    }
    const posted = post(host, 'told that it is away')
    await rest()
    clock.advance(5_000)
    await rest()
    expect(await posted).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    away = false
    // Sooner than the next try of the first.
    expect(await post(other, 'of another node')).toMatchObject({ ok: true })
    clock.advance(2_000)
    await rest()
    expect(await post(host, 'next')).toMatchObject({ ok: true })
    expect(await texts()).toEqual(['first', 'of another node', 'next'])
  })

  it('has the rules for all rooms in force that are on record, once it is asked for them again', async () => {
    const host = node('one', 1)
    trouble.after = () => {
      throw new LogUnavailable('lost on the way back', 'unknown')
    }
    const rules = [{ name: 'no scams', text: 'free coin' }]
    const cause = { by: 'ann', correlationId: 'c' }
    const lost = expect(host.rules.set(rules, cause)).rejects.toThrow(LogUnavailable)
    await rest()
    await lost
    trouble = {}
    expect(await host.rules.set(rules, cause)).toEqual({ version: 1, rules })
    expect(host.rules.verdictOn('free coin here')).toMatchObject({ rule: 'no scams', version: 1 })
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

  it('that has much to store says so, and is not taken for one that is away', async () => {
    const host = node('one', 1)
    await open(host)
    trouble.before = () => {
      throw new LogBusy(64)
    }
    expect(await mute(host, 60)).toMatchObject({ ok: false, refusal: { code: 'busy' } })
    expect(host.logFailure).toBeNull()
    trouble = {}
    expect(await mute(host, 60)).toMatchObject({ ok: true })
  })

  it('decides what is overdue before who waits, once it is back', async () => {
    const host = node('one', 1)
    await open(host)
    await mute(host, 60)
    trouble.before = () => {
      throw new LogUnavailable('away', 'no')
    }
    clock.advance(60_000)
    await new Promise((resolve) => setImmediate(resolve))
    trouble = {}
    await post(host, 'first after it')
    expect(await types()).toEqual(['RoomOpened', 'UserMuted', 'MuteExpired', 'MessagePosted'])
  })

  it('refuses at once what a log that is broken for good has not said it stored, and whatever comes after', async () => {
    const host = node('one', 1)
    await open(host)
    await post(host, 'before')
    const now = clock.now()
    trouble.before = () => {
      throw new LogUnavailable('stores nothing until a restart', 'unknown', { final: true })
    }
    expect(await post(host, 'in doubt')).toMatchObject({
      refusal: { code: 'unavailable', values: { stored: 'unknown' } },
    })
    expect(await post(host, 'after')).toMatchObject({ refusal: { code: 'unavailable', values: {} } })
    expect(clock.now()).toBe(now)
    expect(await texts()).toEqual(['before'])
    expect(faults).toEqual([])
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

describe('an actor that is loaded after its timers were due', () => {
  it('ends them in their order before it decides, however late the clock tells of them', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 60)
    const ban = { type: 'member.ban', asker: null, user: 'bob', seconds: 30, reason: null } as const
    await first.send(ROOM, ban)
    await first.close()
    clock.advance(61_000)
    // As a real one, whose timeouts of 0 ms come after what is at hand.
    const late = new VirtualClock(setImmediate, clock.now())
    vi.spyOn(late, 'at').mockImplementation(() => () => {})
    const host = node('two', 2, { clock: late })
    const lifted = host.send(ROOM, { type: 'mute.lift', asker: null, name: 'bob', user: null })
    expect(await lifted).toMatchObject({ ok: false, refusal: { code: 'not-muted', at: { revision: 4 } } })
    expect((await types()).slice(3)).toEqual(['MemberBanExpired', 'MuteExpired'])
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

describe('a log that does not answer a load', () => {
  it('keeps a thousand commands waiting, and refuses what comes after them at once', async () => {
    await open(node('one', 1))
    const read = log.readStream.bind(log)
    let answer = () => {}
    const gate = new Promise<void>((resolve) => {
      answer = resolve
    })
    vi.spyOn(log, 'readStream').mockImplementation(async function* (...args) {
      await gate
      yield* read(...args)
    })
    const host = node('two', 2)
    const all = Array.from({ length: 1_000 }, (_, index) => post(host, `m${index}`))
    expect(await post(host, 'beyond')).toMatchObject({ ok: false, refusal: { code: 'busy' } })
    answer()
    expect((await Promise.all(all)).every(({ ok }) => ok)).toBe(true)
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
