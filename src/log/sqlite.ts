// The embedded log, on the main thread: it hands appends to the writer thread and questions to the reader thread.
//
// One process owns a data directory: a second SQLite file is held by `begin exclusive`, a lock of the kernel's that
// SIGKILL frees (a pid file would outlive its process).

import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { checkBounds } from './envelope.ts'
import {
  type Appended,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  LogUnavailable,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
  WrongExpectedRevision,
} from './event-log.ts'
import { matches } from './filter.ts'
import type { Chunk } from './sqlite-reader.ts'
import type { ReadRequest } from './sqlite-reader-thread.ts'
import type { AppendMessage, WriterAnswer, WriterData } from './sqlite-writer-thread.ts'

const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
const CHUNK_ROWS = 512

export class DirectoryLocked extends Error {
  constructor(directory: string) {
    super(`${directory} is in use by another hansard process; stop it, or give this one another directory (--data)`)
    this.name = 'DirectoryLocked'
  }
}

export interface SqliteLogOptions {
  readonly newEpoch?: () => string
  /** bound of the file in pages of 4 KiB; 0: none */
  readonly maxPages?: number
}

interface Waiting {
  readonly stream: string
  readonly facts: readonly Envelope[]
  readonly expected: ExpectedRevision
  readonly bytes: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

/** Takes the lock of a data directory; closing the database gives it back. @throws DirectoryLocked */
export const lockDirectory = (directory: string): DatabaseSync => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'lock.db')
  const lock = new DatabaseSync(file)
  try {
    lock.exec('begin exclusive')
    chmodSync(file, 0o600)
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode === 5) throw new DirectoryLocked(directory)
    throw error
  }
  return lock
}

export class SqliteLog implements EventLog {
  readonly #lock: DatabaseSync
  readonly #writer: Worker
  readonly #reader: Worker
  readonly #appends = new Map<number, Waiting>()
  readonly #reads = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>()
  readonly #sleepers = new Set<{ wants: (facts: readonly Envelope[], stream: string) => boolean; wake: () => void }>()
  #number = 0
  #bytesInFlight = 0
  #closed = false
  #broken: string | null = null

  /** @throws DirectoryLocked, LogUnavailable */
  static async open(directory: string, options: SqliteLogOptions = {}): Promise<SqliteLog> {
    const lock = lockDirectory(directory)
    try {
      const workerData: WriterData = {
        directory,
        epoch: (options.newEpoch ?? randomUUID)(),
        maxPages: options.maxPages ?? 0,
      }
      const writer = new Worker(new URL('./sqlite-writer-thread.ts', import.meta.url), { workerData })
      await new Promise((resolve, reject) => {
        writer.once('message', resolve)
        writer.once('error', (error) =>
          reject(
            new LogUnavailable(
              `the log in ${directory} cannot be opened: ${error.message}. If the file is damaged, restore it from a copy; it was not changed.`,
              'no',
              { cause: error },
            ),
          ),
        )
      })
      for (const file of ['log.db', 'log.db-wal', 'log.db-shm']) chmodSync(join(directory, file), 0o600)
      const reader = new Worker(new URL('./sqlite-reader-thread.ts', import.meta.url), { workerData: { directory } })
      return new SqliteLog(lock, writer, reader)
    } catch (error) {
      lock.close()
      throw error
    }
  }

