// Read models over the log of a simulated world: a restart or a rebuild changes no row. As of any moment: as-of.test.ts.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { PoisonFact } from '../src/projections/poison.ts'
import { dump, makeReadDatabase, openExisting } from '../src/projections/read-database.ts'
import { Runner } from '../src/projections/runner.ts'
import { World } from './simulation.ts'

let facts: Recorded[]
beforeAll(async () => {
  const world = new World(7)
  await world.run(150)
  facts = await world.facts()
})

const never = () => {}
const database = (file = ':memory:') => makeReadDatabase(file, 'world')
const runner = (db: DatabaseSync) => new Runner(db, { read: () => [] }, never)
const folded = (some: readonly Recorded[]): DatabaseSync => {
  const db = database()
  if (some.length > 0) runner(db).fold(some, 'stop')
  return db
}

describe('the read models', () => {
  it('hold the same rows however the log was cut into transactions', () => {
    const whole = dump(folded(facts))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const live = runner(database())
        for (let from = 0, turn = 0; from < facts.length; turn++) {
          const size = sizes[turn % sizes.length] as number
          live.fold(facts.slice(from, from + size), 'park')
          from += size
        }
        expect(dump(live.db)).toBe(whole)
      }),
      { numRuns: 20 },
    )
  })

  it('go on after a restart where they were, and are of no use when they belong to another log', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hansard-read-'))
    const file = join(directory, 'read.db')
    const first = runner(database(file))
    first.fold(facts.slice(0, 200), 'stop')
    first.db.close()
    const again = openExisting(file, { epoch: 'world', head: facts.length })
    expect(again?.current).toBe(true)
    const second = runner(again?.db as DatabaseSync)
    expect(second.position).toBe((facts[199] as Recorded).position)
    second.fold(facts.slice(200), 'stop')
    expect(dump(second.db)).toBe(dump(folded(facts)))
    second.db.close()
    for (const [epoch, head] of [
      ['another', facts.length],
      ['world', 10],
    ] as const) {
      expect(openExisting(file, { epoch, head })).toBe(null)
    }
    expect(runner(database(file)).position).toBe(0)
    rmSync(directory, { recursive: true })
  })

  it('tell whoever waits as soon as a run fails, whichever run it is', async () => {
    const first = Promise.withResolvers<Recorded[]>()
    let reads = 0
    const read = () => {
      if (++reads === 1) return first.promise
      throw new LogUnavailable('the disk is full', 'no')
    }
    const live = new Runner(database(), { read }, never)
    const running = live.run()
    // It came during a run, which ends well and without what it waits for.
    const waiting = live.waitFor(5)
    first.resolve([])
    await running
    await expect(waiting).rejects.toThrow('the disk is full')
  })

  it('park a poison fact in live running, with nothing of it left, and stop a rebuild at it', () => {
    const at = facts.findIndex(({ type }) => type === 'MessagePosted')
    const place = (facts[at] as Recorded).position
    const poisoned = facts.map((fact, index) => (index === at ? { ...fact, data: '{"id": my secret' } : fact))
    const live = runner(database())
    live.fold(poisoned, 'park')
    expect(live.position).toBe(facts.length)
    expect(live.parked).toBe(1)
    expect(live.firstParked(10)).toEqual([
      { position: place, type: 'MessagePosted', projection: 'room-history', error: 'not JSON' },
      { position: place, type: 'MessagePosted', projection: 'search', error: 'not JSON' },
    ])
    const rows = (db: DatabaseSync) => dump(db).replace(/\nparked(\n\{[^\n]*)*/, '')
    expect(rows(live.db)).toBe(rows(folded(facts.filter((_, index) => index !== at))))
    const rebuilding = runner(database())
    expect(() => rebuilding.fold(poisoned, 'stop')).toThrow(PoisonFact)
    expect(rebuilding.position).toBe(place - 1)
    expect(dump(rebuilding.db)).toBe(dump(folded(facts.slice(0, at))))
  })

  it('park a fact of a type or a version that they do not know, under a name of its own', () => {
    const next = { ...(facts.at(-1) as Recorded), position: facts.length + 1 }
    const live = runner(folded(facts))
    live.fold([{ ...next, type: 'FromTheFuture' }], 'park')
    live.fold([{ ...next, type: 'UserRenamed', v: 7, position: next.position + 1 }], 'park')
    expect(live.firstParked(10).map(({ type, projection, error }) => [type, projection, error])).toEqual([
      ['FromTheFuture', 'every projection', 'unknown type'],
      ['UserRenamed', 'people', 'this version reads v1 to v1'],
    ])
  })
})
