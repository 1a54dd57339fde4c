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
  constructor(recorded: Recorded, why: string) {
    super(`fact ${recorded.type} v${recorded.v} at ${recorded.stream}@${recorded.revision}: ${why}`)
    this.name = 'Unreadable'
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
    return recorded.map(readFact)
  }
}

const readFact = (recorded: Recorded): Fact | Unreadable => {
  const known = factTypes[recorded.type]
  if (!known) return new Unreadable(recorded, 'unknown type')
  if (recorded.v !== known.v) return new Unreadable(recorded, `this version reads v${known.v}`)
  try {
    return {
      id: recorded.id,
      stream: recorded.stream,
      revision: recorded.revision,
      type: recorded.type,
      v: recorded.v,
      data: JSON.parse(recorded.data),
      metadata: JSON.parse(recorded.metadata) as Metadata,
    }
  } catch {
    return new Unreadable(recorded, 'not JSON')
  }
}
