// The read models as the rest of the server sees them: questions by name, answered with the position they are true
// at, at least as fresh as asked. They run in a thread of their own, and in this one beside a log in memory.

import { Worker } from 'node:worker_threads'
import type { EventLog, Position } from '../log/event-log.ts'
import { type AtPoison, Generations } from './generations.ts'
import { readerOf } from './log-reader.ts'
import { PoisonFact, ReadModelsUnavailable } from './poison.ts'
import type { QueryArgs, QueryName, QueryResult } from './queries.ts'
import { MEMORY } from './read-database.ts'
import type { Freshness, Later } from './runner.ts'
import type { Answer, Question, Status, ThreadData } from './thread.ts'

export interface QueryOptions {
  /** answered only once this has been folded in */
  readonly atLeast?: Freshness
  /** waits, however long, for read models that are being made anew, where it needs them */
  readonly patient?: boolean
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
  /** Makes them anew beside those that answer, which it then replaces; goes on where that stopped at a fact. */
  rebuild(atPoison: AtPoison): Promise<Status>
  /** Resolves once nothing is being made anew. @throws PoisonFact when that stopped at one */
  settled(): Promise<Status>
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

  constructor(directory: string, address: string | null = null, atPoison: AtPoison = 'stop') {
    const workerData: ThreadData = { directory, address, atPoison, poked: this.#poked }
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData })
    this.#worker.on('message', (answer: Answer) => this.#answered(answer))
    this.#worker.on('error', (error) => this.#fail(`the read models stopped: ${(error as Error).message}`))
    this.#worker.on('exit', () => this.#fail('the read models are closed'))
  }

  query<Name extends QueryName>(name: Name, args: QueryArgs<Name>, { atLeast, patient = false }: QueryOptions = {}) {
    return this.#ask<{ result: QueryResult<Name>; position: Position }>((number) => ({
      number,
      name,
      args,
      wants: atLeast ?? null,
      patient,
    }))
  }

  poke(): void {
    if (Atomics.exchange(this.#flag, 0, 1) === 0) this.#worker.postMessage('poke')
  }

  async status(): Promise<Status> {
    return (await this.#ask<{ result: Status }>((number) => ({ number, ask: 'status' }))).result
  }

  async rebuild(atPoison: AtPoison): Promise<Status> {
    return (await this.#ask<{ result: Status }>((number) => ({ number, ask: 'rebuild', atPoison }))).result
  }

  async settled(): Promise<Status> {
    return (await this.#ask<{ result: Status }>((number) => ({ number, ask: 'settled' }))).result
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
    if ('error' in answer) asked?.reject(errorOf(answer))
    else asked?.resolve(answer as never)
  }

  #fail(why: string): void {
    this.#gone ??= new ReadModelsUnavailable(why)
    for (const { reject } of this.#asked.values()) reject(this.#gone)
    this.#asked.clear()
  }
}

const errorOf = ({ error, behind, poison }: Extract<Answer, { error: string }>): Error => {
  if (poison) return new PoisonFact(poison)
  return behind ? new ReadModelsUnavailable(error) : new Error(error)
}

/** In this thread, over any log: tests and the simulation. */
export class LocalReadModels implements ReadModels {
  readonly generations: Generations
  readonly #log: EventLog

  static async open(log: EventLog, later: Later): Promise<LocalReadModels> {
    return new LocalReadModels(log, later, { epoch: await log.epoch(), head: await log.head() })
  }

  private constructor(log: EventLog, later: Later, seen: { epoch: string; head: Position }) {
    this.#log = log
    const source = readerOf(log)
    const head = () => log.head()
    this.generations = new Generations({ file: MEMORY, seen, source, later, atPoison: 'stop', head })
  }

  async query<Name extends QueryName>(
    name: Name,
    args: QueryArgs<Name>,
    { atLeast, patient = false }: QueryOptions = {},
  ) {
    const { result, position } = await this.generations.ask(name, args, { wants: atLeast ?? null, patient })
    return { result: result as QueryResult<Name>, position }
  }

  poke(): void {
    this.generations.poke()
  }

  async status(): Promise<Status> {
    const progress = await this.generations.progress()
    return { ...progress, lag: await readerOf(this.#log).countAfter(progress.position) }
  }

  rebuild(atPoison: AtPoison): Promise<Status> {
    this.generations.rebuild(atPoison)
    return this.status()
  }

  async settled(): Promise<Status> {
    await this.generations.settled()
    return this.status()
  }

  close(): Promise<void> {
    return this.generations.stop()
  }
}
