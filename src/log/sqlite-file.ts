// Opening the log's file for writing: birth, what kind of file it is, and whether it is whole.

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { LogUnavailable } from './event-log.ts'

const APPLICATION_ID = 1_751_215_731
const VERSION = 1
const BUSY_TIMEOUT_MS = 5_000
/** the indexes' upper pages and the tails of busy streams */
const CACHE_KIB = 32 * 1024
/** what a read that ran long has let the write-ahead log grow beyond is given back at the next checkpoint */
const MAX_RESTING_WAL_BYTES = 64 * 1024 * 1024

const ADVICE = new Map([
  [5, 'another program has it open for writing: close that one'],
  [8, 'make the directory and its files writable'],
  [10, 'the disk reports errors: look at the system log'],
  [11, 'it is damaged: put back a copy'],
  [13, 'the disk is full: make room'],
  [14, 'make the directory readable and writable'],
  [26, 'it is damaged or not ours: put back a copy'],
])

export interface Born {
  /** identity of the log if it is born now */
  readonly epoch: string
  /** upper bound of the file in pages of 4 KiB; 0: none */
  readonly maxPages: number
}

/** @throws LogUnavailable saying what to do */
export const openLogFile = (file: string, born: Born): { readonly db: DatabaseSync; readonly cut: number } => {
  let db: DatabaseSync | null = null
  try {
    refuseOrphan(file)
    // Made by us first: SQLite gives the files beside it (-wal, -shm) the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
    db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
    const tables = count(db, 'select count(*) from sqlite_schema')
    if (tables > 0) refuseForeign(db)
    // Checkpoints are the writer's to run, after it has answered (autocheckpoint would make an append wait for one).
    db.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma wal_autocheckpoint = 0;
      pragma journal_size_limit = ${MAX_RESTING_WAL_BYTES};
      pragma cache_size = -${CACHE_KIB};
    `)
    if (born.maxPages > 0) db.exec(`pragma max_page_count = ${born.maxPages}`)
    if (tables === 0) giveBirth(db, born.epoch)
    const cut = tornTail(db, `${file}-wal`)
    refuseTorn(db, file)
    return { db, cut }
  } catch (error) {
    db?.close()
    const { message, errcode = 0 } = error as Error & { errcode?: number }
    // The low byte is the primary result code (sqlite.org/rescode.html).
    const advice = ADVICE.get(errcode & 0xff)
    throw new LogUnavailable(`the log ${file} cannot be opened: ${message}${advice ? `: ${advice}` : ''}`, 'no', {
      cause: error,
    })
  }
}

const giveBirth = (db: DatabaseSync, epoch: string): void => {
  db.exec(`begin immediate; ${readFileSync(new URL('./sqlite.sql', import.meta.url), 'utf8')}`)
  db.prepare('insert into log (epoch) values (?)').run(epoch)
  db.exec('commit')
}

/** SQLite throws a write-ahead log away when the file it belongs to is gone: acknowledged facts would vanish unseen. */
const refuseOrphan = (file: string): void => {
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size(file) === 0 && size(`${file}-wal`) > 0) {
    throw new Error(`it is gone, but ${file}-wal is there: put the file back beside it, or move the -wal away too`)
  }
}

/** @throws Error saying what kind of file it is */
export const refuseForeign = (db: DatabaseSync): void => {
  const version = count(db, 'pragma user_version')
  if (count(db, 'pragma application_id') !== APPLICATION_ID) {
    throw new Error('it is a database of something else: choose another directory (HANSARD_DATA)')
  }
  if (version !== VERSION) {
    throw new Error(`its format is ${version}, this hansard reads ${VERSION}: start the version that wrote it`)
  }
}

const WAL_HEADER = 32
const FRAME_HEADER = 24

/**
 * Bytes in the write-ahead log behind its last whole commit: a write that a crash or a loss of power cut short. SQLite
 * passes over them without a word. Frames of an earlier use of the file, which has other salts, are none of that
 * (sqlite.org/fileformat2.html#the_write_ahead_log).
 */
const tornTail = (db: DatabaseSync, wal: string): number => {
  const frame = FRAME_HEADER + count(db, 'pragma page_size')
  const { log } = db.prepare('pragma wal_checkpoint(passive)').get() as { log: number }
  const size = statSync(wal, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return 0
  const file = openSync(wal, 'r')
  try {
    const bytesAt = (at: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(file, bytes, 0, length, at))
    }
    const salts = bytesAt(16, 8)
    const whole = WAL_HEADER + Math.max(log, 0) * frame
    let end = whole
    while (end + FRAME_HEADER <= size && bytesAt(end + 8, 8).equals(salts)) end = Math.min(end + frame, size)
    return Math.max(end - whole, 0) || Math.max(size - whole, 0) % frame
  } finally {
    closeSync(file)
  }
}

/** Moves what a crash left in the write-ahead log into the file, then sees that the file is as long as it says. */
const refuseTorn = (db: DatabaseSync, file: string): void => {
  const { busy } = db.prepare('pragma wal_checkpoint(truncate)').get() as { busy: number }
  const says = count(db, 'pragma page_count') * count(db, 'pragma page_size')
  const has = statSync(file).size
  if (busy === 0 && has < says) {
    throw new Error(`it is torn (${has} of ${says} bytes are there): put back a copy`)
  }
  const last = db.prepare('select stream, revision from facts order by position desc limit 1').get()
  if (!last) return
  const indexed = db.prepare('select 1 from facts indexed by facts_by_stream where stream = ? and revision = ?')
  if (!indexed.get(last.stream as number, last.revision as number)) {
    throw new Error('its index does not know its last fact: it is damaged, put back a copy')
  }
}

const count = (db: DatabaseSync, sql: string): number => Object.values(db.prepare(sql).get() ?? {})[0] as number
