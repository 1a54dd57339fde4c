// Reads and subscriptions of the client as generators that never hang, and whose marks stand in their place.

import { type Filter, LogUnavailable, type Position, type Recorded } from './event-log.ts'
import {
  type Client,
  LEADER,
  type Reading,
  type Resolved,
  type StoredEvent,
  type Subscription,
} from './eventstore-client.ts'
import { factOf, placeAfter, positionOf, serverFilter } from './eventstore-codec.ts'
import { matches } from './filter.ts'
import type { Timers } from './timers.ts'

export interface Patience {
  /** how long an answer, or the next one, is waited for */
  readonly silenceMs: number
  readonly timers: Timers
  /** aborted when the log is closed */
  readonly signal: AbortSignal
}

/** Calls `run` after `ms`; returns what cancels it. */
const after = (timers: Timers, ms: number, run: () => void): (() => void) => timers.at(timers.now() + ms, run)

/** The answer, unless it does not come in time. */
export const inTime = <Answer>(answer: Promise<Answer>, { silenceMs, timers }: Patience): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const cancel = after(timers, silenceMs, () => reject(silent(silenceMs, 'unknown')))
    answer.finally(cancel).then(resolve, reject)
  })

/**
 * What a call yields, until the server is silent for too long while something is waited for: reads know no deadline in
 * either client (readAll.js: Infinity). How long the caller takes does not count.
 */
export async function* listening<Item>(call: AsyncIterable<Item>, { silenceMs, timers, signal }: Patience) {
  const items = call[Symbol.asyncIterator]()
  let giveUp: ((error: Error) => void) | null = null
  let askedAt = 0
  // One timer for many items: what came meanwhile puts it off.
  const listen = (): void => {
    const left = giveUp === null ? silenceMs : askedAt + silenceMs - timers.now()
    if (left <= 0) giveUp?.(silent(silenceMs))
    else cancel = after(timers, left, listen)
  }
  let cancel = after(timers, silenceMs, listen)
  const closed = () => giveUp?.(new LogUnavailable('the log is closed', 'no'))
  signal.addEventListener('abort', closed)
  try {
    for (;;) {
      askedAt = timers.now()
      const { done, value } = await new Promise<IteratorResult<Item>>((resolve, reject) => {
        giveUp = reject
        items.next().then(resolve, reject)
      })
      giveUp = null
      if (done) return
      yield value
    }
  } finally {
    cancel()
    signal.removeEventListener('abort', closed)
    // Not awaited: behind a next() that never comes it would wait as long.
    items.return?.().catch(() => {})
  }
}

export const silent = (ms: number, stored: 'no' | 'unknown' = 'no'): LogUnavailable =>
  new LogUnavailable(`the log did not answer in ${ms} ms`, stored)

/**
 * The events of one read, which asks for a page. All are taken in before the first is handed on, for KurrentDB's bridge
 * cannot cancel: what a reader leaves, or lets wait, would stay in the window that all its calls share, until none of
 * them gets an answer.
 */
export async function* events(call: Reading, patience: Patience): AsyncGenerator<StoredEvent> {
  // An error before the first item is asked for would find no listener and end the process.
  call.on?.('error', () => {})
  const page: StoredEvent[] = []
  try {
    for await (const { event } of listening(call, patience)) if (event) page.push(event)
  } finally {
    // Leaving the stream does not end the call behind it (ReadStream.js pipes one into the other).
    call.cancel?.().catch(() => {})
  }
  yield* page
}

/** What matches before this position has been handed on; the server gives where its next record begins, or the last. */
export interface Passed {
  readonly before: Position
}

/** The server has handed on all that stood in the log when it was asked. */
export interface CameLive {
  readonly live: true
}

/**
 * One subscription of the client: what comes after `from`, marks in their place, until the server ends it or `signal`.
 *
 * The client tells 'caught up' and checkpoints by callbacks, ahead of events that still wait to be read. Pushed into
 * the stream at that moment (Subscription.js: _transform runs in the server's order) they stand between the right
 * events. What is not read is not asked for: the stream's buffer fills, and gRPC holds the server back.
 */
export async function* follow(
  client: Client,
  from: Position,
  filter: Filter | undefined,
  { signal, silenceMs, timers }: Patience,
): AsyncGenerator<Recorded | Passed | CameLive> {
  if (signal.aborted) return
  const subscription: Subscription = client.subscribeToAll({
    fromPosition: placeAfter(from),
    filter: serverFilter(filter, async (to, { commit, prepare }) => {
      to.push({ before: positionOf({ commit, prepare }) } satisfies Passed)
    }),
    ...LEADER,
  })
  const stop = () => subscription.destroy()
  const confirmed = after(timers, silenceMs, () => subscription.destroy(silent(silenceMs)))
  subscription
    .on('error', () => {})
    .on('confirmation', confirmed)
    .on('caughtUp', () => {
      subscription.push({ live: true } satisfies CameLive)
    })
  signal.addEventListener('abort', stop)
  try {
    for await (const item of subscription) {
      if ('event' in (item as object)) {
        const { event } = item as Resolved
        const fact = event ? factOf(event) : null
        if (fact && fact.position > from && matches(filter, fact)) yield fact
      } else yield item as Passed | CameLive
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    confirmed()
    signal.removeEventListener('abort', stop)
    subscription.destroy()
    subscription.unsubscribe().catch(() => {})
  }
}
