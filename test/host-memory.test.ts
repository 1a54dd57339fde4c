// Which actors the host has in memory, how they come there, and what they leave when they go.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Summary } from '../src/actors/actor.ts'
import { Deadlines } from '../src/actors/deadlines.ts'
import type { Host } from '../src/actors/host.ts'
import { LogUnavailable } from '../src/log/event-log.ts'
import {
  begin,
  calm,
  clock,
  facts,
  faults,
  log,
  mute,
  node,
  open,
  openConnection,
  passes,
  post,
  ROOM,
  rest,
  rows,
  texts,
  trouble,
  types,
} from './hosted-room.ts'
import { VirtualClock } from './virtual-clock.ts'

beforeEach(begin)

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

describe('an actor that is loaded', () => {
  const ends = async (host: Host) => {
    await host.load(ROOM)
    expect(host.peek(ROOM)?.timers.armed()).toMatchObject([{ id: 'mute:bob', due: clock.now() + 60_000 }])
    clock.advance(60_000)
    await rest()
    expect((await types()).at(-1)).toBe('MuteExpired')
    await host.close()
  }

  it('ends by itself what its facts have armed', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 60)
    await first.close()
    await ends(node('two', 2))
  })

  it('also from a summary, which is as it was when it was made', async () => {
    let kept: Summary | null = null
    const keepSummary = (_stream: string, _source: string, made: Summary) => {
      kept = JSON.parse(JSON.stringify(made))
    }
    const store = { summary: async () => kept, keepSummary, message: async () => null }
    const first = node('one', 1, { store, summaryFrom: 1 })
    await open(first)
    await mute(first, 60)
    const made = first.peek(ROOM)?.summarise()
    await first.close()
    expect(kept).toEqual(JSON.parse(JSON.stringify(made)))
    const behind = new VirtualClock(setImmediate, clock.now() - 5_000)
    const second = node('two', 2, { store, summaryFrom: 1, clock: behind })
    await second.load(ROOM)
    expect(second.peek(ROOM)?.summarise()).toEqual(made)
    expect(await post(second, 'by a clock that is behind')).toMatchObject({ ok: true, facts: [{ revision: 2 }] })
    expect((await facts()).map(({ metadata }) => JSON.parse(metadata).at)).toEqual(Array(3).fill(clock.now()))
    await second.close()
    await ends(node('three', 3, { store, summaryFrom: 1 }))
  })
})

describe('an actor whose summary cannot be read', () => {
  it('is folded from its whole stream', async () => {
    const unread = (error: Error) => ({ ...rows.store, summary: () => Promise.reject(error) })
    await open(node('one', 1))
    const rebuilding = new LogUnavailable('the read models are being made anew', 'no')
    expect(await post(node('two', 2, { store: unread(rebuilding) }), 'hello')).toMatchObject({ ok: true })
    expect(faults).toEqual([])
    const broken = node('three', 3, { store: unread(new Error('the read models stopped')) })
    expect(await post(broken, 'hello')).toMatchObject({ ok: true })
    expect(faults).toEqual(['summary of room-r: Error: the read models stopped'])
  })
})

describe('an actor that is loaded after its timers were due', () => {
  it('ends them in their order before it decides, however late the clock tells of them', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 60)
    const ban = { type: 'member.ban', asker: null, user: 'bob', seconds: 30, reason: null } as const
    await first.send(ROOM, ban)
    await first.send(ROOM, { ...ban, user: 'cyd', seconds: 90 })
    await first.close()
    clock.advance(61_000)
    // As a real one, whose timeouts of 0 ms come after what is at hand.
    const late = new VirtualClock(setImmediate, clock.now())
    vi.spyOn(late, 'at').mockImplementation(() => () => {})
    const host = node('two', 2, { clock: late })
    const lifted = host.send(ROOM, { type: 'mute.lift', asker: null, name: 'bob', user: null })
    expect(await lifted).toMatchObject({ ok: false, refusal: { code: 'not-muted', at: { revision: 5 } } })
    expect((await types()).slice(4)).toEqual(['MemberBanExpired', 'MuteExpired'])
    late.advance(29_000)
    await post(host, 'after the last of them')
    expect((await types()).slice(6)).toEqual(['MemberBanExpired', 'MessagePosted'])
  })
})

