// Facts as events of the server, and back.
//
// `data` and `metadata` are JSON in the store, so that they can be read in its own page. The client hands out parsed
// copies; encoded again canonically they are the bytes that went in. The version of a fact's schema stands as `v` in
// its metadata: an event without one was written by somebody else and is no fact of this log.

import { canonicalJson } from './envelope.ts'
import { type Envelope, type Filter, LogUnavailable, type Position, type Recorded } from './event-log.ts'
import type { LogPosition, NewEvent, ServerFilter, StoredEvent } from './eventstore-client.ts'

const encoder = new TextEncoder()

/** @throws TypeError — data or metadata are not JSON: the client would leave that as an unhandled rejection */
export const eventOf = ({ id, type, v, data, metadata }: Envelope): NewEvent => {
  if (type.startsWith('$')) throw new TypeError(`${type}: a type that begins with $ is the server's own`)
  const about = parsed(metadata)
  if (about === null || typeof about !== 'object' || Array.isArray(about) || Object.hasOwn(about, 'v')) {
    throw new TypeError(`the metadata of ${type} must be an object without v`)
  }
  const stored = encoder.encode(canonicalJson({ ...about, v }))
  return { id, type, contentType: 'application/json', data: parsed(data), metadata: stored }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new TypeError('a fact is JSON', { cause: error })
  }
}

/** null: not of this log */
export const factOf = ({ id, streamId, revision, type, isJson, data, metadata, position }: StoredEvent) => {
  if (!isJson || type.startsWith('$') || streamId.startsWith('$')) return null
  const { v, ...about } = (metadata ?? {}) as { v?: unknown }
  if (!Number.isSafeInteger(v)) return null
  const fact: Recorded = {
    id,
    type,
    v: v as number,
    data: canonicalJson(data),
    metadata: canonicalJson(about),
    stream: streamId,
    revision: Number(revision),
    position: positionOf(position),
  }
  return fact
}

/**
 * Positions of the server are byte offsets in 64 bits; ours are numbers, exact up to 2^53 (8 PiB of log).
 * Servers before 22.6 tell none in a stream's events and write 2^64 - 1 there (KurrentDB pull request 3459).
 * @throws LogUnavailable
 */
export const positionOf = (position: LogPosition | undefined): Position => {
  const commit = position?.commit ?? -1n
  if (commit >= 0n && commit <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(commit)
  throw new LogUnavailable(
    `the server gave position ${commit}, and this log counts to 2^53: it needs EventStoreDB 22.10 or later`,
    'no',
  )
}

/** Exclusive in a subscription, inclusive in a read. */
export const placeAfter = (position: Position): LogPosition | 'start' =>
  position === 0 ? 'start' : { commit: BigInt(position), prepare: BigInt(position) }

/** Events looked through before the server says how far it is. */
const SEARCH_WINDOW = 1_000

/**
 * The server takes one condition, on the type or on the stream; it may let through more than the filter does.
 * Beginnings rather than regular expressions, which cost it more; without a condition all but its own events.
 */
export const serverFilter = (
  filter: Filter | undefined,
  checkpointReached: ServerFilter['checkpointReached'],
): ServerFilter => {
  const { types, streamPrefixes } = filter ?? {}
  const window = { maxSearchWindow: SEARCH_WINDOW, checkpointInterval: 1, checkpointReached }
  if (streamPrefixes?.length && !streamPrefixes.includes('')) {
    return { filterOn: 'streamName', prefixes: [...streamPrefixes], ...window }
  }
  if (types?.length) return { filterOn: 'eventType', prefixes: [...types], ...window }
  return { filterOn: 'eventType', regex: '^[^$]', ...window }
}
