// The host with a log that loses answers or is away, facts that nobody can read, faults of its own, and its end.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { type Envelope, LogBusy, LogUnavailable } from '../src/log/event-log.ts'
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
  remove,
  rest,
  rows,
  texts,
  trouble,
  types,
} from './hosted-room.ts'

beforeEach(begin)

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
    calm()
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
    for (const text of ['lost', 'lost too'])
      expect(await post(host, text)).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    expect(heard).toEqual([])
    // What needs no append is answered, and says nothing of the log.
    const lifted = host.send(ROOM, { type: 'mute.lift', asker: null, name: 'bob', user: null })
    expect(await lifted).toMatchObject({ refusal: { code: 'not-muted' } })
    expect(host.logFailure).toBe('away')
    calm()
    expect(await mute(host, 60)).toMatchObject({ ok: true })
    expect(host.logFailure).toBeNull()
    expect(await post(host, 'kept')).toMatchObject({ ok: true })
    expect(await texts()).toEqual(['kept'])
    await rest()
    const returned = async () => {
      const told: string[] = []
      for await (const { type } of log.readStream('node-one')) told.push(type)
      return told
    }
    expect(await returned()).toEqual(['LogReturned'])
    // The next time it is asked anew, as often as it takes, and nobody's command is needed for that.
    trouble.before = () => {
      throw new LogUnavailable('away again', 'no')
    }
    await mute(host, 70)
    await passes(5_000, 500)
    expect(host.logFailure).toBe('away again')
    calm()
    await passes(2_000, 500)
    expect([host.logFailure, await returned()]).toEqual([null, ['LogReturned', 'LogReturned']])
  })

  it('for long: who waits is told so, nothing is decided meanwhile, and what lands in the end is told once', async () => {
    const host = node('one', 1)
    await open(host)
    const heard: string[] = []
    host.onAcknowledged((batch) => heard.push(...batch.facts.map(({ type }) => type)))
    let tries = 0
    trouble.after = () => {
      tries++
      // From the second on it says 'no' of what may be there since the first.
      throw new LogUnavailable('no answer', tries === 1 ? 'unknown' : 'no')
    }
    const told: unknown[] = []
    const muted = mute(host, 600).then((outcome) => told.push(outcome))
    await new Promise((resolve) => setImmediate(resolve))
    const later = mute(host, 700).then((outcome) => told.push(outcome))
    await passes(4_900, 100)
    expect(told).toEqual([])
    await passes(4_000, 100)
    await Promise.all([muted, later])
    expect(told).toMatchObject(Array(2).fill({ ok: false, refusal: { code: 'unavailable' } }))
    expect([heard, await types()]).toEqual([[], ['RoomOpened', 'UserMuted']])
    expect(host.logFailure).toBe('no answer')
    calm()
    clock.advance(2_000)
    await rest()
    expect([heard, await types()]).toEqual([['UserMuted'], ['RoomOpened', 'UserMuted']])
    expect(host.logFailure).toBeNull()
    expect(await mute(host, 700)).toMatchObject({ ok: true })
    expect(faults).toEqual([])
  })

  it('that has much to store says so, and is not taken for one that is away', async () => {
    const host = node('one', 1)
    await open(host)
    trouble.before = () => {
      throw new LogBusy(64)
    }
    expect(await mute(host, 60)).toMatchObject({ ok: false, refusal: { code: 'busy' } })
    expect(host.logFailure).toBeNull()
    calm()
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
    calm()
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
    calm()
    clock.advance(5_000)
    await rest()
    const expired = (await facts()).find(({ type }) => type === 'MuteExpired')
    expect(JSON.parse(expired?.data ?? '{}')).toMatchObject({ name: 'bob', late: true, cause: 'timer' })
  })
})

describe('what cannot be done for a reason of our own', () => {
  it('is a fault of the command alone, where it could not be told what it needs', async () => {
    const host = node('one', 1)
    await open(host)
    const nothing = { id: 'x', type: 'FromTheFuture', v: 1, data: '{}', metadata: '{"at":1}' }
    await log.append('numbers-message', [nothing], 'no-stream')
    expect(await post(host, 'one')).toMatchObject({ ok: false, refusal: { code: 'faulted' } })
    expect(await mute(host, 60)).toMatchObject({ ok: true })
    expect(faults).toEqual([expect.stringContaining('FromTheFuture')])
  })

  it('puts the actor out of service where it could not be written down, and leaves nobody waiting', async () => {
    const codec = new FactCodec()
    const host = node('one', 1, { codec })
    await open(host)
    vi.spyOn(codec, 'encode').mockRejectedValueOnce(new Error('of the codec'))
    const answers = await Promise.all([mute(host, 60), mute(host, 70)])
    expect(answers).toMatchObject(Array(2).fill({ ok: false, refusal: { code: 'faulted' } }))
    expect(host.counts()).toEqual({ actors: 1, quarantined: 1 })
    expect(await types()).toEqual(['RoomOpened'])
  })
})

describe('a stream without a statechart', () => {
  it('answers no command, which is a fault', async () => {
    const asked = node('one', 1).send('nothing-1', { type: 'room.archive', asker: null, reason: null })
    expect(await asked).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    expect(faults).toEqual(['nothing-1: Error: no statechart for stream nothing-1'])
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
    expect((await openConnection(other)).ok).toBe(true)
  })

  it('nor folded, does the same; whoever waits is told, and no timer of it fires', async () => {
    const first = node('one', 1)
    await open(first)
    await mute(first, 60)
    await first.close()
    await log.append(ROOM, [{ id: 'x', type: 'MessagePosted', v: 1, data: '{}', metadata: '{"at":1}' }], 1)
    const host = node('two', 2)
    const asked = Promise.all([post(host, 'one'), post(host, 'two')])
    expect(await asked).toMatchObject(Array(2).fill({ ok: false, refusal: { code: 'faulted' } }))
    expect(host.faults).toBe(1)
    expect(host.ask(ROOM, { type: 'room.archive', asker: null, reason: null })).toMatchObject({
      refusal: { code: 'faulted' },
    })
    clock.advance(60_000)
    await rest()
    expect(await types()).toEqual(['RoomOpened', 'UserMuted', 'MessagePosted'])
    await host.close()
  })

  it('is not taken for one where the log could not be asked', async () => {
    const first = node('one', 1)
    await open(first)
    const host = node('two', 2)
    vi.spyOn(log, 'readStream').mockImplementationOnce(() => {
      throw new LogUnavailable('away', 'no')
    })
    expect(await post(host, 'one')).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    expect(await post(host, 'two')).toMatchObject({ ok: true })
    expect(faults).toEqual([])
  })
})

describe('a host that is closed', () => {
  it('folds and tells nothing more, also of what was on its way to the log; the stream has it for whoever comes next', async () => {
    const warned = vi.spyOn(console, 'warn')
    let arrives = () => {}
    trouble.before = async (_stream, [fact]) => {
      if (fact?.data.includes('on its way')) await new Promise<void>((resolve) => (arrives = resolve))
    }
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

describe('a host that is closed while a command is told what it needs', () => {
  it('stores nothing of it', async () => {
    let told = () => {}
    const message = () => new Promise<null>((resolve) => (told = () => resolve(null)))
    const host = node('one', 1, { store: { ...rows.store, message } })
    await open(host)
    const answers = Promise.all([mute(host, 60), remove(host, 1)])
    await new Promise((resolve) => setImmediate(resolve))
    await host.close()
    told()
    expect(await answers).toMatchObject(Array(2).fill({ ok: false, refusal: { code: 'unavailable' } }))
    expect(await types()).toEqual(['RoomOpened'])
  })
})
