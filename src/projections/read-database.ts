// The read database: one SQLite file with every projection's tables, a checkpoint, and what the host keeps there.
// Disposable: another epoch, other definitions or a checkpoint above the log's head, and it is made anew.

import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Position } from '../log/event-log.ts'
import { connections } from './connections.ts'
import { deadlines } from './deadlines.ts'
import { moderation } from './moderation.ts'
import { people } from './people.ts'
import { presence } from './presence.ts'
import type { Projection } from './projection.ts'
import { reads } from './reads.ts'
import { refusals } from './refusals.ts'
import { roomHistory } from './room-history.ts'
import { rooms } from './rooms.ts'
import { sanctions } from './sanctions.ts'
import { search } from './search.ts'

export const projections: readonly Projection[] = [
  rooms,
  people,
  presence,
  roomHistory,
  sanctions,
  connections,
  reads,
  deadlines,
  moderation,
  search,
  refusals,
]

/** Changes with any definition: rows of another one are of no use. */
const definition = projections.map(({ name, version }) => `${name}@${version}`).join(' ')

const OWN_TABLES = `
  create table meta (epoch text not null, definition text not null, checkpoint integer not null);
  create table streams (stream text primary key, revision integer not null) without rowid;
  create table parked (position integer not null, projection text not null, type text not null, error text not null);
  create table summaries (stream text primary key, source text not null, revision integer not null, state text not null) without rowid;`

/** A read database at most as far as `head`; made anew when it belongs to something else. `file` may be `:memory:`. */
export const openReadDatabase = (file: string, epoch: string, head: Position): DatabaseSync => {
  const existing = openExisting(file, epoch, head)
  if (existing) return existing
  discard(file)
  const db = connect(file)
  db.exec('begin')
  db.exec(OWN_TABLES)
  for (const { tables } of projections) db.exec(tables)
  db.prepare('insert into meta values (?, ?, 0)').run(epoch, definition)
  db.exec('commit')
  return db
}

const connect = (file: string): DatabaseSync => {
  if (file !== ':memory:') {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // Made by us first: SQLite gives the files beside it the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
  }
  const db = new DatabaseSync(file)
  // Rows lost with the machine's power are folded again from the checkpoint that was lost with them.
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -65536')
  return db
}

const openExisting = (file: string, epoch: string, head: Position): DatabaseSync | null => {
  if (file === ':memory:') return null
  let db: DatabaseSync | null = null
  try {
    db = connect(file)
    const meta = db.prepare('select epoch, definition, checkpoint from meta').get() as
      | { epoch: string; definition: string; checkpoint: number }
      | undefined
    if (meta?.epoch === epoch && meta.definition === definition && meta.checkpoint <= head) return db
  } catch {
    // not a database, or none of ours: made anew like any other that does not fit
  }
  db?.close()
  return null
}

export const discard = (file: string): void => {
  if (file === ':memory:') return
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
}

/** Every row of every projection's tables, in a fixed order: two databases with one history dump the same text. */
export const dump = (db: DatabaseSync): string => {
  const tables = (
    db
      .prepare(
        // Of the index of words the words themselves: how FTS5 keeps them depends on when it merged what.
        "select name from sqlite_master where type = 'table' and name not in ('meta', 'summaries', 'search') and (name not glob 'search_*' or name = 'search_words') order by name",
      )
      .all() as unknown as { name: string }[]
  ).map(({ name }) => name)
  return tables
    .flatMap((table) => {
      const rows = db
        .prepare(`select * from ${table}`)
        .all()
        .map((row) => JSON.stringify(row))
      return [table, ...rows.sort()]
    })
    .join('\n')
}
