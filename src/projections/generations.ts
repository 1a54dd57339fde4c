// The read models that answer, and those being made to take their place.
//
// What was made by other definitions goes on answering, and following the log, while its successor is made beside it
// from the first fact on; then one takes the other's place, between two questions. A crash at any moment leaves the one
// or the other whole, and what was begun goes on where it was. Questions that the old one cannot answer, because their
// tables have changed, are 'not available' until then; where there is no old one, that is all of them. A file that turns
// out to be damaged is none: it is discarded, and another made.

import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { Position } from '../log/event-log.ts'
import { isOfADamagedFile, type Parked, PoisonFact, ReadModelsUnavailable } from './poison.ts'
import { type QueryName, runQuery } from './queries.ts'
import {
  discard,
  type LogSeen,
  MEMORY,
  makeReadDatabase,
  openExisting,
  projections,
  putInPlace,
} from './read-database.ts'
import { type Freshness, type Later, Runner, type Source } from './runner.ts'

/** Questions are answered between two of these, so it is what one may have to wait. */
const CHUNK = 1_000
const AGAIN_MS = 1_000
/**
 * Pages of the write-ahead log between two of its checkpoints while one is being made, 64 MiB: a page that many chunks
 * write to is then moved and synced once. Where it answers, SQLite's own 1,000 keep what waits for one short.
 */
const CHECKPOINT_PAGES = 16_384
const SHOWN_PARKED = 10

/** What a fact that cannot be folded does to read models being made: ends the making, or is parked. */
export type AtPoison = 'stop' | 'park'

export interface Building {
  readonly position: Position
  /** the log's last position when it was looked at last */
  readonly head: Position
  /** why it does not go on */
  readonly stopped: string | null
}

export interface Progress {
  readonly position: Position
  /** facts that could not be folded */
  readonly parked: number
  readonly firstParked: readonly Parked[]
  /** null: those in force are by the definitions in force */
  readonly building: Building | null
}

/** Told to clients as 'not available now'. */
export class ReadModelsRebuilding extends ReadModelsUnavailable {
  constructor({ position, head, stopped }: Building) {
    const how = stopped === null ? `at ${position} of ${head}` : `stopped at ${position}: ${stopped}`
    super(`the read models are being made anew, ${how}`)
    this.name = 'ReadModelsRebuilding'
  }
}

export interface GenerationsOptions {
  /** of the database in force; the one being made is beside it */
  readonly file: string
  readonly seen: LogSeen
  readonly source: Source
  readonly later: Later
  readonly atPoison: AtPoison
  head(): Position | Promise<Position>
}

interface Next {
  readonly runner: Runner
  readonly file: string
  atPoison: AtPoison
  head: Position
  stopped: Error | null
  running: boolean
}

export class Generations {
  readonly #options: GenerationsOptions
  /** null: nothing answers until what is being made is there */
  #served: Runner | null = null
  /** tables of the one that is served have changed since, and are closed */
  #lacksTables = false
  #next: Next | null = null
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #stopped = false

  constructor(options: GenerationsOptions) {
    this.#options = options
    const { file, seen, source, later, atPoison } = options
    const existing = openExisting(file, seen)
    const next = nextTo(file)
    if (existing) {
      this.#served = new Runner(existing.db, source, later, existing.folding)
      this.#lacksTables = existing.folding.length < projections.length
    }
    if (existing?.current) discard(next)
    else if (file !== MEMORY && (existing || seen.head > 0)) {
      const begun = openExisting(next, seen)
      if (begun && !begun.current) begun.db.close()
      this.#begin(next, begun?.current ? begun.db : makeReadDatabase(next, seen.epoch), atPoison)
    } else this.#served = new Runner(makeReadDatabase(file, seen.epoch), source, later)
  }

  /** Something was appended. */
  poke(): void {
    this.#served?.poke()
  }

