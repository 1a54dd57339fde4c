// Connections that closed long ago leave the log, and nothing else does.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MAX_FORGOTTEN } from '../src/actors/retention.ts'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { connect } from '../src/client/client.ts'
import { LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { runQuery } from '../src/projections/queries.ts'
import { dump, MEMORY, makeReadDatabase, openExisting } from '../src/projections/read-database.ts'
import { Runner } from '../src/projections/runner.ts'
import { asking } from './asking.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'
import { World } from './simulation.ts'
import { VirtualClock } from './virtual-clock.ts'

const DAY_MS = 86_400_000

describe('a server', () => {
  let server: TestServer
  let directory = ''
  const clock = new VirtualClock()
  afterEach(async () => {
    expect(server.faults).toEqual([])
    await server.stop()
    if (directory) await rm(directory, { recursive: true, force: true })
    directory = ''
  })

  const ask = async (method: string, path: string, body?: unknown, token = server.ownerTokenText) =>
    asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${token}` }, body)
  const items = async (path: string) => (await ask('GET', path)).body.items
  const streams = async () => {
    const known = new Set<string>()
    for await (const { stream } of server.log.readAll({ filter: { streamPrefixes: ['connection-'] } }))
      known.add(stream)
    return known.size
  }
  /** So that an hourly run comes to pass, and whatever it waits for. */
  const pass = async (ms: number) => {
    clock.advance(ms)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }

  it('forgets them after their days, on disk too, and keeps what outlives them', async () => {
    directory = await mkdtemp(join(tmpdir(), 'hansard-'))
    server = await runServer({ storage: 'sqlite', directory, clock, retentionDays: 30 })
    const ann = await server.account('ann')
    const { id: room } = await openRoom(server, 'native:1', [{ account: ann.account, role: 'member' }])
    const client = await connect({ url: `ws://127.0.0.1:${server.port}/native`, token: ann.token })
    const entered = await client.join('native:1')
    const said = await entered.post('what was said stays')
    entered.read(said)
    await expect.poll(async () => (await items(`/rooms/${room}/reads`)).length).toBe(1)
    client.close()
    // A refused act of hers, over REST; her requests' connection closes after a quarter of an hour.
    expect((await ask('POST', `/rooms/${room}/bans`, { user: '@owner' }, ann.token)).status).toBe(403)
    await expect.poll(async () => (await items('/connections?user=@ann&state=closed')).length).toBe(1)
    await pass(16 * 60_000)
    await expect.poll(async () => (await items('/connections?user=@ann&state=closed')).length).toBe(2)
    const connections = (await items('/connections?user=@ann')).map(({ id }: { id: string }) => id)
    const acts = await items('/moderation?kind=CommandRefused')
    const reads = await items(`/rooms/${room}/reads`)
    expect(acts).toMatchObject([{ by: { username: 'ann' }, detail: { command: 'member.ban', code: 'not-authorized' } }])
    await pass(29 * DAY_MS)
    expect((await items('/connections?user=@ann')).length).toBe(2)

    await pass(2 * DAY_MS)
    await expect.poll(async () => (await items('/connections?user=@ann')).length).toBe(0)
    await expect.poll(async () => items('/facts?stream=connection-').then((facts) => facts.length)).toBe(0)
    for (const id of connections) {
      expect((await ask('GET', `/connections/${id}/timeline`)).status).toBe(404)
      expect(await items(`/facts?stream=connection-${id}`)).toEqual([])
    }
    const [forgotten] = await items('/facts?type=ConnectionsForgotten')
    expect(forgotten.data).toMatchObject({ closings: { afk: 1, client: 1 } })
    expect(new Set(forgotten.data.ids)).toEqual(new Set(connections))
    expect(forgotten.stream).toBe('node-main')
    expect((await items(`/rooms/${room}/messages`)).map(({ text }: { text: string }) => text)).toEqual([
      'what was said stays',
    ])
    expect(await items('/moderation?kind=CommandRefused')).toEqual(acts)
    expect(await items(`/rooms/${room}/reads`)).toEqual(reads)

    const { position } = (await ask('GET', '/facts?limit=1')).body
    await ask('GET', `/rooms?atLeast=${position}`)
    await server.close('test')
    const file = join(directory, 'read.db')
    const rows = () => {
      const opened = openExisting(file, { epoch: forgotten.position.slice(0, 36), head: Number.MAX_SAFE_INTEGER })
      const { db } = opened as NonNullable<typeof opened>
      const text = dump(db)
      db.close()
      return text
    }
    const before = rows()
    expect(before).toContain('what was said stays')
    await rebuild(directory)
    expect(rows()).toBe(before)
    const bytes = readFileSync(join(directory, 'log.db'), 'latin1')
    expect(bytes.includes('what was said stays')).toBe(true)
    expect(bytes.includes('"closeCodes"')).toBe(false)
    server = await runServer({ storage: 'sqlite', directory, clock, retentionDays: 30 })
    expect((await items(`/rooms/${room}/reads`)).length).toBe(1)
  })

  it('deletes at the next run what an outage kept it from, also of a process that died', async () => {
    const kept = new MemoryLog({ epoch: 'kept' })
    let away = true
    const log = new Proxy(kept, {
      get: (target, name) => {
        if (name === 'deleteStreams' && away)
          return async () => {
            throw new LogUnavailable('away', 'no')
          }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    server = await runServer({ log, clock, retentionDays: 1 })
    const { token } = await server.account('bob')
    await ask('POST', '/rooms', { name: 'x' }, token)
    await pass(16 * 60_000)
    await expect.poll(async () => (await items('/connections?state=closed')).length).toBe(1)
    await pass(2 * DAY_MS)
    await expect.poll(async () => (await items('/facts?type=ConnectionsForgotten')).length).toBe(1)
    expect(await streams()).toBeGreaterThan(0)
    away = false
    await pass(2 * 3_600_000)
    await expect.poll(async () => items('/facts?stream=connection-').then((facts) => facts.length)).toBe(0)
    expect(await items('/facts?type=ConnectionsForgotten')).toHaveLength(1)
  })

  it('forgets nothing where the setting says so', async () => {
    server = await runServer({ clock, retentionDays: 0 })
    await ask('POST', '/rooms/moneypot:2/messages', { text: 'x' })
    await pass(16 * 60_000)
    const before = await streams()
    expect(before).toBeGreaterThan(0)
    await pass(1_000 * DAY_MS)
    expect(await streams()).toBe(before)
  })
})

describe('the read models', () => {
  let facts: Recorded[]
  beforeAll(async () => {
    const world = new World(11)
    await world.run(150)
    const lived = await world.facts()
    world.end()
    // People of that world read as well: sometimes further, sometimes what they had read.
    const read = lived.flatMap((fact, index) => {
      const { user = null } = fact.type === 'AuthSucceeded' ? JSON.parse(fact.data) : {}
      const mark = { ...fact, type: 'ReadMarked', data: JSON.stringify({ room: 'r', upTo: 1 + ((index * 7) % 5) }) }
      return user ? [fact, mark, mark] : [fact]
    })
    facts = read.map((fact, index) => ({ ...fact, id: randomUUID(), position: index + 1 }))
  })

  const folded = (some: readonly Recorded[], size = some.length) => {
    const runner = new Runner(makeReadDatabase(MEMORY, 'world'), { read: () => [] }, () => {})
    for (let from = 0; from < some.length; from += size) runner.fold(some.slice(from, from + size), 'stop')
    return runner.db
  }
  const noted = (type: string, data: object, position: number): Recorded => ({
    ...{ id: randomUUID(), type, v: 1, stream: 'node-main', revision: position, position },
    ...{ data: JSON.stringify(data), metadata: JSON.stringify({ at: 0 }) },
  })
  /** What the job appends. */
  const forgetting = (history: readonly Recorded[], before: number, limit: number) => {
    const db = folded(history)
    const { ids, closings, ...kept } = runQuery(db, 'connections.forgettable', { before, limit }) as {
      ids: string[]
      closings: object
    }
    const at = (history.at(-1) as Recorded).position
    const said = [
      noted('ConnectionsRemembered', kept, at + 1),
      noted('ConnectionsForgotten', { before, ids, closings }, at + 2),
    ]
    return { said, gone: new Set(ids.map((id) => `connection-${id}`)) }
  }
  const timeOf = ({ metadata }: Recorded): number => JSON.parse(metadata).at

  it('hold the same rows whether the forgotten streams are there, gone in part, or gone', () => {
    const last = timeOf(facts.at(-1) as Recorded)
    const first = timeOf(facts[0] as Recorded)
    let forgotten = 0
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1.1, noNaN: true }),
        fc.double({ min: 0, max: 1.1, noNaN: true }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 300 }),
        fc.func(fc.boolean()),
        (share, more, limit, size, isGone) => {
          const one = forgetting(facts, first + share * (last - first), limit)
          const history = [...facts, ...one.said]
          const two = forgetting(history, first + more * (last - first), MAX_FORGOTTEN)
          const whole = [...history, ...two.said]
          const gone = new Set([...one.gone, ...two.gone])
          forgotten += gone.size
          const rows = dump(folded(whole, size))
          const left = whole.filter(({ stream }) => !gone.has(stream))
          expect(dump(folded(left, size)), 'after').toBe(rows)
          const some = whole.filter(({ stream }) => !gone.has(stream) || !isGone(stream))
          expect(dump(folded(some, 1_000)), 'between').toBe(rows)
          // The first batch deleted before the second is said.
          const early = whole.filter(({ stream }) => !one.gone.has(stream))
          expect(dump(folded(early)), 'in turn').toBe(rows)
        },
      ),
      { numRuns: 20, examples: [[0.5, 1.1, 40, 50, (stream) => stream < 'connection-019b76da-b']] },
    )
    expect(forgotten).toBeGreaterThan(30)
  })

  it('answer as before about rooms, people, sanctions, refused acts of staff, and how far everybody had read', () => {
    const { said, gone } = forgetting(facts, Number.MAX_SAFE_INTEGER, MAX_FORGOTTEN)
    expect(gone.size).toBeGreaterThan(30)
    const [before, after] = [folded(facts), folded([...facts, ...said].filter(({ stream }) => !gone.has(stream)))]
    const rooms = facts.filter(({ type }) => type === 'RoomOpened').map(({ stream }) => stream.slice('room-'.length))
    const questions = [
      ['users.list', { limit: 500 }],
      ['rooms.list', { limit: 500 }],
      ['moderation.list', { limit: 500 }],
      ['room.reads', { room: 'r', limit: 500 }],
      ...rooms.flatMap((room) => [
        ['room.messages', { room, limit: 500, removed: 'shown' }],
        ['room.mutes', { room, limit: 500 }],
        ['room.members', { room, limit: 500 }],
      ]),
    ] as const
    for (const [name, args] of questions) {
      const answer = runQuery(before, name as never, args)
      expect(runQuery(after, name as never, args), name as string).toEqual(answer)
      if (name === 'moderation.list' || name === 'room.reads') expect((answer as unknown[]).length).toBeGreaterThan(1)
    }
    expect(runQuery(after, 'connections.list', { limit: 500 })).toHaveLength(
      (runQuery(before, 'connections.list', { limit: 500 }) as unknown[]).length - gone.size,
    )
  })
})
