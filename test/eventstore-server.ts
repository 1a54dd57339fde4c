// A small EventStoreDB in memory: a real gRPC peer for both clients, built on the stubs that its client brings. It
// serves what the log's adapter calls, answers as the server does, and can be told to have its bad days.

import { once } from 'node:events'
import type {
  AppendReq,
  AppendResp,
  DeleteReq,
  DeleteResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js'
import grpc from '@grpc/grpc-js'
import { Answers } from './eventstore-answers.ts'
import { EventStore, type Proposed, type StoredEvent } from './eventstore-store.ts'
import { loadStubs, type Scheme, type Stubs } from './eventstore-stubs.ts'

type AppendCall = grpc.ServerReadableStream<AppendReq, AppendResp>
type ReadCall = grpc.ServerWritableStream<ReadReq, ReadResp>

/** What an append meets after it was stored, or before. */
export type AppendFault =
  | 'lost before'
  | 'lost after'
  | 'timed out after'
  | 'never answered'
  | 'hangs'
  | 'hangs, then lost'
  | 'denied'
  | 'not the leader'

export class EventStoreServer {
  store = new EventStore()
  /** one append each, in order */
  readonly appendFaults: AppendFault[] = []
  /** who leads is not told */
  leaderless = false
  /** in one append, in all */
  maxAppendBytes = 1024 * 1024
  /** reads and subscriptions get no answer */
  silent = false
  /** before each answer to an append */
  delayMs = 0
  /** stream reads tell no place in $all, as before 22.6 */
  oldPositions = false
  /** subscriptions say nothing of having caught up, as before 23.10 */
  untold = false
  /** to reads of all */
  eventsRead = 0
  /** the most that one read asked for */
  mostAsked = 0
  /** to subscriptions, and whether one waits for its reader now */
  eventsSent = 0
  heldBack = false
  readonly calls = { append: 0, batchAppend: 0, read: 0, subscribe: 0 }
  readonly #scheme: Scheme
  readonly #stubs: Stubs
  readonly #answers: Answers
  #port = 0
  #server: grpc.Server | null = null
  readonly #subscriptions = new Set<ReadCall>()
  readonly #held: (() => void)[] = []

  constructor(scheme: Scheme) {
    this.#scheme = scheme
    this.#stubs = loadStubs(scheme)
    this.#answers = new Answers(this.#stubs)
  }

  static async start(scheme: Scheme): Promise<EventStoreServer> {
    const server = new EventStoreServer(scheme)
    await server.start()
    return server
  }

  /** On the port it had before, with what it stored. */
  async start(): Promise<void> {
    const server = new grpc.Server({ interceptors: [answerAtOnce] })
    server.addService(this.#stubs.services.streams, {
      read: (call: ReadCall) => void this.#read(call),
      append: (call: AppendCall, answer: grpc.sendUnaryData<AppendResp>) => void this.#append(call, answer),
      batchAppend: (call: grpc.ServerDuplexStream<unknown, unknown>) => {
        this.calls.batchAppend++
        call.end()
      },
      delete: ({ request }: grpc.ServerUnaryCall<DeleteReq, DeleteResp>, answer: grpc.sendUnaryData<DeleteResp>) => {
        const name = Buffer.from(request.getOptions()?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()
        if (this.store.delete(name)) answer(null, new this.#stubs.streams.DeleteResp())
        else answer(status(grpc.status.NOT_FOUND, { exception: 'stream-not-found', 'stream-name': name }))
      },
      tombstone: (_: unknown, answer: grpc.sendUnaryData<unknown>) => answer(status(grpc.status.UNIMPLEMENTED)),
    })
    server.addService(this.#stubs.services.features, {
      getSupportedMethods: (_: unknown, answer: grpc.sendUnaryData<unknown>) => answer(null, this.#answers.supported()),
    })
    server.addService(this.#stubs.services.gossip, {
      read: (_: unknown, answer: grpc.sendUnaryData<unknown>) =>
        this.leaderless ? answer(status(grpc.status.UNAVAILABLE)) : answer(null, this.#answers.cluster(this.#port)),
    })
    const address = `127.0.0.1:${this.#port}`
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      )
    })
    this.#server = server
  }

  /** Breaks every call and connection. */
  stop(): void {
    this.#server?.forceShutdown()
    this.#server = null
  }

  get address(): string {
    return this.addressWith('')
  }

  /** `discover`: the client asks the cluster for its leader first. */
  addressWith(options: string, discover: '' | '+discover' = ''): string {
    return `${this.#scheme}${discover}://127.0.0.1:${this.#port}?tls=false${options}`
  }

  get subscriptions(): number {
    return this.#subscriptions.size
  }

  /** appends that wait to be told to go on */
  get hanging(): number {
    return this.#held.length
  }

  /** Ends every subscription: with an error, or without a word. */
  dropSubscriptions(how: 'broken' | 'ended'): void {
    for (const call of this.#subscriptions) {
      if (how === 'broken') call.emit('error', status(grpc.status.ABORTED))
      else call.end()
    }
  }

  /** Answers the appends that hang, now. */
  answerLate(): void {
    for (const answer of this.#held.splice(0)) answer()
  }

  async #append(call: AppendCall, answer: grpc.sendUnaryData<AppendResp>): Promise<void> {
    this.calls.append++
    let options: AppendReq.Options | undefined
    const events: Proposed[] = []
    let bytes = 0
    for await (const message of call as AsyncIterable<AppendReq>) {
      if (message.hasOptions()) options = message.getOptions()
      const proposed = message.getProposedMessage()
      if (!proposed) continue
      bytes += proposed.getData_asU8().length + proposed.getCustomMetadata_asU8().length
      events.push(eventIn(proposed))
    }
    if (!options) return answer(status(grpc.status.INVALID_ARGUMENT))
    const fault = this.appendFaults.shift()
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    if (fault === 'lost before') return answer(status(grpc.status.UNAVAILABLE))
    if (fault === 'denied') return answer(status(grpc.status.PERMISSION_DENIED, { exception: 'access-denied' }))
    if (fault === 'not the leader') return answer(this.#leaderIs())
    if (fault === 'hangs' || fault === 'hangs, then lost') {
      await new Promise<void>((resolve) => {
        this.#held.push(resolve)
      })
    }
    if (fault === 'hangs, then lost') return answer(status(grpc.status.UNAVAILABLE))
    if (bytes > this.maxAppendBytes) {
      const exception = 'maximum-append-size-exceeded'
      const about = { exception, 'maximum-append-size': String(this.maxAppendBytes) }
      return answer(status(grpc.status.INVALID_ARGUMENT, about))
    }
    const stream = Buffer.from(options.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()
    const expected = options.hasRevision() ? Number(options.getRevision()) : options.hasNoStream() ? -1 : 'any'
    const outcome = this.store.append(stream, events, expected)
    if (fault === 'lost after') return answer(status(grpc.status.UNAVAILABLE))
    // A server that was held up says so of what it goes on to commit.
    if (fault === 'timed out after') {
      return answer({ ...status(grpc.status.ABORTED), details: 'Operation timed out: Commit phase timeout.' })
    }
    if (fault === 'never answered') return
    answer(null, this.#answers.appended(outcome, expected))
  }

  async #read(call: ReadCall): Promise<void> {
    const options = call.request.getOptions() as ReadReq.Options
    const gone = new AbortController()
    for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, () => gone.abort())
    const send = async (message: ReadResp): Promise<void> => {
      if (gone.signal.aborted || call.destroyed || call.writableEnded) return gone.abort()
      if (call.write(message)) return
      this.heldBack = true
      await once(call, 'drain', { signal: gone.signal }).catch(() => {})
      this.heldBack = false
    }
    if (options.hasSubscription()) this.calls.subscribe++
    else this.calls.read++
    if (this.silent) return
    if (options.hasAll() && this.#isInARecord(options)) {
      const said = options.hasSubscription() ? 'Exception was thrown by handler.' : 'Unexpected ReadAllResult: Error'
      call.emit('error', { ...status(grpc.status.UNKNOWN), details: said })
    } else if (options.hasSubscription()) await this.#subscribe(call, options, send, gone.signal)
    else if (options.hasAll()) await this.#readAll(options, send, gone.signal)
    else await this.#readStream(options, send, gone.signal)
    if (!call.destroyed && !call.writableEnded) call.end()
  }

  /** 23.10 tells of it as of any fault of its own. Beyond its end, reads forwards find nothing, those backwards fail. */
  #isInARecord(options: ReadReq.Options): boolean {
    const asked = options.getAll()?.getPosition()
    if (!asked) return false
    const position = Number(asked.getCommitPosition())
    const { all, end } = this.store
    if (position >= end) return position > end && options.getReadDirection() === 1
    return all[lowerBound(all, position)]?.position !== position
  }

  async #readStream(options: ReadReq.Options, send: Send, gone: AbortSignal): Promise<void> {
    const asked = options.getStream() as ReadReq.Options.StreamOptions
    const name = Buffer.from(asked.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()
    const there = this.store.streams.get(name)
    if (!there) {
      return send(this.#answers.notFound(name))
    }
    const backwards = options.getReadDirection() === 1
    const from = asked.hasRevision() ? Number(asked.getRevision()) : asked.hasEnd() ? there.length - 1 : 0
    let revision = backwards ? Math.min(from, there.length - 1) : from
    this.mostAsked = Math.max(this.mostAsked, Number(options.getCount()))
    for (let left = Number(options.getCount()); left > 0 && !gone.aborted; left--) {
      const event = there[revision]
      if (!event) return
      await send(this.#answers.event(event, this.oldPositions ? 2n ** 64n - 1n : undefined))
      revision += backwards ? -1 : 1
    }
  }

  async #readAll(options: ReadReq.Options, send: Send, gone: AbortSignal): Promise<void> {
    const { all } = this.store
    const asked = options.getAll() as ReadReq.Options.AllOptions
    const backwards = options.getReadDirection() === 1
    const from = asked.hasPosition() ? Number(asked.getPosition()?.getCommitPosition()) : 0
    const before = asked.hasPosition() ? lowerBound(all, from) : all.length
    let index = backwards ? before - 1 : before
    if (!backwards && !asked.hasPosition()) index = 0
    this.mostAsked = Math.max(this.mostAsked, Number(options.getCount()))
    for (let left = Number(options.getCount()); left > 0 && !gone.aborted; left--) {
      const event = all[index]
      if (!event) return
      this.eventsRead++
      await send(this.#answers.event(event))
      index += backwards ? -1 : 1
    }
  }

  async #subscribe(call: ReadCall, options: ReadReq.Options, send: Send, gone: AbortSignal): Promise<void> {
    this.#subscriptions.add(call)
    gone.addEventListener('abort', () => this.#subscriptions.delete(call))
    await send(this.#answers.confirmation())
    const allows = conditionOf(options.getFilter())
    const window = options.getFilter()?.getMax() ?? 32
    const { all } = this.store
    const asked = options.getAll() as ReadReq.Options.AllOptions
    // Beyond its end, what comes next is what follows, wherever that stands.
    const after = Math.min(Number(asked.getPosition()?.getCommitPosition()), this.store.end - 1)
    const from = asked.hasPosition() ? after + 1 : 0
    let caughtUp = false
    let sinceMark = 0
    for (let index = lowerBound(all, from); !gone.aborted; ) {
      const event = all[index]
      if (!event) {
        if (!caughtUp && !this.untold) await send(this.#answers.caughtUp())
        caughtUp = true
        await this.store.news(gone)
        continue
      }
      index++
      if (allows(event)) {
        this.eventsSent++
        await send(this.#answers.event(event))
      }
      if (++sinceMark < window) continue
      sinceMark = 0
      await send(this.#answers.checkpoint(event.end))
    }
  }

  #leaderIs(): Partial<grpc.StatusObject> {
    const about = { exception: 'not-leader', 'leader-endpoint-host': '127.0.0.1' }
    return status(grpc.status.NOT_FOUND, { ...about, 'leader-endpoint-port': String(this.#port) })
  }
}

/**
 * The head of every answer, before the question is whole: with it the head of the question is acknowledged, for which
 * KurrentDB's bridge waits (Nagle's algorithm), in three calls out of ten 40 ms (RFC 1122 § 4.2.3.2) without it.
 */
const answerAtOnce: grpc.ServerInterceptor = (_method, call) =>
  new grpc.ServerInterceptingCall(call, {
    start: (next) => {
      call.sendMetadata(new grpc.Metadata())
      next()
    },
  })

type Send = (message: ReadResp) => Promise<void>

const status = (code: grpc.status, about: Record<string, string> = {}) => {
  const metadata = new grpc.Metadata()
  for (const [key, value] of Object.entries(about)) metadata.set(key, value)
  return { code, details: about.exception ?? grpc.status[code] ?? '', metadata }
}

const eventIn = (proposed: AppendReq.ProposedMessage): Proposed => ({
  id: proposed.getId()?.getString() ?? '',
  type: proposed.getMetadataMap().get('type') ?? '',
  contentType: proposed.getMetadataMap().get('content-type') ?? '',
  data: proposed.getData_asU8(),
  metadata: proposed.getCustomMetadata_asU8(),
})

const conditionOf = (filter: ReadReq.Options.FilterOptions | undefined): ((event: StoredEvent) => boolean) => {
  if (!filter) return () => true
  const onStream = filter.getStreamIdentifier()
  const expression = onStream ?? filter.getEventType()
  const regex = expression?.getRegex()
  const prefixes = expression?.getPrefixList() ?? []
  return (event) => {
    const text = onStream ? event.stream : event.type
    return regex ? new RegExp(regex).test(text) : prefixes.some((prefix) => text.startsWith(prefix))
  }
}

/** Index of the first event at or after `position`. */
const lowerBound = (all: readonly StoredEvent[], position: number): number => {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((all[middle] as StoredEvent).position < position) low = middle + 1
    else high = middle
  }
  return low
}
