// The reading side of the embedded log: synchronous and read-only, for a thread that may block (the log's reader
// thread, the projections' thread). All of its SQL stands here.

import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Filter, LogUnavailable, type Position, type Recorded, type Revision } from './event-log.ts'
import { matches } from './filter.ts'

export const LOG_FILE = 'log.db'

const CHUNK_BYTES = 1024 * 1024
/** facts looked at in one chunk when a filter lets few through, so that no chunk blocks its thread for long */
const CHUNK_SCANNED = 20_000

const COLUMNS = 'f.position, s.name as stream, f.revision, f.id, f.type, f.v, f.data, f.metadata'

export interface Chunk {
  readonly facts: readonly Recorded[]
  /** go on from here (exclusive position, or revision); null: the end was reached */
  readonly next: number | null
}

export class SqliteLogReader {
  readonly #db: DatabaseSync
  readonly #forwards: StatementSync
  readonly #backwards: StatementSync
  readonly #all: StatementSync
  readonly #byType: StatementSync
  readonly #head: StatementSync

  /** @throws LogUnavailable when the file cannot be read */
  static open(directory: string): SqliteLogReader {
    const file = join(directory, LOG_FILE)
    try {
      return new SqliteLogReader(new DatabaseSync(file, { readOnly: true }))
    } catch (error) {
      throw new LogUnavailable(`the log ${file} cannot be read: ${(error as Error).message}`, 'no', { cause: error })
    }
  }

  private constructor(db: DatabaseSync) {
    this.#db = db
    db.exec('pragma query_only = on')
    const ofStream = `select ${COLUMNS} from streams s join facts f on f.stream = s.id where s.name = ?`
    this.#forwards = db.prepare(`${ofStream} and f.revision >= ? order by f.revision limit ?`)
    this.#backwards = db.prepare(`${ofStream} and f.revision <= ? order by f.revision desc limit ?`)
    const ofAll = `select ${COLUMNS} from facts f join streams s on s.id = f.stream where f.position > ? and f.position <= ?`
    this.#all = db.prepare(`${ofAll} order by f.position`)
    this.#byType = db.prepare(`${ofAll} and f.type in (select value from json_each(?)) order by f.position`)
    this.#head = db.prepare('select coalesce(max(position), 0) as head from facts')
  }

  readStream(stream: string, from: Revision, direction: 'forwards' | 'backwards', limit: number): Chunk {
    const statement = direction === 'forwards' ? this.#forwards : this.#backwards
    const facts: Recorded[] = []
    let bytes = 0
    for (const row of statement.iterate(stream, from, limit)) {
      const fact = row as unknown as Recorded
      facts.push(fact)
      bytes += fact.data.length + fact.metadata.length
      if (bytes > CHUNK_BYTES) break
    }
    const last = facts.at(-1)
    const step = direction === 'forwards' ? 1 : -1
    return { facts, next: last && facts.length < limit && bytes > CHUNK_BYTES ? last.revision + step : null }
  }

  /** Facts with from < position ≤ to, at most `maxRows` of them. */
  readAll(from: Position, to: Position, filter: Filter | undefined, maxRows: number): Chunk {
    const rows = filter?.types
      ? this.#byType.iterate(from, to, JSON.stringify(filter.types))
      : this.#all.iterate(from, to)
    const facts: Recorded[] = []
    let bytes = 0
    let scanned = 0
    for (const row of rows) {
      const fact = row as unknown as Recorded
      scanned++
      if (matches(filter, fact)) {
        facts.push(fact)
        bytes += fact.data.length + fact.metadata.length
      }
      if (facts.length === maxRows || bytes > CHUNK_BYTES || scanned === CHUNK_SCANNED)
        return { facts, next: fact.position }
    }
    return { facts, next: null }
  }

  head(): Position {
    return (this.#head.get() as { head: number }).head
  }

  epoch(): string {
    return (this.#db.prepare('select epoch from log').get() as { epoch: string }).epoch
  }

  close(): void {
    this.#db.close()
  }
}
