// The embedded log, on the main thread: it hands appends to the writer thread and questions to the reader thread.
// Nothing here touches the disk after the opening, so a disk that stalls stops no socket.
//
// `log.db` (write-ahead log, every commit synced) belongs to one process, see directory-lock.ts. Subscriptions that
// are up to date are fed from the facts that this process heard acknowledged; others read on until they are.

import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { checkAppend, placeOf } from './envelope.ts'
import {
  type Appended,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  type Filter,
  LastFact,
  LogBusy,
  LogUnavailable,
  MAX_BYTES_IN_FLIGHT,
  NoSuchPosition,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
  WrongExpectedRevision,
} from './event-log.ts'
import { matches } from './filter.ts'
import { LiveTail } from './live-tail.ts'
import { CHUNK_ROWS, type Chunk, streamRange } from './sqlite-reader.ts'
import type { Question } from './sqlite-reader-thread.ts'
import { Reading } from './sqlite-reading.ts'
import type { Append, Deletion, DeletionAnswer, GroupAnswer, Opened, Outcome } from './sqlite-writer.ts'
import type { WriterData, WriterMessage } from './sqlite-writer-thread.ts'
import { pause, processTimers, type Timers } from './timers.ts'

/** in one transaction, which appends wait for */
const DELETED_AT_ONCE = 50
/** before a subscription reads again what could not be read */
const READ_AGAIN_MS = 1_000

export interface SqliteLogOptions {
  /** makes the epoch of a log that is born */
  readonly newId?: () => string
  /** upper bound of the file in pages of 4 KiB; 0: none. What would grow beyond fails as on a full disk. */
  readonly maxPages?: number
  /** default: the process's own */
  readonly timers?: Timers
}

interface UnderWay {
  readonly stream: string
  readonly facts: readonly Envelope[]
  readonly expected: ExpectedRevision
  readonly bytes: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

interface Sleeper {
  readonly filter: Filter | undefined
  readonly wake: () => void
  /** what does not match it is skipped for it while it sleeps */
  position: Position
}

export class SqliteLog implements EventLog {
  readonly #lock: DirectoryLock
  readonly #writer: Worker
  readonly #reading: Reading
  readonly #tail: LiveTail
  readonly #timers: Timers
  readonly #epoch: string
  readonly cutAtOpening: number
  readonly #underWay = new Map<number, UnderWay>()
  readonly #deleting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  readonly #sleepers = new Set<Sleeper>()
  /** first ids of appends that failed with an unknown outcome: a repeat must not be told 'no' */
  readonly #inDoubt = new Set<string>()
  #number = 0
  #bytesInFlight = 0
  #commits = 0
  #broken: string | null = null
  /** what a subscription could not read: head() asks for it again, so that whoever looks hears why it stands still */
  #unread: Question | null = null
  #closing: Promise<void> | null = null

  /** Makes directory and log when they are absent. @throws DirectoryLocked, LogUnavailable */
  static async open(directory: string, options: SqliteLogOptions = {}): Promise<SqliteLog> {
    const lock = lockDirectory(directory)
    try {
      const { newId = randomUUID, maxPages = 0, timers = processTimers } = options
      const workerData: WriterData = { directory, epoch: newId(), maxPages }
      const writer = new Worker(new URL('./sqlite-writer-thread.ts', import.meta.url), { workerData })
      const first = await new Promise<WriterMessage>((resolve, reject) => {
        writer.once('message', resolve)
        writer.once('error', reject)
      })
      if ('unopened' in first) throw new LogUnavailable(first.unopened, 'no')
      if (!('opened' in first)) throw new LogUnavailable('the writer of the log answered before it was asked', 'no')
      return new SqliteLog(lock, writer, new Reading(directory), first.opened, timers)
    } catch (error) {
      lock.close()
      throw error
    }
  }

