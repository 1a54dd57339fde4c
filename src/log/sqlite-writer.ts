// The one writer of the embedded log: a group of appends becomes one transaction, one fsync.
//
// Each append is judged before anything of it is inserted, so that one conflict rolls back nobody else. After an error
// nothing is acknowledged any more: a page that failed to reach the disk once must not be believed to be there later
// (the kernel reports a failed fsync only once), and facts must not follow others whose fate is unknown.

import { type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { judgeAppend } from './envelope.ts'
import { type ExpectedRevision, type Position, type Revision, WrongExpectedRevision } from './event-log.ts'
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

/** 'stored', 'there' (a retry of what had been stored), or the stream's revision that it did not fit */
export type Outcome = 'stored' | 'there' | { readonly actual: ExpectedRevision }

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
  readonly #files: readonly { readonly path: string; readonly opened: Stats }[]
  readonly #streams = new Map<string, Stream>()
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #insert: StatementSync
  readonly #addStream: StatementSync
  readonly #findStream: StatementSync
  readonly #idAt: StatementSync
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
    this.#epoch = (db.prepare('select epoch from log').get() as { epoch: string }).epoch
    this.#head = (db.prepare('select coalesce(max(position), 0) as head from facts').get() as { head: number }).head
    this.#position = this.#head
    this.#files = [file, `${file}-wal`].map((path) => ({ path, opened: statSync(path) }))
  }

  get opened(): Opened {
    return { epoch: this.#epoch, head: this.#head, cut: this.#cut }
  }

  commit(group: readonly Append[]): GroupAnswer {
    const failed = group.map(({ number }) => number)
    if (this.#broken) return { failed, why: this.#broken, stored: 'no', final: true }
    let committing = false
    try {
      this.#mustBeOurFiles()
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

  /** Facts written to a file that was removed or replaced under us would be gone with the process. */
  #mustBeOurFiles(): void {
    for (const { path, opened } of this.#files) {
      const now = statSync(path, { throwIfNoEntry: false })
      if (now?.ino !== opened.ino || now.dev !== opened.dev) {
        throw new Error(`${path} was removed or replaced while in use: stop, put it back, start again`)
      }
    }
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
