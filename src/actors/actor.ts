// One entity: a live XState actor folded from acknowledged facts, and the queue of commands waiting to be decided.
//
// The live actor takes acknowledged facts only, own or foreign, in revision order, each once; so its state and its
// timers come from the log alone. Commands are decided in one batch on a fork of its snapshot; what they emit is
// appended at the exact revision, and only then folded in, told to the listeners and answered.

import { createActor, type EventObject, type Actor as XStateActor } from 'xstate'
import { type EventLog, LogBusy, LogUnavailable, WrongExpectedRevision } from '../log/event-log.ts'
import { type Decider, refusalOf } from './decide.ts'
import type { ActorKind, CommandFields, Fact } from './fact.ts'
import { type FactCodec, Unreadable } from './fact-codec.ts'
import { decideBatch, type Fork, factEvent } from './fork.ts'
import { type Outcome, refused } from './outcome.ts'
import { type Chance, type Clock, pause } from './ports.ts'
import { isAway, type RefusalCode } from './refusals.ts'
import { Timers } from './timers.ts'

/** Commands that one actor keeps waiting. */
export const MAX_WAITING = 1_000
const MAX_CONTENDED = 8
/** how long a command may wait for a log that does not answer before it is refused `unavailable` */
const WAIT_FOR_LOG_MS = 5_000
const LOAD_CHUNK = 500

export interface WaitingCommand {
  readonly event: EventObject & CommandFields
  readonly settle: (outcome: Outcome) => void
}

export interface Enriched {
  readonly ready: readonly WaitingCommand[]
  /** decided once what `ready` leads to is on the log: they need to know it */
  readonly later: readonly WaitingCommand[]
}

/** What an actor needs from its host. */
export interface ActorSurroundings {
  readonly log: EventLog
  readonly codec: FactCodec
  readonly clock: Clock
  readonly chance: Chance
  /** fills what commands need beyond the actor's own state (next message id, a message's row), as of its revision now */
  enrich(actor: Actor, batch: readonly WaitingCommand[]): Promise<Enriched>
  acknowledged(actor: Actor, facts: readonly Fact[]): void
  /** an append failed for a reason of the log's, not of ours */
  logFailed(error: LogUnavailable): void
  fault(actor: Actor, error: unknown): void
  summary(stream: string): Promise<Summary | null>
}

/** State at a revision, from which a long stream is folded on. */
export interface Summary {
  readonly revision: number
  readonly at: number
  readonly value: unknown
  readonly context: unknown
  readonly timers: readonly { id: string; due: number; event: EventObject }[]
}

export interface Kind {
  readonly kind: ActorKind
  readonly decider: Decider
  /** hash of the sources that decide: an edited comment makes another, an edited rule too; birth facts carry it */
  readonly hash: string
  summarise(context: unknown): unknown
  restoreContext(json: unknown): unknown
}

export class Actor {
  readonly stream: string
  readonly kind: Kind
  /** last acknowledged revision, -1 in `absent` */
  revision = -1
  /** `at` of the last fact */
  lastAt = 0
  /** ms since 1970 of the last command, for passivation */
  usedAt = 0
  quarantined = false
  /** revision of the last summary kept, -1 without one */
  summarisedAt = -1
  readonly timers: Timers
  readonly #around: ActorSurroundings
  #live: XStateActor<Kind['decider']['machine']> | null = null
  /** timers whose time has come: decided before whoever waits */
  #due: WaitingCommand[] = []
  #waiting: WaitingCommand[] = []
  #running = false
  #stopped = false
  /** whether its last facts were stored will not be known before a restart */
  #inDoubt = false

