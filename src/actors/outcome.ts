// What became of a command, and what others hear of it.

import type { Values } from './chart.ts'
import type { ActorKind, Fact } from './fact.ts'
import type { Refusal, RefusalCode } from './refusals.ts'

export interface Done {
  readonly ok: true
  /** acknowledged facts of this command; empty when there was nothing new to store */
  readonly facts: readonly Fact[]
  /** the stream's acknowledged revision afterwards */
  readonly revision: number
  /** what a `nothing` branch answered, e.g. the id of the first message of a repeated reference */
  readonly values: Values
}

export interface Refused {
  readonly ok: false
  readonly refusal: Refusal
}

/** Never rejects: what cannot be done is a refusal. */
export type Outcome = Done | Refused

/** Refused by its chart, so nothing of it is stored; what was refused on the way to the log may stand there yet. */
export const isDecided = (outcome: Outcome): outcome is Refused => !outcome.ok && outcome.refusal.at !== null

export const refused = (code: RefusalCode, values: Values = {}, at: Refusal['at'] = null): Refused => ({
  ok: false,
  refusal: { code, state: '', guard: null, values, at },
})

/** One acknowledged batch of one stream, in revision order: what fan-out, policies and read models hear. */
export interface Acknowledged {
  readonly kind: ActorKind
  readonly stream: string
  readonly facts: readonly Fact[]
}

export type AcknowledgedListener = (batch: Acknowledged) => void
