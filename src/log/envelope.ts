// Canonical JSON (RFC 8785), the bounds of an append, and what an append means to a stream.
//
// A fact's data and metadata are encoded once and never again: the same bytes are resent after a lost answer, and the
// same bytes come back from any store's parsed copy, so that a fact can be hashed wherever it was read.

import {
  AppendTooLarge,
  type Envelope,
  type ExpectedRevision,
  MAX_APPEND_BYTES,
  MAX_FACT_BYTES,
  MAX_FACTS,
  type Revision,
  WrongExpectedRevision,
} from './event-log.ts'

/**
 * Keys in UTF-16 order, no white space, numbers and strings as ECMAScript writes them (RFC 8785 § 3.2).
 * A lone surrogate is written as its `\udXXX` escape, which JSON.parse reads back unchanged; the RFC would refuse it,
 * but clients do send halves of emoji and a record must hold what was sent.
 * Keys whose value is undefined are left out.
 * @throws TypeError for what JSON has no form for: undefined, NaN, ±Infinity, BigInt, functions, symbols, and objects
 * with a class (a Date or a Map would silently become something else)
 */
export const canonicalJson = (value: unknown): string =>
  // JSON.stringify already writes every value as the RFC asks; only the order of keys may differ.
  isCanonicallyOrdered(value) ? JSON.stringify(value) : inCanonicalOrder(value)

const isCanonicallyOrdered = (value: unknown): boolean => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`no JSON form for ${value}`)
      return true
    case 'object': {
      if (value === null) return true
      let ordered = true
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index++) ordered = isCanonicallyOrdered(value[index]) && ordered
        return ordered
      }
      if (!isPlain(value)) throw new TypeError(`no JSON form for ${Object.prototype.toString.call(value)} with a class`)
      let before: string | undefined
      for (const key of Object.keys(value)) {
        const inner = (value as Record<string, unknown>)[key]
        if (inner === undefined) continue
        ordered = isCanonicallyOrdered(inner) && ordered && (before === undefined || before < key)
        before = key
      }
      return ordered
    }
    default:
      throw new TypeError(`no JSON form for ${typeof value}`)
  }
}

/** An object literal of any realm: its prototype is null or a root. */
const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

const inCanonicalOrder = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(inCanonicalOrder).join(',')}]`
  let text = ''
  for (const key of Object.keys(value).sort()) {
    const inner = (value as Record<string, unknown>)[key]
    if (inner === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${inCanonicalOrder(inner)}`
  }
  return `{${text}}`
}

const UUID_BYTES = 36

/** What a fact counts against the bounds: its texts in UTF-8. */
export const envelopeBytes = ({ type, data, metadata }: Envelope): number =>
  UUID_BYTES + type.length + Buffer.byteLength(data) + Buffer.byteLength(metadata)

/** Returns the bytes in all. @throws AppendTooLarge naming the limit @throws TypeError for what is no envelope */
export const checkBounds = (facts: readonly Envelope[]): number => {
  if (facts.length === 0) throw new TypeError('an append needs at least one fact')
  if (facts.length > MAX_FACTS) throw new AppendTooLarge(`${facts.length} facts in one append, at most ${MAX_FACTS}`)
  let total = 0
  for (const fact of facts) {
    checkEnvelope(fact)
    const bytes = envelopeBytes(fact)
    if (bytes > MAX_FACT_BYTES) throw new AppendTooLarge(`a ${fact.type} of ${bytes} bytes, at most ${MAX_FACT_BYTES}`)
    total += bytes
  }
  if (total > MAX_APPEND_BYTES) throw new AppendTooLarge(`${total} bytes in one append, at most ${MAX_APPEND_BYTES}`)
  return total
}

/** A store would change a lone surrogate to U+FFFD, and what it cannot bind would fail others of the same commit. */
const checkEnvelope = ({ id, type, v, data, metadata }: Envelope): void => {
  for (const text of [id, type, data, metadata]) {
    if (typeof text !== 'string' || !text.isWellFormed()) throw new TypeError(`a fact's texts must be Unicode: ${type}`)
  }
  if (!Number.isSafeInteger(v) || v < 1) throw new TypeError(`the version of ${type} must be a whole number from 1`)
}

const MAX_STREAM_NAME = 512

/** All that can be refused without looking at the stream. Returns the bytes. @throws AppendTooLarge, TypeError */
export const checkAppend = (stream: string, facts: readonly Envelope[], expected: ExpectedRevision): number => {
  if (stream.length === 0 || stream.length > MAX_STREAM_NAME || !stream.isWellFormed()) {
    throw new TypeError(`a stream's name is Unicode of 1 to ${MAX_STREAM_NAME} characters`)
  }
  if (expected !== 'no-stream' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    throw new TypeError(`the expected revision of ${stream} is a whole number from 0 or 'no-stream', not ${expected}`)
  }
  return checkBounds(facts)
}

/** Where facts appended at `expected` stand. */
export const placeOf = (expected: ExpectedRevision): Revision => (expected === 'no-stream' ? 0 : expected + 1)

/**
 * What an append at `expected` means to a stream whose last revision is `last` (-1: absent): it fits, or the very
 * same facts stand there already. `idAt` tells the id at a revision.
 * @throws WrongExpectedRevision
 */
export const judgeAppend = (
  stream: string,
  facts: readonly Pick<Envelope, 'id'>[],
  expected: ExpectedRevision,
  last: number,
  idAt: (revision: Revision) => string | undefined,
): 'append' | 'already-there' => {
  const first = placeOf(expected)
  if (first === last + 1) return 'append'
  if (first <= last && facts.every(({ id }, index) => idAt(first + index) === id)) return 'already-there'
  throw new WrongExpectedRevision(stream, expected, last < 0 ? 'no-stream' : last)
}
