// Specifications of statecharts, written as they are told: given these facts, when this command is asked, then these
// facts, or nothing new, or this refusal.
//
// Everything here is the product's own: the live actor takes facts through the host's timers, commands are decided by
// the host's Decider, and every fact is checked against the tables before it is folded in.

import { expect } from 'vitest'
import { type AnyStateMachine, createActor, type EventObject } from 'xstate'
import { type DecidedFact, Decider, type Decision, stateName } from '../src/actors/decide.ts'
import type { CommandFields } from '../src/actors/fact.ts'
import { checkFact } from '../src/actors/fact-codec.ts'
import type { RefusalCode } from '../src/actors/refusals.ts'
import { Timers } from '../src/actors/timers.ts'
import { VirtualClock } from './virtual-clock.ts'

/** 2026-01-01T00:00:00Z, when every story begins */
export const T0 = 1_767_225_600_000

/** A command as a story tells it: what the host fills in has a default. */
export type Told<C extends CommandFields> = C extends CommandFields
  ? Omit<C, keyof CommandFields> & Partial<CommandFields>
  : never

export interface Happened {
  readonly type: string
  readonly data: object
  /** ms since 1970; default: the time of the fact before */
  readonly at?: number
  /** a personal field reads `{ erased: true }`, which no table allows and every fold accepts */
  readonly erased?: true
}

export interface FoldedFact extends Happened {
  readonly at: number
  readonly id: string
  readonly revision: number
}

export class Situation<C extends CommandFields> {
  readonly facts: readonly FoldedFact[]
  readonly snapshot: Parameters<Decider['decide']>[0]
  readonly #decider: Decider
  readonly #timers: Timers

  constructor(decider: Decider, facts: readonly Happened[], origin = '') {
    this.#decider = decider
    const clock = new VirtualClock(() => {})
    this.#timers = new Timers(`story${origin}`, clock, () => {})
    const live = createActor(decider.machine)
    live.subscribe({ error: () => {} })
    live.system.scheduler = this.#timers
    live.start()
    const folded: FoldedFact[] = []
    for (const { type, data, at = folded.at(-1)?.at ?? T0, erased } of facts) {
      if (!erased) checkFact(type, data)
      const fact = { id: `fact-${folded.length}`, revision: folded.length, type, data, at }
      this.#timers.factAt = at
      live.send({ ...fact, by: null, connection: null } as EventObject)
      folded.push(fact)
    }
    this.facts = folded
    this.snapshot = live.getSnapshot()
    const { status, error } = this.snapshot as { status: string; error?: unknown }
    if (status === 'error') throw error
  }

  /** as refusals and the console name it, e.g. `living.open` */
  get state(): string {
    return stateName(this.snapshot)
  }

  get context(): unknown {
    return (this.snapshot as { context?: unknown }).context
  }

  get now(): number {
    return this.facts.at(-1)?.at ?? T0
  }

  when(command: Told<C>): Answer<C> {
    return this.decide({ ...fields, at: this.now, ...(command as object) } as never)
  }

  decide(command: EventObject & CommandFields): Answer<C> {
    const decision = this.#decider.decide(this.snapshot, command)
    if (decision.kind === 'facts') for (const { type, data } of decision.facts) checkFact(type, data)
    return new Answer(this, decision, command.at)
  }

  /** Timer id → ms since 1970 when it is due. */
  get armed(): Record<string, number> {
    return Object.fromEntries(this.#timers.armed().map(({ id, due }) => [id, due]))
  }

  /** The timer's own command, as the host hands it over when due, or `lateMs` after. */
  whenDue(id: string, lateMs = 0): Answer<C> {
    return this.decide(this.timerCommand(id, (this.armed[id] ?? 0) + lateMs))
  }

  timerCommand(id: string, at: number): EventObject & CommandFields {
    const timer = this.#timers.armed().find((armed) => armed.id === id)
    if (!timer) throw new Error(`no timer ${id} is armed, only ${Object.keys(this.armed).join(', ') || 'none'}`)
    return { ...fields, by: 'system', ...timer.event, at }
  }

  /** The same stream with more facts on it. */
  and(...facts: readonly Happened[]): Situation<C> {
    return new Situation(this.#decider, [...this.facts, ...facts])
  }
}

const fields = { commandId: 'command', correlationId: 'correlation', by: null, connection: null }

export class Answer<C extends CommandFields> {
  readonly decision: Decision
  readonly #before: Situation<C>
  readonly #at: number

  constructor(before: Situation<C>, decision: Decision, at: number) {
    this.#before = before
    this.decision = decision
    this.#at = at
  }

  get facts(): readonly DecidedFact[] {
    return this.decision.kind === 'facts' ? this.decision.facts : []
  }

  /** Exactly these facts, in this order; data as far as told. Returns what the stream is then. */
  yields(...expected: readonly (readonly [type: string, data?: object])[]): Situation<C> {
    expect(this.decision.kind === 'facts' ? this.facts.map(({ type }) => type) : this.decision).toEqual(
      expected.map(([type]) => type),
    )
    expected.forEach(([, data], index) => {
      if (data) expect(this.facts[index]?.data).toMatchObject(data)
    })
    return this.after
  }

  /** Accepted, and nothing to store. */
  nothing(values: object = {}): Situation<C> {
    expect(this.decision).toEqual({ kind: 'nothing', values })
    return this.#before
  }

  refused(code: RefusalCode, values?: object): Situation<C> {
    expect(this.decision).toMatchObject({ kind: 'refused', code })
    if (values) expect((this.decision as { values?: object }).values).toEqual(values)
    return this.#before
  }

  /** The stream with the decided facts on it. */
  get after(): Situation<C> {
    return this.#before.and(...this.facts.map(({ type, data }) => ({ type, data, at: this.#at })))
  }
}

/** A story about one chart: `given(...facts)`, and `absent` before any. */
export const specification = <C extends CommandFields>(machine: AnyStateMachine) => {
  const decider = new Decider(machine)
  const given = (...facts: readonly Happened[]) => new Situation<C>(decider, facts)
  return { given, absent: given() }
}
