// Read models over the log of a simulated world: a restart or a rebuild changes no row. As of any moment: as-of.test.ts.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { Generations, nextTo } from '../src/projections/generations.ts'
import { PoisonFact } from '../src/projections/poison.ts'
import { dump, makeReadDatabase, openExisting } from '../src/projections/read-database.ts'
import { type Freshness, Runner } from '../src/projections/runner.ts'
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

  describe('in a file that other hands were at', () => {
    let directory: string
    let file: string
    let generations: Generations
    const open = () => {
      generations = new Generations({
        ...{ file, seen: { epoch: 'world', head: facts.length }, atPoison: 'stop', head: () => facts.length },
        source: { read: (from, limit) => facts.slice(from, from + limit) },
        later: (_ms, run) => setImmediate(run),
      })
    }
    const rooms = async () => {
      const { result, position } = await generations.ask('rooms.list', { limit: 500 }, { wants: null, patient: true })
      expect(position).toBe(facts.length)
      return (result as unknown[]).length
    }
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'hansard-read-'))
      file = join(directory, 'read.db')
      const first = runner(database(file))
      first.fold(facts, 'stop')
      first.db.close()
    })
    afterEach(async () => {
      await generations?.stop()
      rmSync(directory, { recursive: true })
    })

    it('are made anew when it is damaged, whoever finds that out', async () => {
      const db = new DatabaseSync(file)
      const { page } = db.prepare("select rootpage as page from sqlite_master where name = 'rooms'").get() as {
        page: number
      }
      db.close()
      // What the file is, and how far it is, can still be read.
      const bytes = readFileSync(file)
      bytes.fill(0xff, (page - 1) * 4_096, page * 4_096)
      writeFileSync(file, bytes)
      open()
      expect((await generations.progress()).building).toBe(null)
      const asked = generations.ask('rooms.list', { limit: 9 }, { wants: null, patient: false })
      await expect(asked).rejects.toThrow('made anew, at 0 of')
      expect(await rooms()).toBeGreaterThan(2)
      expect(dump(generations.db)).toBe(dump(folded(facts)))
    })

    it('go on answering when what was to replace them is deleted, and are replaced by another', async () => {
      open()
      generations.rebuild('stop')
      rmSync(nextTo(file))
      expect(await rooms()).toBeGreaterThan(2)
      await generations.settled()
      expect(await rooms()).toBeGreaterThan(2)
      expect(existsSync(nextTo(file))).toBe(false)
    })
  })

  describe('as they follow the log', () => {
    /** what is planned for later, by how much later */
    let planned: [ms: number, run: () => void][]
    let reads: number
    const later = (ms: number, run: () => void) => {
      planned.push([ms, run])
    }
    const following = (some: readonly Recorded[]) => {
      planned = []
      reads = 0
      const read = (from: number, limit: number) => {
        reads++
        return some.filter(({ position }) => position > from).slice(0, limit)
      }
      return new Runner(database(), { read }, later)
    }
    /** What was planned for then comes to pass. */
    const pass = async (ms: number) => {
      for (const [, run] of planned.splice(0).filter(([due]) => due === ms)) run()
      await new Promise((resolve) => setImmediate(resolve))
    }

    it('gather news for a moment, unless somebody waits for them', async () => {
      const some = facts.slice(0, 3)
      const live = following(some)
      for (let poke = 0; poke < 3; poke++) live.poke()
      expect([planned.map(([ms]) => ms), reads]).toEqual([[75], 0])
      await pass(75)
      expect(live.position).toBe(3)
      const waiting = live.waitFor(4)
      await new Promise((resolve) => setImmediate(resolve))
      some.push(facts[3] as Recorded)
      live.poke()
      await waiting
      expect(planned.filter(([ms]) => ms === 75)).toEqual([])
      live.halt()
      live.poke()
      expect(planned.filter(([ms]) => ms === 75)).toEqual([])
    })

    it('look again after a while when they could not, and once only', async () => {
      const live = following(facts)
      live.db.exec('create trigger full before update on meta begin select raise(abort, 1); end')
      live.poke()
      await pass(75)
      live.poke()
      expect(planned.map(([ms]) => ms)).toEqual([1_000])
      live.db.exec('drop trigger full')
      await pass(1_000)
      expect(live.position).toBe(facts.length)
    })

    it('answer whoever wants to see a place once it is there, and not for ever', async () => {
      const room = facts.filter(({ stream }) => stream.startsWith('room-'))
      const [first, , third] = room.filter(({ stream }) => stream === room[0]?.stream) as [Recorded, Recorded, Recorded]
      const some = facts.slice(0, first.position)
      const live = following(some)
      const { stream, revision } = third
      const seen: string[] = []
      const waits = (name: string, wants: Freshness) =>
        live.waitFor(wants).then(
          () => seen.push(name),
          ({ message }) => seen.push(`${name}: ${message}`),
        )
      const all = [waits('stream', { stream, revision }), waits('position', third.position), waits('never', 1e9)]
      await new Promise((resolve) => setImmediate(resolve))
      expect(seen).toEqual([])
      some.push(...facts.slice(first.position, third.position))
      live.poke()
      await Promise.all(all.slice(0, 2))
      expect(seen).toEqual(['stream', 'position'])
      await live.waitFor({ stream, revision })
      await pass(10_000)
      expect(seen.at(-1)).toMatch(/^never: the read models have not come to 1000000000 in 10000 ms/)
    })
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
    // Asked again, it begins with the very fact.
    expect(() => rebuilding.fold(poisoned.slice(at), 'stop')).toThrow(PoisonFact)
    expect(rebuilding.position).toBe(place - 1)
  })

  it('take back what a fold did before it failed, and what that fact did in the tables of no other', () => {
    const opened = facts.find(({ type }) => type === 'RoomOpened') as Recorded
    const live = runner(folded(facts))
    const [before, count] = [dump(live.db), facts.length]
    // Its row in force ends before the next one is found to have no name.
    live.fold([{ ...opened, type: 'RoomChanged', data: '{"name":null}', position: count + 1 }], 'park')
    expect(live.firstParked(10)).toMatchObject([{ projection: 'rooms', type: 'RoomChanged' }])
    const acted = dump(live.db)
      .split('\n')
      .filter((row) => !before.includes(row))
    expect(acted.map((row) => JSON.parse(row))).toMatchObject([
      { act: 'RoomChanged', position: count + 1 },
      { projection: 'rooms', position: count + 1 },
      { stream: opened.stream },
    ])
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
