// The host: stream name → live actor. It loads an actor on its first command, keeps load and unload of one stream
// apart, hands acknowledged batches to the listeners, and lets rooms and users that rest leave memory.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AnyStateMachine, EventObject } from 'xstate'
import { type EventLog, LogUnavailable } from '../log/event-log.ts'
import { Actor, type ActorSurroundings, type Kind, MAX_WAITING, type Summary } from './actor.ts'
import type { ConnectionCommand } from './connection/connection.facts.ts'
import { Decider, stateName } from './decide.ts'
import { Enrichment, type MessageOfRoom } from './enrichment.ts'
import type { ActorKind, CommandFields, Fact, Wish } from './fact.ts'
import { type FactCodec, Unreadable } from './fact-codec.ts'
import { GlobalRules } from './global-rules.ts'
import { Ledger } from './ledger.ts'
import { MessageIds } from './message-ids.ts'
import { machinesStream, nodeStream } from './node.facts.ts'
import { type AcknowledgedListener, type Outcome, refused } from './outcome.ts'
import type { Chance, Clock } from './ports.ts'
import type { RoomCommand } from './room/room.facts.ts'
import type { UserCommand } from './user/user.facts.ts'

/** Rooms and users that were not asked for this long may leave memory. */
const REST_MS = 60_000
const SUMMARY_FROM = 200
/** An actor that never rests has a summary each so many times that, for a start after a crash. */
const SUMMARIES_APART = 10
/** how often a log that stored nothing is asked whether it does again */
const ASK_LOG_MS = 1_000

export interface ActorDefinition {
  readonly kind: ActorKind
  readonly machine: AnyStateMachine
  /** the files that say how facts are read and folded: a summary is good for one source only */
  readonly sources: readonly URL[]
  summarise(context: unknown): unknown
  restoreContext(json: unknown): unknown
}

/** Where summaries and message rows are kept (the read database). Disposable: without it, everything is folded anew. */
export interface HostStore {
  summary(stream: string, machine: string): Promise<Summary | null>
  keepSummary(stream: string, machine: string, summary: Summary): void
  readonly message: MessageOfRoom
}

export interface HostOptions {
  readonly log: EventLog
  readonly codec: FactCodec
  readonly clock: Clock
  readonly chance: Chance
  readonly store: HostStore
  readonly node: string
  readonly definitions: readonly ActorDefinition[]
  /** a stream at least this long leaves memory with a summary; default 200 facts */
  readonly summaryFrom?: number
  /** an unexpected fault, isolated to its actor; for the operator's log and metrics */
  onFault(where: string, error: unknown): void
}

/** A command as its sender writes it; the host fills in the rest. */
export type Submitted = Wish<ConnectionCommand | UserCommand | RoomCommand>

export class Host {
  readonly ledger: Ledger
  /** words that may not be posted in any room */
  readonly rules: GlobalRules
  readonly clock: Clock
  readonly chance: Chance
  readonly node: string
  readonly #options: HostOptions
  readonly #kinds = new Map<string, Kind>()
  readonly #actors = new Map<string, Actor>()
  readonly #loading = new Map<string, Promise<Actor>>()
  /** commands that wait for their actor to be loaded, in order */
  readonly #arriving = new Map<string, ((actor: Actor | null) => void)[]>()
  #listeners: AcknowledgedListener[] = []
  readonly #around: ActorSurroundings
  /** unexpected faults since the start */
  faults = 0
  /** why the log stores nothing now; null when the last append went well */
  logFailure: string | null = null
  #cancelSweep: (() => void) | null = null
  #cancelAsking: (() => void) | null = null
  #closed = false

