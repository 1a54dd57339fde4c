// A stream folded through its statechart one fact at a time, as the live actor was: where it stood after each, and
// which timers were set. Nothing fires, nothing is decided, nothing is stored.

import { createActor, type EventObject } from 'xstate'
import { stateName } from './decide.ts'
import type { Fact } from './fact.ts'
import { factEvent } from './fork.ts'
import type { ActorDefinition } from './host.ts'
import type { Clock } from './ports.ts'
import { Timers } from './timers.ts'

export interface Moment {
  readonly fact: Fact
  /** `authenticated.active` */
  readonly state: string
  /** due in ms since 1970 */
  readonly timers: readonly { readonly id: string; readonly due: number; readonly event: EventObject }[]
}

const stopped: Clock = { now: () => 0, at: () => () => {}, soon: () => {} }

export class Replay {
  readonly #timers: Timers
  readonly #actor: ReturnType<typeof createActor>

  constructor({ machine }: ActorDefinition, stream: string) {
    this.#timers = new Timers(stream, stopped, () => {})
    this.#actor = createActor(machine)
    this.#actor.subscribe({ error: () => {} }) // seen by its status
    this.#actor.system.scheduler = this.#timers.scheduler
    this.#actor.start()
  }

  /** @throws what the statechart threw */
  step(fact: Fact): Moment {
    this.#timers.factAt = fact.metadata.at
    this.#actor.send(factEvent(fact))
    const snapshot = this.#actor.getSnapshot()
    if (snapshot.status === 'error') throw snapshot.error
    return { fact, state: stateName(snapshot), timers: this.#timers.armed() }
  }
}
