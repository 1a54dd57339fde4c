// The log in an EventStoreDB or a KurrentDB: one store for as long as it is run, on a machine or a cluster of its own.
//
// The server keeps revisions, positions, durability and order; this adapter adds what its clients leave out. Every call
// ends, also when the server does not answer. A subscription that broke goes on from the last fact handed out. An
// append that was refused for its revision is looked for in the stream before it is called a conflict. While the server
// is away, an append is sent only after it answered something else: so it is known not to be stored.
//
// All calls go to the leader of a cluster: a follower may not have what was acknowledged a moment ago.

import { randomUUID } from 'node:crypto'
import { checkAppend, judgeAppend, placeOf } from './envelope.ts'
import {
  type Appended,
  AppendTooLarge,
  type CaughtUp,
  type Envelope,
  type EventLog,
  type ExpectedRevision,
  LogBusy,
  LogUnavailable,
  MAX_BYTES_IN_FLIGHT,
  NoSuchPosition,
  type Position,
  type ReadAll,
  type ReadStream,
  type Recorded,
  type Subscribe,
} from './event-log.ts'
import { follow, inTime, type Patience } from './eventstore-calls.ts'
import {
  type Client,
  connect,
  kindOf,
  LEADER,
  NEW_CHANNEL_MS,
  type NewEvent,
  refusals,
  unavailable,
} from './eventstore-client.ts'
import { eventOf } from './eventstore-codec.ts'
import { isAnswer, ServerReads } from './eventstore-reads.ts'
import { withoutPassword } from './server-address.ts'
import { pause, processTimers, type Timers } from './timers.ts'

const DELETED_AT_ONCE = 8
/** What the server says of a stream that is not there (any more). */
const GONE: ReadonlySet<string | undefined> = new Set(['stream-not-found', 'stream-deleted', 'wrong-expected-version'])
/** Metadata of stream `log`: in every backup, in no read. Another value after a restore makes it another log. */
const EPOCH_STREAM = '$$log'

export interface EventStoreLogOptions {
  /** makes the epoch of a log that is born */
  readonly newId?: () => string
  /** after so long without an answer a call has failed; default 5,000 */
  readonly silenceMs?: number
  /** before a broken subscription is made anew: at first, and doubled up to 20 times as much; default 100 */
  readonly againMs?: number
  /** default: the process's own */
  readonly timers?: Timers
}

export class EventStoreLog implements EventLog {
  readonly #client: Client
  readonly #disconnect: () => Promise<void>
  readonly #ending = new AbortController()
  readonly #patience: Patience
  readonly #reads: ServerReads
  readonly #againMs: number
  readonly #underWay = new Set<Promise<Appended>>()
  /** first ids of appends that failed with an unknown outcome: a repeat must not be told 'no' */
  readonly #inDoubt = new Set<string>()
  #epoch = ''
  #bytesInFlight = 0
  #asking: Promise<Position> | null = null
  #closing: Promise<void> | null = null

