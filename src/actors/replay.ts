// An entity's life, fact by fact: what state each left, which arrow of the chart it took, what it had come of.
//
// A live actor of its own takes the facts as the host's does (actor.ts), so the console tells what was; nothing here is
// armed, decided or stored. A moment is immutable, since contexts are: a replay goes on from any of them.

import { type AnyStateMachine, createActor, type EventObject, type Actor as XStateActor } from 'xstate'
import { stateName } from './decide.ts'
import type { Fact } from './fact.ts'
import { factEvent } from './fork.ts'
import type { Clock } from './ports.ts'
import { Timers } from './timers.ts'

export interface Moment {
  /** -1: before the first fact */
  readonly revision: number
  readonly at: number
  readonly value: unknown
  readonly context: Readonly<Record<string, unknown>>
  readonly timers: readonly { readonly id: string; readonly due: number; readonly event: EventObject }[]
  /** `authenticated.active`, as refusals name it */
  readonly state: string
}

export interface Cause {
  readonly kind: 'command' | 'timer'
  /** the command's or the timer's name; null: more than one could have left this fact here */
  readonly name: string | null
}

export interface Step {
  readonly moment: Moment
  readonly cause: Cause
  /** `<id of the state it leaves>|<event>|<which branch>`; null: the chart has no arrow for it here */
  readonly arrow: string | null
}

/** Time stands still in a replay: nothing becomes due. */
const still: Clock = { now: () => 0, at: () => () => {}, soon: () => {} }

export class Replay {
  readonly #machine: AnyStateMachine
  readonly #timers: Timers
  readonly #live: XStateActor<AnyStateMachine>
  moment: Moment

  constructor(machine: AnyStateMachine, stream: string, from: Moment | null = null) {
    this.#machine = machine
    this.#timers = new Timers(stream, still, () => {})
    const known = from && { value: from.value as never, context: from.context as never }
    this.#live = createActor(machine, known ? { snapshot: machine.resolveState(known) } : {})
    this.#live.subscribe({ error: () => {} }) // seen by its status, as in actor.ts
    this.#live.system.scheduler = this.#timers
    this.#live.start()
    if (from) this.#timers.restore(from.timers)
    this.moment = from ?? this.#look(-1, 0)
  }

  /** @throws Error when the chart of now cannot fold this fact */
  take(fact: Fact): Step {
    const { at } = fact.metadata
    const event = factEvent(fact)
    const before = this.#live.getSnapshot()
    const cause = causeOf(fact, before)
    const [taken] = this.#machine.getTransitionData(before, event)
    const branch = taken ? (taken.source.transitions.get(taken.eventType)?.indexOf(taken as never) ?? 0) : 0
    this.#timers.factAt = at
    this.#live.send(event)
    const after = this.#live.getSnapshot() as { status: string; error?: unknown }
    if (after.status === 'error') throw after.error ?? new Error('the statechart failed')
    this.moment = this.#look(fact.revision, at)
    return { moment: this.moment, cause, arrow: taken ? `${taken.source.id}|${taken.eventType}|${branch}` : null }
  }

  #look(revision: number, at: number): Moment {
    const snapshot = this.#live.getSnapshot()
    const { value, context } = snapshot
    return { revision, at, value, context, timers: this.#timers.armed(), state: stateName(snapshot) }
  }
}

interface Snapshot {
  readonly _nodes: readonly {
    readonly transitions: Map<string, readonly { readonly description?: string | undefined }[]>
  }[]
}

/**
 * Facts name the id of their command and not its kind. A timer's id says which it was; else it is the one command that
 * the chart answers with this fact in this state: branches say in their description what they emit.
 */
const causeOf = ({ type, stream, metadata, data }: Fact, snapshot: unknown): Cause => {
  if (type === 'CommandRefused') return { kind: 'command', name: (data as { command: string }).command }
  const { $causationId: id } = metadata
  if (id.startsWith(`timer:${stream}:`)) {
    return { kind: 'timer', name: timerName(id.slice(`timer:${stream}:`.length, id.lastIndexOf(':'))) }
  }
  const emits = new RegExp(`\\b${type}\\b`)
  const commands = new Set<string>()
  for (const { transitions } of (snapshot as Snapshot)._nodes) {
    for (const [command, branches] of transitions) {
      if (!command.includes('.') || command.startsWith('xstate.')) continue
      if (branches.some(({ description }) => emits.test(description ?? ''))) commands.add(command)
    }
  }
  const [name = null] = commands.size === 1 ? commands : []
  return { kind: 'command', name }
}

/** `xstate.after.authTimeout.connection…` → `authTimeout`; those that a chart raises have names of their own. */
export const timerName = (id: string): string => /^xstate\.after\.([^.]+)\./.exec(id)?.[1] ?? id