  constructor(kind: Kind, stream: string, around: ActorSurroundings) {
    this.kind = kind
    this.stream = stream
    this.#around = around
    this.timers = new Timers(stream, around.clock, (event) => this.#timerFired(event))
  }

  get snapshot() {
    if (!this.#live) throw new Error(`${this.stream} is not loaded`)
    return this.#live.getSnapshot()
  }

  get loaded(): boolean {
    return this.#live !== null
  }

  /** Nothing is queued, in flight or due soon. */
  resting(now: number): boolean {
    return !this.#running && this.#queued === 0 && this.timers.nextDue() > now + 60_000
  }

  get #queued(): number {
    return this.#due.length + this.#waiting.length
  }

  /** Nobody who waits is decided any more. */
  #refuseQueued(code: RefusalCode): void {
    for (const { settle } of [...this.#due.splice(0), ...this.#waiting.splice(0)]) settle(refused(code))
  }

  submit(event: EventObject & CommandFields, settle: (outcome: Outcome) => void): void {
    if (this.#stopped || this.#inDoubt) {
      settle(refused('unavailable'))
      return
    }
    if (this.#waiting.length >= MAX_WAITING) {
      settle(refused('busy', { waiting: MAX_WAITING }))
      return
    }
    this.usedAt = this.#around.clock.now()
    this.#waiting.push({ event, settle })
    this.#wake()
  }

  /** Decides on acknowledged state without storing anything: for questions that have no facts. */
  ask(event: EventObject & CommandFields): Outcome {
    if (this.quarantined) return refused('faulted')
    const { snapshot, revision } = this
    const decision = this.kind.decider.decide(snapshot, event)
    if (decision.kind === 'refused') return { ok: false, refusal: refusalOf(decision, snapshot, this.stream, revision) }
    return { ok: true, facts: [], revision, values: decision.kind === 'nothing' ? decision.values : {} }
  }

  /** Nothing is decided, folded or told from here on, and what is in flight is answered as an outcome unknown. */
  stop(): void {
    this.#stopped = true
    this.timers.disarm()
    this.#live?.stop()
  }

  async load(): Promise<void> {
    const summary = await this.#around.summary(this.stream)
    this.#start(summary)
    await this.#foldTail()
    this.timers.arm()
  }

  #start(summary: Summary | null): void {
    const { machine } = this.kind.decider
    const live = createActor(
      machine,
      summary
        ? {
            snapshot: machine.resolveState({
              value: summary.value as never,
              context: this.kind.restoreContext(summary.context) as never,
            }),
          }
        : {},
    )
    live.subscribe({ error: () => {} }) // an error is seen by its status after each fact, see #fold
    live.system.scheduler = this.timers
    live.start()
    this.#live = live as never
    if (!summary) return
    this.revision = summary.revision
    this.summarisedAt = summary.revision
    this.lastAt = summary.at
    this.timers.restore(summary.timers)
  }

  summarise(): Summary | null {
    if (this.quarantined || !this.#live || this.revision < 0) return null
    const { value, context } = this.snapshot
    return {
      revision: this.revision,
      at: this.lastAt,
      value,
      context: this.kind.summarise(context),
      timers: this.timers.armed(),
    }
  }

  /** Folds every fact above the live revision. Returns them, for commands whose append went unheard. */
  async #foldTail(): Promise<Fact[]> {
    const folded: Fact[] = []
    let chunk: Parameters<FactCodec['decode']>[0][number][] = []
    const fold = async () => {
      for (const fact of await this.#around.codec.decode(chunk)) {
        if (this.#stopped) return
        if (fact instanceof Unreadable) throw fact
        this.#fold(fact)
        folded.push(fact)
      }
      chunk = []
    }
    try {
      for await (const recorded of this.#around.log.readStream(this.stream, { from: this.revision + 1 })) {
        chunk.push(recorded)
        if (chunk.length === LOAD_CHUNK) await fold()
      }
      await fold()
    } catch (error) {
      if (error instanceof LogUnavailable) throw error
      this.#quarantine(error)
    }
    return folded
  }

  #fold(fact: Fact): void {
    this.timers.factAt = fact.metadata.at
    this.#live?.send(factEvent(fact))
    this.revision = fact.revision
    this.lastAt = fact.metadata.at
    const snapshot = this.snapshot as { status: string; error?: unknown }
    if (snapshot.status === 'error') throw snapshot.error ?? new Error('the statechart failed')
  }

  #quarantine(error: unknown): void {
    this.quarantined = true
    this.timers.disarm()
    this.#around.fault(this, error)
    this.#refuseQueued('faulted')
  }

  #timerFired(event: EventObject & CommandFields): void {
    if (this.#stopped || this.quarantined) return
    const settle = (outcome: Outcome) => {
      if (!outcome.ok && isAway(outcome.refusal.code)) this.timers.retry(event)
      else this.timers.settled(event)
    }
    this.#due.push({ event, settle })
    this.#wake()
  }

