// The port every log adapter satisfies. It knows envelopes and nothing of chat.
//
// What it promises: an append that resolves is durable; facts of one stream have revisions 0, 1, 2 … without
// gaps; positions grow strictly over the whole log (gaps are allowed); a reader sees a stream's facts in
// revision order and the log's in position order. There is no 'any' revision: an append whose outcome is
// unknown can only be repeated safely at an exact one.

/** Place in a stream, 0-based. */
export type Revision = number

/** Place in the whole log, 1-based; 0 means 'before the first fact'. */
export type Position = number

/** A fact as it is stored. `data` and `metadata` are canonical JSON text (RFC 8785): encoded once, resent unchanged. */
export interface Envelope {
  /** uuid v7; the same id at the same place is the same fact (idempotent retry) */
  readonly id: string
  readonly type: string
  /** version of the type's schema, from 1 */
  readonly v: number
  readonly data: string
  readonly metadata: string
}

export interface Recorded extends Envelope {
  readonly stream: string
  readonly revision: Revision
  readonly position: Position
}

/** Sent once by a subscription when it has delivered all that stood in the log when it asked, then goes live. */
export interface CaughtUp {
  readonly caughtUp: Position
}

export type ExpectedRevision = Revision | 'no-stream'

export interface Filter {
  readonly types?: readonly string[]
  /** any of these beginnings of the stream's name, e.g. `room-` */
  readonly streamPrefixes?: readonly string[]
}

export interface ReadStream {
  /** first revision to return; default 0 forwards, the last one backwards */
  readonly from?: Revision
  readonly direction?: 'forwards' | 'backwards'
  readonly limit?: number
}

export interface ReadAll {
  /** exclusive: facts after this position; default 0 */
  readonly from?: Position
  /** inclusive; default the head when the read began */
  readonly to?: Position
  readonly filter?: Filter
  readonly limit?: number
}

export interface Subscribe {
  /** exclusive: facts after this position */
  readonly from: Position
  readonly filter?: Filter
  /** ends the subscription: the iterator returns */
  readonly signal?: AbortSignal
}

export interface Appended {
  readonly firstRevision: Revision
  readonly lastRevision: Revision
}

export interface EventLog {
  /** bytes behind the last whole commit that the opening left out: a write that a crash cut short; absent: none can be */
  readonly cutAtOpening?: number
  /**
   * Stores all of `facts` in `stream`, or none.
   * The very same envelopes (by id) already standing at `expected + 1 …` resolve as a success, also when other facts follow them.
   * @throws WrongExpectedRevision — nothing was stored
   * @throws LogUnavailable — `stored` says 'no' or 'unknown'
   * @throws LogBusy — MAX_BYTES_IN_FLIGHT wait to be stored
   * @throws AppendTooLarge — over MAX_FACTS facts, MAX_APPEND_BYTES in all or MAX_FACT_BYTES in one
   */
  append(stream: string, facts: readonly Envelope[], expected: ExpectedRevision): Promise<Appended>
  /** An absent stream reads as empty. */
  readStream(stream: string, options?: ReadStream): AsyncIterable<Recorded>
  /** @throws NoSuchPosition */
  readAll(options?: ReadAll): AsyncIterable<Recorded>
  /**
   * Resumes by itself, never skips, never repeats; ends only by its signal or `close()`.
   * @throws NoSuchPosition, once the log has been asked
   */
  subscribe(options: Subscribe): AsyncIterable<Recorded | CaughtUp>
  /**
   * Takes whole streams out of the log for good: they read as absent, and their positions are given to nothing else. What
   * tells of it stands in the log before. A store may go on to show the facts in readAll and subscriptions until it tidies
   * up (EventStoreDB: scavenging). Streams that are absent are gone already.
   * @throws LogUnavailable — some may be gone; the same again finishes it
   * @throws LastFact — one of them holds the log's last fact
   */
  deleteStreams(streams: readonly string[]): Promise<void>
  /** Position of the last fact, 0 in an empty log. */
  head(): Promise<Position>
  /** Identity of this log: made at its birth, changed by a restore. */
  epoch(): Promise<string>
  /** Appends under way finish first; later calls reject with LogUnavailable. */
  close(): Promise<void>
}

export const MAX_FACT_BYTES = 256 * 1024
export const MAX_FACTS = 256
export const MAX_APPEND_BYTES = 512 * 1024
/** of appends that are not answered yet, where the store takes its time */
export const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024

export class WrongExpectedRevision extends Error {
  readonly stream: string
  readonly expected: ExpectedRevision
  readonly actual: ExpectedRevision
  constructor(stream: string, expected: ExpectedRevision, actual: ExpectedRevision) {
    super(`stream ${stream} is at ${actual}, expected ${expected}`)
    this.name = 'WrongExpectedRevision'
    this.stream = stream
    this.expected = expected
    this.actual = actual
  }
}

export class LogUnavailable extends Error {
  /** 'no': certainly not stored; 'unknown': it may have been, send the same again */
  readonly stored: 'no' | 'unknown'
  /** nothing will be stored before a restart, and what is unknown stays so until then */
  readonly final: boolean
  constructor(message: string, stored: 'no' | 'unknown', options?: ErrorOptions & { readonly final?: boolean }) {
    super(message, options)
    this.name = 'LogUnavailable'
    this.stored = stored
    this.final = options?.final ?? false
  }
}

/** More waits to be stored than memory is given to: nothing is wrong with the log, and it soon takes more. */
export class LogBusy extends LogUnavailable {
  constructor(bytes: number) {
    super(`busy: ${bytes} bytes wait to be stored, try again later`, 'no')
    this.name = 'LogBusy'
  }
}

/**
 * To go on from: neither 0 nor one that this log gave. An adapter may go on with the next fact where it can tell which
 * that is; above the head none can.
 */
export class NoSuchPosition extends Error {
  readonly position: Position
  constructor(position: Position) {
    super(`position ${position} is no place in this log`)
    this.name = 'NoSuchPosition'
    this.position = position
  }
}

/** Whether a reader can go on from there. @throws LogUnavailable */
export const isPlaceIn = async (log: Pick<EventLog, 'readAll'>, from: Position): Promise<boolean> => {
  try {
    for await (const _ of log.readAll({ from, limit: 1 })) break
    return true
  } catch (error) {
    if (error instanceof NoSuchPosition) return false
    throw error
  }
}

export class LastFact extends Error {
  constructor(stream: string) {
    super(`stream ${stream} holds the log's last fact: append what tells of its deletion first`)
    this.name = 'LastFact'
  }
}

export class AppendTooLarge extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'AppendTooLarge'
  }
}