  private constructor(lock: DatabaseSync, writer: Worker, reader: Worker) {
    this.#lock = lock
    this.#writer = writer
    this.#reader = reader
    writer.on('message', (answer: WriterAnswer) => this.#answered(answer))
    writer.on('error', (error) => this.#break(`the log's writer stopped: ${error.message}`))
    reader.on('message', (answer: { number: number; result?: never; error?: string }) => this.#read(answer))
    reader.on('error', (error) => this.#failReads(`the log's reader stopped: ${error.message}`))
  }

  append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const bytes = checkBounds(facts)
      const why = this.#closed ? 'the log is closed' : this.#broken
      if (why) throw new LogUnavailable(why, 'no')
      if (this.#bytesInFlight + bytes > MAX_BYTES_IN_FLIGHT)
        throw new LogUnavailable('busy: 64 MiB wait to be stored', 'no')
      const number = ++this.#number
      this.#bytesInFlight += bytes
      this.#appends.set(number, { stream, facts, expected, bytes, resolve, reject })
      const flat: (string | number)[] = []
      for (const { id, type, v, data, metadata } of facts) flat.push(id, type, v, data, metadata)
      const message: AppendMessage = [number, stream, expected === 'no-stream' ? -1 : expected, ...flat]
      this.#writer.postMessage(message)
    })
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options
    let from: number | null = options.from ?? (direction === 'forwards' ? 0 : Number.MAX_SAFE_INTEGER)
    let left = limit
    while (from !== null && left > 0) {
      const wanted = Math.min(left, CHUNK_ROWS)
      const chunk: Chunk = await this.#ask({ ask: 'stream', stream, from, direction, limit: wanted })
      yield* chunk.facts
      left -= chunk.facts.length
      const last = chunk.facts.at(-1)
      if (!last || (chunk.next === null && chunk.facts.length < wanted)) return
      from = last.revision + (direction === 'forwards' ? 1 : -1)
      if (from < 0) return
    }
  }

  async *readAll({ from = 0, to, filter, limit }: ReadAll = {}): AsyncGenerator<Recorded> {
    const end = to ?? (await this.head())
    let next: number | null = from
    let left = limit ?? Number.MAX_SAFE_INTEGER
    while (next !== null && left > 0) {
      const chunk: Chunk = await this.#ask({
        ask: 'all',
        from: next,
        to: end,
        filter,
        maxRows: Math.min(left, CHUNK_ROWS),
      })
      yield* chunk.facts
      left -= chunk.facts.length
      next = chunk.next
    }
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    let position = from
    let told = false
    while (!this.#closed && !signal?.aborted) {
      // Anything acknowledged from here on wakes us; anything before is in what we read next.
      const woken = this.#sleeper(filter, signal)
      const head = await this.head()
      for await (const fact of this.readAll({ from: position, to: head, ...(filter ? { filter } : {}) })) {
        if (this.#closed || signal?.aborted) break
        yield fact
      }
      position = Math.max(position, head)
      if (!told && !signal?.aborted) {
        told = true
        yield { caughtUp: position }
      }
      await woken
    }
  }

  head(): Promise<Position> {
    return this.#ask({ ask: 'head' })
  }

  epoch(): Promise<string> {
    return this.#ask({ ask: 'epoch' })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const { wake } of this.#sleepers) wake()
    const ended = new Promise((resolve) => this.#writer.once('exit', resolve))
    this.#writer.postMessage('close')
    await ended
    await this.#reader.terminate()
    this.#failReads('the log is closed')
    this.#lock.close()
  }

  #ask<Result>(request: ReadRequest): Promise<Result> {
    if (this.#closed) return Promise.reject(new LogUnavailable('the log is closed', 'no'))
    return new Promise((resolve, reject) => {
      const number = ++this.#number
      this.#reads.set(number, { resolve, reject })
      this.#reader.postMessage({ number, request })
    })
  }

  #read({ number, result, error }: { number: number; result?: never; error?: string }): void {
    const waiting = this.#reads.get(number)
    this.#reads.delete(number)
    if (error === undefined) waiting?.resolve(result as never)
    else waiting?.reject(new LogUnavailable(`the log cannot be read: ${error}`, 'no'))
  }

  #failReads(why: string): void {
    for (const { reject } of this.#reads.values()) reject(new LogUnavailable(why, 'no'))
    this.#reads.clear()
  }

  #answered(answer: WriterAnswer): void {
    if ('ready' in answer) return
    if ('failed' in answer) {
      this.#broken = answer.why
      for (const number of answer.failed) this.#take(number)?.reject(new LogUnavailable(answer.why, answer.stored))
      return
    }
    for (const [number, actual] of answer.done) {
      const waiting = this.#take(number)
      if (!waiting) continue
      const { stream, facts, expected, resolve, reject } = waiting
      if (actual !== null) {
        reject(new WrongExpectedRevision(stream, expected, actual < 0 ? 'no-stream' : actual))
        continue
      }
      const firstRevision = expected === 'no-stream' ? 0 : expected + 1
      resolve({ firstRevision, lastRevision: firstRevision + facts.length - 1 })
      for (const sleeper of this.#sleepers) if (sleeper.wants(facts, stream)) sleeper.wake()
    }
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#appends.get(number)
    this.#appends.delete(number)
    this.#bytesInFlight -= waiting?.bytes ?? 0
    return waiting
  }

  #break(why: string): void {
    this.#broken = why
    for (const number of [...this.#appends.keys()]) this.#take(number)?.reject(new LogUnavailable(why, 'unknown'))
  }

  #sleeper(filter: Subscribe['filter'], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        wants: (facts: readonly Envelope[], stream: string) =>
          facts.some(({ type }) => matches(filter, { type, stream })),
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
    })
  }
}
