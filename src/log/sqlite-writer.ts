// The one writer of the embedded log: a group of appends becomes one transaction, one fsync.
//
// Each append is judged before anything of it is inserted, so that one conflict rolls back nobody else. After an error
// nothing is acknowledged any more: a page that failed to reach the disk once must not be believed to be there later
// (the kernel reports a failed fsync only once), and facts must not follow others whose fate is unknown.

import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { judgeAppend } from './envelope.ts'
import { type ExpectedRevision, type Position, type Revision, WrongExpectedRevision } from './event-log.ts'
import { FileInUse } from './file-in-use.ts'
import { type Born, openLogFile } from './sqlite-file.ts'
import { LOG_FILE } from './sqlite-reader.ts'

/** id, type, v, data, metadata of one fact after the other: flat arrays cross threads cheapest */
export type FlatFacts = readonly (string | number)[]
const FIELDS = 5

export interface Append {
  readonly number: number
  readonly stream: string
  readonly expected: ExpectedRevision
  readonly facts: FlatFacts
}

/** Streams to take out of the log, in one transaction. */
export interface Deletion {
  readonly number: number
  readonly streams: readonly string[]
}

/** 'stored', 'there' (a retry of what had been stored), or the stream's revision that it did not fit */
export type Outcome = 'stored' | 'there' | { readonly actual: ExpectedRevision }

export type DeletionAnswer = { readonly deleted: number; readonly lastFact: string | null }

export type GroupAnswer = { readonly outcomes: readonly (readonly [number: number, outcome: Outcome])[] } | GroupFailure

export interface GroupFailure {
  readonly failed: readonly number[]
  readonly why: string
  readonly stored: 'no' | 'unknown'
  /** nothing will be stored until a restart */
  readonly final: boolean
}

/** The log as it was when the writer opened it. */
export interface Opened {
  readonly epoch: string
  readonly head: Position
  /** bytes behind the last whole commit that were left out */
  readonly cut: number
}

interface Stream {
  readonly id: number
  /** -1: no fact yet */
  last: Revision
}

const MAX_STREAMS_REMEMBERED = 100_000
const SQLITE_BUSY = 5
/** beside its facts an append touches pages of the indexes; each page touched is written whole */
const PAGE_BYTES_PER_APPEND = 8 * 1024
const CHECKPOINT_BYTES = 8 * 1024 * 1024

export class SqliteWriter {
  readonly #db: DatabaseSync
  readonly #files: readonly FileInUse[]
  readonly #streams = new Map<string, Stream>()
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #insert: StatementSync
  readonly #addStream: StatementSync
  readonly #findStream: StatementSync
  readonly #idAt: StatementSync
  readonly #lastStream: StatementSync
  readonly #deletions: readonly StatementSync[]
  readonly #head: Position
  readonly #epoch: string
  readonly #cut: number
  #position: Position
  #sinceCheckpoint = 0
  #broken: string | null = null