  /** @throws LogUnavailable, NoAddress */
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
    const { silenceMs = 5_000, timers = processTimers } = options
    this.#patience = { silenceMs, timers, signal: this.#ending.signal }
    this.#reads = new ServerReads(client, this.#patience)
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
      throw new LogBusy(MAX_BYTES_IN_FLIGHT)
    }
    this.#bytesInFlight += bytes
    const first = (facts[0] as Envelope).id
    try {
      if (this.#reads.away) await this.#isBack()
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
  async #send(stream: string, added: readonly NewEvent[], expected: ExpectedRevision, again = false): Promise<boolean> {
    const revision = expected === 'no-stream' ? 'no_stream' : BigInt(expected)
    const options = { expectedRevision: revision, streamState: revision, ...LEADER } as const
    try {
      const sent = this.#client.appendToStream(stream, added, { ...options, deadline: this.#patience.silenceMs })
      // The call's deadline does not hold while the client looks for the leader.
      const { success } = await inTime(sent, this.#patience)
      this.#reads.away = false
      return success // false instead of an error where the address says throwOnAppendFailure=false
    } catch (error) {
      const kind = kindOf(error)
      if (kind === 'wrong-expected-version') return false
      if (kind?.endsWith('size-exceeded'))
        throw new AppendTooLarge(`the server takes less: ${(error as Error).message}`)
      if (kind === 'not-leader' && !again) {
        await pause(this.#patience.timers, NEW_CHANNEL_MS) // to the leader that the answer named
        return this.#send(stream, added, expected, true)
      }
      if (refusals.has(kind) || kind === 'not-leader') throw unavailable(error, 'no')
      this.#reads.away = true
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
    for await (const { revision, id } of this.#reads.stream(stream, { from, limit: facts.length }))
      there.set(revision, id)
    let last = -1
    for await (const { revision } of this.#reads.stream(stream, { direction: 'backwards', limit: 1 })) last = revision
    if (judgeAppend(stream, facts, expected, last, (revision) => there.get(revision)) === 'append') {
      throw new LogUnavailable(`the log refused ${stream} at ${expected}, where it stands`, 'no')
    }
  }

  async *readStream(stream: string, options: ReadStream = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    yield* this.#reads.stream(stream, options)
  }

  async *readAll(options: ReadAll = {}): AsyncGenerator<Recorded> {
    this.#mustBeOpen()
    yield* this.#reads.all(options)
  }

  async *subscribe({ from, filter, signal }: Subscribe): AsyncGenerator<Recorded | CaughtUp> {
    this.#mustBeOpen()
    const ending = signal ? AbortSignal.any([signal, this.#patience.signal]) : this.#patience.signal
    const patience = { ...this.#patience, signal: ending }
    let position = from
    let goal: Position | null = null
    let told = false
    let failures = 0
    while (!ending.aborted) {
      try {
        goal ??= await this.#goalOf(from)
        if (!told && position >= goal) {
          told = true
          yield { caughtUp: position }
        }
        for await (const item of follow(this.#client, position, filter, patience)) {
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
      } catch (error) {
        if (error instanceof NoSuchPosition) throw error
        // It says why in head(), which /readyz asks; here it is only tried again.
        if (position === from && isAnswer(error)) await this.#refuseNoPlace(from)
      }
      await pause(patience.timers, this.#againMs * Math.min(2 ** failures++, 20), ending)
    }
  }

  /** Where the log cannot say now, it is asked again another time. @throws NoSuchPosition */
  async #refuseNoPlace(from: Position): Promise<void> {
    await this.#reads.mustBePlace(from).catch((error) => {
      if (error instanceof NoSuchPosition) throw error
    })
  }

  /** Up to where it is caught up. @throws NoSuchPosition, LogUnavailable */
  async #goalOf(from: Position): Promise<Position> {
    const head = await this.head()
    if (from > head) throw new NoSuchPosition(from)
    return head
  }

  /** Soft deletion: the server keeps the events, in $all only, until somebody has it scavenge. */
  async deleteStreams(streams: readonly string[]): Promise<void> {
    this.#mustBeOpen()
    const waiting = streams.values()
    const one = async (): Promise<void> => {
      for (const stream of waiting) await this.#delete(stream)
    }
    await Promise.all(Array.from({ length: DELETED_AT_ONCE }, one))
  }

  async #delete(stream: string): Promise<void> {
    try {
      const deleted = this.#client.deleteStream(stream, { ...LEADER, deadline: this.#patience.silenceMs })
      await inTime(deleted, this.#patience)
    } catch (error) {
      if (GONE.has(kindOf(error))) return
      throw unavailable(error, 'unknown')
    }
  }

  async head(): Promise<Position> {
    this.#mustBeOpen()
    return this.#reads.head()
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

  async #readEpoch(newId: () => string): Promise<string> {
    for (;;) {
      const last = await this.#reads.last(EPOCH_STREAM)
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
    this.#asking ??= this.#reads.head().finally(() => {
      this.#asking = null
    })
    await this.#asking
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new LogUnavailable('the log is closed', 'no')
  }
}
