// A part of a log, as if it were the whole: what an earlier test or somebody else wrote is not there. For the suite on a
// real server, which cannot be made anew for every test.

import {
  type Appended,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  type Filter,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
  WrongExpectedRevision,
} from '../src/log/event-log.ts'

export class LogSection implements EventLog {
  readonly #log: EventLog
  readonly #section: string
  readonly #base: Position
  readonly #isShared: boolean
  #head: Position

  /** `section`: how the names of its streams begin in the log; a log that is shared stays open when this one is closed */
  static async open(log: EventLog, section: string, { shared = false } = {}): Promise<LogSection> {
    return new LogSection(log, section, await log.head(), shared)
  }

  private constructor(log: EventLog, section: string, base: Position, isShared: boolean) {
    this.#log = log
    this.#isShared = isShared
    this.#section = section
    this.#base = base
    this.#head = base
  }

  deleteStreams(streams: readonly string[]): Promise<void> {
    return this.#log.deleteStreams(streams.map((stream) => this.#section + stream))
  }

  async append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    const whole = stream === '' ? '' : this.#section + stream
    return this.#log.append(whole, facts, expected).catch((error) => {
      throw error instanceof WrongExpectedRevision ? new WrongExpectedRevision(stream, expected, error.actual) : error
    })
  }

  async *readStream(stream: string, options?: ReadStream): AsyncGenerator<Recorded> {
    for await (const fact of this.#log.readStream(this.#section + stream, options)) yield this.#within(fact)
  }

  async *readAll({ from = 0, filter, ...rest }: ReadAll = {}): AsyncGenerator<Recorded> {
    const within = { ...rest, from: Math.max(from, this.#base), filter: this.#filter(filter) }
    for await (const fact of this.#log.readAll(within)) yield this.#within(fact)
  }

  async *subscribe({ from, filter, ...rest }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    const within = { ...rest, from: Math.max(from, this.#base), filter: this.#filter(filter) }
    let last = from
    for await (const item of this.#log.subscribe(within)) {
      if ('position' in item) {
        last = item.position
        yield this.#within(item)
      } else yield { caughtUp: last }
    }
  }

  async head(): Promise<Position> {
    const news = { from: this.#head, filter: this.#filter(undefined) }
    for await (const { position } of this.#log.readAll(news)) this.#head = position
    return this.#head === this.#base ? 0 : this.#head
  }

  epoch(): Promise<string> {
    return this.#log.epoch()
  }

  async close(): Promise<void> {
    if (!this.#isShared) await this.#log.close()
  }

  #filter(filter: Filter | undefined): Filter {
    return { ...filter, streamPrefixes: (filter?.streamPrefixes ?? ['']).map((prefix) => this.#section + prefix) }
  }

  #within(fact: Recorded): Recorded {
    return { ...fact, stream: fact.stream.slice(this.#section.length) }
  }
}