  /**
   * `patient`: waits for what is being made where it is needed, however long.
   * @throws ReadModelsBehind, ReadModelsRebuilding; PoisonFact to the patient, when the making stops
   */
  async ask(
    name: QueryName,
    args: unknown,
    { wants, patient }: { wants: Freshness | null; patient: boolean },
  ): Promise<{ result: unknown; position: Position }> {
    for (;;) {
      if (this.#stopped) throw new ReadModelsUnavailable('the read models are closed')
      const served = this.#served
      if (served) {
        try {
          if (wants !== null) await served.waitFor(wants)
          return { result: runQuery(served.db, name, args), position: served.position }
        } catch (error) {
          const isLost = this.#isLost(served, error)
          if (!isLost && !(this.#lacksTables && isOfOtherTables(error))) throw error
        }
      }
      const building = this.#building()
      if (!building) continue // taken while the freshness was waited for
      if (!patient) throw new ReadModelsRebuilding(building)
      await this.#taken()
    }
  }

  /** Makes them anew though nothing changed; goes on where that stopped. */
  rebuild(atPoison: AtPoison): void {
    if (!this.#next) {
      const { file, seen } = this.#options
      const next = nextTo(file)
      this.#begin(next, makeReadDatabase(next, seen.epoch), atPoison)
      return
    }
    this.#next.atPoison = atPoison
    this.#next.stopped = null
    this.#run(this.#next)
  }

  /** Looks at the log first. @throws LogUnavailable, and what the disk refuses */
  async progress(): Promise<Progress> {
    const served = this.#served
    await served?.run().catch((error) => {
      if (!this.#isLost(served, error)) throw error
    })
    const runner = this.#served ?? (this.#next as Next).runner
    const { position, parked } = runner
    return { position, parked, firstParked: runner.firstParked(SHOWN_PARKED), building: this.#building() }
  }

  /** Resolves once those in force are by the definitions in force. @throws what stopped the making */
  async settled(): Promise<void> {
    while (this.#next) await this.#taken()
  }

  /** for whoever looks at the rows themselves */
  get db(): DatabaseSync {
    if (!this.#served) throw new Error('no read models are in force yet')
    return this.#served.db
  }

  /** Folds what is left, and ends; what other definitions made necessary goes on at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#next?.runner.halt()
    this.#next = null
    await this.#served?.stop()
  }

  /** Ends at once, in the middle of whatever it did. */
  halt(): void {
    this.#stopped = true
    this.#next?.runner.halt()
    this.#next = null
    this.#served?.halt()
  }

  /** Nothing can be told from what is damaged, and nothing in it is not in the log. */
  #isLost(served: Runner, error: unknown): boolean {
    const { file, seen, atPoison } = this.#options
    if (!isOfADamagedFile(error) || file === MEMORY || this.#stopped) return false
    if (this.#served !== served) return true
    this.#served = null
    this.#lacksTables = false
    served.halt()
    discard(file)
    const next = nextTo(file)
    if (!this.#next) this.#begin(next, makeReadDatabase(next, seen.epoch), atPoison)
    return true
  }

  #building(): Building | null {
    if (!this.#next) return null
    const { runner, head, stopped } = this.#next
    return { position: runner.position, head, stopped: stopped?.message ?? null }
  }

  #begin(file: string, db: DatabaseSync, atPoison: AtPoison): void {
    const { source, later, seen } = this.#options
    db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    const runner = new Runner(db, source, later)
    this.#next = { runner, file, atPoison, head: seen.head, stopped: null, running: false }
    this.#run(this.#next)
  }

  /** Chunk after chunk, with a turn for whoever asks between two. */
  #run(next: Next): void {
    if (next.running) return
    next.running = true
    this.#step(next).then(
      (taken) => {
        next.running = false
        if (!taken) this.#options.later(0, () => this.#next === next && this.#run(next))
      },
      (error) => {
        if (this.#stopped) return
        // A swap that fails in the middle leaves nothing to ask: the next start finds the one or the other.
        if (this.#next !== next) throw error
        next.running = false
        next.stopped = error as Error
        if (!(error instanceof PoisonFact)) {
          // The log is away, or the disk full: neither is for good.
          this.#options.later(AGAIN_MS, () => this.#next === next && this.#run(next))
          return
        }
        for (const { reject } of this.#waiting.splice(0)) reject(error)
      },
    )
  }

  /** true: it has taken its place */
  async #step(next: Next): Promise<boolean> {
    const { runner } = next
    const head = await this.#options.head()
    const chunk = await this.#options.source.read(runner.position, CHUNK)
    if (this.#stopped || this.#next !== next) return true
    next.head = head
    next.stopped = null
    if (chunk.length > 0) {
      runner.fold(chunk, next.atPoison)
      return false
    }
    // The one in force may have read farther meanwhile: positions that were told never go back.
    if (this.#served && this.#served.position > runner.position) return false
    this.#take(next)
    return true
  }

  #take(next: Next): void {
    const { file, seen, source, later } = this.#options
    this.#next = null
    let { db } = next.runner
    if (file !== MEMORY) {
      next.runner.halt()
      if (!existsSync(next.file)) {
        // Somebody deleted what was being made: those in force are not given up for it.
        this.#begin(next.file, makeReadDatabase(next.file, seen.epoch), next.atPoison)
        return
      }
      this.#served?.db.close()
      putInPlace(next.file, file)
      const opened = openExisting(file, { ...seen, head: Number.MAX_SAFE_INTEGER })
      if (!opened) throw new Error(`${file} could not be opened where it was put`)
      db = opened.db
    } else this.#served?.db.close()
    if (this.#served) this.#served.switchTo(db)
    else this.#served = new Runner(db, source, later)
    // News that came while nothing was in force have been heard by nobody.
    this.#served.poke()
    this.#lacksTables = false
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  #taken(): Promise<void> {
    const stopped = this.#next?.stopped
    if (stopped instanceof PoisonFact) return Promise.reject(stopped)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }
}

export const nextTo = (file: string): string => (file === MEMORY ? MEMORY : file.replace(/(\.db)?$/, '.next.db'))

const SQLITE_ERROR = 1
const SQLITE_AUTH = 23
/** No such table or column, or one that is closed. */
const isOfOtherTables = (error: unknown): boolean =>
  [SQLITE_ERROR, SQLITE_AUTH].includes((error as { errcode?: number }).errcode ?? 0)
