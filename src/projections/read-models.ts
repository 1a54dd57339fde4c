// The read models as the rest of the server sees them: questions by name, answered with the position they are true
// at, at least as fresh as asked. They run in a thread of their own, and in this one beside a log in memory.

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type EventLog, LogUnavailable, type Position } from '../log/event-log.ts'
import { SqliteLogReader } from '../log/sqlite-reader.ts'
import { readerOf } from './log-reader.ts'
import { type QueryArgs, type QueryName, type QueryResult, runQuery } from './queries.ts'
import { discard, openReadDatabase } from './read-database.ts'
import { type Freshness, type Later, Runner } from './runner.ts'
import { type Answer, type Question, READ_FILE, type Status, type ThreadData } from './thread.ts'

export interface QueryOptions {
  /** answered only once this has been folded in */
  readonly atLeast?: Freshness
}

export interface ReadModels {
  query<Name extends QueryName>(
    name: Name,
    args: QueryArgs<Name>,
    options?: QueryOptions,
  ): Promise<{ readonly result: QueryResult<Name>; readonly position: Position }>
  /** Something was appended. Nearly free. */
  poke(): void
  status(): Promise<Status>
  close(): Promise<void>
}

/** In a thread of its own, over the embedded log in `directory` or the one at `address`; its file is in `directory`. */
export class ThreadedReadModels implements ReadModels {
  readonly #worker: Worker
  readonly #poked = new SharedArrayBuffer(4)
  readonly #flag = new Int32Array(this.#poked)
  readonly #asked = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>()
  #number = 0
  #gone: Error | null = null

  constructor(directory: string, address: string | null = null) {
    const workerData: ThreadData = { directory, address, poked: this.#poked }
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData })
    this.#worker.on('message', (answer: Answer) => this.#answered(answer))
    this.#worker.on('error', (error) => this.#fail(new Error(`the read models stopped: ${(error as Error).message}`)))
    this.#worker.on('exit', () => this.#fail(new Error('the read models are closed')))
  }

  query<Name extends QueryName>(name: Name, args: QueryArgs<Name>, { atLeast }: QueryOptions = {}) {
    return this.#ask<{ result: QueryResult<Name>; position: Position }>((number) => ({
      number,
      name,
      args,
      wants: atLeast ?? null,
    }))
  }

  poke(): void {
    if (Atomics.exchange(this.#flag, 0, 1) === 0) this.#worker.postMessage('poke')
  }

  async status(): Promise<Status> {
    return (await this.#ask<{ result: Status }>((number) => ({ number, status: true }))).result
  }

  async close(): Promise<void> {
    if (this.#gone) return
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.postMessage('close')
    await exited
  }

  #ask<Result>(question: (number: number) => Question): Promise<Result> {
    if (this.#gone) return Promise.reject(this.#gone)
    return new Promise((resolve, reject) => {
      const number = ++this.#number
      this.#asked.set(number, { resolve, reject })
      this.#worker.postMessage(question(number))
    })
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.get(answer.number)
    this.#asked.delete(answer.number)
    if ('error' in answer)
      asked?.reject(answer.behind ? new LogUnavailable(answer.error, 'no') : new Error(answer.error))
    else asked?.resolve(answer as never)
  }

  #fail(error: Error): void {
    this.#gone ??= error
    for (const { reject } of this.#asked.values()) reject(this.#gone)
    this.#asked.clear()
  }
}

/** In this thread, over any log: tests and the simulation. */
export class LocalReadModels implements ReadModels {
  readonly runner: Runner
  readonly #log: EventLog

  static async open(log: EventLog, later: Later): Promise<LocalReadModels> {
    return new LocalReadModels(log, later, await log.epoch(), await log.head())
  }

  private constructor(log: EventLog, later: Later, epoch: string, head: Position) {
    this.#log = log
    this.runner = new Runner(openReadDatabase(':memory:', epoch, head), readerOf(log), later)
  }

  async query<Name extends QueryName>(name: Name, args: QueryArgs<Name>, { atLeast }: QueryOptions = {}) {
    if (atLeast !== undefined) await this.runner.waitFor(atLeast)
    const result = runQuery(this.runner.db, name, args) as QueryResult<Name>
    return { result, position: this.runner.position }
  }

  poke(): void {
    this.runner.poke()
  }

  async status(): Promise<Status> {
    const { position, parked } = this.runner
    return { position, parked, lag: await readerOf(this.#log).countAfter(position) }
  }

  close(): Promise<void> {
    return this.runner.stop()
  }
}

const REBUILD_CHUNK = 5_000

/**
 * Makes the read database of `directory` anew; the server must not be running.
 * @throws PoisonFact naming the position it cannot go beyond
 */
export const rebuild = (directory: string, progress: (done: Position, head: Position) => void): Position => {
  const log = SqliteLogReader.open(directory)
  const file = join(directory, READ_FILE)
  discard(file)
  const head = log.head()
  const db = openReadDatabase(file, log.epoch(), head)
  const runner = new Runner(db, { read: () => [] }, () => {})
  while (runner.position < head) {
    const facts = log.readChunk(runner.position, undefined, REBUILD_CHUNK)
    if (facts.length === 0) break
    runner.fold(facts, 'stop')
    progress(runner.position, head)
  }
  db.close()
  log.close()
  return head
}
