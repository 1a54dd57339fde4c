// What keeps read models from going on: facts that a projection cannot fold, with where they stand and what could not be
// done with them, and what is no fault of theirs.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { Unreadable } from '../actors/fact-codec.ts'
import { LogUnavailable, type Position, type Recorded } from '../log/event-log.ts'

/** They cannot answer, or not yet: behind, being made anew, or not to be stored. What is on the log is there all the same. */
export class ReadModelsUnavailable extends LogUnavailable {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'no', options)
    this.name = 'ReadModelsUnavailable'
  }
}

export interface Parked {
  readonly position: Position
  readonly type: string
  readonly projection: string
  /** holds nothing of the fact's data */
  readonly error: string
}

/** stands where a projection would, for a type that this version does not know: any might have been meant */
export const UNKNOWN_TYPE = 'every projection'

export const PARKED_TABLE = `
  create table parked (
    position integer not null, projection text not null, type text not null, error text not null,
    primary key (position, projection)
  ) without rowid;`

/**
 * SQLite's primary result codes for what is the disk's or the machine's: busy, locked, memory, read-only, interrupted, I/O,
 * corrupt, full, cannot open, no database (sqlite.org/rescode.html).
 */
const NOT_THE_FACT = [5, 6, 7, 8, 9, 10, 11, 13, 14, 26]

export const isOfTheDisk = (error: unknown): boolean => {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && NOT_THE_FACT.includes(errcode & 0xff)
}

const CORRUPT = [11, 26]

/** The file itself is damaged: what SQLite says of it, or of what could not be stored in it. */
export const isOfADamagedFile = (error: unknown): boolean => {
  const { errcode, cause } = error as { errcode?: number; cause?: unknown }
  if (errcode === undefined) return cause !== undefined && isOfADamagedFile(cause)
  return CORRUPT.includes(errcode & 0xff)
}

export class PoisonFact extends Error {
  readonly parked: Parked

  constructor(parked: Parked) {
    const { projection, type, position, error } = parked
    super(`${projection} cannot fold ${type} at position ${position}: ${error}`)
    this.name = 'PoisonFact'
    this.parked = parked
  }

  /** What a fold threw; the disk's errors come back as they are. */
  static from(error: unknown, { position, type }: Recorded, projection: string): unknown {
    if (isOfTheDisk(error)) return error
    return new PoisonFact({ position, type, projection, error: told(error) })
  }
}

/** JavaScript quotes what it could not parse, which is what people wrote. */
const told = (error: unknown): string => {
  if (error instanceof Unreadable) return error.why
  if (error instanceof SyntaxError) return 'not JSON'
  return String(error).slice(0, 300)
}

/** What is parked in one read database. */
export class Poison {
  readonly #insert: StatementSync
  readonly #first: StatementSync
  readonly #countAll: StatementSync

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('insert or replace into parked (position, projection, type, error) values (?, ?, ?, ?)')
    this.#first = db.prepare('select position, type, projection, error from parked order by position limit ?')
    // A fact that several projections cannot fold is one fact.
    this.#countAll = db.prepare('select count(distinct position) as n from parked')
  }

  get count(): number {
    return (this.#countAll.get() as { n: number }).n
  }

  park({ position, projection, type, error }: Parked): void {
    this.#insert.run(position, projection, type, error)
  }

  first(limit: number): Parked[] {
    return this.#first.all(limit) as unknown as Parked[]
  }
}
