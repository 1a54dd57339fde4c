// The three things a command's branch may do in any statechart: emit a fact, refuse, or answer 'nothing new'.
//
// XState's emitted events carry them out of a decision (machine.transition on a fork); none of them changes state.

import { type ActionFunction, type EventObject, emit, type MachineContext } from 'xstate'
import { type RefusalCode, refusals } from './refusals.ts'

export type Decided =
  | { readonly type: 'fact'; readonly fact: string; readonly data: object }
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly guard: string | null; readonly values: Values }
  | { readonly type: 'nothing'; readonly values: Values }

/** Small allow-listed facts about a decision: they reach the log, the console and the client's answer. */
export type Values = Readonly<Record<string, string | number | boolean | null>>

interface Given<C, E> {
  readonly context: C
  readonly event: E
}

type Branch<C extends MachineContext, E extends EventObject> = ActionFunction<
  C,
  E,
  // biome-ignore lint/suspicious/noExplicitAny: XState's own bound for the machine's whole event union
  any,
  undefined,
  never,
  never,
  never,
  never,
  Decided
>

/** The accepting branch: this fact, with data of the shape in the kind's table. */
export const fact = <C extends MachineContext, E extends EventObject>(
  type: string,
  data: (given: Given<C, E>) => object,
): Branch<C, E> =>
  emit(
    ({ context, event }: Given<C, E>): Decided => ({ type: 'fact', fact: type, data: data({ context, event }) }),
  ) as Branch<C, E>

/** A refusing branch; `values` say what the guard saw, e.g. until when a mute lasts. */
export const refuse = <C extends MachineContext, E extends EventObject>(
  code: RefusalCode | ((given: Given<C, E>) => RefusalCode),
  guard: string | null = null,
  values: (given: Given<C, E>) => Values = () => ({}),
): Branch<C, E> =>
  emit(
    ({ context, event }: Given<C, E>): Decided => ({
      type: 'refused',
      code: typeof code === 'function' ? code({ context, event }) : code,
      guard,
      values: values({ context, event }),
    }),
  ) as Branch<C, E>

/** Accepted, and nothing to store: a repeat, or a wish already fulfilled. */
export const nothing = <C extends MachineContext, E extends EventObject>(
  values: (given: Given<C, E>) => Values = () => ({}),
): Branch<C, E> =>
  emit(
    ({ context, event }: Given<C, E>): Decided => ({ type: 'nothing', values: values({ context, event }) }),
  ) as Branch<C, E>

/** The branches of a chart that refuse or store nothing, each told apart by one of its guards. */
export const branches = <C extends MachineContext, E extends EventObject, Guard extends string>() => ({
  /** This guard, this refusal. */
  no: <G extends Guard>(guard: G, code: RefusalCode, values?: (given: Given<C, E>) => Values) => ({
    guard,
    actions: refuse<C, E>(code, guard, values),
    description: refusals[code].title,
  }),
  /** Where no other answer is possible. */
  only: (code: RefusalCode) => ({ actions: refuse<C, E>(code), description: refusals[code].title }),
  nothingNew: <G extends Guard>(guard: G, values?: (given: Given<C, E>) => Values) => ({
    guard,
    actions: nothing<C, E>(values),
    description: 'nothing new',
  }),
  already: { actions: nothing<C, E>(), description: 'nothing new' },
})
