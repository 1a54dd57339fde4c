// Logs that earlier versions wrote, kept as they were: this version reads them, and says of them what was said then. Rows
// 64 and 65 of the catalogue of bad input. A version that changes the shape of a fact adds its log here, from a simulated
// world, with the answers it gave (HANSARD_TEST_KEEP=<version> writes them); what is here is never written again.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { factTypes, readFact } from '../src/actors/fact-codec.ts'
import type { Envelope, EventLog, Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { dump } from '../src/projections/read-database.ts'
import { LocalReadModels, type ReadModels } from '../src/projections/read-models.ts'
import { runServer } from './running-server.ts'
import { World } from './simulation.ts'

const FOLDER = join(import.meta.dirname, 'kept-logs')
const MAIN = join(import.meta.dirname, '../src/main.ts')
/** of the simulated world, which its log names by its hash */
const NAME_KEY = 'k'.repeat(32)

type Kept = Envelope & { readonly stream: string }

const keptIn = (version: string): Kept[] =>
  readFileSync(join(FOLDER, `${version}.ndjson`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const into = async (log: EventLog, facts: readonly Kept[]): Promise<void> => {
  const last = new Map<string, number>()
  for (const { stream, ...fact } of facts) {
    const { lastRevision } = await log.append(stream, [fact], last.get(stream) ?? 'no-stream')
    last.set(stream, lastRevision)
  }
}

/** What the read models say of everything in it, as of the log's own end. */
const answersOf = async (readModels: ReadModels, position: number) => {
  const at = { position }
  const { result: rooms } = await readModels.query('rooms.list', { limit: 500, at }, { atLeast: position })
  const { result: users } = await readModels.query('users.list', { limit: 500, at })
  const { result: connections } = await readModels.query('connections.list', { limit: 500, at })
  const perRoom = await Promise.all(
    rooms.map(async ({ id: room }) => ({
      messages: (await readModels.query('room.messages', { room, limit: 500, at, removed: 'shown' })).result,
      mutes: (await readModels.query('room.mutes', { room, limit: 500, at })).result,
      bans: (await readModels.query('room.bans', { room, limit: 500, at })).result,
      members: (await readModels.query('room.members', { room, limit: 500, at })).result,
    })),
  )
  const moderation = (await readModels.query('moderation.list', { limit: 500, at })).result
  return JSON.parse(JSON.stringify({ rooms, users, connections, perRoom, moderation }))
}

const { HANSARD_TEST_KEEP } = process.env
it.runIf(HANSARD_TEST_KEEP)('keeps the log of a simulated world', async () => {
  const world = new World(7)
  await world.run(120)
  const line = ({ id, type, v, data, metadata, stream }: Recorded) =>
    `${JSON.stringify({ id, type, v, data, metadata, stream })}\n`
  const facts = (await world.facts()).filter(({ type }) => type !== 'MachineDefined')
  writeFileSync(join(FOLDER, `${HANSARD_TEST_KEEP}.ndjson`), facts.map(line).join(''))
  const log = new MemoryLog()
  await into(log, keptIn(HANSARD_TEST_KEEP as string))
  const server = await runServer({ log, nameKey: NAME_KEY })
  const answers = await answersOf(server.readModels, facts.length)
  writeFileSync(join(FOLDER, `${HANSARD_TEST_KEEP}.answers.json`), `${JSON.stringify(answers, null, 1)}\n`)
  await server.stop()
})

const versions = readdirSync(FOLDER).flatMap((file) => (file.endsWith('.ndjson') ? [file.slice(0, -7)] : []))

describe.each(versions)('the log of %s', (version) => {
  const facts = keptIn(version)

  it('has facts that all read as of now', () => {
    for (const [index, fact] of facts.entries()) {
      const read = readFact({ ...fact, revision: 0, position: index + 1 })
      if (read instanceof Error) throw read
      factTypes[read.type]?.schema.parse(read.data)
    }
  })

  it('is served: no actor is out of service, no fact is parked, and the answers are those of then', async () => {
    const log = new MemoryLog()
    await into(log, facts)
    const server = await runServer({ log, nameKey: NAME_KEY })
    const streams = new Set(facts.map(({ stream }) => stream).filter((name) => /^(connection|room|user)-/.test(name)))
    for (const stream of streams) expect((await server.host.load(stream)).quarantined, stream).toBe(false)
    expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ ready: true, parked: 0, problems: [] })
    const then = JSON.parse(readFileSync(join(FOLDER, `${version}.answers.json`), 'utf8'))
    expect(await answersOf(server.readModels, facts.length)).toMatchObject(then)
    await server.stop()
    expect(server.faults).toEqual([])
  })
})

it('a message that was removed, and shown again, several times over is listed once and is what it last became', async () => {
  const log = new MemoryLog()
  await into(log, keptIn('0.1.0'))
  const all: Recorded[] = []
  for await (const fact of log.readAll()) all.push(fact)
  const posted = all.find(({ type }) => type === 'MessagePosted') as Recorded
  const { stream } = posted
  const { id, author } = JSON.parse(posted.data)
  const { metadata } = all.findLast((fact) => fact.stream === stream) as Recorded
  const removal = ['MessageRemoved', { id, author: author.id, by: null, reason: null }] as const
  const restoral = ['MessageRestored', { id, author: author.id, by: null, original: posted.revision }] as const
  let last = all.filter((fact) => fact.stream === stream).length - 1
  const readModels = await LocalReadModels.open(log, () => {})
  const become = async (...acts: (typeof removal | typeof restoral)[]) => {
    for (const [type, data] of acts) {
      const fact = { id: `act ${last}`, type, v: 1, data: JSON.stringify(data), metadata }
      last = (await log.append(stream, [fact], last)).lastRevision
    }
    const args = { room: stream.slice('room-'.length), limit: 500, removed: 'shown' } as const
    const { result } = await readModels.query('room.messages', args, { atLeast: { stream, revision: last } })
    return result.filter((message) => message.id === id).map(({ removed }) => removed !== null)
  }
  expect(await become(removal, removal, removal)).toEqual([true])
  expect(await become(restoral, restoral)).toEqual([false])
  expect(await become(removal, removal)).toEqual([true])
  const anew = await LocalReadModels.open(log, () => {})
  await anew.generations.progress()
  expect(dump(anew.generations.db)).toBe(dump(readModels.generations.db))
})

describe('read models made twice', () => {
  const directories: string[] = []
  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true })
  })

  it('by processes in other zones and languages are the same to the byte', async () => {
    const made = async (environment: Record<string, string>): Promise<string> => {
      const directory = mkdtempSync(join(tmpdir(), 'hansard-twice-'))
      directories.push(directory)
      const log = await SqliteLog.open(directory, { newId: () => 'the same' })
      for (const version of versions) await into(log, keptIn(version))
      await log.close()
      const rebuilding = spawn(process.execPath, [MAIN, 'rebuild', '--data', directory], {
        env: { ...process.env, ...environment },
        stdio: 'ignore',
      })
      expect((await once(rebuilding, 'exit'))[0]).toBe(0)
      const db = new DatabaseSync(join(directory, 'read.db'), { readOnly: true })
      try {
        return dump(db)
      } finally {
        db.close()
      }
    }
    const [first, second] = await Promise.all([
      made({ TZ: 'UTC', LC_ALL: 'C' }),
      made({ TZ: 'Pacific/Chatham', LC_ALL: 'tr_TR.UTF-8' }),
    ])
    expect(first.length).toBeGreaterThan(10_000)
    expect(second).toBe(first)
  })
})