  #wake(): void {
    if (this.#running) return
    this.#running = true
    this.#around.clock.soon(() => {
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    let batch: WaitingCommand[] = []
    try {
      while (this.#queued > 0) {
        if (this.quarantined || this.#stopped) return this.#refuseQueued(this.quarantined ? 'faulted' : 'unavailable')
        // The clock tells of what is due when it comes to it: after a start, or an outage, that may be later than now.
        this.timers.fireDue()
        batch = [...this.#due.splice(0), ...this.#waiting.splice(0)]
        await this.#runBatch(batch)
      }
    } catch (error) {
      this.#quarantine(error)
      // Whoever has an answer keeps it; nobody waits for ever.
      for (const { settle } of batch) settle(refused('faulted'))
    } finally {
      this.#running = false
    }
  }

  async #runBatch(batch: readonly WaitingCommand[]): Promise<void> {
    let remaining = batch
    for (let attempt = 0; ; attempt++) {
      // Anew each time: what another wrote may have changed what these commands need to know.
      const enriched = await this.#enrich(remaining)
      if (enriched === null) return
      this.#waiting.unshift(...enriched.later)
      remaining = enriched.ready
      if (this.#stopped) {
        for (const { settle } of remaining) settle(refused('unavailable'))
        return
      }
      const fork = decideBatch(this, this.#around, remaining)
      const outcome = fork.facts.length === 0 ? 'stored' : await this.#append(fork)
      if (outcome !== 'conflict' && outcome !== 'given-up') {
        if (outcome === 'stored') this.#acknowledge(fork)
        else for (const { waiting } of fork.answers) waiting.settle(refused(outcome))
        this.#waiting.unshift(...fork.left)
        return
      }
      const tail = await this.#foldTail()
      if (this.quarantined || this.#stopped) {
        for (const { settle } of remaining) settle(refused(this.quarantined ? 'faulted' : 'unavailable'))
        return
      }
      this.#around.acknowledged(this, tail)
      this.timers.arm()
      // Who was told that nothing came of it is not decided for anew.
      remaining = this.#answerFrom(tail, outcome === 'given-up' ? fork.left : remaining)
      if (remaining.length === 0) return
      if (attempt + 1 === MAX_CONTENDED) {
        for (const { settle } of remaining) settle(refused('contended', { attempts: MAX_CONTENDED }))
        return
      }
      await pause(this.#around.clock, this.#around.chance.fraction() * 2 ** attempt)
    }
  }

  /** Null when nothing can be decided now; everybody has been told. */
  async #enrich(batch: readonly WaitingCommand[]): Promise<Enriched | null> {
    try {
      return await this.#around.enrich(this, batch)
    } catch (error) {
      const code = error instanceof LogBusy ? 'busy' : error instanceof LogUnavailable ? 'unavailable' : 'faulted'
      if (code === 'unavailable') this.#around.logFailed(error as LogUnavailable)
      if (code === 'faulted') this.#around.fault(this, error)
      for (const { settle } of batch) settle(refused(code))
      return null
    }
  }

  /** A command whose id is the cause of facts in the tail was stored by an append whose answer got lost. */
  #answerFrom(tail: readonly Fact[], batch: readonly WaitingCommand[]): WaitingCommand[] {
    return batch.filter(({ event, settle }) => {
      const facts = tail.filter((fact) => fact.metadata.$causationId === event.commandId)
      if (facts.length === 0) return true
      settle({ ok: true, facts, revision: this.revision, values: {} })
      return false
    })
  }

  /**
   * Stores the fork's facts: the same bytes again while the outcome is unknown, and nothing is decided meanwhile.
   * `given-up`: a conflict, after the senders were told that the log is away.
   */
  async #append(fork: Fork): Promise<'stored' | 'conflict' | 'given-up' | 'unavailable' | 'busy'> {
    const { log, codec, clock } = this.#around
    const envelopes = await codec.encode(fork.facts)
    const expected = this.revision < 0 ? 'no-stream' : this.revision
    const giveUpAt = clock.now() + WAIT_FOR_LOG_MS
    let told = false
    for (let attempt = 0; ; attempt++) {
      try {
        await log.append(this.stream, envelopes, expected)
        // Whoever loads the stream next folds them.
        return this.#stopped ? 'unavailable' : 'stored'
      } catch (error) {
        if (this.#stopped) return 'unavailable'
        if (error instanceof WrongExpectedRevision) return told ? 'given-up' : 'conflict'
        if (!(error instanceof LogUnavailable)) {
          this.#around.fault(this, error)
          return 'unavailable'
        }
        if (error instanceof LogBusy && attempt === 0) return 'busy'
        this.#around.logFailed(error)
        // Certainly not stored, and no earlier try of these bytes is in doubt: they may be decided again later.
        if (error.stored === 'no' && attempt === 0) return 'unavailable'
        this.#inDoubt = error.final
        if (error.final || clock.now() >= giveUpAt) {
          if (!told) {
            for (const { waiting } of fork.answers) waiting.settle(refused('unavailable', { stored: 'unknown' }))
          }
          told = true
          // Whoever came since waits for what may never come; nothing of theirs is decided.
          this.#refuseQueued('unavailable')
        }
        if (this.#stopped) return 'unavailable'
        await pause(clock, Math.min(50 * 2 ** attempt, 2_000))
      }
    }
  }

  #acknowledge(fork: Fork): void {
    try {
      for (const fact of fork.facts) this.#fold(fact)
      this.timers.arm()
    } catch (error) {
      this.#quarantine(error) // the facts are on the log all the same: they are told, and nothing more is decided here
    }
    this.#around.acknowledged(this, fork.facts)
    for (const { waiting, answer } of fork.answers) waiting.settle(answer(this.revision))
  }
}
