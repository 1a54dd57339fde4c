// One node a log: a start closes what the log holds open, so that a second node would end every connection of the first.
//
// A log of one's own is locked by its directory; one on a server is had by whoever says so last in stream `holder`. Who
// starts and finds another there asks (`LogWanted`); the other, if it lives, answers (`LogKept`) and the start ends. Who
// does not answer in ANSWER_MS is taken for dead, or as good as that, and ends when it hears that the log was taken:
// until then both may append, each at exact revisions. A process of the same data directory is known to be dead, since
// the directory is locked. Nothing is written but at starts and stops.

import { type EventLog, LogUnavailable } from '../log/event-log.ts'
import type { Fact } from './fact.ts'
import type { Host } from './host.ts'
import { holderStream, type NodeFactData } from './node.facts.ts'
import { pause } from './ports.ts'

const ANSWER_MS = 20_000
const LOOK_EVERY_MS = 250

export type Tenant = NodeFactData<'LogTaken'>

/** Another node serves this log, and has just said so. */
export class LogHeld extends Error {
  constructor({ node, machine }: Tenant) {
    super(`node ${node} on ${machine} serves this log, and one node a log may: stop that one first`)
    this.name = 'LogHeld'
  }
}

export interface HolderOptions {
  readonly host: Pick<Host, 'ledger' | 'clock'>
  readonly log: EventLog
  readonly self: Tenant
  /** another may have the log: its answer is waited for */
  onWaiting(text: string): void
  /** another has taken the log: this node must end at once */
  onLost(tenant: Tenant): void
  onFault(where: string, error: unknown): void
}

export class Holder {
  readonly #options: HolderOptions
  readonly #leaving = new AbortController()
  #watching: Promise<void> = Promise.resolve()

  /** @throws LogHeld, LogUnavailable */
  static async take(options: HolderOptions): Promise<Holder> {
    const holder = new Holder(options)
    const from = await options.log.head()
    const { revision } = await holder.#take()
    holder.#watching = holder.#watch(from, revision).catch((error) => options.onFault(`stream ${holderStream}`, error))
    return holder
  }

  private constructor(options: HolderOptions) {
    this.#options = options
  }

  /** @throws LogUnavailable */
  async leave(): Promise<void> {
    this.#leaving.abort()
    await this.#watching
    await this.#say('LogLeft', (last) => !(last?.type === 'LogTaken' && !this.#isOurs(last)))
  }

  async #take(): Promise<Fact> {
    for (;;) {
      const taken = await this.#say('LogTaken', (last) => this.#isFree(last))
      if (taken) return taken
      const wanted = await this.#say('LogWanted', (last) => !this.#isFree(last))
      const seen = wanted && (await this.#unanswered(wanted))
      // At that very place: who answers in the last moment is heard.
      const after = seen && (await this.#say('LogTaken', (last) => last?.revision === seen.revision))
      if (after) return after
    }
  }

  /** The last that was said once nobody has answered for long enough; null: somebody left. @throws LogHeld */
  async #unanswered(wanted: Fact): Promise<Fact | null> {
    const { host, onWaiting } = this.#options
    const due = host.clock.now() + ANSWER_MS
    onWaiting(`waiting ${ANSWER_MS / 1_000} s for the node that may have this log`)
    let seen = wanted
    while (host.clock.now() < due) {
      const next = await host.ledger.at(holderStream, seen.revision + 1)
      if (next?.type === 'LogKept') throw new LogHeld(tenantOf(next))
      if (next?.type === 'LogLeft') return null
      if (next) seen = next
      else await pause(host.clock, LOOK_EVERY_MS)
    }
    return seen
  }

  async #watch(from: number, taken: number): Promise<void> {
    const { log, host } = this.#options
    const { signal } = this.#leaving
    for await (const item of log.subscribe({ from, filter: { streamPrefixes: [holderStream] }, signal })) {
      if ('caughtUp' in item || item.stream !== holderStream || item.revision <= taken) continue
      for (let heeded = false; !heeded && !signal.aborted; ) {
        heeded = await this.#heed(item.revision).catch((error) => {
          if (error instanceof LogUnavailable) return false
          throw error
        })
        if (!heeded) await pause(host.clock, LOOK_EVERY_MS)
      }
    }
  }

  /** @throws LogUnavailable */
  async #heed(revision: number): Promise<true> {
    const { host, onLost } = this.#options
    const fact = await host.ledger.at(holderStream, revision)
    if (!fact || this.#isOurs(fact)) return true
    if (fact.type === 'LogWanted') await this.#say('LogKept', (last) => last?.type === 'LogWanted')
    if (fact.type === 'LogTaken') onLost(tenantOf(fact))
    return true
  }

  #say(type: 'LogTaken' | 'LogWanted' | 'LogKept' | 'LogLeft', may: (last: Fact | null) => boolean) {
    const { host, self } = this.#options
    return host.ledger.append(holderStream, (last) => (may(last) ? { type, data: self } : null))
  }

  #isFree(last: Fact | null): boolean {
    if (last === null || last.type === 'LogLeft') return true
    return last.type !== 'LogWanted' && tenantOf(last).directory === this.#options.self.directory
  }

  #isOurs(fact: Fact): boolean {
    return tenantOf(fact).incarnation === this.#options.self.incarnation
  }
}

const tenantOf = ({ data }: Fact): Tenant => data as Tenant
