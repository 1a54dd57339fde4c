// Rebuilding every read model from the log, beside a bare loop that reads the same facts, parses them and writes one row
// each into one table.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { SqliteLogReader } from '../src/log/sqlite-reader.ts'
import { million } from './million.ts'

const CHUNK = 5_000

const bare = (directory: string): number => {
  const file = join(directory, 'bare.db')
  const log = SqliteLogReader.open(directory)
  const db = new DatabaseSync(file)
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = off; create table rows (position integer primary key, at, type, data)',
  )
  const insert = db.prepare('insert into rows values (?, ?, ?, ?)')
  const head = log.head()
  const begun = performance.now()
  for (let from = 0; from < head; ) {
    const facts = log.readChunk(from, undefined, CHUNK)
    db.exec('begin')
    for (const { position, type, data, metadata } of facts)
      insert.run(position, JSON.parse(metadata).at, type, JSON.stringify(JSON.parse(data)))
    db.exec('commit')
    from = facts.at(-1)?.position ?? head
  }
  const rate = (1_000 * head) / (performance.now() - begun)
  db.close()
  log.close()
  for (const ending of ['', '-wal', '-shm']) rmSync(file + ending, { force: true })
  return rate
}

export const measureRebuild = async () => {
  const { directory, facts } = await million()
  const bareRate = bare(directory)
  const begun = performance.now()
  await rebuild(directory)
  const seconds = (performance.now() - begun) / 1_000
  const factsPerSecond = facts / seconds
  return { facts, seconds, factsPerSecond, bareFactsPerSecond: bareRate, ofBare: factsPerSecond / bareRate }
}
