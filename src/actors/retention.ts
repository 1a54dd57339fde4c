// Retention of connections: the streams of those that closed long ago are deleted, whole, once the log says so.
//
// What outlives them is said first (ConnectionsRemembered), then which are forgotten (ConnectionsForgotten), and only then
// they are deleted. Every fold removes their rows on that fact, so that a rebuild gives the same rows before, between and
// after. A crash between is made good by the next run: it deletes again what the last fact names.

import { type EventLog, LogUnavailable } from '../log/event-log.ts'
import { connectionStream } from './connection/connection.facts.ts'
import type { Host } from './host.ts'
import { type NodeFactData, nodeStream } from './node.facts.ts'

const DAY_MS = 86_400_000
const FIRST_RUN_MS = 60_000
const RUN_EVERY_MS = 3_600_000
/** ids in one fact */
export const MAX_FORGOTTEN = 4_000
/** of what outlives them, in one fact */
const MAX_REMEMBERED = 300

export interface Forgettable {
  readonly ids: readonly string[]
  readonly closings: NodeFactData<'ConnectionsForgotten'>['closings']
  readonly acts: NodeFactData<'ConnectionsRemembered'>['acts']
  readonly reads: NodeFactData<'ConnectionsRemembered'>['reads']
}

/** What the read models know of it. */
export interface RetentionSource {
  /** connections closed before `before`; this revision of the node's stream is known there */
  forgettable(before: number, limit: number, atLeast: number | null): Promise<Forgettable>
  /** the ids that the last ConnectionsForgotten of the node's stream names */
  forgottenLast(atLeast: number | null): Promise<readonly string[]>
}

export interface RetentionOptions {
  readonly host: Host
  readonly log: EventLog
  readonly source: RetentionSource
  /** 0: nothing is forgotten */
  readonly days: number
  onFault(where: string, error: unknown): void
}

export class Retention {
  readonly #options: RetentionOptions
  #cancel: () => void = () => {}
  #stopped = false
  /** of the node's stream: the last ConnectionsForgotten of this process */
  #said: number | null = null

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.days > 0) this.#later(FIRST_RUN_MS)
  }

  /** What is under way is finished by the next process. */
  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  #later(ms: number): void {
    const { host, onFault } = this.#options
    this.#cancel = host.clock.at(host.clock.now() + ms, () => {
      const running = this.run().catch((error) => {
        // While the log is away it is looked at again in an hour; the record loses nothing by it.
        if (!(error instanceof LogUnavailable || this.#stopped)) onFault('retention', error)
      })
      void running.then(() => {
        if (!this.#stopped) this.#later(RUN_EVERY_MS)
      })
    })
  }

  /** Forgets all that is old enough now. @throws LogUnavailable */
  async run(): Promise<void> {
    const { host, source, days } = this.#options
    const stream = nodeStream(host.node)
    await this.#delete(await source.forgottenLast(this.#said))
    const before = host.clock.now() - days * DAY_MS
    while (!this.#stopped) {
      const { ids, closings, acts, reads } = await source.forgettable(before, MAX_FORGOTTEN, this.#said)
      if (ids.length === 0) return
      for (let from = 0; from < Math.max(acts.length, reads.length); from += MAX_REMEMBERED) {
        const some = <Item>(items: readonly Item[]) => items.slice(from, from + MAX_REMEMBERED)
        const data = { acts: some(acts), reads: some(reads) }
        await host.ledger.append(stream, () => ({ type: 'ConnectionsRemembered', data }))
      }
      const data = { before, ids: [...ids], closings }
      const fact = await host.ledger.append(stream, () => ({ type: 'ConnectionsForgotten', data }))
      this.#said = fact?.revision ?? this.#said
      await this.#delete(ids)
    }
  }

  async #delete(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const streams = ids.map(connectionStream)
    for (const stream of streams) this.#options.host.release(stream)
    await this.#options.log.deleteStreams(streams)
  }
}
