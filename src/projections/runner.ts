// Folds the log into the read database: rows and checkpoint in one transaction.
//
// Facts are gathered for a moment before a transaction unless somebody waits for a position; that saves most of the
// work at a moderate load. A fact that cannot be folded is parked and counted in live running, and stops a rebuild.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LogUnavailable, type Position, type Recorded } from '../log/event-log.ts'
import type { ProjectedFact } from './projection.ts'
import { projections } from './read-database.ts'

const CHUNK = 2_000
const GATHER_MS = 75
const WAIT_MS = 10_000
/** before a log that was away is asked again */
const AGAIN_MS = 1_000

/** Where facts come from; synchronous in a thread of its own, asynchronous in the main one. */
export interface Source {
  /** facts after `from`, in order, at most `limit` */
  read(from: Position, limit: number): readonly Recorded[] | Promise<readonly Recorded[]>
}

/** Time, as far as gathering needs it. */
export type Later = (ms: number, run: () => void) => void

/** What a reader wants to have been folded in before it is answered. */
export type Freshness = Position | { readonly stream: string; readonly revision: number }

interface Waiter {
  readonly wants: Freshness
  readonly resolve: () => void
}

/** Told to clients as 'not available now'. */
export class ReadModelsBehind extends LogUnavailable {
  constructor(wants: unknown) {
    super(`the read models have not come to ${JSON.stringify(wants)} in ${WAIT_MS} ms`, 'no')
    this.name = 'ReadModelsBehind'
  }
}

export class PoisonFact extends Error {
  readonly position: Position
  constructor(position: Position, projection: string, cause: unknown) {
    super(`projection ${projection} cannot fold the fact at position ${position}: ${(cause as Error).message}`)
    this.name = 'PoisonFact'
    this.position = position
  }
}

export class Runner {
  readonly db: DatabaseSync
  position: Position
  parked: number
  #lastParked = -1
  readonly #source: Source
  readonly #later: Later
  readonly #folds: readonly { name: string; fold: Readonly<Record<string, (fact: ProjectedFact) => void>> }[]
  readonly #checkpoint: StatementSync
  readonly #noteStream: StatementSync
  readonly #revisionOf: StatementSync
  readonly #park: StatementSync
  #waiters: Waiter[] = []
  #running: Promise<void> | null = null
  #planned = false
  #again = false
  #stopped = false

  constructor(db: DatabaseSync, source: Source, later: Later) {
    this.db = db
    this.#source = source
    this.#later = later
    this.#folds = projections.map(({ name, prepare }) => ({ name, fold: prepare(db) }))
    this.#checkpoint = db.prepare('update meta set checkpoint = ?')
    this.#noteStream = db.prepare(
      'insert into streams values (?, ?) on conflict (stream) do update set revision = excluded.revision',
    )
    this.#revisionOf = db.prepare('select revision from streams where stream = ?')
    this.#park = db.prepare('insert into parked values (?, ?, ?, ?)')
    this.position = (db.prepare('select checkpoint from meta').get() as { checkpoint: number }).checkpoint
    this.parked = (db.prepare('select count(distinct position) as n from parked').get() as { n: number }).n
  }

  /** Something was appended. */
  poke(): void {
    if (this.#planned || this.#stopped) return
    if (this.#waiters.length > 0) this.#runNow()
    else this.#runIn(GATHER_MS)
  }

  #runIn(ms: number): void {
    this.#planned = true
    this.#later(ms, () => {
      this.#planned = false
      this.#runNow()
    })
  }

  /** Nobody waits for it: what it could not read, it reads later. */
  #runNow(): void {
    this.run().catch(() => {
      if (!this.#planned && !this.#stopped) this.#runIn(AGAIN_MS)
    })
  }

  /** Resolves once what is wanted has been folded in, at once if it has been. @throws when that takes too long */
  async waitFor(wants: Freshness): Promise<void> {
    if (this.#has(wants)) return
    await new Promise<void>((resolve, reject) => {
      const waiter = { wants, resolve }
      this.#waiters.push(waiter)
      this.#later(WAIT_MS, () => {
        const index = this.#waiters.indexOf(waiter)
        if (index < 0) return
        this.#waiters.splice(index, 1)
        reject(new ReadModelsBehind(wants))
      })
      this.run().catch(reject)
    })
  }

  /** Folds everything there is. One at a time; a call during one makes it look again at its end. */
  run(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#catchUp().finally(() => {
      this.#running = null
      if (this.#again) {
        this.#again = false
        this.#runNow()
      }
    })
    return this.#running
  }

  async #catchUp(): Promise<void> {
    while (!this.#stopped) {
      const chunk = await this.#source.read(this.position, CHUNK)
      if (chunk.length === 0 || this.#stopped) return
      this.fold(chunk, 'park')
    }
  }

  /** One transaction. @throws PoisonFact when a poison fact is to stop it; nothing of the chunk is kept then */
  fold(chunk: readonly Recorded[], poison: 'park' | 'stop'): void {
    this.db.exec('begin')
    try {
      // Noted before they are folded: a fold may forget streams.
      const streams = new Map<string, number>()
      for (const { stream, revision } of chunk) streams.set(stream, revision)
      for (const [stream, revision] of streams) this.#noteStream.run(stream, revision)
      for (const recorded of chunk) this.#foldOne(recorded, poison)
      const { position } = chunk.at(-1) as Recorded
      this.#checkpoint.run(position)
      this.db.exec('commit')
      this.position = position
    } catch (error) {
      this.db.exec('rollback')
      throw error
    }
    this.#answer()
  }

  #foldOne(recorded: Recorded, poison: 'park' | 'stop'): void {
    const { stream, revision, position, id, type } = recorded
    let fact: ProjectedFact | null = null
    for (const { name, fold } of this.#folds) {
      const apply = Object.hasOwn(fold, type) ? fold[type] : undefined
      if (!apply) continue
      try {
        fact ??= {
          stream,
          revision,
          position,
          id,
          type,
          data: JSON.parse(recorded.data),
          metadata: JSON.parse(recorded.metadata),
        }
        apply(fact)
      } catch (error) {
        if (poison === 'stop') throw new PoisonFact(position, name, error)
        this.#park.run(position, name, type, String(error).slice(0, 500))
        // A fact that several projections cannot fold is one fact.
        if (this.#lastParked !== position) this.parked++
        this.#lastParked = position
      }
    }
  }

  #has(wants: Freshness): boolean {
    if (typeof wants === 'number') return this.position >= wants
    const noted = this.#revisionOf.get(wants.stream) as { revision: number } | undefined
    return noted !== undefined && noted.revision >= wants.revision
  }

  #answer(): void {
    if (this.#waiters.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => {
      if (!this.#has(waiter.wants)) return true
      waiter.resolve()
      return false
    })
  }

  /** Folds what is left, and ends. */
  async stop(): Promise<void> {
    try {
      await this.run()
      await this.#running // what came during that run
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
    }
    this.halt()
  }

  /** Ends at once; what is not folded yet is folded by the next runner. */
  halt(): void {
    this.#stopped = true
    this.db.close()
  }
}
