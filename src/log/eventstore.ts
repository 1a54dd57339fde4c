// The log in an EventStoreDB or a KurrentDB: one store for as long as it is run, on a machine or a cluster of its own.
//
// The server keeps revisions, positions, durability and order; this adapter adds what its clients leave out. Every call
// ends, also when the server does not answer. A subscription that broke goes on from the last fact handed out. An
// append that was refused for its revision is looked for in the stream before it is called a conflict. While the server
// is away, an append is sent only after it answered something else: so it is known not to be stored.
//
// All calls go to the leader of a cluster: a follower may not have what was acknowledged a moment ago.

import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { checkAppend, judgeAppend, placeOf } from './envelope.ts'
import {
  type Appended,
  AppendTooLarge,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  type Filter,
  LogUnavailable,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
} from './event-log.ts'
import {
  type Client,
  connect,
  kindOf,
  refusals,
  type StoredEvent,
  unavailable,
  withoutPassword,
} from './eventstore-client.ts'
import { after, eventOf, factOf } from './eventstore-codec.ts'
import { events, follow, listening, type Patience, silent } from './eventstore-reading.ts'

const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
/** The client makes its channel anew a moment after a call on it failed (Client/index.js: handleError). */
const NEW_CHANNEL_MS = 50
/** Metadata of stream `log`: in every backup, in no read. Another value after a restore makes it another log. */
const EPOCH_STREAM = '$$log'
const LEADER = { requiresLeader: true } as const

export interface EventStoreLogOptions {
  /** makes the epoch of a log that is born */
  readonly newId?: () => string
  /** after so long without an answer a call has failed; default 5,000 */
  readonly silenceMs?: number
  /** before a broken subscription is made anew: at first, and doubled up to 20 times as much; default 100 */
  readonly againMs?: number
}

export class EventStoreLog implements EventLog {
  readonly #client: Client
  readonly #disconnect: () => Promise<void>
  readonly #ending = new AbortController()
  readonly #patience: Patience
  readonly #againMs: number
  readonly #underWay = new Set<Promise<Appended>>()
  /** first ids of appends that failed with an unknown outcome: a repeat must not be told 'no' */
  readonly #inDoubt = new Set<string>()
  #epoch = ''
  #bytesInFlight = 0
  /** the last call found no server */
  #away = false
  #asking: Promise<Position> | null = null
  #closing: Promise<void> | null = null

  /** @throws LogUnavailable, Error when the address is none */
  static async open(address: string, options: EventStoreLogOptions = {}): Promise<EventStoreLog> {
    const { client, disconnect } = await connect(address)
    const log = new EventStoreLog(client, disconnect, options)
    try {
      log.#epoch = await log.#readEpoch(options.newId ?? randomUUID)
      return log
    } catch (error) {
      await disconnect()
      throw new LogUnavailable(`${withoutPassword(address)}: ${(error as Error).message}`, 'no', { cause: error })
    }
  }

  private constructor(client: Client, disconnect: () => Promise<void>, options: EventStoreLogOptions) {
    this.#client = client
    this.#disconnect = disconnect
    this.#patience = { silenceMs: options.silenceMs ?? 5_000, signal: this.#ending.signal }
    this.#againMs = options.againMs ?? 100
  }

