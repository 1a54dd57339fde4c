// An actor's timers, kept by the host instead of XState's own scheduler.
//
// XState's clock port is told a callback and a delay, and forgets a fired `after` whose guard refused. A timer here
// must say which event is due and when, must outlive a crash, and stays due until a fact that ends it is
// acknowledged. So the actor's system gets this scheduler: a table of id → (event, absolute due time), set while
// facts are folded in. The due time is the fact's time plus the delay, in replay as in life.

import type { EventObject } from 'xstate'
import type { CommandFields } from './fact.ts'
import type { Clock } from './ports.ts'

interface Timer {
  readonly id: string
  readonly event: EventObject
  readonly due: number
  /** what cancels the clock's call; null while it is not armed (replay) or has fired */
  cancel: (() => void) | null
  fired: boolean
}

const RETRY_MS = 1_000
const NEVER = Number.POSITIVE_INFINITY

/** Takes the place of XState's scheduler in the actor's system. */
export class Timers {
  /** time of the fact being folded in */
  factAt = 0
  readonly #stream: string
  readonly #clock: Clock
  readonly #fire: (event: EventObject & CommandFields) => void
  readonly #timers = new Map<string, Timer>()
  #unarmed = false
  /** nothing that has not fired is due before */
  #earliest = NEVER

  constructor(stream: string, clock: Clock, fire: (event: EventObject & CommandFields) => void) {
    this.#stream = stream
    this.#clock = clock
    this.#fire = fire
  }

  schedule(_source: unknown, _target: unknown, event: EventObject, delay: number, id = event.type): void {
    this.#drop(id)
    this.#set({ id, event, due: this.factAt + delay })
  }

  cancel(_source: unknown, id: string): void {
    this.#drop(id)
  }

  cancelAll(): void {
    this.disarm()
  }

  /** Arms what was set since the last call: once after a replay, once after each acknowledged batch. */
  arm(): void {
    if (!this.#unarmed) return
    this.#unarmed = false
    for (const timer of this.#timers.values()) {
      if (!timer.cancel && !timer.fired) timer.cancel = this.#clock.at(timer.due, () => this.#due(timer))
    }
  }

  disarm(): void {
    for (const timer of this.#timers.values()) timer.cancel?.()
    this.#timers.clear()
  }

  armed(): { id: string; due: number; event: EventObject }[] {
    return [...this.#timers.values()].map(({ id, due, event }) => ({ id, due, event }))
  }

  restore(timers: readonly { id: string; due: number; event: EventObject }[]): void {
    for (const timer of timers) this.#set(timer)
  }

  nextDue(): number {
    let next = NEVER
    for (const { due } of this.#timers.values()) if (due < next) next = due
    return next
  }

  /** Decided for good without a fact that ended it: it has nothing left to do. */
  settled(event: CommandFields): void {
    for (const timer of this.#timers.values())
      if (timer.fired && this.#commandId(timer) === event.commandId) this.#drop(timer.id)
  }

  /** It could not be decided (log away, contended): due again in a while. */
  retry(event: CommandFields): void {
    for (const timer of this.#timers.values()) {
      if (!timer.fired || this.#commandId(timer) !== event.commandId) continue
      timer.fired = false
      this.#earliest = Math.min(this.#earliest, timer.due)
      timer.cancel = this.#clock.at(this.#clock.now() + RETRY_MS, () => this.#due(timer))
    }
  }

  /** Those whose time has come, in the order of their times, without waiting for the clock to tell. */
  fireDue(): void {
    const now = this.#clock.now()
    if (now < this.#earliest) return
    const left = [...this.#timers.values()].filter(({ fired }) => !fired)
    const due = left.filter((timer) => timer.due <= now)
    this.#earliest = left.reduce((least, timer) => (timer.due > now ? Math.min(least, timer.due) : least), NEVER)
    for (const timer of due.sort((one, other) => one.due - other.due)) this.#due(timer)
  }

  #due(timer: Timer): void {
    timer.cancel?.()
    timer.cancel = null
    timer.fired = true
    const commandId = this.#commandId(timer)
    this.#fire({
      ...timer.event,
      commandId,
      correlationId: commandId,
      at: this.#clock.now(),
      by: 'system',
      connection: null,
    })
  }

  /** The same on every node and after every restart: two that fire leave one fact. */
  #commandId(timer: Timer): string {
    return `timer:${this.#stream}:${timer.id}:${timer.due}`
  }

  #set(timer: Pick<Timer, 'id' | 'event' | 'due'>): void {
    this.#timers.set(timer.id, { ...timer, cancel: null, fired: false })
    this.#earliest = Math.min(this.#earliest, timer.due)
    this.#unarmed = true
  }

  #drop(id: string): void {
    this.#timers.get(id)?.cancel?.()
    this.#timers.delete(id)
  }
}
