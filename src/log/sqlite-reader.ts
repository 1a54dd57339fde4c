// The reading side of the embedded log: synchronous and read-only, for a thread that may block (the log's reader
// thread, the projections' thread). All SQL that reads facts stands here.
//
// Everything is read in chunks bounded in rows, bytes and in what is looked at, so that a million facts pass through
// flat memory, no read keeps a snapshot open (that would stop the checkpoints of the write-ahead log), and a filter
// that lets little through does not keep the thread from others.

import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  type Filter,
  LogUnavailable,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Revision,
} from './event-log.ts'

export const LOG_FILE = 'log.db'

export const CHUNK_ROWS = 512
const CHUNK_BYTES = 1024 * 1024
/** positions looked at in one chunk when only the stream's name decides */
const CHUNK_SPAN = 20_000
/** prepared statements kept, one a shape of filter */
const MAX_SHAPES = 64
const BUSY_TIMEOUT_MS = 5_000

const COLUMNS = 'f.position, s.name as stream, f.revision, f.id, f.type, f.v, f.data, f.metadata'
const ALL = `select ${COLUMNS} from facts f join streams s on s.id = f.stream where f.position`

export interface Chunk {
  readonly facts: Recorded[]
  /** ask again from here (a position: exclusive; a revision: inclusive); null: the end was reached */
  readonly next: number | null
}

export class SqliteLogReader {
  readonly #db: DatabaseSync
  readonly #forwards: StatementSync
  readonly #backwards: StatementSync
  readonly #range: StatementSync
  readonly #at: StatementSync
  readonly #head: StatementSync
  readonly #filtered = new Map<string, StatementSync>()

  /** @throws LogUnavailable when there is no log to read in the directory */
  static open(directory: string): SqliteLogReader {
    const file = join(directory, LOG_FILE)
    try {
      return new SqliteLogReader(new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS }))
    } catch (error) {
      throw new LogUnavailable(`the log ${file} cannot be read: ${(error as Error).message}`, 'no', { cause: error })
    }
  }

  private constructor(db: DatabaseSync) {
    this.#db = db
    const ofStream = `select ${COLUMNS} from streams s join facts f on f.stream = s.id where s.name = ?`
    this.#forwards = db.prepare(`${ofStream} and f.revision >= ? order by f.revision limit ?`)
    this.#backwards = db.prepare(`${ofStream} and f.revision <= ? order by f.revision desc limit ?`)
    this.#range = db.prepare(`${ALL} > ? and f.position <= ? order by f.position limit ?`)
    this.#at = db.prepare(`${ALL} = ?`)
    this.#head = db.prepare('select coalesce(max(position), 0) as head from facts')
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

  *readStream(stream: string, options: ReadStream = {}): Generator<Recorded> {
    let { from, left, direction } = streamRange(options)
    for (let next: number | null = from; next !== null && left > 0; ) {
      const chunk: Chunk = this.streamChunk(stream, next, direction, Math.min(left, CHUNK_ROWS))
      yield* chunk.facts
      left -= chunk.facts.length
      next = chunk.next
    }
  }

  *readAll({ from = 0, to = this.head(), filter, limit = Number.MAX_SAFE_INTEGER }: ReadAll = {}): Generator<Recorded> {
    let left = limit
    for (let next: number | null = from; next !== null && left > 0; ) {
      const chunk: Chunk = this.chunk(next, to, filter, Math.min(left, CHUNK_ROWS))
      yield* chunk.facts
      left -= chunk.facts.length
      next = chunk.next
    }
  }

  /** The next facts after `from` that pass, at most `maxRows` and about 1 MiB of them; none: there are none now. */
  readChunk(from: Position, filter: Filter | undefined, maxRows: number): Recorded[] {
    for (let next: number | null = from; next !== null; ) {
      const chunk = this.chunk(next, Number.MAX_SAFE_INTEGER, filter, maxRows)
      if (chunk.facts.length > 0) return chunk.facts
      next = chunk.next
    }
    return []
  }

  streamChunk(stream: string, from: Revision, direction: 'forwards' | 'backwards', maxRows: number): Chunk {
    const forwards = direction === 'forwards'
    const rows = (forwards ? this.#forwards : this.#backwards).iterate(stream, from, maxRows)
    const { facts, full } = gather(rows as Iterable<unknown> as Iterable<Recorded>, maxRows)
    const last = facts.at(-1)
    if (!full || !last || (!forwards && last.revision === 0)) return { facts, next: null }
    return { facts, next: last.revision + (forwards ? 1 : -1) }
  }

  /** Facts with from < position ≤ to. It may hold none and still name where to go on. */
  chunk(from: Position, to: Position, filter: Filter | undefined, maxRows: number): Chunk {
    const { types, streamPrefixes } = filter ?? {}
    if (types?.length === 0 || streamPrefixes?.length === 0) return { facts: [], next: null }
    const end = Math.min(to, this.head())
    const until = streamPrefixes ? Math.min(end, from + CHUNK_SPAN) : end
    const rows = filter ? this.#pass(from, until, filter, maxRows) : this.#range.iterate(from, until, maxRows)
    const { facts, full } = gather(rows as Iterable<unknown> as Iterable<Recorded>, maxRows)
    if (full) return { facts, next: facts.at(-1)?.position ?? null }
    return { facts, next: until < end ? until : null }
  }

  /** First only the positions that pass, merged from one walk of the index a type; then their rows, one by one. */
  *#pass(from: Position, until: Position, { types, streamPrefixes = [] }: Filter, maxRows: number): Generator<unknown> {
    const walks = (types ? [...new Set(types)] : [null]).flatMap((type) => [
      from,
      until,
      ...(type === null ? [] : [type]),
      ...streamPrefixes,
    ])
    const positions = this.#positions(types && new Set(types).size, streamPrefixes.length).all(...walks, maxRows)
    for (const { position } of positions) yield this.#at.get(position as number)
  }

  #positions(types: number | undefined, prefixes: number): StatementSync {
    const shape = `${types ?? 'any'}/${prefixes}`
    const known = this.#filtered.get(shape)
    if (known) return known
    const begins = Array.from({ length: prefixes }, () => 'instr(s.name, ?) = 1').join(' or ')
    const walk = [
      'select f.position from facts f',
      prefixes > 0 ? 'join streams s on s.id = f.stream' : '',
      'where f.position > ? and f.position <= ?',
      types === undefined ? '' : 'and f.type = ?',
      prefixes > 0 ? `and (${begins})` : '',
    ].join(' ')
    const walks = Array.from({ length: types ?? 1 }, () => walk).join(' union all ')
    if (this.#filtered.size === MAX_SHAPES) this.#filtered.clear()
    const statement = this.#db.prepare(`${walks} order by 1 limit ?`)
    this.#filtered.set(shape, statement)
    return statement
  }
}

/** Where a read of a stream starts and how much of it is asked for. */
export const streamRange = ({ from, direction = 'forwards', limit = Number.MAX_SAFE_INTEGER }: ReadStream) => ({
  from: from ?? (direction === 'forwards' ? 0 : Number.MAX_SAFE_INTEGER),
  left: limit,
  direction,
})

/** Takes rows until a bound is met; then there may be more. Leaving the loop resets the statement. */
const gather = (rows: Iterable<Recorded>, maxRows: number): { facts: Recorded[]; full: boolean } => {
  const facts: Recorded[] = []
  let bytes = 0
  for (const fact of rows) {
    facts.push(fact)
    bytes += fact.data.length + fact.metadata.length
    if (facts.length === maxRows || bytes > CHUNK_BYTES) return { facts, full: true }
  }
  return { facts, full: false }
}
