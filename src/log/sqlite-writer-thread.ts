// The one writer of the embedded log, in its own thread. Group commit: whatever arrived while the last commit ran goes
// into the next transaction. Each append's revision is judged inside it before anything is inserted, so that one
// conflict rolls back nobody else. After an I/O error nothing is acknowledged any more: a page that failed to reach
// the disk once must not be believed to be there later (fsync reports an error only once).

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { judgeAppend } from './envelope.ts'
import { type Envelope, WrongExpectedRevision } from './event-log.ts'
import { LOG_FILE } from './sqlite-reader.ts'

export interface WriterData {
  readonly directory: string
  /** used when the log is born now */
  readonly epoch: string
  /** upper bound of the file, in pages of 4 KiB; 0: none */
  readonly maxPages: number
}

/** [number, stream, expected revision (-1: none), then id, type, v, data, metadata of each fact] */
export type AppendMessage = readonly [number, string, number, ...(string | number)[]]

/** [number, null] stored; [number, actual] wrong revision; or the failure of a whole group */
export type WriterAnswer =
  | { readonly done: readonly (readonly [number, number | null])[] }
  | { readonly failed: readonly number[]; readonly why: string; readonly stored: 'no' | 'unknown' }
  | { readonly ready: true }

const MAX_CACHED_STREAMS = 100_000

class Writer {
  readonly #db: DatabaseSync
  readonly #file: string
  readonly #inode: number
  readonly #streams = new Map<string, { id: number; last: number }>()
  readonly #insert
  readonly #addStream
  readonly #findStream
  readonly #idAt
  #position: number

  constructor({ directory, epoch, maxPages }: WriterData) {
    this.#file = join(directory, LOG_FILE)
    this.#db = new DatabaseSync(this.#file)
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = off')
    if (maxPages > 0) this.#db.exec(`pragma max_page_count = ${maxPages}`)
    this.#db.exec(readFileSync(new URL('./sqlite.sql', import.meta.url), 'utf8'))
    if (!this.#db.prepare('select 1 from log').get()) this.#db.prepare('insert into log (epoch) values (?)').run(epoch)
    this.#insert = this.#db.prepare(
      'insert into facts (position, stream, revision, id, type, v, data, metadata) values (?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#addStream = this.#db.prepare('insert into streams (name) values (?)')
    this.#findStream = this.#db.prepare(
      'select s.id, (select max(f.revision) from facts f where f.stream = s.id) as last from streams s where s.name = ?',
    )
    this.#idAt = this.#db.prepare('select id from facts where stream = ? and revision = ?')
    this.#position = (this.#db.prepare('select coalesce(max(position), 0) as p from facts').get() as { p: number }).p
    this.#inode = statSync(this.#file).ino
  }

  /** Commits the group, or throws; `committing` says whether the outcome is in doubt. */
  commit(group: readonly AppendMessage[], doubt: { committing: boolean }): [number, number | null][] {
    if (statSync(this.#file, { throwIfNoEntry: false })?.ino !== this.#inode) {
      throw new Error(`${this.#file} was replaced or removed while it was in use`)
    }
    this.#db.exec('begin immediate')
    const answers: [number, number | null][] = group.map((message) => [message[0], this.#append(message)])
    doubt.committing = true
    this.#db.exec('commit')
    return answers
  }

  /** null when stored; the stream's actual revision when it does not fit. */
  #append([, name, expected, ...flat]: AppendMessage): number | null {
    const facts: Envelope[] = []
    for (let at = 0; at < flat.length; at += 5) {
      const [id, type, v, data, metadata] = flat.slice(at, at + 5) as [string, string, number, string, string]
      facts.push({ id, type, v, data, metadata })
    }
    const known = this.#stream(name)
    const idAt = (revision: number) =>
      known ? (this.#idAt.get(known.id, revision) as { id: string } | undefined)?.id : undefined
    try {
      const last = known?.last ?? -1
      if (judgeAppend(name, facts, expected < 0 ? 'no-stream' : expected, last, idAt) === 'already-there') return null
    } catch (error) {
      if (error instanceof WrongExpectedRevision) return error.actual === 'no-stream' ? -1 : error.actual
      throw error
    }
    const stream = known ?? this.#newStream(name)
    for (const { id, type, v, data, metadata } of facts) {
      this.#insert.run(++this.#position, stream.id, ++stream.last, id, type, v, data, metadata)
    }
    return null
  }

  #stream(name: string): { id: number; last: number } | null {
    const cached = this.#streams.get(name)
    if (cached) return cached
    const found = this.#findStream.get(name) as { id: number; last: number | null } | undefined
    return found ? this.#remember(name, { id: found.id, last: found.last ?? -1 }) : null
  }

  #newStream(name: string): { id: number; last: number } {
    return this.#remember(name, { id: Number(this.#addStream.run(name).lastInsertRowid), last: -1 })
  }

  #remember(name: string, stream: { id: number; last: number }): { id: number; last: number } {
    if (this.#streams.size >= MAX_CACHED_STREAMS) this.#streams.clear()
    this.#streams.set(name, stream)
    return stream
  }

  close(): void {
    this.#db.close()
  }
}

if (parentPort) {
  const port = parentPort
  const writer = new Writer(workerData as WriterData)
  let waiting: AppendMessage[] = []
  let brokenBy: string | null = null

  const flush = (): void => {
    const group = waiting
    waiting = []
    const numbers = group.map(([number]) => number)
    if (brokenBy !== null) {
      port.postMessage({ failed: numbers, why: brokenBy, stored: 'no' } satisfies WriterAnswer)
      return
    }
    const doubt = { committing: false }
    try {
      port.postMessage({ done: writer.commit(group, doubt) } satisfies WriterAnswer)
    } catch (error) {
      brokenBy = `the log stopped storing: ${(error as Error).message}`
      port.postMessage({
        failed: numbers,
        why: brokenBy,
        stored: doubt.committing ? 'unknown' : 'no',
      } satisfies WriterAnswer)
    }
  }

  port.on('message', (message: AppendMessage | 'close') => {
    if (message === 'close') {
      if (waiting.length > 0) flush()
      writer.close()
      port.close()
      return
    }
    if (waiting.push(message) === 1) setImmediate(() => waiting.length > 0 && flush())
  })
  port.postMessage({ ready: true } satisfies WriterAnswer)
}
