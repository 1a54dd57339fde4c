// A fact of an earlier version is read in the shape of now; the log keeps what was written.

import { expect, it } from 'vitest'
import { z } from 'zod'
import type { FactTypes } from './fact.ts'
import { readFact, Unreadable } from './fact-codec.ts'

/** Twice changed: `nick` was split into first and last name, then the two became one object. */
const types: FactTypes = {
  Named: {
    kind: 'user',
    v: 3,
    says: 'an account has a name',
    schema: z.object({ name: z.object({ first: z.string(), last: z.string() }) }),
    upcasts: [
      ({ nick }) => ({ first: nick.split(' ')[0], last: nick.split(' ')[1] ?? '' }),
      ({ first, last }) => ({ name: { first, last } }),
    ],
  },
}

const stored = (v: number, data: string, type = 'Named') => ({
  ...{ id: 'x', stream: 'user-1', revision: 0, position: 1, type, v, data },
  metadata: '{"at":1,"by":null,"connection":null,"$correlationId":"c","$causationId":"c"}',
})

it.each([
  [1, '{"nick":"Ana Li"}'],
  [2, '{"first":"Ana","last":"Li"}'],
  [3, '{"name":{"first":"Ana","last":"Li"}}'],
])('v%i: %s', (v, data) => {
  expect(readFact(stored(v, data), types)).toMatchObject({ v: 3, data: { name: { first: 'Ana', last: 'Li' } } })
})

it.each([
  [0, '{"nick":"Ana"}', 'this version reads v1 to v3'],
  [4, '{}', 'this version reads v1 to v3'],
  [1, '{"nick":', 'not JSON'],
  [1, '{"secret":1}', 'its v1 cannot be read as v3: TypeError'],
])('v%i: %s is unreadable, and says why without what it holds', (v, data, why) => {
  const read = readFact(stored(v, data), types)
  expect(read).toBeInstanceOf(Unreadable)
  expect((read as Unreadable).why).toBe(why)
})

it.each(['FromTheFuture', 'toString', '__proto__'])('a type %s is unknown', (type) => {
  expect(readFact(stored(1, '{}', type), types)).toMatchObject({ why: 'unknown type' })
})
