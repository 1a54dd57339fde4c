// Decisions on a fork of an actor's snapshot: no actor runs, nothing is scheduled, nothing is sent.
//
// `machine.transition` with one reused inert scope costs a third of XState's public transition() (measured). The
// scope collects the actions a branch would run; those that emit are the decision.

import { type AnyStateMachine, createActor, type EventObject, type Snapshot } from 'xstate'
import type { Decided, Values } from './chart.ts'
import type { Refusal, RefusalCode } from './refusals.ts'

export interface DecidedFact {
  readonly type: string
  readonly data: object
}

export type Decision =
  | { readonly kind: 'facts'; readonly facts: readonly DecidedFact[] }
  | { readonly kind: 'nothing'; readonly values: Values }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly guard: string | null; readonly values: Values }

interface CollectedAction {
  readonly type: string
  readonly params?: { readonly event?: unknown }
}

/** A statechart as the host uses it. */
export class Decider {
  readonly machine: AnyStateMachine
  readonly #collected: CollectedAction[] = []
  // biome-ignore lint/suspicious/noExplicitAny: XState exports no type for an actor scope
  readonly #scope: any

  constructor(machine: AnyStateMachine) {
    this.machine = machine
    const self = createActor(machine)
    this.#scope = {
      self,
      system: self.system,
      id: '',
      sessionId: '',
      logger() {},
      defer() {},
      stopChild() {},
      emit() {},
      actionExecutor: (action: CollectedAction) => this.#collected.push(action),
    }
  }

  decide(fork: Snapshot<unknown>, command: EventObject): Decision {
    this.#collected.length = 0
    this.machine.transition(fork as never, command, this.#scope)
    const facts: DecidedFact[] = []
    let nothing: Values | null = null
    for (const action of this.#collected) {
      if (action.type !== 'xstate.emit') continue
      const decided = action.params?.event as Decided
      if (decided.type === 'refused') {
        return { kind: 'refused', code: decided.code, guard: decided.guard, values: decided.values }
      }
      if (decided.type === 'fact') facts.push({ type: decided.fact, data: decided.data })
      else nothing = decided.values
    }
    if (facts.length > 0) return { kind: 'facts', facts }
    if (nothing) return { kind: 'nothing', values: nothing }
    return { kind: 'refused', code: 'not-in-this-state', guard: null, values: {} }
  }

  /** The fork after one more fact. */
  evolve(fork: Snapshot<unknown>, fact: EventObject): Snapshot<unknown> {
    this.#collected.length = 0
    return this.machine.transition(fork as never, fact, this.#scope) as Snapshot<unknown>
  }
}

/** `authenticated.active` for nested states, `offline+good` for parallel ones. */
export const stateName = (snapshot: object): string => {
  const name = (value: unknown): string =>
    typeof value === 'string'
      ? value
      : Object.entries(value as Record<string, unknown>)
          .map(([key, inner]) => {
            const rest = name(inner)
            return rest ? `${key}.${rest}` : key
          })
          .join('+')
  return name((snapshot as { value?: unknown }).value ?? '')
}

export const refusalOf = (
  decision: Extract<Decision, { kind: 'refused' }>,
  snapshot: Snapshot<unknown>,
  stream: string,
  revision: number,
): Refusal => ({
  code: decision.code,
  state: stateName(snapshot),
  guard: decision.guard,
  values: decision.values,
  at: { stream, revision },
})
