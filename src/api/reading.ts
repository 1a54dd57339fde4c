// What requests read: the read models as of a moment, as fresh as is wanted, page by page.

import { z } from 'zod'
import { type EventLog, isPlaceIn, type Position } from '../log/event-log.ts'
import { ReadModelsUnavailable } from '../projections/poison.ts'
import type { At } from '../projections/projection.ts'
import type { QueryArgs, QueryName, QueryResult } from '../projections/queries.ts'
import type { ReadModels } from '../projections/read-models.ts'
import type { Freshness } from '../projections/runner.ts'
import { Cursors, type Key, positionText, readAt, readPosition } from './position.ts'
import { malformed, Problem } from './problem.ts'

type RowOf<Name extends QueryName> = QueryResult<Name> extends readonly (infer Row)[] ? Row : never

/** As the schemas of pages read it. */
interface PageQuery {
  readonly at?: string | undefined
  readonly atLeast?: string | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface Listing<Name extends QueryName, Item> {
  /** of the question, beside the moment, the limit and where it goes on */
  readonly args: Omit<QueryArgs<Name>, 'at' | 'limit' | 'after' | 'before'>
  /** rows go on after this key, or before it */
  readonly on: 'after' | 'before'
  key(row: RowOf<Name>): Key
  item(row: RowOf<Name>): Item
}

const aKey = z.union([z.int().min(0), z.string()])

const isPlace = (at: unknown): at is { position: Position } => typeof at === 'object' && at !== null && 'position' in at

/** Whoever asks again would do it twice. @throws Problem */
const storedAllTheSame = (error: unknown): never => {
  if (!(error instanceof ReadModelsUnavailable)) throw error
  const detail =
    'it is stored, and cannot be shown yet: look again later (/readyz says why) rather than ask for it again'
  throw new Problem(503, 'unavailable', detail, { stored: 'yes' })
}

export class Reading {
  readonly epoch: string
  readonly cursors: Cursors
  readonly #log: EventLog
  readonly #readModels: ReadModels

  constructor(log: EventLog, readModels: ReadModels, epoch: string) {
    this.epoch = epoch
    this.cursors = new Cursors(epoch)
    this.#log = log
    this.#readModels = readModels
  }

  at(query: { at?: string | undefined }): At {
    return readAt(this.epoch, query.at)
  }

  /** The moment asked about, of what is read from the log itself. @throws Problem, also beyond its end; LogUnavailable */
  async moment(query: { at?: string | undefined }): Promise<At> {
    const at = this.at(query)
    if (isPlace(at)) await this.within('at', at.position)
    return at
  }

  /**
   * Asks the read models, as fresh as the request wants; as of a position, at least as fresh as that, or it would be no exact
   * cut of the log. @throws Problem 400 beyond the end of the log; LogUnavailable when they do not come to it in time
   */
  async read<Name extends QueryName>(name: Name, args: QueryArgs<Name>, atLeast?: Freshness | string) {
    const wanted = typeof atLeast === 'string' ? readPosition(this.epoch, atLeast, 'atLeast') : atLeast
    // A place in a stream is where something was stored: what this request asked for, or what it goes by.
    if (typeof wanted === 'object')
      return this.#readModels.query(name, args, { atLeast: wanted }).catch(storedAllTheSame)
    const { at } = args as { at?: unknown }
    const places = { at: isPlace(at) ? at.position : 0, atLeast: wanted ?? 0 }
    const fresh = Math.max(places.at, places.atLeast)
    const answer = await this.#readModels.query(name, args)
    // Only who is ahead of them asks the log, so that what has been read stays readable while that is away.
    if (answer.position >= fresh) return answer
    for (const [parameter, place] of Object.entries(places)) await this.within(parameter, place)
    return this.#readModels.query(name, args, { atLeast: fresh })
  }

  /** One page of a list, whose cursors are its own. @throws Problem */
  async page<Name extends QueryName, Item>(
    name: Name,
    query: PageQuery,
    { args, on, key, item }: Listing<Name, Item>,
  ): Promise<{ items: Item[]; next: string | null; position: string }> {
    const { limit, cursor, atLeast } = query
    const from = this.cursors.read(name, cursor, aKey)
    const going = from === undefined ? {} : { [on]: from }
    const asked = { ...args, limit, at: this.at(query), ...going } as QueryArgs<Name>
    const { result, position } = await this.read(name, asked, atLeast)
    const rows = result as readonly RowOf<Name>[]
    const next = this.cursors.next(name, rows, limit, key)
    return { items: rows.map(item), next, position: this.position(position) }
  }

  /** @throws Problem 400 beyond the end of the log; LogUnavailable */
  async within(parameter: string, place: Position): Promise<void> {
    if (place > (await this.#log.head())) throw malformed(parameter, 'beyond the end of the log')
  }

  /** Where a reader goes on. @throws Problem 400 naming the parameter, 410 of another log; LogUnavailable */
  async placeIn(parameter: string, given: string): Promise<Position> {
    const from = readPosition(this.epoch, given, parameter)
    if (await isPlaceIn(this.#log, from)) return from
    throw malformed(parameter, `${given} is no place in this log; take a position that it gave`)
  }

  position(position: number): string {
    return positionText(this.epoch, position)
  }
}