  append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    const append = this.#append(stream, facts, expected)
    this.#underWay.add(append)
    const settled = () => this.#underWay.delete(append)
    append.then(settled, settled)
    return append
  }

  async #append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended> {
    const bytes = checkAppend(stream, facts, expected)
    if (stream.startsWith('$')) throw new TypeError(`${stream}: a stream that begins with $ is the server's own`)
    const added = facts.map(eventOf)
    this.#mustBeOpen()
    if (this.#bytesInFlight + bytes > MAX_BYTES_IN_FLIGHT) {
      throw new LogUnavailable(`busy: ${MAX_BYTES_IN_FLIGHT} bytes wait to be stored, try again later`, 'no')
    }
    this.#bytesInFlight += bytes
    const first = (facts[0] as Envelope).id
    try {
      if (this.#away) await this.#isBack()
      const stored = await this.#send(stream, added, expected)
      if (!stored) await this.#lookFor(stream, facts, expected)
      this.#inDoubt.delete(first)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) {
        this.#inDoubt.delete(first)
        throw error
      }
      if (error.stored === 'unknown') this.#inDoubt.add(first)
      if (error.stored === 'unknown' || !this.#inDoubt.has(first)) throw error
      throw new LogUnavailable(error.message, 'unknown', { cause: error })
    } finally {
      this.#bytesInFlight -= bytes
    }
    const firstRevision = placeOf(expected)
    return { firstRevision, lastRevision: firstRevision + facts.length - 1 }
  }

  /** False: the server says that the stream is not where it is expected. @throws LogUnavailable, AppendTooLarge */
  async #send(
    stream: string,
    added: Parameters<Client['appendToStream']>[1],
    expected: ExpectedRevision,
  ): Promise<boolean> {
    const revision = expected === 'no-stream' ? 'no_stream' : BigInt(expected)
    const options = { expectedRevision: revision, streamState: revision, ...LEADER } as const
    try {
      const sent = this.#client.appendToStream(stream, added, { ...options, deadline: this.#patience.silenceMs })
      // The call's deadline does not hold while the client looks for the leader.
      const { success } = await this.#inTime(sent)
      this.#away = false
      return success // false instead of an error where the address says throwOnAppendFailure=false
    } catch (error) {
      const kind = kindOf(error)
      if (kind === 'wrong-expected-version') return false
      if (kind?.endsWith('size-exceeded'))
        throw new AppendTooLarge(`the server takes less: ${(error as Error).message}`)
      if (refusals.has(kind) || kind === 'not-leader') throw unavailable(error, 'no')
      this.#away = true
      throw unavailable(error, 'unknown')
    }
  }

  /**
   * The server takes the same events again at the same place as a success, mostly; what stands in the stream decides.
   * (The revision in the client's answer is not relied on: with throwOnAppendFailure=false batchAppend.js gets it wrong.)
   * @throws WrongExpectedRevision, LogUnavailable
   */
  async #lookFor(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<void> {
    const from = placeOf(expected)
    const there = new Map<number, string>()
    for await (const { revision, id } of this.#stream(stream, { from, limit: facts.length })) there.set(revision, id)
    let last = -1
    for await (const { revision } of this.#stream(stream, { direction: 'backwards', limit: 1 })) last = revision
    if (judgeAppend(stream, facts, expected, last, (revision) => there.get(revision)) === 'append') {
      throw new LogUnavailable(`the log refused ${stream} at ${expected}, where it stands`, 'no')
    }
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    yield* this.#stream(stream, options)
  }

  async *#stream(stream: string, options: ReadStream): AsyncGenerator<Recorded> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options
    const step = direction === 'forwards' ? 1 : -1
    let next = options.from
    let left = limit
    yield* this.#again(
      () => left > 0 && (next === undefined || next >= 0),
      async function* (this: EventStoreLog) {
        const fromRevision = next !== undefined ? BigInt(next) : direction === 'forwards' ? 'start' : 'end'
        const call = this.#client.readStream(stream, { fromRevision, direction, maxCount: left, ...LEADER })
        for await (const event of events(call, this.#patience)) {
          const fact = factOf(event)
          if (!fact) throw new LogUnavailable(`${stream}@${event.revision} was written by something else`, 'no')
          next = fact.revision + step
          left--
          yield fact
        }
      },
    )
  }

  async *readAll({ from = 0, to: upTo, filter, limit }: ReadAll = {}): AsyncGenerator<Recorded> {
    const to = upTo ?? (await this.head())
    this.#mustBeOpen()
    let position = from
    let left = limit ?? Number.MAX_SAFE_INTEGER
    const source = filter?.types || filter?.streamPrefixes ? this.#filtered : this.#whole
    yield* this.#again(
      () => left > 0 && position < to,
      async function* (this: EventStoreLog) {
        for await (const fact of source.call(this, position, to, filter)) {
          position = fact.position
          left--
          yield fact
          if (left === 0) return
        }
      },
    )
  }

  async *#whole(from: Position, to: Position): AsyncGenerator<Recorded> {
    const call = this.#client.readAll({ fromPosition: after(from), direction: 'forwards', ...LEADER })
    for await (const event of events(call, this.#patience)) {
      const fact = factOf(event)
      if (!fact || fact.position <= from) continue
      if (fact.position > to) return
      yield fact
    }
  }

  /** A read of all has no filter in 6.2.1 (readAll.js: setNoFilter), a subscription has: it is one until `to`. */
  async *#filtered(from: Position, to: Position, filter: Filter | undefined): AsyncGenerator<Recorded> {
    if (filter?.types?.length === 0 || filter?.streamPrefixes?.length === 0) return
    const done = new AbortController()
    const { silenceMs } = this.#patience
    const signal = AbortSignal.any([done.signal, this.#patience.signal])
    try {
      for await (const item of listening(follow(this.#client, from, filter, { signal, silenceMs }), this.#patience)) {
        if ('live' in item || ('before' in item ? item.before : item.position) > to) return
        if ('position' in item) yield item
      }
    } finally {
      done.abort()
    }
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    this.#mustBeOpen()
    const { silenceMs } = this.#patience
    const ending = signal ? AbortSignal.any([signal, this.#patience.signal]) : this.#patience.signal
    let position = from
    let goal: Position | null = null
    let told = false
    let failures = 0
    while (!ending.aborted) {
      try {
        goal ??= Math.max(from, await this.head())
        if (!told && position >= goal) {
          told = true
          yield { caughtUp: position }
        }
        for await (const item of follow(this.#client, position, filter, { signal: ending, silenceMs })) {
          if (ending.aborted) return
          failures = 0
          const upTo = 'position' in item ? item.position : 'before' in item ? item.before : Number.POSITIVE_INFINITY
          if (!told && upTo > goal) {
            told = true
            yield { caughtUp: goal }
            if (ending.aborted) return
          }
          if (!('position' in item)) continue
          position = item.position
          yield item
          if (!told && position === goal) {
            told = true
            yield { caughtUp: goal }
          }
        }
      } catch {
        // It says why in head(), which /readyz asks; here it is only tried again.
      }
      await pause(this.#againMs * Math.min(2 ** failures++, 20), undefined, { ref: false, signal: ending }).catch(
        () => {},
      )
    }
  }

  async head(): Promise<Position> {
    this.#mustBeOpen()
    const call = { fromPosition: 'end', direction: 'backwards', ...LEADER } as const
    const facts = this.#again(
      () => true,
      async function* (this: EventStoreLog) {
        for await (const event of events(this.#client.readAll(call), this.#patience)) {
          const fact = factOf(event)
          if (fact) yield fact
        }
      },
    )
    for await (const { position } of facts) return position
    return 0
  }

  async epoch(): Promise<string> {
    this.#mustBeOpen()
    return this.#epoch
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay)
    this.#ending.abort()
    await this.#disconnect()
  }

  /**
   * Runs a read, and once more from where it is when it breaks: the first call after an outage finds a dead channel,
   * and a cluster may have another leader. @throws LogUnavailable
   */
  async *#again<Item>(more: () => boolean, read: () => AsyncGenerator<Item>): AsyncGenerator<Item> {
    for (let attempt = 0; more(); attempt++) {
      try {
        for await (const item of read.call(this)) {
          this.#away = false
          yield item
        }
        this.#away = false
        return
      } catch (error) {
        const kind = kindOf(error)
        if (kind === 'stream-not-found') return
        if (attempt > 0 || error instanceof LogUnavailable || refusals.has(kind)) {
          this.#away = !refusals.has(kind)
          throw unavailable(error, 'no')
        }
        await pause(NEW_CHANNEL_MS)
      }
    }
  }

  async #readEpoch(newId: () => string): Promise<string> {
    for (;;) {
      const call = { fromRevision: 'end', direction: 'backwards', maxCount: 1, ...LEADER } as const
      const stored = this.#again(
        () => true,
        async function* (this: EventStoreLog) {
          yield* events(this.#client.readStream(EPOCH_STREAM, call), this.#patience)
        },
      )
      let last: StoredEvent | null = null
      for await (const event of stored) last = event
      const about = (last?.data ?? {}) as { hansardEpoch?: unknown }
      if (typeof about.hansardEpoch === 'string') return about.hansardEpoch
      const data = { ...about, hansardEpoch: newId() }
      const event = { id: randomUUID(), type: '$metadata', contentType: 'application/json', data } as const
      // Whoever is second reads what the first one wrote.
      await this.#send(
        EPOCH_STREAM,
        [{ ...event, metadata: new Uint8Array() }],
        last ? Number(last.revision) : 'no-stream',
      )
    }
  }

  /** Shared by all who ask meanwhile. @throws LogUnavailable 'no' */
  async #isBack(): Promise<void> {
    this.#asking ??= this.head().finally(() => {
      this.#asking = null
    })
    await this.#asking
  }

  async #inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { silenceMs } = this.#patience
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(silent(silenceMs, 'unknown')), silenceMs)
    })
    return Promise.race([answer, silence]).finally(() => clearTimeout(timer))
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new LogUnavailable('the log is closed', 'no')
  }
}