  private constructor(lock: DirectoryLock, writer: Worker, reading: Reading, opened: Opened, timers: Timers) {
    this.#timers = timers
    this.#lock = lock
    this.#writer = writer
    this.#reading = reading
    this.#epoch = opened.epoch
    this.cutAtOpening = opened.cut
    this.#tail = new LiveTail(opened.head)
    writer.on('message', (answer: GroupAnswer | DeletionAnswer) => this.#answered(answer))
    writer.on('error', (error) => this.#writerStopped(error.message))
    writer.on('exit', () => this.#writerStopped('its thread ended'))
  }

  /** Transactions so far: how many appends shared one is appends / commits. */
  get commits(): number {
    return this.#commits
  }

  append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const bytes = checkAppend(stream, facts, expected)
      if (this.#closing) throw closed()
      if (this.#broken) throw this.#failed(this.#broken, this.#inDoubt.has(facts[0]?.id ?? '') ? 'unknown' : 'no')
      if (this.#bytesInFlight + bytes > MAX_BYTES_IN_FLIGHT) {
        throw new LogBusy(MAX_BYTES_IN_FLIGHT)
      }
      const number = ++this.#number
      this.#bytesInFlight += bytes
      this.#underWay.set(number, { stream, facts, expected, bytes, resolve, reject })
      const flat: (string | number)[] = []
      for (const { id, type, v, data, metadata } of facts) flat.push(id, type, v, data, metadata)
      this.#writer.postMessage({ number, stream, expected, facts: flat } satisfies Append)
    })
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    let { from, left, direction } = streamRange(options)
    for (let next: number | null = from; next !== null && left > 0; ) {
      const maxRows = Math.min(left, CHUNK_ROWS)
      const chunk: Chunk = await this.#reading.ask({ ask: 'stream', stream, from: next, direction, maxRows })
      yield* chunk.facts
      left -= chunk.facts.length
      next = chunk.next
    }
  }

  async *readAll({ from = 0, to = this.#tail.head, filter, limit }: ReadAll = {}): AsyncGenerator<Recorded> {
    if (from > this.#tail.head) throw new NoSuchPosition(from)
    let left = limit ?? Number.MAX_SAFE_INTEGER
    for (let next: number | null = from; next !== null && left > 0; ) {
      const maxRows = Math.min(left, CHUNK_ROWS)
      const chunk: Chunk = await this.#reading.ask({ ask: 'all', from: next, to, filter, maxRows })
      yield* chunk.facts
      left -= chunk.facts.length
      next = chunk.next
    }
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    if (this.#closing) throw closed()
    const ended = (): boolean => this.#closing !== null || signal?.aborted === true
    const goal = this.#tail.head
    if (from > goal) throw new NoSuchPosition(from)
    let position = from
    let told = false
    while (!ended()) {
      if (!told && position >= goal) {
        told = true
        yield { caughtUp: position }
        continue
      }
      if (position >= this.#tail.head) {
        position = await this.#news(position, filter, signal)
        continue
      }
      const { facts, upTo } = this.#live(position) ?? (await this.#behind(position, filter))
      for (const fact of facts) {
        if (ended()) return
        if (matches(filter, fact)) yield fact
      }
      position = upTo
    }
  }

  async deleteStreams(streams: readonly string[]): Promise<void> {
    for (let from = 0; from < streams.length; from += DELETED_AT_ONCE)
      await this.#delete(streams.slice(from, from + DELETED_AT_ONCE))
  }

  async #delete(streams: readonly string[]): Promise<void> {
    if (this.#closing) throw closed()
    if (this.#broken) throw new LogUnavailable(this.#broken, 'no')
    const number = ++this.#number
    await new Promise<void>((resolve, reject) => {
      this.#deleting.set(number, { resolve, reject })
      this.#writer.postMessage({ number, streams } satisfies Deletion)
    })
    this.#tail.forget()
  }

  async head(): Promise<Position> {
    if (this.#closing) throw closed()
    if (this.#unread) {
      await this.#reading.ask(this.#unread)
      this.#unread = null
    }
    return this.#tail.head
  }

  async epoch(): Promise<string> {
    if (this.#closing) throw closed()
    return this.#epoch
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const { wake } of this.#sleepers) wake()
    await this.#reading.close()
    const exited = new Promise((resolve) => this.#writer.once('exit', resolve))
    if (this.#writer.threadId !== -1) {
      this.#writer.postMessage('close')
      await exited
    }
    this.#lock.close()
  }

  #live(position: Position): { facts: readonly Recorded[]; upTo: Position } | null {
    const facts = this.#tail.since(position)
    return facts && { facts, upTo: facts.at(-1)?.position ?? position }
  }

  async #behind(position: Position, filter: Filter | undefined): Promise<{ facts: Recorded[]; upTo: Position }> {
    const to = this.#tail.head
    const question: Question = { ask: 'all', from: position, to, filter, maxRows: CHUNK_ROWS }
    try {
      const chunk = await this.#reading.ask(question)
      return { facts: chunk.facts, upTo: chunk.next ?? to }
    } catch {
      this.#unread = question
      if (!this.#closing) await pause(this.#timers, READ_AGAIN_MS)
      return { facts: [], upTo: position }
    }
  }

  /** Sleeps until something that matches is acknowledged; returns how far nothing did. */
  #news(position: Position, filter: Filter | undefined, signal: AbortSignal | undefined): Promise<Position> {
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        filter,
        position,
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve(sleeper.position)
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
    })
  }

  #answered(answer: GroupAnswer | DeletionAnswer): void {
    if ('deleted' in answer) {
      const deleting = this.#deleting.get(answer.deleted)
      this.#deleting.delete(answer.deleted)
      if (answer.lastFact === null) deleting?.resolve()
      else deleting?.reject(new LastFact(answer.lastFact))
      return
    }
    if ('failed' in answer) {
      const { failed, why, stored, final } = answer
      if (final) this.#broken = why
      for (const number of failed) this.#failNumber(number, why, stored)
      return
    }
    this.#commits++
    for (const [number, outcome] of answer.outcomes) {
      const append = this.#take(number)
      if (append) this.#settle(append, outcome)
    }
  }

  #settle({ stream, facts, expected, resolve, reject }: UnderWay, outcome: Outcome): void {
    if (typeof outcome === 'object') {
      reject(new WrongExpectedRevision(stream, expected, outcome.actual))
      return
    }
    const firstRevision = placeOf(expected)
    if (outcome === 'stored') {
      for (const [index, fact] of facts.entries()) this.#tail.push(stream, firstRevision + index, fact)
      for (const sleeper of this.#sleepers) {
        if (facts.some(({ type }) => matches(sleeper.filter, { type, stream }))) sleeper.wake()
        else sleeper.position = Math.max(sleeper.position, this.#tail.head)
      }
    }
    resolve({ firstRevision, lastRevision: firstRevision + facts.length - 1 })
  }

  #take(number: number): UnderWay | undefined {
    const append = this.#underWay.get(number)
    this.#underWay.delete(number)
    this.#bytesInFlight -= append?.bytes ?? 0
    return append
  }

  #failNumber(number: number, why: string, stored: 'no' | 'unknown'): void {
    this.#deleting.get(number)?.reject(this.#failed(why, stored))
    this.#deleting.delete(number)
    this.#fail(this.#take(number), why, stored)
  }

  #fail(append: UnderWay | undefined, why: string, stored: 'no' | 'unknown'): void {
    const first = append?.facts[0]
    if (first && stored === 'unknown') this.#inDoubt.add(first.id)
    append?.reject(this.#failed(why, first && this.#inDoubt.has(first.id) ? 'unknown' : stored))
  }

  #failed(why: string, stored: 'no' | 'unknown'): LogUnavailable {
    return new LogUnavailable(why, stored, { final: this.#broken !== null })
  }

  #writerStopped(why: string): void {
    this.#broken ??= `the log stores nothing any more until a restart: ${why}`
    for (const number of [...this.#underWay.keys(), ...this.#deleting.keys()])
      this.#failNumber(number, this.#broken, 'unknown')
  }
}

const closed = (): LogUnavailable => new LogUnavailable('the log is closed', 'no')
