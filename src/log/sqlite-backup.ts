// Copies of the embedded log: one made while the server writes, and one put in a log's place.
//
// A backup is the log as it stood at one moment: the copying connection holds a read transaction, so what is written
// meanwhile is not in it and does not make it begin anew (sqlite.org/c3ref/backup_finish.html). A restored log gets
// another epoch: positions that clients and read databases remember may be of facts that it never had.

import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { lockDirectory } from './directory-lock.ts'
import { LogUnavailable, type Position } from './event-log.ts'
import { openLogFile, refuseForeign } from './sqlite-file.ts'
import { LOG_FILE } from './sqlite-reader.ts'

const PAGES_A_STEP = 2_000
const BUSY_TIMEOUT_MS = 5_000

export interface LogCopy {
  readonly epoch: string
  readonly head: Position
  /** facts in it */
  readonly facts: number
  readonly bytes: number
}

/** What was asked for cannot be done to these files; the message says what to do. */
export class CopyRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CopyRefused'
  }
}

/**
 * Writes the log of `directory` to `file`, whether or not a server runs on it, and looks at what was written.
 * @throws CopyRefused, LogUnavailable
 */
export const backupLog = async (
  directory: string,
  file: string,
  progress: (done: number, of: number) => void = () => {},
): Promise<LogCopy> => {
  const source = join(directory, LOG_FILE)
  if (!existsSync(source)) throw new CopyRefused(`no log in ${directory}: give its directory with --data`)
  if (existsSync(file)) throw new CopyRefused(`${file} is there already: choose another name, or move it away`)
  const part = `${file}.part`
  try {
    rmSync(part, { force: true })
    // Made by us first, for its mode.
    closeSync(openSync(part, 'wx', 0o600))
    await copyOut(source, part, progress)
    const copy = look(part)
    syncFile(part)
    renameSync(part, file)
    syncFile(dirname(file))
    return copy
  } catch (error) {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${part}${suffix}`, { force: true })
    if (error instanceof CopyRefused || error instanceof LogUnavailable) throw error
    throw new CopyRefused(`${file} could not be written: ${(error as Error).message}`, { cause: error })
  }
}

const copyOut = async (source: string, part: string, progress: (done: number, of: number) => void): Promise<void> => {
  const db = new DatabaseSync(source, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
  try {
    db.exec('begin')
    refuseForeign(db)
    const pages = await backup(db, part, {
      rate: PAGES_A_STEP,
      progress: ({ totalPages, remainingPages }) => progress(totalPages - remainingPages, totalPages),
    })
    progress(pages, pages)
  } finally {
    db.close()
  }
  // One file that needs nothing beside it.
  const copy = new DatabaseSync(part)
  try {
    copy.exec('pragma journal_mode = delete')
  } finally {
    copy.close()
  }
}

/** Reads a copy through: every page, every index, and that no stream has a gap. @throws CopyRefused */
export const look = (file: string): LogCopy => {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
    refuseForeign(db)
    const verdict = (db.prepare('pragma integrity_check(1)').get() as { integrity_check: string }).integrity_check
    if (verdict !== 'ok') throw new Error(`it is damaged: ${verdict}`)
    const gap = db
      .prepare('select stream from facts group by stream having min(revision) <> 0 or max(revision) <> count(*) - 1')
      .get()
    if (gap) throw new Error('a stream in it has a gap')
    const { epoch } = db.prepare('select epoch from log').get() as { epoch: string }
    const { head, facts } = db
      .prepare('select coalesce(max(position), 0) as head, count(*) as facts from facts')
      .get() as { head: number; facts: number }
    const { bytes } = db
      .prepare('select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()')
      .get() as { bytes: number }
    return { epoch, head, facts, bytes }
  } catch (error) {
    throw new CopyRefused(`${file} cannot be used as a log: ${(error as Error).message}`, { cause: error })
  } finally {
    db?.close()
  }
}

export interface Restore {
  readonly file: string
  readonly directory: string
  /** of the log from now on */
  readonly epoch: string
  /** where a log that is there is kept; null: then it is refused */
  readonly aside: string | null
}

/**
 * Puts a backup in the place of the log of `directory`, under another epoch. What was there is kept, under another name.
 * @throws CopyRefused, DirectoryLocked while a server runs on it
 */
export const restoreLog = ({ file, directory, epoch, aside }: Restore): LogCopy & { readonly previous: string } => {
  if (!existsSync(file)) throw new CopyRefused(`there is no ${file}`)
  const lock = lockDirectory(directory)
  try {
    const log = join(directory, LOG_FILE)
    const isThere = existsSync(log) || existsSync(`${log}-wal`)
    if (isThere && aside === null)
      throw new CopyRefused(
        `${directory} has a log: choose another directory, or say --replace, which keeps that log under another name`,
      )
    const copy = look(file)
    const part = `${log}.restoring`
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${part}${suffix}`, { force: true })
    copyFileSync(file, part)
    chmodSync(part, 0o600)
    rename(part, epoch)
    if (isThere && aside !== null) keepAside(log, join(directory, aside))
    renameSync(part, log)
    syncFile(directory)
    return { ...copy, previous: copy.epoch, epoch }
  } finally {
    lock.close()
  }
}

const rename = (part: string, epoch: string): void => {
  const db = new DatabaseSync(part)
  try {
    db.exec('pragma journal_mode = delete; pragma synchronous = full')
    db.prepare('update log set epoch = ?').run(epoch)
  } finally {
    db.close()
  }
  syncFile(part)
}

/** Under its new name before it is gone under the old one: a crash between leaves both, never none. */
const keepAside = (log: string, aside: string): void => {
  try {
    // Moves what stands beside the file into it; a damaged one stays as it is.
    openLogFile(log, { epoch: '', maxPages: 0 }).db.close()
  } catch {
    // kept as it is
  }
  for (const suffix of ['', '-wal']) if (existsSync(`${log}${suffix}`)) linkSync(`${log}${suffix}`, `${aside}${suffix}`)
  syncFile(dirname(log))
  // The write-ahead log of one file would be taken for that of the other.
  for (const suffix of ['-wal', '-shm']) rmSync(`${log}${suffix}`, { force: true })
}

const syncFile = (path: string): void => {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
