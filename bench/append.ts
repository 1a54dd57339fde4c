// The log's appends beside the disk's own fsync rate, in one process on one directory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope } from '../src/log/event-log.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { fsyncRate } from './disk.ts'

const SECONDS = 2

let number = 0
const fact = (): Envelope => ({
  id: String(number++).padStart(36, '0'),
  type: 'MessagePosted',
  v: 1,
  data: JSON.stringify({
    author: { id: 'a'.repeat(36), number: 1, role: 'member', username: 'bob' },
    id: number,
    kind: 'text',
    text: 'x'.repeat(53),
  }),
  metadata: JSON.stringify({
    $causationId: 'c'.repeat(36),
    $correlationId: 'c'.repeat(36),
    at: 1_767_225_600_000,
    by: 'a'.repeat(36),
    connection: 'b'.repeat(36),
  }),
})

/** `chains` streams, each appending `size` facts at once after another; facts a second. */
const appendRate = async (log: SqliteLog, chains: number, size: number): Promise<number> => {
  const until = performance.now() + SECONDS * 1_000
  let count = 0
  const chain = async (stream: string) => {
    for (let revision = -1; performance.now() < until; revision += size) {
      await log.append(stream, Array.from({ length: size }, fact), revision < 0 ? 'no-stream' : revision)
      count += size
    }
  }
  await Promise.all(Array.from({ length: chains }, (_, index) => chain(`room-${chains}-${number}-${index}`)))
  return count / SECONDS
}

export const measureAppend = async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-'))
  const log = await SqliteLog.open(directory)
  await appendRate(log, 200, 1)
  const fsyncs = fsyncRate(directory, SECONDS)
  const oneByOne = await appendRate(log, 1, 1)
  // In appends of 100 facts, and from 500 streams at once with a fact an append: the group commit's doing.
  const batched = await appendRate(log, 1, 100)
  const grouped = await appendRate(log, 500, 1)
  await log.close()
  rmSync(directory, { recursive: true })
  return {
    ...{ fsyncs, oneByOne, batched, grouped },
    oneByOneOfFsync: oneByOne / fsyncs,
    batchedOfFsync: batched / fsyncs,
    groupedOfFsync: grouped / fsyncs,
  }
}
