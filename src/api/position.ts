// Positions, moments and cursors as clients see them: opaque strings.

import { z } from 'zod'
import type { At } from '../projections/projection.ts'
import { malformed, Problem } from './problem.ts'

/** `<epoch>-<n>`: a place in one log. A restored log has another epoch, and its positions mean nothing elsewhere. */
export const positionText = (epoch: string, position: number): string => `${epoch}-${position}`

const POSITION = 'a position, as every answer has one'

const ofAnotherLog = (parameter: string, what: string) =>
  new Problem(410, 'another-epoch', `${parameter}: this ${what} is of another log; start over without it`, {
    field: parameter,
  })

/** @throws Problem 400 not a position, 410 of another log */
export const readPosition = (epoch: string, text: string, parameter: string): number => {
  const match = /^(.{1,64})-([0-9]{1,15})$/.exec(text)
  if (!match) throw malformed(parameter, POSITION)
  if (match[1] !== epoch) throw ofAnotherLog(parameter, 'position')
  return Number(match[2])
}

const LIKE_A_DATE = /^[+-]?\d{4,6}-\d{2}\b/
const TIME = /^(\d{4}-\d{2}-\d{2})T.*(Z|[+-]\d{2}:?\d{2})$/
const INSTANT = 'an ISO time with its zone, e.g. 2026-01-31T12:00:00Z'
const aDay = z.iso.date()

/** ms since 1970. @throws Problem; of days that there are not, too, which Date.parse would count on from */
export const readTime = (text: string, parameter: string, what = INSTANT): number => {
  const [, day] = TIME.exec(text) ?? []
  const time = Date.parse(text)
  if (Number.isNaN(time) || !aDay.safeParse(day).success) throw malformed(parameter, what)
  return time
}

/** A time with zone, or a position; inclusive. @throws Problem */
export const readAt = (epoch: string, text: string | undefined): At => {
  if (text === undefined) return null
  const isTime = LIKE_A_DATE.test(text) || !/-[0-9]+$/.test(text)
  if (isTime) return { time: readTime(text, 'at', `${INSTANT}, or ${POSITION}`) }
  return { position: readPosition(epoch, text, 'at') }
}

export const limit = z.coerce.number().int().min(1).max(500).default(50).describe('items of a page')

/** The key of a list's row that the next page goes on from: of a type by list. */
export type Key = string | number

/** Holds which log and which list it is of, and the key of the last item before. */
export class Cursors {
  readonly #epoch: string

  constructor(epoch: string) {
    this.#epoch = epoch
  }

  text(list: string, key: Key): string {
    return Buffer.from(JSON.stringify([list, key, this.#epoch])).toString('base64url')
  }

  /** The cursor of the next page; null: this one is not full, so nothing follows. */
  next<Row>(list: string, rows: readonly Row[], most: number, keyOf: (last: Row) => Key): string | null {
    const last = rows.at(-1)
    return last === undefined || rows.length < most ? null : this.text(list, keyOf(last))
  }

  /** undefined: the first page. @throws Problem 400 of another list, or none; 410 of another log */
  read<K extends z.ZodType<Key>>(list: string, text: string | undefined, key: K): z.output<K> | undefined {
    if (text === undefined) return undefined
    const read = z.tuple([z.literal(list), key, z.string()]).safeParse(parsed(text))
    if (!read.success) throw malformed('cursor', 'not one that this list gave; take `next` of the page before')
    if (read.data[2] !== this.#epoch) throw ofAnotherLog('cursor', 'cursor')
    return read.data[1] as z.output<K>
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

/** What every read takes. */
const place = z.string().max(100)
export const atQuery = {
  at: place.optional().describe('as of this moment, inclusive: an ISO time with zone, or a position'),
}
export const atLeastQuery = { atLeast: place.optional().describe('a position: the answer waits until it is as fresh') }
export const temporalQuery = { ...atQuery, ...atLeastQuery }
export const cursorQuery = z.string().max(1_000).optional().describe('`next` of the page before')
export const pageQuery = { ...temporalQuery, limit, cursor: cursorQuery }

export const iso = (ms: number): string => new Date(ms).toISOString()
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms))
