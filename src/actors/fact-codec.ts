// The one place where facts become envelopes and envelopes facts.
//
// Encoding checks the shape against the kind's table, so that nothing malformed can enter the log. Decoding is
// total: what cannot be read is `Unreadable`, never a throw. Both are asynchronous because sealing personal
// fields with a key per person belongs here.

import { canonicalJson } from '../log/envelope.ts'
import type { Envelope, Recorded } from '../log/event-log.ts'
import { connectionFacts } from './connection/connection.facts.ts'
import type { Fact, FactType, FactTypes, Metadata } from './fact.ts'
import { nodeFacts } from './node.facts.ts'
import { roomFacts } from './room/room.facts.ts'
import { userFacts } from './user/user.facts.ts'

/** Every fact there is. A type name belongs to one kind of stream. */
export const factTypes: FactTypes = { ...connectionFacts, ...userFacts, ...roomFacts, ...nodeFacts }

export class Unreadable extends Error {
  readonly why: string
  constructor(recorded: Recorded, why: string) {
    super(`fact ${recorded.type} v${recorded.v} at ${recorded.stream}@${recorded.revision}: ${why}`)
    this.name = 'Unreadable'
    this.why = why
  }
}

/** @throws ZodError when `data` has not the shape of its type's table */
export const checkFact = (type: string, data: unknown): FactType => {
  const known = factTypes[type]
  if (!known) throw new Error(`no fact type ${type}`)
  known.schema.parse(data)
  return known
}

export class FactCodec {
  async encode(facts: readonly Fact[]): Promise<Envelope[]> {
    return facts.map((fact) => ({
      id: fact.id,
      type: fact.type,
      v: fact.v,
      data: canonicalJson(fact.data),
      metadata: canonicalJson(fact.metadata),
    }))
  }

  async decode(recorded: readonly Recorded[]): Promise<(Fact | Unreadable)[]> {
    return recorded.map((each) => readFact(each))
  }
}

/** In the shape of its type now, whichever it was written in. The log keeps what was written. */
export const readFact = (recorded: Recorded, types: FactTypes = factTypes): Fact | Unreadable => {
  const known = Object.hasOwn(types, recorded.type) ? types[recorded.type] : undefined
  if (!known) return new Unreadable(recorded, 'unknown type')
  const { v, upcasts = [] } = known
  const later = upcasts.slice(recorded.v - 1)
  if (recorded.v < 1 || recorded.v + later.length !== v) {
    return new Unreadable(recorded, `this version reads v${v - upcasts.length} to v${v}`)
  }
  let parsed: { data: unknown; metadata: Metadata }
  try {
    parsed = { data: JSON.parse(recorded.data), metadata: JSON.parse(recorded.metadata) }
  } catch {
    return new Unreadable(recorded, 'not JSON')
  }
  const { id, stream, revision, type } = recorded
  try {
    const data = later.reduce((before, upcast) => upcast(before), parsed.data)
    return { id, stream, revision, type, v, data, metadata: parsed.metadata }
  } catch (error) {
    return new Unreadable(recorded, `its v${recorded.v} cannot be read as v${v}: ${(error as Error).name}`)
  }
}
