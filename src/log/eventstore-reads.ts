// What the EventStoreDB adapter reads: a stream, all of them, the head. Every read ends, whatever the server does.

import type { Filter, Position, ReadAll, ReadStream, Recorded } from './event-log.ts'
import { LogUnavailable, NoSuchPosition } from './event-log.ts'
import { events, follow, listening, type Patience } from './eventstore-calls.ts'
import {
  type Client,
  kindOf,
  LEADER,
  type LogPosition,
  NEW_CHANNEL_MS,
  refusals,
  type StoredEvent,
  unavailable,
} from './eventstore-client.ts'
import { factOf, placeAfter } from './eventstore-codec.ts'
import { pause } from './timers.ts'

/** Not silence: the server may have said it. */
export const isAnswer = (error: unknown): boolean =>
  !(error instanceof LogUnavailable) || (error.cause !== undefined && kindOf(error.cause) !== undefined)

/** Events looked through at a time for the last fact, where the server's own stand behind it. */
const PAGE_BEFORE_HEAD = 100
/** Events that one call asks for: they are in memory together, see `events`. */
const PAGE = 200

export class ServerReads {
  /** the last call found no server */
  away = false
  readonly #client: Client
  readonly #patience: Patience

  constructor(client: Client, patience: Patience) {
    this.#client = client
    this.#patience = patience
  }

  async *stream(stream: string, options: ReadStream): AsyncGenerator<Recorded> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options
    const step = direction === 'forwards' ? 1 : -1
    let next = options.from
    let left = limit
    yield* this.#again(
      () => left > 0 && (next === undefined || next >= 0),
      async function* (this: ServerReads) {
        for (let whole = true; whole && left > 0 && (next === undefined || next >= 0); ) {
          const fromRevision = next !== undefined ? BigInt(next) : direction === 'forwards' ? 'start' : 'end'
          const maxCount = Math.min(left, PAGE)
          const call = this.#client.readStream(stream, { fromRevision, direction, maxCount, ...LEADER })
          let got = 0
          for await (const event of events(call, this.#patience)) {
            const fact = factOf(event)
            if (!fact) throw new LogUnavailable(`${stream}@${event.revision} was written by something else`, 'no')
            got++
            next = fact.revision + step
            left--
            yield fact
          }
          whole = got === maxCount
        }
      },
    )
  }

  async *all({ from = 0, to: upTo, filter, limit }: ReadAll): AsyncGenerator<Recorded> {
    const to = upTo ?? (await this.head())
    let position = from
    let left = limit ?? Number.MAX_SAFE_INTEGER
    const source = filter?.types || filter?.streamPrefixes ? this.#filtered : this.#whole
    const facts = this.#again(
      () => left > 0 && position < to,
      async function* (this: ServerReads) {
        for await (const fact of source.call(this, position, to, filter, left)) {
          position = fact.position
          left--
          yield fact
          if (left === 0) return
        }
      },
    )
    try {
      yield* facts
    } catch (error) {
      if (position === from && isAnswer(error)) await this.mustBePlace(from)
      throw error
    }
    if (position === from && (from > to || upTo !== undefined)) await this.mustBePlace(from)
  }

  /**
   * In the middle of a record the server fails as at any fault of its own (23.10: UNKNOWN; through KurrentDB's bridge as
   * if it were away). If it is well and fails there again, it is the position.
   * @throws NoSuchPosition, LogUnavailable
   */
  async mustBePlace(position: Position): Promise<void> {
    if (position === 0) return
    if (position > (await this.head())) throw new NoSuchPosition(position)
    const fromPosition = placeAfter(position)
    try {
      const call = this.#client.readAll({ fromPosition, direction: 'forwards', maxCount: 1, ...LEADER })
      for await (const _ of events(call, this.#patience)) return
    } catch (error) {
      if (!isAnswer(error)) throw error
      await this.head()
      throw new NoSuchPosition(position)
    }
  }

  async *#whole(from: Position, to: Position, _filter: Filter | undefined, limit: number): AsyncGenerator<Recorded> {
    let fromPosition = placeAfter(from)
    let last = from
    let maxCount = Math.min(limit + 1, PAGE)
    for (let whole = true; whole; ) {
      const call = this.#client.readAll({ fromPosition, direction: 'forwards', maxCount, ...LEADER })
      let got = 0
      for await (const event of events(call, this.#patience)) {
        got++
        fromPosition = event.position ?? fromPosition
        const fact = factOf(event)
        // The first of a page is the last of the one before it.
        if (!fact || fact.position <= last) continue
        if (fact.position > to) return
        last = fact.position
        yield fact
      }
      whole = got === maxCount
      maxCount = PAGE
    }
  }

  /** A read of all has no filter in 6.2.1 (readAll.js: setNoFilter), a subscription has: it is one until `to`. */
  async *#filtered(from: Position, to: Position, filter: Filter | undefined): AsyncGenerator<Recorded> {
    if (filter?.types?.length === 0 || filter?.streamPrefixes?.length === 0) return
    const done = new AbortController()
    const patience = { ...this.#patience, signal: AbortSignal.any([done.signal, this.#patience.signal]) }
    try {
      for await (const item of listening(follow(this.#client, from, filter, patience), this.#patience)) {
        if ('live' in item || ('before' in item ? item.before : item.position) > to) return
        if ('position' in item) yield item
      }
    } finally {
      done.abort()
    }
  }

  async head(): Promise<Position> {
    let fromPosition: LogPosition | 'end' = 'end'
    let maxCount = 1
    let unread = true
    const facts = this.#again(
      () => unread,
      async function* (this: ServerReads) {
        while (unread) {
          const call = this.#client.readAll({ fromPosition, direction: 'backwards', maxCount, ...LEADER })
          let got = 0
          for await (const event of events(call, this.#patience)) {
            got++
            fromPosition = event.position ?? fromPosition
            const fact = factOf(event)
            if (fact) yield fact
          }
          unread = got === maxCount
          maxCount = PAGE_BEFORE_HEAD
        }
      },
    )
    for await (const { position } of facts) return position
    return 0
  }

  /** The last event of a stream as it is, of ours or not. */
  async last(stream: string): Promise<StoredEvent | null> {
    const call = { fromRevision: 'end', direction: 'backwards', maxCount: 1, ...LEADER } as const
    const found = this.#again(
      () => true,
      async function* (this: ServerReads) {
        yield* events(this.#client.readStream(stream, call), this.#patience)
      },
    )
    for await (const event of found) return event
    return null
  }

  /**
   * Runs a read, and once more from where it is when it breaks: the first call after an outage finds a dead channel,
   * and a cluster may have another leader. @throws LogUnavailable
   */
  async *#again<Item>(more: () => boolean, read: () => AsyncGenerator<Item>): AsyncGenerator<Item> {
    for (let attempt = 0; more(); attempt++) {
      try {
        for await (const item of read.call(this)) {
          this.away = false
          yield item
        }
        this.away = false
        return
      } catch (error) {
        const kind = kindOf(error)
        if (kind === 'stream-not-found') return
        if (attempt > 0 || error instanceof LogUnavailable || refusals.has(kind)) {
          this.away = !refusals.has(kind)
          throw unavailable(error, 'no')
        }
        await pause(this.#patience.timers, NEW_CHANNEL_MS)
      }
    }
  }
}