  /** @throws LogUnavailable */
  constructor(directory: string, born: Born) {
    const file = join(directory, LOG_FILE)
    const { db, cut } = openLogFile(file, born)
    this.#db = db
    this.#cut = cut
    this.#begin = db.prepare('begin immediate')
    this.#commit = db.prepare('commit')
    this.#insert = db.prepare(
      'insert into facts (position, stream, revision, id, type, v, data, metadata) values (?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#addStream = db.prepare('insert into streams (name) values (?)')
    this.#findStream = db.prepare(
      'select s.id, (select max(f.revision) from facts f where f.stream = s.id) as last from streams s where s.name = ?',
    )
    this.#idAt = db.prepare('select id from facts where stream = ? and revision = ?')
    this.#lastStream = db.prepare(
      'select s.name from facts f join streams s on s.id = f.stream order by f.position desc limit 1',
    )
    this.#deletions = ['delete from facts where stream = ?', 'delete from streams where id = ?'].map((sql) =>
      db.prepare(sql),
    )
    // What is deleted is overwritten, here and in the write-ahead log's next pages: it is somebody's.
    db.exec('pragma secure_delete = on')
    this.#epoch = (db.prepare('select epoch from log').get() as { epoch: string }).epoch
    this.#head = (db.prepare('select coalesce(max(position), 0) as head from facts').get() as { head: number }).head
    this.#position = this.#head
    this.#files = [file, `${file}-wal`].map((path) => new FileInUse(path))
  }

  get opened(): Opened {
    return { epoch: this.#epoch, head: this.#head, cut: this.#cut }
  }

  commit(group: readonly Append[]): GroupAnswer {
    const failed = group.map(({ number }) => number)
    if (this.#broken) return { failed, why: this.#broken, stored: 'no', final: true }
    let committing = false
    try {
      // Facts written to a file that was removed or replaced under us would be gone with the process.
      for (const file of this.#files) file.mustBeThere()
      this.#begin.run()
      const outcomes = group.map((append) => [append.number, this.#append(append)] as const)
      committing = true
      this.#commit.run()
      return { outcomes }
    } catch (error) {
      if (isBusy(error) && !committing && !this.#db.isTransaction) {
        return { failed, why: 'busy: another program holds the log for writing', stored: 'no', final: false }
      }
      // A commit that failed may still have left whole frames behind, which the next start would find.
      return { failed, why: this.#break(error), stored: committing ? 'unknown' : 'no', final: true }
    }
  }

  /** Whole streams or none. */
  delete({ number, streams }: Deletion): DeletionAnswer | GroupFailure {
    const failed = [number]
    if (this.#broken) return { failed, why: this.#broken, stored: 'no', final: true }
    try {
      for (const file of this.#files) file.mustBeThere()
      const { name: last = null } = (this.#lastStream.get() ?? {}) as { name?: string }
      if (last !== null && streams.includes(last)) return { deleted: number, lastFact: last }
      this.#begin.run()
      for (const name of streams) {
        const stream = this.#stream(name)
        this.#streams.delete(name)
        if (!stream) continue
        for (const deletion of this.#deletions) deletion.run(stream.id)
        this.#sinceCheckpoint += PAGE_BYTES_PER_APPEND
      }
      this.#commit.run()
      return { deleted: number, lastFact: null }
    } catch (error) {
      if (isBusy(error) && !this.#db.isTransaction)
        return { failed, why: 'busy: another program holds the log for writing', stored: 'no', final: false }
      return { failed, why: this.#break(error), stored: 'unknown', final: true }
    }
  }

  /** Housekeeping, once the group is answered. */
  rest(): void {
    if (this.#sinceCheckpoint < CHECKPOINT_BYTES || this.#broken) return
    this.#sinceCheckpoint = 0
    try {
      this.#db.exec('pragma wal_checkpoint(passive)')
    } catch (error) {
      this.#break(error)
    }
  }

  close(): void {
    this.#db.close()
    for (const file of this.#files) file.close()
  }

  #append({ stream: name, expected, facts }: Append): Outcome {
    const known = this.#stream(name)
    const ids = facts.filter((_, index) => index % FIELDS === 0).map((id) => ({ id: id as string }))
    const idAt = (revision: Revision): string | undefined =>
      known ? (this.#idAt.get(known.id, revision) as { id: string } | undefined)?.id : undefined
    try {
      if (judgeAppend(name, ids, expected, known?.last ?? -1, idAt) === 'already-there') return 'there'
    } catch (error) {
      if (error instanceof WrongExpectedRevision) return { actual: error.actual }
      throw error
    }
    const stream = known ?? this.#remember(name, { id: Number(this.#addStream.run(name).lastInsertRowid), last: -1 })
    this.#sinceCheckpoint += PAGE_BYTES_PER_APPEND
    for (let at = 0; at < facts.length; at += FIELDS) {
      const [id, type, v, data, metadata] = facts.slice(at, at + FIELDS) as [string, string, number, string, string]
      this.#insert.run(++this.#position, stream.id, ++stream.last, id, type, v, data, metadata)
      this.#sinceCheckpoint += data.length + metadata.length
    }
    return 'stored'
  }

  #stream(name: string): Stream | null {
    const remembered = this.#streams.get(name)
    if (remembered) return remembered
    const found = this.#findStream.get(name) as { id: number; last: number | null } | undefined
    return found ? this.#remember(name, { id: found.id, last: found.last ?? -1 }) : null
  }

  #remember(name: string, stream: Stream): Stream {
    if (this.#streams.size === MAX_STREAMS_REMEMBERED) this.#streams.clear()
    this.#streams.set(name, stream)
    return stream
  }

  #break(error: unknown): string {
    const why = `the log stores nothing any more until a restart: ${(error as Error).message}`
    this.#broken = why
    try {
      if (this.#db.isTransaction) this.#db.exec('rollback')
    } catch {
      // What could not be rolled back is dropped when the file is opened next.
    }
    return why
  }
}

const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_BUSY
