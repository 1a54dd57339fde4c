// What this adapter uses of the two clients, loaded when an address asks for one, and the guards that both need.
//
// `@eventstore/db-client` 6.2.1 (esdb:) and `@kurrent/kurrentdb-client` 1.3 (kurrentdb:) have the same calls; an
// expected revision is `expectedRevision` in the first and `streamState` in the second, so both are given.

import { LogUnavailable } from './event-log.ts'
import { withoutPassword } from './server-address.ts'

/** Place in $all. What gRPC clients append has commit and prepare at the same place (EventStore AllReader.cs). */
export interface LogPosition {
  readonly commit: bigint
  readonly prepare: bigint
}

/** An event as the client takes it; `data` goes through JSON.stringify, bytes as `metadata` are stored as they are. */
export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly contentType: 'application/json'
  readonly data: unknown
  readonly metadata: Uint8Array
}

export interface StoredEvent {
  readonly id: string
  readonly streamId: string
  readonly revision: bigint
  readonly type: string
  readonly isJson: boolean
  readonly data: unknown
  readonly metadata?: unknown
  readonly position?: LogPosition
}

export interface Resolved {
  readonly event?: StoredEvent
}

interface Call {
  readonly deadline?: number
  readonly requiresLeader?: boolean
}

/** For every call: a follower may not have what was acknowledged a moment ago. */
export const LEADER = { requiresLeader: true } as const

/** The client makes its channel anew a moment after a call on it failed (Client/index.js: handleError). */
export const NEW_CHANNEL_MS = 50

interface ReadCall extends Call {
  readonly direction?: 'forwards' | 'backwards'
  readonly maxCount?: number
}

export interface ServerFilter {
  readonly filterOn: 'streamName' | 'eventType'
  readonly prefixes?: string[]
  readonly regex?: string
  readonly maxSearchWindow: number
  readonly checkpointInterval: number
  readonly checkpointReached: (subscription: Subscription, passed: LogPosition) => Promise<void>
}

/** A Node stream in both clients. It ends when the server ends it, and never resumes. */
export interface Subscription extends AsyncIterable<unknown> {
  on(event: 'confirmation' | 'caughtUp' | 'error', listener: (error?: Error) => void): this
  push(item: unknown): boolean
  destroy(error?: Error): this
  unsubscribe(): Promise<void>
}

/** A Node stream with `cancel` in the one client, a generator in the other. */
export type Reading = AsyncIterable<Resolved> & {
  on?(event: 'error', listener: () => void): unknown
  cancel?(): Promise<void>
}

export interface Client {
  appendToStream(
    stream: string,
    events: readonly NewEvent[],
    options: Call & { expectedRevision: bigint | 'no_stream'; streamState: bigint | 'no_stream' },
  ): Promise<{ readonly success: boolean }>
  readStream(stream: string, options: ReadCall & { fromRevision: bigint | 'start' | 'end' }): Reading
  readAll(options: ReadCall & { fromPosition: LogPosition | 'start' | 'end' }): Reading
  subscribeToAll(options: Call & { fromPosition: LogPosition | 'start'; filter: ServerFilter }): Subscription
  deleteStream(stream: string, options: Call): Promise<unknown>
  dispose(): Promise<void>
}

/** Parts of both clients that are not in their published types. */
interface Internals {
  supports: () => Promise<boolean>
  handleError: (client: unknown, error: Error) => Promise<void>
  getChannel: () => Promise<{ close(): void }>
}

const load = async (address: string): Promise<(address: string) => Client & Internals> => {
  if (address.startsWith('kurrentdb')) {
    const { KurrentDBClient } = await import('@kurrent/kurrentdb-client')
    return (given) => KurrentDBClient.connectionString(given) as unknown as Client & Internals
  }
  const { EventStoreDBClient } = await import('@eventstore/db-client')
  return (given) => EventStoreDBClient.connectionString(given) as unknown as Client & Internals
}

export class NoAddress extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'NoAddress'
  }
}

/** Connects at the first call. @throws NoAddress saying what is wrong, without the password */
export const connect = async (address: string): Promise<{ client: Client; disconnect: () => Promise<void> }> => {
  const make = await load(address)
  let client: Client & Internals
  try {
    client = warningsShort(() => make(address))
  } catch (error) {
    throw new NoAddress(`${withoutPassword(address)} is no address of a log: ${firstLine(error, address)}`)
  }
  // Not by batch append, whichever the server can do. Its answers go through one table for all clients of the process
  // (batchAppend.js: promiseBank), so that one broken call fails the appends of every other; a write that waits when
  // its call breaks is an unhandled rejection, an answer to nobody an uncaught throw, and both end the process; it
  // ignores its deadline. The plain Append is a call of its own, with a deadline that gRPC keeps.
  client.supports = async () => false
  // Nobody awaits it in the client (Client/index.js: execute, GRPCStreamCreator), and it rejects when the next
  // discovery of a cluster fails: an unhandled rejection, in the middle of an outage.
  const { handleError } = client
  client.handleError = (failed, error) => handleError(failed, error).catch(() => {})
  const disconnect = async (): Promise<void> => {
    // It cancels every call at once, waits for their ends, some of which never come, and leaves the channel open.
    client.dispose().catch(() => {})
    await client.getChannel().then(
      (channel) => channel.close(),
      () => {},
    )
  }
  return { client, disconnect }
}

/** The clients warn of an option they do not know, with the whole address in the lines below the first. */
const warningsShort = <Made>(make: () => Made): Made => {
  const { warn } = console
  console.warn = (text) => warn(String(text).split('\n')[0])
  try {
    return make()
  } finally {
    console.warn = warn
  }
}

/** The client's own message quotes the whole address. */
const firstLine = (error: unknown, address: string): string =>
  ((error as Error).message.split('\n')[0] ?? '').replaceAll(address, withoutPassword(address))

/** The clients' `ErrorType` (CommandError.js), else undefined. */
export const kindOf = (error: unknown): string | undefined => (error as { type?: string } | null)?.type

/** The server answers, and says no: trying the same again would not help. */
export const refusals: ReadonlySet<string | undefined> = new Set([
  'access-denied',
  'invalid-argument',
  'stream-deleted',
  'stream-tombstoned',
])

export const unavailable = (error: unknown, stored: 'no' | 'unknown'): LogUnavailable =>
  error instanceof LogUnavailable
    ? error
    : new LogUnavailable(`the log cannot be reached: ${(error as Error).message}`, stored, { cause: error })
