// One suite, every adapter. What fails here, the actors cannot be trusted on.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AppendTooLarge,
  type CaughtUp,
  type Envelope,
  type EventLog,
  LogUnavailable,
  MAX_APPEND_BYTES,
  MAX_FACT_BYTES,
  MAX_FACTS,
  NoSuchPosition,
  type Recorded,
  type Subscribe,
  WrongExpectedRevision,
} from '../src/log/event-log.ts'

let made = 0
const fact = (type = 'Noted', data = `{"n":${made}}`): Envelope => {
  made++
  return { id: `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`, type, v: 1, data, metadata: '{"at":1}' }
}
const facts = (count: number, type?: string): Envelope[] => Array.from({ length: count }, () => fact(type))
const ids = (list: readonly Envelope[]): string[] => list.map(({ id }) => id)

const all = async <T>(iterable: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = []
  for await (const item of iterable) items.push(item)
  return items
}

const isFact = (item: Recorded | CaughtUp): item is Recorded => 'position' in item

/** Reads a subscription until `done`, then ends it by its signal. */
const follow = async (
  log: EventLog,
  options: Omit<Subscribe, 'signal'>,
  done: (seen: readonly (Recorded | CaughtUp)[]) => boolean,
): Promise<(Recorded | CaughtUp)[]> => {
  const ending = new AbortController()
  const seen: (Recorded | CaughtUp)[] = []
  for await (const item of log.subscribe({ ...options, signal: ending.signal })) {
    seen.push(item)
    if (done(seen)) ending.abort()
  }
  return seen
}

export type Open = () => Promise<{ log: EventLog; remove: () => void | Promise<void> }>

