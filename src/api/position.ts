// Positions and cursors as clients see them: opaque strings.

import { z } from 'zod'
import type { At } from '../projections/projection.ts'
import { Problem } from './problem.ts'

/** `<epoch>-<n>`: a place in one log. A restored log has another epoch, and its positions mean nothing elsewhere. */
export const positionText = (epoch: string, position: number): string => `${epoch}-${position}`

/** @throws Problem 400 not a position, 410 of another log */
export const readPosition = (epoch: string, text: string): number => {
  const match = /^(.{1,64})-([0-9]{1,15})$/.exec(text)
  if (!match) throw new Problem(400, 'malformed', `${text.slice(0, 100)} is no position`)
  if (match[1] !== epoch)
    throw new Problem(410, 'another-epoch', 'this position is of another log; start over without it')
  return Number(match[2])
}

/** A time with zone, or a position; inclusive. @throws Problem */
export const readAt = (epoch: string, text: string | undefined): At => {
  if (text === undefined) return null
  if (/^\d{4}-\d{2}-\d{2}T/.test(text)) {
    const time = Date.parse(text)
    if (Number.isNaN(time) || !/(Z|[+-]\d{2}:?\d{2})$/.test(text)) {
      throw new Problem(400, 'malformed', 'at: an ISO time with its zone, e.g. 2026-01-31T12:00:00Z, or a position')
    }
    return { time }
  }
  return { position: readPosition(epoch, text) }
}

export const limit = z.coerce.number().int().min(1).max(500).default(50).describe('items of a page')

/** A cursor holds the last key of the page before. */
export const cursorText = (key: string | number): string => Buffer.from(String(key)).toString('base64url')
export const readCursor = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'base64url').toString('utf8')

export const readNumberCursor = (text: string | undefined): number | undefined => {
  const read = readCursor(text)
  if (read === undefined) return undefined
  if (!/^[0-9]{1,15}$/.test(read)) throw new Problem(400, 'malformed', 'cursor: not one that this server gave')
  return Number(read)
}

/** The cursor of the next page; null: this one is not full, so nothing follows. */
export const nextCursor = <Item>(
  items: readonly Item[],
  most: number,
  keyOf: (last: Item) => string | number,
): string | null => {
  const last = items.at(-1)
  return last === undefined || items.length < most ? null : cursorText(keyOf(last))
}

/** What every read takes. */
const place = z.string().max(100)
export const atLeastQuery = { atLeast: place.optional().describe('a position: the answer waits until it is as fresh') }
export const temporalQuery = {
  at: place.optional().describe('as of this moment, inclusive: an ISO time with zone, or a position'),
  ...atLeastQuery,
}
export const cursorQuery = z.string().max(400).optional().describe('`next` of the page before')
export const pageQuery = { ...temporalQuery, limit, cursor: cursorQuery }

export const iso = (ms: number): string => new Date(ms).toISOString()
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms))
