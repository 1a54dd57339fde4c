// The read database: one SQLite file with every projection's tables, a checkpoint, and what the host keeps there.
// Disposable: another epoch, or a checkpoint that is no place in the log, and it is of no use; other definitions, and
// another is made beside it. It is one file for all projections, because queries join their tables and some folds read others'.

import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { constants, DatabaseSync } from 'node:sqlite'
import type { Position } from '../log/event-log.ts'
import { connections } from './connections.ts'
import { deadlines } from './deadlines.ts'
import { handed } from './handed.ts'
import { messageActs } from './message-acts.ts'
import { moderation } from './moderation.ts'
import { people } from './people.ts'
import { PARKED_TABLE } from './poison.ts'
import { presence } from './presence.ts'
import type { Projection } from './projection.ts'
import { reads } from './reads.ts'
import { refusals } from './refusals.ts'
import { roomHistory } from './room-history.ts'
import { rooms } from './rooms.ts'
import { sanctions } from './sanctions.ts'
import { search } from './search.ts'

/** a file that is none */
export const MEMORY = ':memory:'

export const projections: readonly Projection[] = [
  rooms,
  people,
  presence,
  roomHistory,
  messageActs,
  sanctions,
  handed,
  connections,
  reads,
  deadlines,
  moderation,
  search,
  refusals,
]

interface Definition {
  readonly tables: string
  readonly fold: string
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** What rows are made by. A fold is told apart by its source text; what it calls elsewhere, by the version. */
const definitionOf = ({ version, tables, prepare }: Projection): Definition => ({
  tables: hash(tables.replace(/\s+/g, ' ')),
  fold: hash(`${version} ${prepare.toString().replace(/\s+/g, ' ')}`),
})

const definitions = (): Readonly<Record<string, Definition>> =>
  Object.fromEntries(projections.map((projection) => [projection.name, definitionOf(projection)]))

const OWN_TABLES = `
  create table meta (format integer not null, epoch text not null, definitions text not null, checkpoint integer not null);
  create table streams (stream text primary key, revision integer not null) without rowid;
  create table summaries (stream text primary key, source text not null, revision integer not null, state text not null) without rowid;
  ${PARKED_TABLE}`
/** of the tables above */
const FORMAT = 2

export interface Opened {
  readonly db: DatabaseSync
  /** made by the definitions in force */
  readonly current: boolean
  /** what can be folded on in it, and asked */
  readonly folding: readonly Projection[]
}

/** What is known of the log when a read database is opened. */
export interface LogSeen {
  readonly epoch: string
  readonly head: Position
}

/** A read database of this log at most as far as its head, by whatever definitions; null: there is none. */
export const openExisting = (file: string, { epoch, head }: LogSeen): Opened | null => {
  if (file === MEMORY || !existsSync(file)) return null
  let db: DatabaseSync | null = null
  try {
    db = connect(file)
    const meta = db.prepare('select format, epoch, definitions, checkpoint from meta').get() as
      | { format: number; epoch: string; definitions: string; checkpoint: number }
      | undefined
    if (meta?.format === FORMAT && meta.epoch === epoch && meta.checkpoint <= head) {
      if (meta.definitions === JSON.stringify(definitions())) return { db, current: true, folding: projections }
      return { db, current: false, folding: stillFolding(db, JSON.parse(meta.definitions)) }
    }
  } catch {
    // not a database, or none of ours: made anew like any other that does not fit
  }
  db?.close()
  return null
}

/**
 * Of a database of earlier definitions, the projections whose tables have not changed, and that read no table which has.
 * What has changed is closed to folds and queries alike, since those of now would take its rows for something else.
 */
const stillFolding = (db: DatabaseSync, before: Record<string, Definition>): readonly Projection[] => {
  const closed = new Set<string>()
  const close = ({ tables }: Projection) => {
    for (const [, table] of tables.matchAll(/create (?:virtual )?table (\w+)/g)) closed.add(table as string)
  }
  let folding = projections.filter((projection) => {
    const same = before[projection.name]?.tables === definitionOf(projection).tables
    if (!same) close(projection)
    return same
  })
  if (closed.size === 0) return folding
  db.setAuthorizer((_action, table) =>
    table !== null && closed.has(table) ? constants.SQLITE_DENY : constants.SQLITE_OK,
  )
  for (let found = -1; found !== folding.length; ) {
    found = folding.length
    folding = folding.filter((projection) => {
      const able = prepares(db, projection)
      if (!able) close(projection)
      return able
    })
  }
  return folding
}

const prepares = (db: DatabaseSync, projection: Projection): boolean => {
  try {
    projection.prepare(db)
    return true
  } catch {
    return false
  }
}

/** An empty one by the definitions in force, in place of whatever was there. */
export const makeReadDatabase = (file: string, epoch: string): DatabaseSync => {
  discard(file)
  const db = connect(file)
  db.exec('begin')
  db.exec(OWN_TABLES)
  for (const { tables } of projections) db.exec(tables)
  db.prepare('insert into meta values (?, ?, ?, 0)').run(FORMAT, epoch, JSON.stringify(definitions()))
  db.exec('commit')
  return db
}

const connect = (file: string): DatabaseSync => {
  if (file !== MEMORY) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // Made by us first: SQLite gives the files beside it the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
  }
  const db = new DatabaseSync(file)
  // Rows lost with the machine's power are folded again from the checkpoint that was lost with them.
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -65536')
  return db
}

/** How far the read database in this file is; null: there is none. */
export const checkpointIn = (file: string): Position | null => {
  if (!existsSync(file)) return null
  let db: DatabaseSync | null = null
  try {
    db = connect(file)
    return (db.prepare('select checkpoint from meta').get() as { checkpoint: number }).checkpoint
  } catch {
    return null // none of ours, see above
  } finally {
    db?.close()
  }
}

const BESIDE = ['-wal', '-shm']

export const discard = (file: string): void => {
  if (file === MEMORY) return
  for (const suffix of ['', ...BESIDE]) rmSync(`${file}${suffix}`, { force: true })
}

/**
 * Puts the database `next` in the place of `file`; both are closed. Either stands there whole at any moment: a closed
 * database has nothing beside it, unless another program has it open, and what that left must not be taken for part of
 * the new one.
 */
export const putInPlace = (next: string, file: string): void => {
  for (const suffix of BESIDE) rmSync(`${file}${suffix}`, { force: true })
  renameSync(next, file)
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
