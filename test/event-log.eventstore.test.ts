// What only a log on a server can suffer, and the client's defects that the adapter keeps from everybody.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AppendTooLarge,
  type CaughtUp,
  type Envelope,
  type EventLog,
  LogUnavailable,
  NoSuchPosition,
  type Recorded,
  WrongExpectedRevision,
} from '../src/log/event-log.ts'
import { EventStoreLog, type EventStoreLogOptions } from '../src/log/eventstore.ts'
import { withoutPassword } from '../src/log/server-address.ts'
import { EventStoreServer } from './eventstore-server.ts'
import { EventStore } from './eventstore-store.ts'
import { Patience } from './patience.ts'

let made = 0
const fact = (type = 'Noted', data = '{}', metadata = '{"at":1}'): Envelope => {
  made++
  return { id: `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`, type, v: 1, data, metadata }
}

const all = async <T>(iterable: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = []
  for await (const item of iterable) items.push(item)
  return items
}

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

describe('the log on a server', () => {
  let server: EventStoreServer
  let patience: Patience
  const opened: EventLog[] = []

  beforeEach(async () => {
    server = await EventStoreServer.start('esdb')
    patience = new Patience()
  })

  afterEach(async () => {
    server.silent = false
    server.answerLate()
    await Promise.all(opened.splice(0).map((log) => log.close()))
    server.stop()
  })

  const open = async (options: EventStoreLogOptions = {}, address = server.address): Promise<EventLog> => {
    const log = await EventStoreLog.open(address, { timers: patience, againMs: 10, ...options })
    opened.push(log)
    return log
  }

  const stored = (stream: string): string[] => (server.store.streams.get(stream) ?? []).map(({ id }) => id)

  describe('its opening', () => {
    it('makes the epoch once, beside stream log, where no read sees it', async () => {
      const [first, second] = await Promise.all([open(), open()])
      expect(await first.epoch()).toBe(await second.epoch())
      expect(await (await open()).epoch()).toBe(await first.epoch())
      expect(text(server.store.streams.get('$$log')?.[0]?.data)).toBe(`{"hansardEpoch":"${await first.epoch()}"}`)
      expect(await first.head()).toBe(0)
      expect(await all(first.readAll())).toEqual([])
    })

    it('keeps what an operator wrote there, and takes an epoch that a restore set', async () => {
      const about = { id: fact().id, type: '$metadata', contentType: 'application/json', metadata: new Uint8Array() }
      server.store.append('$$log', [{ ...about, data: Buffer.from('{"$acl":{"$w":"hansard"}}') }], -1)
      expect(await (await open({ newId: () => 'e1' })).epoch()).toBe('e1')
      expect(text(server.store.streams.get('$$log')?.at(-1)?.data)).toBe(
        '{"$acl":{"$w":"hansard"},"hansardEpoch":"e1"}',
      )
      server.store.append('$$log', [{ ...about, data: Buffer.from('{"hansardEpoch":"e2"}') }], 1)
      expect(await (await open()).epoch()).toBe('e2')
    })

    it('is refused when nobody answers, in time and without the password', async () => {
      server.silent = true
      const unanswered = expect(open()).rejects.toThrow(/did not answer in 5000 ms/)
      await expect.poll(() => server.calls.read).toBe(1)
      patience.end()
      await unanswered
      server.stop()
      const refused = open({}, server.addressWith('').replace('://', '://ana:secret@'))
      await expect(refused).rejects.toThrow(LogUnavailable)
      await expect(refused).rejects.toThrow(/esdb:\/\/…@127/)
      await expect(refused).rejects.not.toThrow(/secret/)
      await server.start()
    })

    it('names an address that is none, without the password', async () => {
      const refused = open({}, 'esdb://ana:secret@')
      await expect(refused).rejects.toThrow(/esdb:\/\/…@ is no address/)
      await expect(refused).rejects.not.toThrow(/secret/)
      expect(withoutPassword('esdb+discover://ana:p%40ss@a:1,b:2?x=a@b')).toBe('esdb+discover://…@a:1,b:2?x=a@b')
      expect(withoutPassword('esdb://a:1')).toBe('esdb://a:1')
    })

    it('finds the leader of a cluster', async () => {
      const log = await open({}, server.addressWith('', '+discover'))
      await log.append('room-1', [fact()], 'no-stream')
      expect(await all(log.readStream('room-1'))).toHaveLength(1)
    })
  })

  describe('a fact', () => {
    it('is JSON in the store, and the same bytes again', async () => {
      const log = await open()
      // Whole numbers as keys come out of a parsed object in another order than the canonical one.
      const odd = { ...fact('Noted', '{"10":1,"9":{"b":null}}', '{"$causationId":"c","at":1}'), v: 3 }
      await log.append('room-1', [odd], 'no-stream')
      expect(await all(log.readStream('room-1'))).toMatchObject([odd])
      const [event] = server.store.streams.get('room-1') ?? []
      expect(event?.contentType).toBe('application/json')
      expect(text(event?.metadata)).toBe('{"$causationId":"c","at":1,"v":3}')
      expect(JSON.parse(text(event?.data))).toEqual({ 9: { b: null }, 10: 1 })
    })

    it('that is no JSON is refused before the client sees it', async () => {
      const log = await open()
      const calls = server.calls.append
      for (const bad of [fact('Noted', 'undefined'), fact('Noted', '{}', '[]'), fact('Noted', '{}', '{"v":2}')]) {
        await expect(log.append('room-1', [bad], 'no-stream')).rejects.toThrow(TypeError)
      }
      await expect(log.append('room-1', [fact('$metadata')], 'no-stream')).rejects.toThrow(TypeError)
      await expect(log.append('$$room-1', [fact()], 'no-stream')).rejects.toThrow(TypeError)
      expect(server.calls.append).toBe(calls)
    })

    it("of another program is not the log's, and a stream it stands in is not read past", async () => {
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      const foreign = {
        ...fact(),
        contentType: 'application/json',
        data: Buffer.from('{}'),
        metadata: Buffer.from('{}'),
      }
      server.store.append('orders-1', [foreign], -1)
      server.store.append('room-1', [{ ...foreign, id: fact().id }], 0)
      expect(await all(log.readAll())).toHaveLength(1)
      expect(await log.head()).toBe((await all(log.readAll()))[0]?.position)
      await expect(all(log.readStream('room-1'))).rejects.toThrow(/room-1@1 was written by something else/)
    })

    it('beyond position 2^53 is refused, as is a stream of a server that tells no positions', async () => {
      server.store = new EventStore(Number.MAX_SAFE_INTEGER - 1)
      server.oldPositions = true
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      await expect(all(log.readStream('room-1'))).rejects.toThrow(/18446744073709551615.*22\.10/)
      await expect(all(log.readAll({ to: Number.MAX_SAFE_INTEGER }))).rejects.toThrow(/counts to 2\^53/)
    })
  })

  describe('an append', () => {
    it('is never sent by batch append, which the server could do', async () => {
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      expect(server.calls).toMatchObject({ append: 2, batchAppend: 0 })
    })

    it('that failed before it was stored is unknown, and its repeat stores it once', async () => {
      const log = await open()
      const facts = [fact(), fact()]
      server.appendFaults.push('lost before')
      await expect(log.append('room-1', facts, 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
      expect(stored('room-1')).toEqual([])
      expect(await log.append('room-1', facts, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 1 })
      expect(stored('room-1')).toEqual(facts.map(({ id }) => id))
    })

    it.each(['lost after', 'timed out after', 'never answered'] as const)(
      'whose answer was %s is found by its repeat',
      async (fault) => {
        const log = await open()
        const facts = [fact(), fact()]
        server.appendFaults.push(fault)
        const unanswered = expect(log.append('room-1', facts, 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
        await expect.poll(() => stored('room-1')).toHaveLength(2)
        if (fault === 'never answered') patience.end()
        await unanswered
        const foreign = await open()
        await foreign.append('room-1', [fact()], 1)
        expect(await log.append('room-1', facts, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 1 })
        expect(stored('room-1')).toHaveLength(3)
        await expect(log.append('room-1', [fact()], 1)).rejects.toMatchObject({ actual: 2 })
      },
    )

    it('that hangs ends in time, and when it lands late the repeat is the same append', async () => {
      const log = await open()
      const facts = [fact()]
      server.appendFaults.push('hangs')
      const unanswered = expect(log.append('room-1', facts, 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
      await expect.poll(() => server.hanging).toBe(1)
      patience.end()
      await unanswered
      server.answerLate()
      await expect.poll(() => stored('room-1')).toHaveLength(1)
      expect(await log.append('room-1', facts, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
      expect(stored('room-1')).toHaveLength(1)
    })

    it('that fails may take others with it, and the repeats store each once', async () => {
      const log = await open()
      const appends = Array.from({ length: 20 }, (_, n) => ({ stream: `room-${n}`, facts: [fact(), fact()] }))
      server.appendFaults.push('hangs', 'lost after', 'lost before')
      let answered = 0
      const settling = appends.map(({ stream, facts }) =>
        log.append(stream, facts, 'no-stream').finally(() => {
          answered++
        }),
      )
      const settled = Promise.allSettled(settling)
      await expect.poll(() => [answered, server.hanging]).toEqual([19, 1])
      patience.end()
      for (const each of await settled) {
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ stored: 'unknown' })
      }
      server.answerLate()
      for (const { stream, facts } of appends) {
        await expect
          .poll(() => log.append(stream, facts, 'no-stream').catch(() => null))
          .toEqual({
            firstRevision: 0,
            lastRevision: 1,
          })
        expect(stored(stream)).toEqual(facts.map(({ id }) => id))
      }
    })

    it('that hangs holds up no other', async () => {
      const log = await open()
      server.appendFaults.push('hangs')
      const hanging = log.append('room-0', [fact()], 'no-stream')
      const others = Array.from({ length: 20 }, (_, n) => log.append(`room-x${n}`, [fact()], 'no-stream'))
      await Promise.all(others)
      server.answerLate()
      await hanging
    })

    it('goes to the leader that a follower names', async () => {
      const log = await open()
      server.appendFaults.push('not the leader')
      expect(await log.append('room-1', [fact()], 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
    })

    it('that is denied is certainly not stored', async () => {
      const log = await open()
      server.appendFaults.push('denied')
      await expect(log.append('room-1', [fact()], 'no-stream')).rejects.toMatchObject({ stored: 'no' })
    })

    it('that a server with a smaller limit refuses is too large', async () => {
      const log = await open()
      server.maxAppendBytes = 100
      const big = fact('Noted', JSON.stringify('x'.repeat(200)))
      await expect(log.append('room-1', [big], 'no-stream')).rejects.toThrow(AppendTooLarge)
    })

    it('says what stands there also where the address turns failures of appends off', async () => {
      const log = await open({}, server.addressWith('&throwOnAppendFailure=false'))
      await log.append('room-1', [fact(), fact(), fact()], 'no-stream')
      const refused = log.append('room-1', [fact()], 0)
      await expect(refused).rejects.toThrow(WrongExpectedRevision)
      await expect(refused).rejects.toMatchObject({ expected: 0, actual: 2 })
    })
  })

  it('a read of one fact asks for little, and looks past what others wrote a page at a time', async () => {
    const log = await open()
    await log.append('room-1', [fact(), fact(), fact()], 'no-stream')
    const [first, second] = await all(log.readAll())
    const { eventsRead } = server
    expect(await all(log.readAll({ from: first?.position ?? 0, limit: 1 }))).toEqual([second])
    // The head, the place, and the fact.
    expect(server.eventsRead - eventsRead).toBeLessThanOrEqual(3)
    const foreign = {
      type: 'Ordered',
      contentType: 'application/json',
      data: Buffer.from('{}'),
      metadata: Buffer.from('{}'),
    }
    server.store.append(
      'orders-1',
      Array.from({ length: 1_000 }, () => ({ ...foreign, id: crypto.randomUUID() })),
      -1,
    )
    await log.append('room-1', [fact()], 2)
    const { read } = server.calls
    const third = (await all(log.readStream('room-1', { from: 2, limit: 1 })))[0]?.position ?? 0
    expect(await all(log.readAll({ from: third, limit: 1 }))).toHaveLength(1)
    expect(server.calls.read - read).toBeLessThan(12)
  })

  it('that a caller goes on from a place that is none says nothing of the server: appends need not ask for it', async () => {
    const log = await open()
    await log.append('room-1', [fact(), fact()], 'no-stream')
    const [{ position } = { position: 0 }] = await all(log.readAll())
    await expect(all(log.readAll({ from: position + 1 }))).rejects.toThrow(NoSuchPosition)
    await expect(all(log.subscribe({ from: position + 1 }))).rejects.toThrow(NoSuchPosition)
    const { read } = server.calls
    await log.append('room-1', [fact()], 1)
    expect(server.calls.read).toBe(read)
  })

  it('a subscription from a place that is none is told so when the server comes, where it was away', async () => {
    const log = await open()
    await log.append('room-1', [fact(), fact()], 'no-stream')
    const [{ position } = { position: 0 }] = await all(log.readAll())
    server.stop()
    const refused = expect(all(log.subscribe({ from: position + 1 }))).rejects.toThrow(NoSuchPosition)
    await expect(log.head()).rejects.toThrow(LogUnavailable)
    await server.start()
    await refused
  })

  describe('while the server is away', () => {
    it('appends are known not to be stored, but one that was in doubt stays so', async () => {
      const log = await open()
      const inDoubt = [fact()]
      server.appendFaults.push('lost after')
      await expect(log.append('room-1', inDoubt, 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
      server.stop()
      for (let n = 0; n < 3; n++) {
        await expect(log.append('room-2', [fact()], 'no-stream')).rejects.toMatchObject({ stored: 'no' })
        await expect(log.append('room-1', inDoubt, 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
      }
      await expect(log.head()).rejects.toThrow(LogUnavailable)
      await expect(all(log.readStream('room-1'))).rejects.toThrow(LogUnavailable)
      await server.start()
      await expect.poll(() => log.head().catch(() => null)).toBeGreaterThan(0)
      expect(await log.append('room-1', inDoubt, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
      expect(await log.append('room-2', [fact()], 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
    })

    it('a cluster that is looked for in vain takes nothing down', async () => {
      const log = await open({}, server.addressWith('&maxDiscoverAttempts=1&discoveryInterval=1', '+discover'))
      await log.append('room-1', [fact()], 'no-stream')
      server.stop()
      for (let n = 0; n < 3; n++) {
        const settled = await Promise.allSettled([
          ...Array.from({ length: 5 }, (_, room) => log.append(`room-x${room}`, [fact()], 'no-stream')),
          log.head(),
          all(log.readStream('room-1')),
        ])
        for (const each of settled)
          expect(each).toMatchObject({ status: 'rejected', reason: { name: 'LogUnavailable' } })
      }
      await server.start()
      await expect.poll(() => log.head().catch(() => null)).toBeGreaterThan(0)
    })

    it('a call that fails while the leader is looked for in vain takes nothing down', async () => {
      const log = await open({}, server.addressWith('&maxDiscoverAttempts=3&discoveryInterval=50', '+discover'))
      server.appendFaults.push('hangs, then lost', 'lost before')
      const hanging = log.append('room-1', [fact()], 'no-stream')
      await expect.poll(() => server.calls.append).toBe(2)
      await expect(log.append('room-2', [fact()], 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
      server.leaderless = true
      const looking = log.head()
      server.answerLate()
      await expect(hanging).rejects.toMatchObject({ stored: 'unknown' })
      await expect(looking).rejects.toThrow(LogUnavailable)
      server.leaderless = false
      expect(await log.head()).toBe(0)
    })

    it('a read that gets no answer ends in time, however slow its caller is', async () => {
      const log = await open()
      await log.append(
        'room-1',
        Array.from({ length: 150 }, () => fact()),
        'no-stream',
      )
      const slow = log.readStream('room-1')[Symbol.asyncIterator]()
      await slow.next()
      server.silent = true
      const calls = server.calls.read
      const unanswered = expect(all(log.readStream('room-1'))).rejects.toThrow(/did not answer/)
      await expect.poll(() => server.calls.read).toBe(calls + 1)
      patience.end()
      await unanswered
      const unconfirmed = all(log.readAll({ to: 10 ** 9, filter: { types: ['Rare'] } }))
      const refused = expect(unconfirmed).rejects.toThrow(/did not answer/)
      await expect.poll(() => server.calls.subscribe).toBe(1)
      patience.end()
      await refused
      let read = 1
      while (!(await slow.next()).done) read++
      expect(read).toBe(150)
    })

    it('a close is not held up', async () => {
      const log = await open()
      const following = all(log.subscribe({ from: 0 }))
      await expect.poll(() => server.subscriptions).toBe(1)
      server.silent = true
      const reading = all(log.readStream('room-1'))
      const { read } = server.calls
      await expect.poll(() => server.calls.read).toBeGreaterThan(read)
      await log.close()
      await expect(reading).rejects.toThrow(/closed/)
      expect(await following).toEqual([{ caughtUp: 0 }])
    })
  })

  describe('a subscription', () => {
    /** Reads on in the background. */
    const followed = (log: EventLog, from = 0, filter?: { types?: string[]; streamPrefixes?: string[] }) => {
      const seen: (Recorded | CaughtUp)[] = []
      const ending = new AbortController()
      const done = (async () => {
        const options = { from, signal: ending.signal, ...(filter ? { filter } : {}) }
        for await (const item of log.subscribe(options)) seen.push(item)
      })()
      const end = async () => {
        ending.abort()
        await done
      }
      const facts = () => seen.filter((item): item is Recorded => 'position' in item)
      return { seen, facts, end }
    }

    it.each(['broken', 'ended'] as const)('that is %s goes on by itself, without gap or repeat', async (how) => {
      const log = await open()
      const following = followed(log)
      let last: number | 'no-stream' = 'no-stream'
      for (let round = 0; round < 4; round++) {
        last = (await log.append('room-1', [fact(), fact(), fact()], last)).lastRevision
        await expect.poll(() => following.facts().length).toBe(last + 1)
        server.dropSubscriptions(how)
        last = (await log.append('room-1', [fact()], last)).lastRevision
      }
      await expect.poll(() => following.facts().length).toBe(16)
      expect(following.facts()).toEqual(await all(log.readAll()))
      expect(following.seen.filter((item) => 'caughtUp' in item)).toHaveLength(1)
      await following.end()
      await expect.poll(() => server.subscriptions).toBe(0)
    })

    it('outlives a restart of the server', async () => {
      const log = await open()
      const following = followed(log, 0, { streamPrefixes: ['room-'] })
      await log.append('room-1', [fact()], 'no-stream')
      await expect.poll(() => following.facts().length).toBe(1)
      server.stop()
      await server.start()
      const other = await open()
      await other.append('user-1', [fact()], 'no-stream')
      await other.append('room-1', [fact()], 0)
      await expect.poll(() => following.facts().length).toBe(2)
      await following.end()
    })

    it('begins when the server comes, where it was away', async () => {
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      server.stop()
      const following = followed(log)
      await expect(log.head()).rejects.toThrow(LogUnavailable)
      await server.start()
      await expect.poll(() => following.seen.length).toBe(2)
      await following.end()
    })

    it('tells that it caught up in its place: behind what was handed out, not behind what was received', async () => {
      const log = await open()
      await log.append(
        'room-1',
        Array.from({ length: 40 }, () => fact()),
        'no-stream',
      )
      await log.append('room-2', [fact()], 'no-stream')
      const reading = log.subscribe({ from: 0, filter: { streamPrefixes: ['room-1'] } })[Symbol.asyncIterator]()
      await reading.next()
      // The last fact does not match, so only the server's word tells; by now it is on its way, ahead of most facts.
      await expect.poll(() => server.eventsSent).toBe(40)
      const seen: unknown[] = []
      while (seen.length < 40) seen.push((await reading.next()).value)
      expect(seen.findIndex((item) => 'caughtUp' in (item as object))).toBe(39)
      await reading.return?.()
    })

    it('of a filter that lets nothing through is told that it caught up, by marks of the server', async () => {
      const log = await open()
      let last: number | 'no-stream' = 'no-stream'
      for (let n = 0; n < 10; n++) {
        last = (
          await log.append(
            'room-1',
            Array.from({ length: 200 }, () => fact()),
            last,
          )
        ).lastRevision
      }
      const head = await log.head()
      const following = followed(log, 0, { types: ['Rare'] })
      await expect.poll(() => following.seen).toEqual([{ caughtUp: head }])
      expect(await all(log.readAll({ filter: { types: ['Rare'] } }))).toEqual([])
      const nothing = followed(log, 0, { types: [] })
      await expect.poll(() => nothing.seen).toEqual([{ caughtUp: head }])
      await Promise.all([following.end(), nothing.end()])
    })

    it('needs no word of the server to know that it caught up', async () => {
      server.untold = true
      const log = await open()
      await log.append('room-1', [fact(), fact()], 'no-stream')
      const following = followed(log)
      await expect.poll(() => following.seen.length).toBe(3)
      await following.end()
    })

    it('holds the server back while its reader rests', async () => {
      const log = await open()
      const big = JSON.stringify('x'.repeat(50_000))
      let last: number | 'no-stream' = 'no-stream'
      for (let n = 0; n < 100; n++) {
        last = (await log.append('room-1', [fact('Noted', big), fact('Noted', big)], last)).lastRevision
      }
      const reading = log.subscribe({ from: 0 })[Symbol.asyncIterator]()
      await reading.next()
      await expect.poll(() => server.heldBack).toBe(true)
      expect(server.eventsSent).toBeLessThan(150)
      let read = 1
      while (!('caughtUp' in (await reading.next()).value)) read++
      expect(read).toBe(200)
      await reading.return?.()
    })
  })
})
