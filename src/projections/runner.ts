// Folds the log into a read database: rows and checkpoint in one transaction.
//
// Facts are gathered for a moment before a transaction unless somebody waits for a position; that saves most of the
// work at a moderate load. A fact that a projection cannot fold leaves nothing there: it is parked and counted in live
// running, and stops a rebuild. What the disk refuses is no fault of the fact and is tried again.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { factTypes, readFact, Unreadable } from '../actors/fact-codec.ts'
import { LogUnavailable, type Position, type Recorded } from '../log/event-log.ts'
import { isOfTheDisk, type Parked, Poison, PoisonFact, ReadModelsUnavailable, UNKNOWN_TYPE } from './poison.ts'
import type { ProjectedFact, Projection } from './projection.ts'
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
  readonly reject: (error: Error) => void
}

/** Told to clients as 'not available now'. */
export class ReadModelsBehind extends ReadModelsUnavailable {
  constructor(wants: unknown) {
    super(`the read models have not come to ${JSON.stringify(wants)} in ${WAIT_MS} ms`)
    this.name = 'ReadModelsBehind'
  }
}

interface Folding {
  readonly name: string
  readonly fold: Readonly<Record<string, (fact: ProjectedFact) => void>>
}

interface Statements {
  readonly folds: readonly Folding[]
  readonly checkpoint: StatementSync
  readonly noteStream: StatementSync
  readonly revisionOf: StatementSync
}

export class Runner {
  position: Position
  readonly #source: Source
  readonly #later: Later
  #db: DatabaseSync
  #statements: Statements
  #poison: Poison
  #waiters: Waiter[] = []
  #running: Promise<void> | null = null
  #planned = false
  #again = false
  #stopped = false

  /** `folding`: the projections whose tables are there; all, but for a database of earlier definitions. */
  constructor(db: DatabaseSync, source: Source, later: Later, folding: readonly Projection[] = projections) {
    this.#db = db
    this.#source = source
    this.#later = later
    this.#statements = prepare(db, folding)
    this.#poison = new Poison(db)
    this.position = checkpointOf(db)
  }

  get db(): DatabaseSync {
    return this.#db
  }

  /** how many facts are parked */
  get parked(): number {
    return this.#poison.count
  }

  /** the first of what is parked */
  firstParked(limit: number): Parked[] {
    return this.#poison.first(limit)
  }

  /** Goes on over another database, which is as far as this one or farther; whoever waits is answered from there. */
  switchTo(db: DatabaseSync): void {
    this.#db = db
    this.#statements = prepare(db, projections)
    this.#poison = new Poison(db)
    this.position = checkpointOf(db)
    this.#answer()
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
      const waiter = { wants, resolve, reject }
      this.#waiters.push(waiter)
      this.#later(WAIT_MS, () => {
        const index = this.#waiters.indexOf(waiter)
        if (index < 0) return
        this.#waiters.splice(index, 1)
        reject(new ReadModelsBehind(wants))
      })
      // Whoever waits is told what went wrong, whichever run that was.
      this.run().catch(() => {})
    })
  }

  /** Folds everything there is. One at a time; a call during one makes it look again at its end. */
  run(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#catchUp()
      .catch((error) => {
        for (const { reject } of this.#waiters.splice(0)) reject(error)
        throw error
      })
      .finally(() => {
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
      const from = this.position
      const chunk = await this.#source.read(from, CHUNK)
      if (this.#stopped) return
      // Another database took the place of the one that was read for.
      if (this.position !== from) continue
      if (chunk.length === 0) return
      this.fold(chunk, 'park')
    }
  }

  /** One transaction. @throws PoisonFact when a poison fact is to stop it; what came before it is kept then */
  fold(chunk: readonly Recorded[], poison: 'park' | 'stop'): void {
    try {
      this.#transaction(chunk, 'throw')
    } catch (error) {
      if (!(error instanceof PoisonFact)) throw error
      if (poison === 'park') this.#transaction(chunk, 'park')
      else {
        const before = chunk.filter(({ position }) => position < error.parked.position)
        if (before.length > 0) this.#transaction(before, 'throw')
        this.#answer()
        throw error
      }
    }
    this.#answer()
  }

  #transaction(chunk: readonly Recorded[], poison: 'park' | 'throw'): void {
    const { folds, noteStream, checkpoint } = this.#statements
    this.#db.exec('begin')
    try {
      // Noted before they are folded: a fold may forget streams.
      const streams = new Map<string, number>()
      for (const { stream, revision } of chunk) streams.set(stream, revision)
      for (const [stream, revision] of streams) noteStream.run(stream, revision)
      for (const recorded of chunk) {
        if (poison === 'throw') this.#foldInto(folds, recorded)
        else this.#foldOrPark(folds, recorded)
      }
      const { position } = chunk.at(-1) as Recorded
      checkpoint.run(position)
      this.#db.exec('commit')
      this.position = position
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback')
      if (!isOfTheDisk(error)) throw error
      throw new ReadModelsUnavailable(`the read models cannot be stored: ${(error as Error).message}`, { cause: error })
    }
  }

  /** @throws PoisonFact */
  #foldInto(folds: readonly Folding[], recorded: Recorded): void {
    const { position, type } = recorded
    if (!Object.hasOwn(factTypes, type)) {
      throw new PoisonFact({ position, type, projection: UNKNOWN_TYPE, error: 'unknown type' })
    }
    let fact: ProjectedFact | null = null
    for (const { name, fold } of folds) {
      const apply = Object.hasOwn(fold, type) ? fold[type] : undefined
      if (!apply) continue
      try {
        fact ??= readable(recorded)
        apply(fact)
      } catch (error) {
        throw PoisonFact.from(error, recorded, name)
      }
    }
  }

  /** Each projection by itself, so that what one cannot fold leaves nothing in its tables and costs the others nothing. */
  #foldOrPark(folds: readonly Folding[], recorded: Recorded): void {
    const able = folds.filter(({ fold }) => Object.hasOwn(fold, recorded.type))
    // A type that no projection knows has none to fold it either.
    for (const one of able.length > 0 ? able.map((each) => [each]) : [[]]) {
      this.#db.exec('savepoint fact')
      try {
        this.#foldInto(one, recorded)
      } catch (error) {
        if (!(error instanceof PoisonFact)) throw error
        this.#db.exec('rollback to fact')
        this.#poison.park(error.parked)
      }
      this.#db.exec('release fact')
    }
  }

  #has(wants: Freshness): boolean {
    if (typeof wants === 'number') return this.position >= wants
    const noted = this.#statements.revisionOf.get(wants.stream) as { revision: number } | undefined
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
    this.#db.close()
  }
}

const prepare = (db: DatabaseSync, folding: readonly Projection[]): Statements => ({
  folds: folding.map((projection) => ({ name: projection.name, fold: projection.prepare(db) })),
  checkpoint: db.prepare('update meta set checkpoint = ?'),
  noteStream: db.prepare(
    'insert into streams values (?, ?) on conflict (stream) do update set revision = excluded.revision',
  ),
  revisionOf: db.prepare('select revision from streams where stream = ?'),
})

const checkpointOf = (db: DatabaseSync): Position =>
  (db.prepare('select checkpoint from meta').get() as { checkpoint: number }).checkpoint

const readable = (recorded: Recorded): ProjectedFact => {
  const fact = readFact(recorded)
  if (fact instanceof Unreadable) throw fact
  return { ...fact, position: recorded.position }
}