describe('deadlines of actors that sleep', () => {
  it('wake them a minute ahead, at a start and every half minute, also after a look that failed', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 100)
    await first.close()
    const host = node('two', 2)
    const asked: number[] = []
    const deadlines = new Deadlines(
      host,
      async (before) => {
        asked.push(before - clock.now())
        if (asked.length === 2) throw new Error('of the read models')
        return asked.length === 1 ? [] : [ROOM]
      },
      (where, error) => faults.push(`${where}: ${error}`),
    )
    await deadlines.start()
    expect([asked, host.peek(ROOM)]).toEqual([[60_000], null])
    await passes(30_000)
    expect(faults).toEqual(['deadlines: Error: of the read models'])
    await passes(30_000)
    expect(host.peek(ROOM)?.timers.armed()).toHaveLength(1)
    await passes(40_000, 10_000)
    await rest()
    expect((await types()).at(-1)).toBe('MuteExpired')
    deadlines.stop()
    const count = asked.length
    await passes(120_000)
    expect(asked).toEqual(Array(count).fill(60_000))
  })

  it('are in memory once a start says so, and are looked at no more by one that was stopped meanwhile', async () => {
    await open(node('one', 1))
    const host = node('two', 2)
    let looks = 0
    const dueBefore = async () => (looks++ === 0 ? [ROOM] : [])
    const deadlines = new Deadlines(host, dueBefore, () => {})
    const starting = deadlines.start()
    deadlines.stop()
    await starting
    expect(host.peek(ROOM)).toBeNull()
    await passes(60_000)
    expect(looks).toBe(1)
    await new Deadlines(
      host,
      async () => [ROOM],
      () => {},
    ).start()
    expect(host.peek(ROOM)).not.toBeNull()
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
    await passes(180_000)
    expect(host.peek(ROOM)).toBeNull()
    await post(host, 'awake again')
    expect(await texts()).toEqual(['awake', 'awake again'])
  })

  it('stays for a timer that is due within a minute, and for what is on its way to the log', async () => {
    const host = node('one', 1)
    await host.start()
    await open(host)
    await mute(host, 100)
    await passes(90_000)
    expect(host.peek(ROOM)).not.toBeNull()
    await passes(90_000)
    expect(host.peek(ROOM)).toBeNull()
    let arrives = () => {}
    trouble.before = () => new Promise<void>((resolve) => (arrives = resolve))
    const posted = post(host, 'slow')
    await passes(180_000)
    calm()
    arrives()
    expect(await posted).toMatchObject({ ok: true })
  })

  it('stays for whoever has just asked for it, and while it decides', async () => {
    const host = node('one', 1)
    await host.start()
    await open(host)
    await passes(75_000, 25_000)
    await host.load(ROOM)
    await passes(30_000)
    expect(host.peek(ROOM)).not.toBeNull()
    const posted = post(host, 'decided')
    host.release(ROOM)
    expect(await posted).toMatchObject({ ok: true })
    await host.letGo(ROOM)
    expect(host.peek(ROOM)).toBeNull()
  })

  it('is not loaded any more by a host that was closed meanwhile', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 60)
    await first.close()
    const host = node('two', 2)
    const loading = host.load(ROOM).catch((error) => error)
    await host.close()
    expect(await loading).toBeInstanceOf(LogUnavailable)
    clock.advance(60_000)
    await rest()
    expect([await types(), host.counts().actors]).toEqual([['RoomOpened', 'UserMuted'], 0])
  })

  it('of a socket stays as long as that is open', async () => {
    const host = node('one', 1)
    await host.start()
    await openConnection(host)
    await passes(180_000)
    expect(host.peek('connection-c')).not.toBeNull()
    const closing = { type: 'connection.close', code: null, reason: null, cause: 'client', late: false } as const
    await host.send('connection-c', closing)
    await passes(180_000)
    expect(host.peek('connection-c')).toBeNull()
  })

  it('refuses more than a thousand waiting commands instead of growing', async () => {
    const host = node('one', 1)
    await open(host)
    const all = await Promise.all(Array.from({ length: 1_200 }, (_, index) => post(host, `m${index}`)))
    expect(all.filter(({ ok }) => ok)).toHaveLength(1_000)
    expect(all.filter((outcome) => !outcome.ok && outcome.refusal.code === 'busy')).toHaveLength(200)
    expect(await texts()).toHaveLength(1_000)
  })
})
