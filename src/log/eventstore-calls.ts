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
import { after, factOf, positionOf, serverFilter } from './eventstore-codec.ts'
import { matches } from './filter.ts'

export interface Patience {
  /** how long an answer, or the next one, is waited for */
  readonly silenceMs: number
  /** aborted when the log is closed */
  readonly signal: AbortSignal
}

/**
 * What a call yields, until the server is silent for too long while something is waited for: reads know no deadline in
 * either client (readAll.js: Infinity). How long the caller takes does not count.
 */
export async function* listening<Item>(call: AsyncIterable<Item>, { silenceMs, signal }: Patience) {
  const items = call[Symbol.asyncIterator]()
  let giveUp: ((error: Error) => void) | null = null
  const timer = setTimeout(() => giveUp?.(silent(silenceMs)), silenceMs)
  const closed = () => giveUp?.(new LogUnavailable('the log is closed', 'no'))
  signal.addEventListener('abort', closed)
  try {
    for (;;) {
      timer.refresh()
      const { done, value } = await new Promise<IteratorResult<Item>>((resolve, reject) => {
        giveUp = reject
        items.next().then(resolve, reject)
      })
      giveUp = null
      if (done) return
      yield value
    }
  } finally {
    clearTimeout(timer)
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
  { signal, silenceMs }: Patience,
): AsyncGenerator<Recorded | Passed | CameLive> {
  if (signal.aborted) return
  const subscription: Subscription = client.subscribeToAll({
    fromPosition: after(from),
    filter: serverFilter(filter, async (to, { commit, prepare }) => {
      to.push({ before: positionOf({ commit, prepare }) } satisfies Passed)
    }),
    ...LEADER,
  })
  const stop = () => subscription.destroy()
  const unconfirmed = setTimeout(() => subscription.destroy(silent(silenceMs)), silenceMs)
  subscription
    .on('error', () => {})
    .on('confirmation', () => clearTimeout(unconfirmed))
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
    clearTimeout(unconfirmed)
    signal.removeEventListener('abort', stop)
    subscription.destroy()
    subscription.unsubscribe().catch(() => {})
  }
}