export const keepsTheContract = (name: string, open: Open) =>
  describe(`the ${name} log`, () => {
    let log: EventLog
    let remove: () => void | Promise<void>

    beforeEach(async () => {
      ;({ log, remove } = await open())
    })

    afterEach(async () => {
      await log.close()
      await remove()
    })

    describe('append', () => {
      it('stores facts at the revisions that follow, and gives them back byte for byte', async () => {
        const odd = fact('Отправлено', '{"text":"\\ud83d и 😀 \\u0000"}')
        expect(await log.append('room-1', [fact(), odd], 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 1 })
        expect(await log.append('room-1', [fact()], 1)).toEqual({ firstRevision: 2, lastRevision: 2 })
        const stored = await all(log.readStream('room-1'))
        expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2])
        expect(stored[1]).toMatchObject({ ...odd, stream: 'room-1', revision: 1 })
      })

      it('refuses another revision than the expected one and stores nothing', async () => {
        await log.append('room-1', facts(3), 'no-stream')
        for (const expected of ['no-stream', 0, 1, 3, 1_000] as const) {
          const refused = log.append('room-1', facts(2), expected)
          await expect(refused).rejects.toThrow(WrongExpectedRevision)
          await expect(refused).rejects.toMatchObject({ stream: 'room-1', expected, actual: 2 })
        }
        await expect(log.append('room-2', [fact()], 0)).rejects.toMatchObject({ actual: 'no-stream' })
        expect(await all(log.readAll())).toHaveLength(3)
      })

      it('takes the very same facts at the same place as a success, and stores them once', async () => {
        const first = facts(2)
        const answer = await log.append('room-1', first, 'no-stream')
        expect(await log.append('room-1', first, 'no-stream')).toEqual(answer)
        const second = facts(2)
        await log.append('room-1', second, 1)
        expect(await log.append('room-1', second, 1)).toEqual({ firstRevision: 2, lastRevision: 3 })
        expect(ids(await all(log.readStream('room-1')))).toEqual(ids([...first, ...second]))
      })

      it('knows a landed append whose answer was lost, also when others were appended after it', async () => {
        const lost = facts(2)
        await log.append('room-1', lost, 'no-stream')
        await log.append('room-1', facts(3), 1)
        expect(await log.append('room-1', lost, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 1 })
        expect(await all(log.readStream('room-1'))).toHaveLength(5)
      })

      it('does not take half of an append, or the same facts elsewhere, for a repeat', async () => {
        const [a, b, c] = facts(3) as [Envelope, Envelope, Envelope]
        await log.append('room-1', [a, b], 'no-stream')
        await expect(log.append('room-1', [a, b, c], 'no-stream')).rejects.toThrow(WrongExpectedRevision)
        await expect(log.append('room-1', [b, a], 'no-stream')).rejects.toThrow(WrongExpectedRevision)
        await expect(log.append('room-1', [b], 'no-stream')).rejects.toThrow(WrongExpectedRevision)
        expect(await log.append('room-1', [b], 0)).toEqual({ firstRevision: 1, lastRevision: 1 })
      })

      it('lets exactly one of parallel appends to one stream win', async () => {
        await log.append('room-1', [fact()], 'no-stream')
        const rivals = Array.from({ length: 20 }, () => log.append('room-1', facts(2), 0))
        const settled = await Promise.allSettled(rivals)
        expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        for (const each of settled) {
          if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(WrongExpectedRevision)
        }
        expect(await all(log.readStream('room-1'))).toHaveLength(3)
      })

      it('lets a loser cost nobody else anything', async () => {
        const settled = await Promise.allSettled([
          log.append('room-1', [fact()], 'no-stream'),
          log.append('room-1', [fact()], 7),
          log.append('room-2', [fact()], 'no-stream'),
          log.append('room-1', [fact()], 0),
        ])
        expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
      })

      it('keeps to its bounds, and says which one', async () => {
        const big = (bytes: number) => fact('Noted', JSON.stringify('x'.repeat(bytes)))
        await expect(log.append('room-1', facts(MAX_FACTS + 1), 'no-stream')).rejects.toThrow(AppendTooLarge)
        await expect(log.append('room-1', [big(MAX_FACT_BYTES)], 'no-stream')).rejects.toThrow(/Noted of \d+ bytes/)
        const half = Math.floor(MAX_APPEND_BYTES / 2) - 200
        await expect(log.append('room-1', [big(half), big(half), big(500)], 'no-stream')).rejects.toThrow(
          AppendTooLarge,
        )
        // counted as they are stored, not as UTF-16
        const cyrillic = fact('Noted', JSON.stringify('ж'.repeat(MAX_FACT_BYTES / 2)))
        await expect(log.append('room-1', [cyrillic], 'no-stream')).rejects.toThrow(AppendTooLarge)
        expect(await log.head()).toBe(0)
        await log.append('room-1', [big(half), big(half)], 'no-stream')
        await log.append('room-1', facts(MAX_FACTS), 1)
        expect(await all(log.readStream('room-1'))).toHaveLength(MAX_FACTS + 2)
      })

      it.each([
        ['no facts', 'room-1', [], 'no-stream'],
        ['a revision below 0', 'room-1', [fact()], -1],
        ['a broken revision', 'room-1', [fact()], 0.5],
        ['no stream', '', [fact()], 'no-stream'],
        ['a version that is none', 'room-1', [{ ...fact(), v: Number.NaN }], 'no-stream'],
        ['a lone surrogate, which a store would change', 'room-1', [fact('Noted', '"\ud83d"')], 'no-stream'],
      ] as const)('refuses %s before others could suffer', async (_, stream, bad, expected) => {
        const good = log.append('room-2', [fact()], 'no-stream')
        await expect(log.append(stream, bad, expected)).rejects.toThrow(TypeError)
        await good
        expect(await log.append('room-2', [fact()], 0)).toEqual({ firstRevision: 1, lastRevision: 1 })
      })
    })

    describe('reading a stream', () => {
      it('is empty when the stream is absent, either way', async () => {
        await log.append('room-1', facts(2), 'no-stream')
        expect(await all(log.readStream('room-2'))).toEqual([])
        expect(await all(log.readStream('room-2', { direction: 'backwards' }))).toEqual([])
        expect(await all(log.readStream('room', { from: 1 }))).toEqual([])
      })

      it('starts, turns and ends where it is told', async () => {
        await log.append('room-1', facts(10), 'no-stream')
        const revisions = async (options: Parameters<EventLog['readStream']>[1]) =>
          (await all(log.readStream('room-1', options))).map(({ revision }) => revision)
        expect(await revisions({ from: 7 })).toEqual([7, 8, 9])
        expect(await revisions({ from: 2, limit: 3 })).toEqual([2, 3, 4])
        expect(await revisions({ from: 10 })).toEqual([])
        expect(await revisions({ direction: 'backwards', limit: 2 })).toEqual([9, 8])
        expect(await revisions({ direction: 'backwards', from: 2 })).toEqual([2, 1, 0])
        expect(await revisions({ direction: 'backwards', from: 99, limit: 1 })).toEqual([9])
        expect(await revisions({ limit: 0 })).toEqual([])
      })

      it('goes through 20,000 facts in order, and finds the end of them at once', async () => {
        const count = 20_000
        let last: number | 'no-stream' = 'no-stream'
        for (let stored = 0; stored < count; ) {
          const batch = facts(Math.min(MAX_FACTS, count - stored))
          last = (await log.append('room-1', batch, last)).lastRevision
          stored += batch.length
        }
        let next = 0
        for await (const { revision } of log.readStream('room-1')) {
          if (revision !== next) throw new Error(`${revision} where ${next} belongs`)
          next++
        }
        expect(next).toBe(count)
        let before = count
        for await (const { revision } of log.readStream('room-1', { direction: 'backwards' })) {
          if (revision !== before - 1) throw new Error(`${revision} before ${before}`)
          before = revision
        }
        expect(before).toBe(0)
        const [tail] = await all(log.readStream('room-1', { direction: 'backwards', limit: 1 }))
        expect(tail?.revision).toBe(count - 1)
        const [late] = await all(log.readStream('room-1', { from: count - 1_000, limit: 1 }))
        const after = await all(log.readAll({ from: late?.position ?? 0, filter: { streamPrefixes: ['room-'] } }))
        expect(after.map(({ revision }) => revision)).toEqual(Array.from({ length: 999 }, (_, n) => count - 999 + n))
      })

      it('can be left early, and the log lives on', async () => {
        await log.append('room-1', facts(200), 'no-stream')
        for await (const { revision } of log.readStream('room-1')) if (revision === 3) break
        for await (const { position } of log.readAll()) if (position === 3) break
        expect((await log.append('room-1', [fact()], 199)).lastRevision).toBe(200)
      })
    })

    describe('reading the whole log', () => {
      beforeEach(async () => {
        await log.append('room-1', [fact('Opened'), fact('Posted')], 'no-stream')
        await log.append('user-1', [fact('Registered')], 'no-stream')
        await log.append('room-1', [fact('Posted'), fact('Posted')], 1)
        await log.append('room_1', [fact('Opened')], 'no-stream')
        await log.append('user-2', [fact('Registered'), fact('Banned')], 'no-stream')
      })

      const seen = async (options: Parameters<EventLog['readAll']>[0]) =>
        (await all(log.readAll(options))).map(({ stream, revision }) => `${stream}@${revision}`)

      it('gives every fact in the order of their positions, which only grow', async () => {
        const stored = await all(log.readAll())
        expect(stored.map(({ stream, revision }) => `${stream}@${revision}`)).toEqual([
          'room-1@0',
          'room-1@1',
          'user-1@0',
          'room-1@2',
          'room-1@3',
          'room_1@0',
          'user-2@0',
          'user-2@1',
        ])
        const positions = stored.map(({ position }) => position)
        expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
        expect(positions[0]).toBeGreaterThan(0)
        expect(await log.head()).toBe(positions.at(-1))
      })

      it('starts after `from`, ends with `to` and keeps to `limit`', async () => {
        const positions = (await all(log.readAll())).map(({ position }) => position)
        expect(await seen({ from: positions[5] as number })).toEqual(['user-2@0', 'user-2@1'])
        expect(await seen({ from: positions[1] as number, to: positions[3] as number })).toEqual([
          'user-1@0',
          'room-1@2',
        ])
        expect(await seen({ limit: 2 })).toEqual(['room-1@0', 'room-1@1'])
        expect(await seen({ from: positions.at(-1) as number })).toEqual([])
        expect(await seen({ to: 0 })).toEqual([])
      })

      it('filters by type, by the beginning of the stream, and by both', async () => {
        expect(await seen({ filter: { types: ['Opened'] } })).toEqual(['room-1@0', 'room_1@0'])
        expect(await seen({ filter: { types: ['Opened', 'Banned', 'Opened'] } })).toEqual([
          'room-1@0',
          'room_1@0',
          'user-2@1',
        ])
        expect(
          await seen({ filter: { types: ['Banned', 'Posted'], streamPrefixes: ['user-', 'room-1'] }, limit: 2 }),
        ).toEqual(['room-1@1', 'room-1@2'])
        expect(await seen({ filter: { streamPrefixes: ['room_'] } })).toEqual(['room_1@0'])
        expect(await seen({ filter: { streamPrefixes: ['user-', 'room_', 'user-1'] } })).toEqual([
          'user-1@0',
          'room_1@0',
          'user-2@0',
          'user-2@1',
        ])
        expect(await seen({ filter: { streamPrefixes: [''] }, limit: 1 })).toEqual(['room-1@0'])
        expect(await seen({ filter: {} })).toHaveLength(8)
        expect(await seen({ filter: { types: [] } })).toEqual([])
        expect(await seen({ filter: { types: ['Posted'], streamPrefixes: [] } })).toEqual([])
      })

      it('ends at the head of when it began', async () => {
        const reading = log.readAll()[Symbol.asyncIterator]()
        await reading.next()
        await log.append('room-9', facts(3), 'no-stream')
        let rest = 0
        while (!(await reading.next()).done) rest++
        expect(rest).toBe(7)
      })
    })

    it('asked for what is new again and again, as read models do, skips nothing while others append, lose and repeat', async () => {
      let over = false
      const asking = async (limit: number): Promise<Recorded[]> => {
        const seen: Recorded[] = []
        for (;;) {
          const wasOver = over
          const news = await all(log.readAll({ from: seen.at(-1)?.position ?? 0, limit }))
          seen.push(...news)
          if (wasOver && news.length === 0) return seen
          await new Promise(setImmediate)
        }
      }
      const readers = [asking(3), asking(500)]
      let lost = 0
      await Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
          let last: number | 'no-stream' = 'no-stream'
          for (let n = 0; n < 40; n++) {
            const some = facts(1 + (n % 3))
            const losing = log.append(`room-${writer}`, facts(2), 1_000).catch(() => lost++)
            await Promise.all([log.append(`room-${writer}`, some, last), losing])
            await log.append(`room-${writer}`, some, last)
            last = (last === 'no-stream' ? -1 : last) + some.length
          }
        }),
      )
      over = true
      const whole = await all(log.readAll())
      expect(lost).toBe(8 * 40)
      for (const seen of await Promise.all(readers)) expect(seen).toEqual(whole)
      const revisions = whole.filter(({ stream }) => stream === 'room-3').map(({ revision }) => revision)
      expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, n) => n))
      expect(whole).toHaveLength(8 * (14 + 2 * 13 + 3 * 13))
    })

    describe('a subscription', () => {
      it('delivers what stands there, says once that it has, and goes on live', async () => {
        await log.append('room-1', facts(3), 'no-stream')
        const seen = await follow(log, { from: 0 }, (items) => {
          if (items.length === 4) void log.append('room-1', facts(2), 2)
          return items.length === 6
        })
        expect(seen.map((item) => (isFact(item) ? item.revision : 'caught up'))).toEqual([0, 1, 2, 'caught up', 3, 4])
        expect(seen[3]).toEqual({ caughtUp: (seen[2] as Recorded).position })
      })

      it('is caught up at once in an empty log, and at its head', async () => {
        expect(await follow(log, { from: 0 }, () => true)).toEqual([{ caughtUp: 0 }])
        await log.append('room-1', facts(2), 'no-stream')
        const head = await log.head()
        expect(await follow(log, { from: head }, () => true)).toEqual([{ caughtUp: head }])
      })

      it('neither skips nor repeats while others append', async () => {
        const writers = 8
        const each = 150
        const follower = (from: number, filter?: Subscribe['filter']) =>
          follow(log, { from, ...(filter ? { filter } : {}) }, (items) =>
            items.some((item) => isFact(item) && item.type === 'End'),
          )
        const early = follower(0)
        const rooms = follower(0, { streamPrefixes: ['room-1', 'end'] })
        const late: Promise<(Recorded | CaughtUp)[]>[] = []
        await Promise.all(
          Array.from({ length: writers }, async (_, writer) => {
            let last: number | 'no-stream' = 'no-stream'
            for (let n = 0; n < each; n++) {
              last = (await log.append(`room-${writer}`, facts(1 + (n % 3)), last)).lastRevision
              if (n % 50 === writer) late.push(follower(await log.head()))
            }
          }),
        )
        await log.append('end', [fact('End')], 'no-stream')
        const whole = await all(log.readAll())
        expect((await early).filter(isFact)).toEqual(whole)
        expect((await rooms).filter(isFact)).toEqual(whole.filter(({ stream }) => /^(room-1|end)/.test(stream)))
        for (const seen of await Promise.all(late)) {
          const got = seen.filter(isFact)
          expect(got).toEqual(whole.slice(-got.length))
          expect(seen.filter((item) => !isFact(item))).toHaveLength(1)
        }
      })

      it('goes on from a position', async () => {
        await log.append('room-1', facts(20), 'no-stream')
        const [first] = await follow(log, { from: 0, filter: { types: ['Noted'] } }, () => true)
        const rest = await follow(log, { from: (first as Recorded).position }, (items) => items.length === 19)
        expect(rest.filter(isFact).map(({ revision }) => revision)).toEqual(Array.from({ length: 19 }, (_, n) => n + 1))
      })

      it('keeps its place behind a reader that falls far behind', async () => {
        const reading = log.subscribe({ from: 0 })[Symbol.asyncIterator]()
        expect((await reading.next()).value).toEqual({ caughtUp: 0 })
        let last: number | 'no-stream' = 'no-stream'
        for (let n = 0; n < 30; n++) {
          last = (await log.append('room-1', facts(200), last)).lastRevision
          if (n === 0) expect((await reading.next()).value).toMatchObject({ revision: 0 })
        }
        for (let revision = 1; revision < 6_000; revision++) {
          const { value } = await reading.next()
          if (value.revision !== revision) throw new Error(`${value.revision} where ${revision} belongs`)
        }
        await reading.return?.()
      })

      it('sleeps through what does not match, and finds the rare one', async () => {
        const found = follow(log, { from: 0, filter: { types: ['Rare'] } }, (items) => items.length === 2)
        let last: number | 'no-stream' = 'no-stream'
        for (let n = 0; n < 20; n++) last = (await log.append('room-1', facts(250), last)).lastRevision
        await log.append('room-2', [fact(), fact('Rare')], 'no-stream')
        const [, rare] = await found
        expect(rare).toMatchObject({ stream: 'room-2', revision: 1 })
      })

      it('ends by its signal, before it began, asleep or in the middle', async () => {
        expect(await all(log.subscribe({ from: 0, signal: AbortSignal.abort() }))).toEqual([])
        await log.append('room-1', facts(5), 'no-stream')
        expect(await follow(log, { from: 0 }, (items) => items.length === 2)).toHaveLength(2)
        const asleep = new AbortController()
        const sleeping = log.subscribe({ from: await log.head(), signal: asleep.signal })[Symbol.asyncIterator]()
        await sleeping.next()
        const next = sleeping.next()
        asleep.abort()
        expect((await next).done).toBe(true)
      })
    })

    describe('a position that is no place in it', () => {
      const ways: readonly [string, (from: number) => Promise<unknown>][] = [
        ['reading', (from) => all(log.readAll({ from }))],
        ['reading up to another', (from) => all(log.readAll({ from, to: from + 1_000_000 }))],
        ['reading what matches', (from) => all(log.readAll({ from, filter: { types: ['Noted'] } }))],
        ['a subscription', (from) => follow(log, { from }, () => true)],
        ['a subscription to what matches', (from) => follow(log, { from, filter: { types: ['Noted'] } }, () => true)],
      ]

      it.each(ways)('is refused above its head, and nothing else suffers: %s', async (_, going) => {
        await log.append('room-1', facts(3), 'no-stream')
        const head = await log.head()
        for (const from of [head + 1, head + 7, head + 1_000_000, 10 ** 15 - 1]) {
          const refused = going(from)
          await expect(refused).rejects.toThrow(NoSuchPosition)
          await expect(refused).rejects.toMatchObject({ position: from })
        }
        await log.append('room-1', [fact()], 2)
        expect(await log.head()).toBeGreaterThan(head)
        expect(await all(log.readAll({ from: head }))).toHaveLength(1)
      })

      it.each(ways)('is refused between two facts, where there is room: %s', async (_, going) => {
        await log.append('room-1', facts(3), 'no-stream')
        const [first, second, third] = (await all(log.readAll())).map(({ position }) => position) as number[]
        for (const [before, after] of [
          [first, second],
          [second, third],
        ] as [number, number][]) {
          if (after - before === 1) continue
          for (const from of [before + 1, Math.floor((before + after) / 2), after - 1]) {
            await expect(going(from)).rejects.toThrow(NoSuchPosition)
          }
        }
        await log.append('room-1', [fact()], 2)
        expect(await all(log.readAll({ from: third as number }))).toHaveLength(1)
      })
    })

    describe('deletion', () => {
      it('takes whole streams out for good, and gives their positions to nobody else', async () => {
        await log.append('connection-1', facts(3), 'no-stream')
        await log.append('room-1', facts(2), 'no-stream')
        await log.append('connection-2', facts(2), 'no-stream')
        await log.append('connection-3', facts(1), 'no-stream')
        await log.append('room-1', [fact('Forgotten')], 1)
        const head = await log.head()
        await log.deleteStreams(['connection-1', 'connection-2', 'connection-none'])
        await log.deleteStreams(['connection-1', 'connection-2'])
        await log.deleteStreams([])
        for (const stream of ['connection-1', 'connection-2']) {
          expect(await all(log.readStream(stream))).toEqual([])
          expect(await all(log.readStream(stream, { direction: 'backwards', limit: 1 }))).toEqual([])
        }
        const others = (list: readonly Recorded[]) =>
          list
            .filter(({ stream }) => !/^connection-[12]$/.test(stream))
            .map(({ stream, revision }) => `${stream}@${revision}`)
        const left = ['room-1@0', 'room-1@1', 'connection-3@0', 'room-1@2']
        expect(others(await all(log.readAll()))).toEqual(left)
        expect(others(await all(log.readAll({ filter: { streamPrefixes: ['connection-'] } })))).toEqual(
          left.slice(2, 3),
        )
        expect(await log.head()).toBe(head)
        await log.append('room-1', [fact()], 2)
        expect(await log.head()).toBeGreaterThan(head)
        const seen = await follow(log, { from: 0 }, (heard) => heard.some((item) => 'caughtUp' in item))
        expect(others(seen.filter(isFact))).toEqual([...left, 'room-1@3'])
      })

      it('goes on beside appends, each stored', async () => {
        const connections = Array.from({ length: 60 }, (_, n) => `connection-${n}`)
        for (const stream of connections) await log.append(stream, facts(2), 'no-stream')
        const appends = Array.from({ length: 40 }, (_, n) => log.append(`room-${n}`, facts(2), 'no-stream'))
        await Promise.all([log.deleteStreams(connections.slice(0, 59)), ...appends])
        const rooms = (await all(log.readAll())).filter(({ stream }) => stream.startsWith('room-'))
        expect(rooms).toHaveLength(80)
        for (const stream of connections.slice(0, 59)) expect(await all(log.readStream(stream))).toEqual([])
        expect(await all(log.readStream('connection-59'))).toHaveLength(2)
      })
    })

    describe('close', () => {
      it('lets appends under way finish', async () => {
        let stored = 0
        for (let n = 0; n < 50; n++) {
          void log.append(`room-${n}`, [fact()], 'no-stream').then(() => {
            stored++
          })
        }
        await log.close()
        expect(stored).toBe(50)
      })

      it('ends subscriptions and refuses what comes later', async () => {
        const reading = log.subscribe({ from: 0 })[Symbol.asyncIterator]()
        await reading.next()
        const next = reading.next()
        await log.close()
        expect((await next).done).toBe(true)
        await expect(log.append('room-1', [fact()], 'no-stream')).rejects.toMatchObject({ stored: 'no' })
        await expect(all(log.readStream('room-1'))).rejects.toThrow(LogUnavailable)
        await expect(all(log.readAll())).rejects.toThrow(LogUnavailable)
        await expect(log.head()).rejects.toThrow(LogUnavailable)
        await expect(log.epoch()).rejects.toThrow(LogUnavailable)
        await log.close()
      })
    })

    it('has one epoch for life', async () => {
      const epoch = await log.epoch()
      await log.append('room-1', [fact()], 'no-stream')
      expect(epoch).not.toBe('')
      expect(await log.epoch()).toBe(epoch)
    })
  })
