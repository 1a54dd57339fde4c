// Whole lives of connections, rooms and users, for whoever looks at one: folded once, then extended by what came since.
//
// Of each fact its place, its time and what it marks are kept, and every so many facts the moment it left, so that any
// page of a long life is folded from nearby. Only lives somebody looks at are here, and the oldest looked at leave.

import { definitions } from '../actors/definitions.ts'
import type { Fact } from '../actors/fact.ts'
import { FactCodec, Unreadable } from '../actors/fact-codec.ts'
import { type Moment, Replay, type Step } from '../actors/replay.ts'
import type { ShownKind } from '../actors/shown.ts'
import type { EventLog, Recorded } from '../log/event-log.ts'

const MOMENT_EVERY = 500
const READ_AT_ONCE = 200
/** facts remembered over all lives: some 40 MB */
const MOST_FACTS = 1_000_000

export type Mark = 'birth' | 'sign-in' | 'refused' | 'timer' | 'sanction' | 'end'

const MARKS: Readonly<Record<string, Mark>> = {
  ConnectionOpened: 'birth',
  AuthSucceeded: 'sign-in',
  AuthFailed: 'refused',
  CommandRefused: 'refused',
  ConnectionClosed: 'end',
  RoomOpened: 'birth',
  RoomArchived: 'end',
  UserRegistered: 'birth',
  UserMuted: 'sanction',
  MemberBanned: 'sanction',
  MemberKicked: 'sanction',
  MessageRemoved: 'sanction',
  UserBanned: 'sanction',
  UserKicked: 'sanction',
}

const markOf = ({ type, stream, metadata }: Fact): Mark | null =>
  metadata.$causationId.startsWith(`timer:${stream}:`) ? 'timer' : (MARKS[type] ?? null)

export interface StepTaken extends Step {
  readonly fact: Fact
  readonly position: number
}

export class Life {
  readonly kind: ShownKind
  readonly stream: string
  readonly ats: number[] = []
  readonly positions: number[] = []
  readonly marks: { readonly revision: number; readonly mark: Mark; readonly type: string }[] = []
  /** how often each arrow of the chart was taken */
  readonly arrows = new Map<string, number>()
  /** hash of the chart that was in force at its birth */
  machine: string | null = null
  /** why it is told no further: a fact that this version cannot fold or read */
  fault: { readonly revision: number; readonly error: string } | null = null
  readonly #log: EventLog
  readonly #codec = new FactCodec()
  readonly #moments = new Map<number, Moment>()
  #last: Replay
  #extending: Promise<void> | null = null

  constructor(kind: ShownKind, stream: string, log: EventLog) {
    this.kind = kind
    this.stream = stream
    this.#log = log
    this.#last = this.replay(null)
    this.#moments.set(-1, this.#last.moment)
  }

  get facts(): number {
    return this.ats.length
  }

  replay(from: Moment | null): Replay {
    const chart = definitions.find(({ kind }) => kind === this.kind)
    if (!chart) throw new Error(`no statechart of a ${this.kind}`)
    return new Replay(chart.machine, this.stream, from)
  }

  /** Takes in what was stored since. @throws LogUnavailable */
  extend(): Promise<void> {
    this.#extending ??= this.#extend().finally(() => {
      this.#extending = null
    })
    return this.#extending
  }

  async #extend(): Promise<void> {
    while (this.fault === null) {
      const before = this.facts
      for await (const step of this.#steps(this.#last, READ_AT_ONCE)) {
        const { fact, position, moment, arrow } = step
        this.ats.push(fact.metadata.at)
        this.positions.push(position)
        if (arrow) this.arrows.set(arrow, (this.arrows.get(arrow) ?? 0) + 1)
        const mark = markOf(fact)
        if (mark) this.marks.push({ revision: fact.revision, mark, type: fact.type })
        if (fact.revision === 0) this.machine = (fact.data as { machine?: string }).machine ?? null
        if ((fact.revision + 1) % MOMENT_EVERY === 0) this.#moments.set(fact.revision, moment)
      }
      if (this.facts - before < READ_AT_ONCE) return
      // A long life is folded in pieces, between which others are served.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Steps after the replay's moment, at most `limit`; ends at what cannot be folded, which `fault` then tells. */
  async *#steps(replay: Replay, limit: number): AsyncGenerator<StepTaken> {
    const from = replay.moment.revision + 1
    for await (const recorded of this.#log.readStream(this.stream, { from, limit })) {
      try {
        yield await this.step(replay, recorded)
      } catch (error) {
        this.fault = { revision: recorded.revision, error: (error as Error).message.slice(0, 500) }
        return
      }
    }
  }

  /** @throws Unreadable, Error when it cannot be folded */
  async step(replay: Replay, recorded: Recorded): Promise<StepTaken> {
    const [fact] = await this.#codec.decode([recorded])
    if (!fact || fact instanceof Unreadable) throw fact ?? new Error('nothing was read')
    return { ...replay.take(fact), fact, position: recorded.position }
  }

  /** The replay as it stood right before this revision. @throws LogUnavailable */
  async before(revision: number): Promise<Replay> {
    const kept = Math.floor(Math.min(revision, this.facts) / MOMENT_EVERY) * MOMENT_EVERY - 1
    const replay = this.replay(this.#moments.get(kept) ?? null)
    const missing = Math.min(revision, this.facts) - 1 - replay.moment.revision
    if (missing > 0) for await (const _ of this.#steps(replay, missing));
    return replay
  }

  async page(replay: Replay, limit: number): Promise<StepTaken[]> {
    const steps: StepTaken[] = []
    for await (const step of this.#steps(replay, limit)) steps.push(step)
    return steps
  }

  /** The last revision not after this; -1: before the birth. */
  lastUpTo(at: { readonly position: number } | { readonly time: number }): number {
    const [column, value] = 'position' in at ? [this.positions, at.position] : [this.ats, at.time]
    let [low, high] = [0, column.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((column[middle] as number) <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

export class Lives {
  readonly #log: EventLog
  /** the least lately looked at first */
  readonly #held = new Map<string, Life>()

  constructor(log: EventLog) {
    this.#log = log
  }

  /** As it is now. @throws LogUnavailable */
  async of(kind: ShownKind, stream: string): Promise<Life> {
    const life = this.#held.get(stream) ?? new Life(kind, stream, this.#log)
    this.#held.delete(stream)
    this.#held.set(stream, life)
    await life.extend()
    let facts = 0
    for (const { facts: more } of this.#held.values()) facts += more
    for (const [oldest, { facts: less }] of this.#held) {
      if (facts <= MOST_FACTS || oldest === stream) break
      this.#held.delete(oldest)
      facts -= less
    }
    return life
  }
}
