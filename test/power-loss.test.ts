// The machine loses its power under load: whatever of the log's files was not synced is gone, torn in the middle, or
// something else. Rows 45 and 46 of the catalogue of bad input, as a property: files are copied while people talk, cut at a
// random place behind the last commit that was acknowledged, and a server starts on them.

import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { runServer, type TestServer } from './running-server.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const SEED = Number(process.env.HANSARD_TEST_SEED ?? 20_26)
const LOSSES = Number(process.env.HANSARD_TEST_LOSSES ?? 8)
/** In this order: what is read is stored before, at whichever moment the power goes. */
const FILES = ['read.db', 'read.db-wal', 'log.db', 'log.db-wal']
const MESSAGES = '/api/v1/rooms/moneypot:2/messages'

interface Loss {
  readonly directory: string
  /** what was acknowledged before the files were copied */
  readonly acknowledged: readonly string[]
  /** bytes of the log's -wal that were synced by then */
  readonly synced: number
}

const chance = new SeededChance(SEED, new VirtualClock())
const losses: Loss[] = []
let directory: string
beforeAll(async () => {
  console.log(`power-loss: HANSARD_TEST_SEED=${SEED}`)
  directory = mkdtempSync(join(tmpdir(), 'hansard-power-'))
  const server = await runServer({ storage: 'sqlite', directory })
  const acknowledged: string[] = []
  let stopped = false
  const talking = Array.from({ length: 4 }, async (_, speaker) => {
    for (let count = 0; !stopped; count++) {
      const text = `${speaker}: ${count} .${'x'.repeat(chance.below(300))}`
      expect((await say(server, text)).status).toBe(201)
      acknowledged.push(text)
    }
  })
  const wal = join(directory, 'log.db-wal')
  for (let loss = 0; loss < LOSSES; loss++) {
    const enough = acknowledged.length + 3 + chance.below(20)
    while (acknowledged.length < enough) await new Promise((resolve) => setTimeout(resolve, 1))
    // Both in one turn: nothing is acknowledged between.
    const known = { acknowledged: [...acknowledged], synced: statSync(wal).size }
    await new Promise((resolve) => setImmediate(resolve))
    const copy = mkdtempSync(join(tmpdir(), 'hansard-power-'))
    for (const file of FILES) copyFileSync(join(directory, file), join(copy, file))
    losses.push({ directory: copy, ...known })
  }
  stopped = true
  await Promise.all(talking)
  await server.stop()
}, 60_000)
afterAll(() => {
  for (const place of [directory, ...losses.map((loss) => loss.directory)]) rmSync(place, { recursive: true })
})

const say = (server: TestServer, text: string) =>
  asking(`${server.url}${MESSAGES}`, 'POST', { authorization: `Bearer ${server.ownerTokenText}` }, { text })

const facts = async (server: TestServer, type: string) =>
  (
    await asking(`${server.url}/api/v1/facts?limit=500&type=${type}`, 'GET', {
      authorization: `Bearer ${server.ownerTokenText}`,
    })
  ).body.items

const said = async (server: TestServer): Promise<string[]> => {
  const texts: string[] = []
  for (let after = 0; ; ) {
    const path = `${MESSAGES}?limit=500&after=${after}`
    const { body } = await asking(`${server.url}${path}`, 'GET', { authorization: `Bearer ${server.ownerTokenText}` })
    if (body.items.length === 0) return texts
    texts.push(...body.items.map(({ text }: { text: string }) => text))
    after = body.items.at(-1).id
  }
}

/** Cuts the tail of the -wal at a random place behind what was synced, and may leave noise in what is left of it. */
const lose = ({ directory: copy, synced }: Loss): void => {
  const wal = join(copy, 'log.db-wal')
  const { size } = statSync(wal)
  const cut = synced + chance.below(size - synced + 1)
  truncateSync(wal, cut)
  if (cut > synced && chance.below(2) === 0) {
    const file = openSync(wal, 'r+')
    writeSync(file, Buffer.alloc(Math.min(cut - synced, 1 + chance.below(4_096)), 0xa5), 0, undefined, synced)
    closeSync(file)
  }
}

it(`keeps what was acknowledged, whole, through ${LOSSES} losses of power`, async () => {
  for (const loss of losses) {
    lose(loss)
    const server = await runServer({ storage: 'sqlite', directory: loss.directory })
    const there = await said(server)
    expect(there).toEqual(expect.arrayContaining([...loss.acknowledged]))
    expect(new Set(there).size).toBe(there.length)
    expect((await say(server, 'after')).status).toBe(201)
    expect(await said(server)).toEqual([...there, 'after'])
    await server.stop()
  }
}, 60_000)

const FRAME = 24 + 4_096

/** Where the last commit of a -wal begins: behind the frame that ended the one before (it says the file's size). */
const lastCommitIn = (wal: string): number => {
  const bytes = readFileSync(wal)
  const ends: number[] = []
  for (let at = 32; at + FRAME <= bytes.length; at += FRAME) if (bytes.readUInt32BE(at + 4) > 0) ends.push(at + FRAME)
  return ends.at(-2) as number
}

it('cuts a torn commit off, starts, and puts on record how much it was', async () => {
  const [loss] = losses as [Loss]
  const torn = async (leave: number): Promise<unknown[]> => {
    const server = await runServer({ storage: 'sqlite', directory: loss.directory })
    const before = (await facts(server, 'LogTailCut')).length
    expect((await say(server, 'whole')).status).toBe(201)
    expect((await say(server, 'torn')).status).toBe(201)
    const copy = mkdtempSync(join(tmpdir(), 'hansard-power-'))
    losses.push({ ...loss, directory: copy })
    for (const file of FILES) copyFileSync(join(loss.directory, file), join(copy, file))
    await server.stop()
    // As if the last commit had not been acknowledged, and its writing had stopped in the middle.
    const wal = join(copy, 'log.db-wal')
    truncateSync(wal, lastCommitIn(wal) + leave)
    const again = await runServer({ storage: 'sqlite', directory: copy })
    expect(await said(again)).toEqual(expect.arrayContaining(['whole']))
    const cuts = (await facts(again, 'LogTailCut')).map(({ data }: { data: unknown }) => data)
    await again.stop()
    const third = await runServer({ storage: 'sqlite', directory: copy })
    expect(await facts(third, 'LogTailCut')).toHaveLength(cuts.length)
    await third.stop()
    return cuts.slice(before)
  }
  expect(await torn(0)).toEqual([])
  expect(await torn(1_000)).toEqual([{ bytes: 1_000 }])
  // A whole frame of a commit that has more is no commit either.
  expect(await torn(FRAME)).toEqual([{ bytes: FRAME }])
}, 60_000)
