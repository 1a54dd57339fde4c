// Facts of streams without a statechart (claims, number series, nodes, machine definitions): read the end, decide,
// append at the exact revision, again after a conflict.

import { type EventLog, LogUnavailable, WrongExpectedRevision } from '../log/event-log.ts'
import type { Fact } from './fact.ts'
import { checkFact, type FactCodec, Unreadable } from './fact-codec.ts'
import { type Chance, type Clock, pause } from './ports.ts'

const MAX_ATTEMPTS = 20

type Decided = { readonly type: string; readonly data: object } | null
type Decide = (last: Fact | null) => Promise<Decided> | Decided

interface Cause {
  readonly by: string | null
  readonly correlationId: string
}

export class Ledger {
  readonly #log: EventLog
  readonly #codec: FactCodec
  readonly #clock: Clock
  readonly #chance: Chance
  /** the last append of each stream under way here: the next one waits for it rather than conflict with it */
  readonly #turns = new Map<string, Promise<unknown>>()

  /** how many facts of each type were stored here since the start */
  readonly appended = new Map<string, number>()

  constructor(log: EventLog, codec: FactCodec, clock: Clock, chance: Chance) {
    this.#log = log
    this.#codec = codec
    this.#clock = clock
    this.#chance = chance
  }

  /** The last fact of a stream, or null. */
  async last(stream: string): Promise<Fact | null> {
    for await (const recorded of this.#log.readStream(stream, { direction: 'backwards', limit: 1 })) {
      const [fact] = await this.#codec.decode([recorded])
      if (fact instanceof Unreadable) throw fact
      return fact ?? null
    }
    return null
  }

  /** The fact at a revision, or null. */
  async at(stream: string, revision: number): Promise<Fact | null> {
    for await (const recorded of this.#log.readStream(stream, { from: revision, limit: 1 })) {
      const [fact] = await this.#codec.decode([recorded])
      if (fact instanceof Unreadable) throw fact
      return fact ?? null
    }
    return null
  }

  async *read(stream: string): AsyncGenerator<Fact> {
    for await (const recorded of this.#log.readStream(stream)) {
      const [fact] = await this.#codec.decode([recorded])
      if (fact instanceof Unreadable) throw fact
      if (fact) yield fact
    }
  }

  /**
   * Appends the fact that `decide` makes of the stream's last one; null: nothing to append.
   * Returns the fact as stored, or null.
   * @throws LogUnavailable
   */
  append(stream: string, decide: Decide, cause: Cause = { by: 'system', correlationId: stream }): Promise<Fact | null> {
    const before = this.#turns.get(stream)
    const work = () => this.#append(stream, decide, cause)
    const turn = before ? before.then(work, work) : work()
    this.#turns.set(stream, turn)
    const ended = () => {
      if (this.#turns.get(stream) === turn) this.#turns.delete(stream)
    }
    turn.then(ended, ended)
    return turn
  }

  async #append(stream: string, decide: Decide, cause: Cause): Promise<Fact | null> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const last = await this.last(stream)
      const decided = await decide(last)
      if (!decided) return null
      const { v } = checkFact(decided.type, decided.data)
      const fact: Fact = {
        id: this.#chance.uuid(),
        stream,
        revision: (last?.revision ?? -1) + 1,
        type: decided.type,
        v,
        data: decided.data,
        metadata: {
          at: Math.max(this.#clock.now(), last?.metadata.at ?? 0),
          by: cause.by,
          connection: null,
          $correlationId: cause.correlationId,
          $causationId: cause.correlationId,
        },
      }
      if (await this.#store(fact)) {
        this.appended.set(fact.type, (this.appended.get(fact.type) ?? 0) + 1)
        return fact
      }
      await pause(this.#clock, this.#chance.fraction() * Math.min(2 ** attempt, 64))
    }
    throw new LogUnavailable(`stream ${stream} is contended`, 'no')
  }

  /** False after a conflict. An unknown outcome is met with the same bytes again. */
  async #store(fact: Fact): Promise<boolean> {
    const envelopes = await this.#codec.encode([fact])
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#log.append(fact.stream, envelopes, fact.revision === 0 ? 'no-stream' : fact.revision - 1)
        return true
      } catch (error) {
        if (error instanceof WrongExpectedRevision) return false
        if (!(error instanceof LogUnavailable) || error.stored === 'no' || error.final || attempt === MAX_ATTEMPTS)
          throw error
        await pause(this.#clock, Math.min(20 * 2 ** attempt, 1_000))
      }
    }
  }
}