  constructor(options: HostOptions) {
    const { log, codec, clock, chance, node, store } = options
    this.#options = options
    this.clock = clock
    this.chance = chance
    this.node = node
    this.ledger = new Ledger(log, codec, clock, chance)
    this.rules = new GlobalRules(this.ledger)
    const enrichment = new Enrichment({
      messageIds: new MessageIds(this.ledger, node),
      rules: this.rules,
      message: (stream, revision, id) => store.message(stream, revision, id),
      clock,
      onFault: (where, error) => {
        this.faults++
        options.onFault(where, error)
      },
    })
    for (const definition of options.definitions) {
      const { kind, machine, sources, summarise, restoreContext } = definition
      const hash = sourceHash(sources)
      this.#kinds.set(kind, {
        kind,
        decider: new Decider(machine),
        hash,
        summarise,
        restoreContext,
      })
    }
    this.#around = {
      log,
      codec,
      clock,
      chance,
      enrich: (actor, batch) => enrichment.enrich(actor, batch),
      acknowledged: (actor, facts) => this.#acknowledged(actor, facts),
      logFailed: (error) => this.#logFailed(error),
      fault: (actor, error) => this.#fault(actor, error),
      summary: (stream) => this.#summary(stream),
    }
  }

  /** Records the statecharts in force and begins to let resting actors go. */
  async start(): Promise<void> {
    const known = new Set<string>()
    for await (const fact of this.ledger.read(machinesStream)) known.add((fact.data as { hash: string }).hash)
    for (const { kind, hash, decider } of this.#kinds.values()) {
      if (known.has(hash)) continue
      const definition = definitionOf(decider.machine)
      await this.ledger.append(machinesStream, () => ({ type: 'MachineDefined', data: { kind, hash, definition } }))
    }
    await this.rules.load()
    this.#sweepLater()
  }

  /** Hash of the statechart in force, for birth facts. */
  machineHash(kind: ActorKind): string {
    const known = this.#kinds.get(kind)
    if (!known) throw new Error(`no statechart for ${kind}`)
    return known.hash
  }

  /** Decides the command on its actor and answers once its facts are acknowledged. Never rejects. */
  send(stream: string, command: Submitted): Promise<Outcome> {
    // One promise whichever way a command takes, so that those of one batch are answered in their order.
    return new Promise((settle) => {
      if (this.#closed) return settle(refused('unavailable'))
      const actor = this.#actors.get(stream)
      if (actor) return actor.submit(this.#complete(command), settle)
      // Commands that come while the actor is loaded are submitted in their order, and before any that comes later.
      const waiting = this.#arriving.get(stream) ?? []
      if (waiting.length >= MAX_WAITING) return settle(refused('busy', { waiting: MAX_WAITING }))
      this.#arriving.set(stream, waiting)
      waiting.push((loaded) => {
        if (loaded) loaded.submit(this.#complete(command), settle)
        else settle(refused('unavailable'))
      })
      this.load(stream).catch((error) => {
        if (!(error instanceof LogUnavailable)) this.#options.onFault(stream, error)
        this.#arrived(stream, null)
      })
    })
  }

  #arrived(stream: string, actor: Actor | null): void {
    const waiting = this.#arriving.get(stream) ?? []
    this.#arriving.delete(stream)
    for (const submit of waiting) submit(actor)
  }

  /** Asks a loaded actor without storing anything; null when it is not in memory. */
  ask(stream: string, command: Submitted): Outcome | null {
    return this.#actors.get(stream)?.ask(this.#complete(command)) ?? null
  }

  /** Folds the stream into memory. @throws LogUnavailable */
  async load(stream: string): Promise<Actor> {
    const present = this.#actors.get(stream)
    if (present) {
      // Whoever asked looks at it in a moment: it must not leave in between.
      present.usedAt = this.clock.now()
      return present
    }
    const under = this.#loading.get(stream)
    if (under) return under
    const loading = this.#load(stream).finally(() => this.#loading.delete(stream))
    this.#loading.set(stream, loading)
    return loading
  }

  async #load(stream: string): Promise<Actor> {
    const actor = new Actor(this.#kindOf(stream), stream, this.#around)
    actor.usedAt = this.clock.now()
    await actor.load()
    if (this.#closed) {
      actor.stop()
      throw new LogUnavailable(`${stream}: this node is closed`, 'no')
    }
    this.#actors.set(stream, actor)
    this.#arrived(stream, actor)
    return actor
  }

  /** Facts of a stream from this revision on; what cannot be read ends it. @throws LogUnavailable, Unreadable */
  async *facts(stream: string, from: number, limit: number): AsyncGenerator<Fact> {
    const { log, codec } = this.#options
    for await (const recorded of log.readStream(stream, { from, limit })) {
      const [fact] = await codec.decode([recorded])
      if (fact instanceof Unreadable) throw fact
      if (fact) yield fact
    }
  }

  /** The actor if it is in memory. */
  peek(stream: string): Actor | null {
    return this.#actors.get(stream) ?? null
  }

  /** What an actor in memory remembers; its kind's own type is the caller's to know. */
  contextOf<Context>(stream: string): Context {
    const actor = this.#actors.get(stream)
    if (!actor) throw new Error(`${stream} is not in memory`)
    return actor.snapshot.context as Context
  }

  /** The same of any actor, which is read from the log where it is not in memory. @throws LogUnavailable */
  async loadContext<Context>(stream: string): Promise<Context> {
    return (await this.load(stream)).snapshot.context as Context
  }

  /** Returns what ends the listening. */
  onAcknowledged(listener: AcknowledgedListener): () => void {
    this.#listeners.push(listener)
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener)
    }
  }

  /** Forgets an actor, if it rests. */
  release(stream: string): void {
    const actor = this.#actors.get(stream)
    if (!actor?.resting(this.clock.now())) return
    this.#actors.delete(stream)
    actor.stop()
  }

  /** The same for one that has just answered, whose batch is over in a moment. */
  async letGo(stream: string): Promise<void> {
    await new Promise<void>((over) => this.clock.soon(over))
    this.release(stream)
  }

  counts(): { actors: number; quarantined: number } {
    let quarantined = 0
    for (const actor of this.#actors.values()) if (actor.quarantined) quarantined++
    return { actors: this.#actors.size, quarantined }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSweep?.()
    this.#cancelAsking?.()
    for (const actor of this.#actors.values()) this.#keepSummary(actor)
    for (const actor of this.#actors.values()) actor.stop()
    this.#actors.clear()
  }

  #complete(command: Submitted): EventObject & CommandFields {
    const commandId = command.commandId ?? this.chance.uuid()
    return {
      ...command,
      commandId,
      correlationId: command.correlationId ?? commandId,
      at: this.clock.now(),
      by: command.by ?? null,
      connection: command.connection ?? null,
    }
  }

  #kindOf(stream: string): Kind {
    const kind = this.#kinds.get(stream.slice(0, stream.indexOf('-')))
    if (!kind) throw new Error(`no statechart for stream ${stream}`)
    return kind
  }

  #acknowledged(actor: Actor, facts: readonly Fact[]): void {
    if (facts.length === 0) return
    this.logFailure = null
    const batch = { kind: actor.kind.kind, stream: actor.stream, facts }
    for (const listener of this.#listeners) {
      try {
        listener(batch)
      } catch (error) {
        this.#options.onFault(`a listener of ${actor.stream}`, error)
      }
    }
  }

  #fault(actor: Actor, error: unknown): void {
    this.faults++
    this.#options.onFault(actor.stream, error)
    if (!actor.quarantined) return
    const data = { stream: actor.stream, revision: actor.revision, error: String(error).slice(0, 500) }
    this.ledger
      .append(nodeStream(this.node), () => ({ type: 'ActorQuarantined', data }))
      .catch((failed) => this.#options.onFault(nodeStream(this.node), failed))
  }

  /**
   * A node that is not ready is sent no work, and so would never hear that the log is back: it appends to its own
   * stream until that succeeds. What it appends is the record of the outage.
   */
  #logFailed(error: LogUnavailable): void {
    this.logFailure = error.message
    if (this.#cancelAsking || this.#closed) return
    const data = { since: this.clock.now() }
    const ask = (): void => {
      this.#cancelAsking = this.clock.at(this.clock.now() + ASK_LOG_MS, () => {
        this.ledger
          .append(nodeStream(this.node), () => ({ type: 'LogReturned', data }))
          .then(
            () => {
              this.#cancelAsking = null
              this.logFailure = null
            },
            (failed) => {
              if (!(failed instanceof LogUnavailable)) this.#options.onFault(nodeStream(this.node), failed)
              if (!this.#closed) ask()
            },
          )
      })
    }
    ask()
  }

  #sweepLater(): void {
    this.#cancelSweep = this.clock.at(this.clock.now() + REST_MS / 2, () => {
      this.#sweep()
      this.#sweepLater()
    })
  }

  #sweep(): void {
    const now = this.clock.now()
    const apart = SUMMARIES_APART * (this.#options.summaryFrom ?? SUMMARY_FROM)
    for (const actor of this.#actors.values()) {
      if (actor.revision - actor.summarisedAt >= apart) this.#keepSummary(actor)
      if (now - actor.usedAt < REST_MS || !actor.resting(now) || actor.quarantined) continue
      // A connection lives as long as its socket.
      if (actor.kind.kind === 'connection' && stateName(actor.snapshot) !== 'closed') continue
      this.#keepSummary(actor)
      this.#actors.delete(actor.stream)
      actor.stop()
    }
  }

  /** Whatever keeps a summary from being read, the whole stream says the same. */
  async #summary(stream: string): Promise<Summary | null> {
    try {
      return await this.#options.store.summary(stream, this.#kindOf(stream).hash)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) this.#options.onFault(`summary of ${stream}`, error)
      return null
    }
  }

  #keepSummary(actor: Actor): void {
    if (actor.revision < (this.#options.summaryFrom ?? SUMMARY_FROM)) return
    const summary = actor.summarise()
    if (!summary) return
    actor.summarisedAt = summary.revision
    this.#options.store.keepSummary(actor.stream, actor.kind.hash, summary)
  }
}

const definitionOf = (machine: AnyStateMachine): unknown => JSON.parse(JSON.stringify(machine.definition))

const sourceHash = (sources: readonly URL[]): string => {
  const hash = createHash('sha256')
  for (const source of sources) hash.update(readFileSync(source))
  return hash.digest('hex').slice(0, 32)
}
