// What a projection is: tables, a fold over facts into rows, and queries. Rows are temporal: from and to as positions
// and as times, so that 'as of' is an indexed condition and no fold.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Metadata } from '../actors/fact.ts'
import type { Position } from '../log/event-log.ts'

export interface ProjectedFact {
  readonly stream: string
  readonly revision: number
  readonly position: Position
  readonly id: string
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the type's table in actors/, which wrote it
  readonly data: any
  readonly metadata: Metadata
}

export interface Projection {
  readonly name: string
  /** changed whenever tables or fold change: the read database is then made anew */
  readonly version: number
  /** SQL that creates its tables */
  readonly tables: string
  /** prepares its statements and returns how each fact type is folded into rows */
  prepare(db: DatabaseSync): Readonly<Record<string, (fact: ProjectedFact) => void>>
}

/** null: now. By position an exact cut of the log, inclusive; by time, in each stream, the facts not after it. */
export type At = { readonly position: Position } | { readonly time: number } | null

/** Columns of every temporal table. */
export const TEMPORAL = `
  from_position integer not null,
  from_at       integer not null,
  to_position   integer,
  to_at         integer,
  ended_by      text`

/** The condition that a row of `table` was in force, and its parameters. */
export const inForce = (at: At, table = ''): { sql: string; values: SQLInputValue[] } => {
  const column = (name: string) => (table ? `${table}.${name}` : name)
  if (at === null) return { sql: `${column('to_position')} is null`, values: [] }
  const [kind, value] = 'position' in at ? ['position', at.position] : ['at', at.time]
  const [from, to] = [column(`from_${kind}`), column(`to_${kind}`)]
  return { sql: `(${from} <= ? and (${to} is null or ${to} > ?))`, values: [value as number, value as number] }
}

/** The condition that what is never undone had come by then: a fact's own position and time, in `table`. */
export const cameBy = (at: At, table: string): { sql: string; values: SQLInputValue[] } => {
  if (at === null) return { sql: 'true', values: [] }
  return 'position' in at
    ? { sql: `${table}.position <= ?`, values: [at.position] }
    : { sql: `${table}.at <= ?`, values: [at.time] }
}

/** A temporal table: rows begin and end, and are never changed otherwise. */
export class Temporal {
  readonly #insert: StatementSync
  readonly #end: StatementSync
  readonly #columns: readonly string[]

  /** `key`: the columns that name what at most one row at a time is in force for. */
  constructor(db: DatabaseSync, table: string, columns: readonly string[], key: readonly string[]) {
    this.#columns = columns
    const names = [...columns, 'from_position', 'from_at'].join(', ')
    const marks = Array.from({ length: columns.length + 2 }, () => '?').join(', ')
    this.#insert = db.prepare(`insert into ${table} (${names}) values (${marks})`)
    const keyed = key.map((column) => `${column} is ?`).join(' and ')
    this.#end = db.prepare(
      `update ${table} set to_position = ?, to_at = ?, ended_by = ? where ${keyed} and to_position is null`,
    )
  }

  begin(fact: ProjectedFact, row: Readonly<Record<string, SQLInputValue>>): void {
    const values = this.#columns.map((column) => row[column] ?? null)
    this.#insert.run(...values, fact.position, fact.metadata.at)
  }

  /** Ends the row in force for these key values, if there is one. */
  end(fact: ProjectedFact, ...key: SQLInputValue[]): void {
    this.#end.run(fact.position, fact.metadata.at, fact.id, ...key)
  }
}

export const json = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value)

/** `room-<id>` → `<id>` */
export const idOf = (stream: string): string => stream.slice(stream.indexOf('-') + 1)
