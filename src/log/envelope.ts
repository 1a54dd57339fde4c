// Canonical JSON (RFC 8785) and the bounds of an append.
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
  WrongExpectedRevision,
} from './event-log.ts'

/**
 * Keys in UTF-16 order, no white space, numbers and strings as ECMAScript writes them (RFC 8785 § 3.2).
 * A lone surrogate is written as its `\udXXX` escape, which JSON.parse reads back unchanged.
 * Keys whose value is undefined are left out. @throws TypeError for what JSON has no form for
 */
export const canonicalJson = (value: unknown): string => {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`no JSON form for ${value}`)
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? `[${value.map(canonicalJson).join(',')}]` : canonicalObject(value)
    default:
      throw new TypeError(`no JSON form for ${typeof value}`)
  }
}

const canonicalObject = (value: object): string => {
  let text = ''
  for (const key of Object.keys(value).sort()) {
    const inner = (value as Record<string, unknown>)[key]
    if (inner === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(inner)}`
  }
  return `{${text}}`
}

export const envelopeBytes = ({ type, data, metadata }: Envelope): number =>
  36 + type.length + Buffer.byteLength(data) + Buffer.byteLength(metadata)

/** @throws AppendTooLarge naming the limit. Returns the bytes in all. */
export const checkBounds = (facts: readonly Envelope[]): number => {
  if (facts.length === 0) throw new AppendTooLarge('an append needs at least one fact')
  if (facts.length > MAX_FACTS) throw new AppendTooLarge(`${facts.length} facts in one append, at most ${MAX_FACTS}`)
  let total = 0
  for (const fact of facts) {
    const bytes = envelopeBytes(fact)
    if (bytes > MAX_FACT_BYTES) throw new AppendTooLarge(`a ${fact.type} of ${bytes} bytes, at most ${MAX_FACT_BYTES}`)
    total += bytes
  }
  if (total > MAX_APPEND_BYTES) throw new AppendTooLarge(`${total} bytes in one append, at most ${MAX_APPEND_BYTES}`)
  return total
}

/**
 * What an append at `expected` means to a stream whose last revision is `last` (-1: absent): it fits, or the very
 * same facts stand there already. `idAt` tells the id at a revision.
 * @throws WrongExpectedRevision
 */
export const judgeAppend = (
  stream: string,
  facts: readonly Envelope[],
  expected: ExpectedRevision,
  last: number,
  idAt: (revision: number) => string | undefined,
): 'append' | 'already-there' => {
  const after = expected === 'no-stream' ? -1 : expected
  if (after === last) return 'append'
  const there = after < last && facts.every(({ id }, index) => idAt(after + 1 + index) === id)
  if (there) return 'already-there'
  throw new WrongExpectedRevision(stream, expected, last < 0 ? 'no-stream' : last)
}
