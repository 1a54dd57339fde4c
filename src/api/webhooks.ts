// Outgoing webhooks: facts of chosen types, posted in the log's order to a backend that wants to hear without a socket.
//
// At least once: how far it was delivered stands in the log itself (stream `webhook-<hash of the address>`), so a
// restart goes on there, and what the backend did not confirm with 2xx is posted again, with growing pauses, before
// anything later. The body is signed, so that the backend knows who posts and that it is not an old one played again.

import { createHash, createHmac } from 'node:crypto'
import type { Host } from '../actors/host.ts'
import { type Clock, pause } from '../actors/ports.ts'
import { type EventLog, isPlaceIn, NoSuchPosition, type Recorded } from '../log/event-log.ts'
import { factItem } from './fact-item.ts'

const MAX_EVENTS = 100
const ANSWER_WITHIN_MS = 10_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 300_000
/** facts that come within it leave together */
const GATHER_MS = 50

/** What a backend is told of when nothing else is set. */
export const WEBHOOK_TYPES = [
  'MessagePosted',
  'MessageEdited',
  'MessageRemoved',
  'UserRegistered',
  'UserBanned',
  'BanLifted',
  'BanExpired',
  'MemberBanned',
  'UserMuted',
  'UserUnmuted',
  'MuteExpired',
] as const

export interface WebhookOptions {
  readonly url: string
  readonly secret: string
  readonly types: readonly string[]
}

/** `t=<seconds>,v1=<hex HMAC-SHA-256 of "<seconds>.<body>">` */
export const signature = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`

export const webhookStream = (url: string): string =>
  `webhook-${createHash('sha256').update(url).digest('hex').slice(0, 32)}`

/** Which of the facts the backend has heard cannot be told. */
export class WebhookLost extends Error {
  constructor(stream: string, cause: NoSuchPosition) {
    super(
      `the webhook was delivered up to what stream ${stream} says, but ${cause.message}; another HANSARD_WEBHOOK_URL ` +
        '(the same with ?2 added) begins from now on',
    )
    this.name = 'WebhookLost'
  }
}

interface Told {
  onWarning(text: string): void
  onFault(where: string, error: unknown): void
}

export class Webhooks {
  readonly #log: EventLog
  readonly #host: Host
  readonly #clock: Clock
  readonly #options: WebhookOptions
  readonly #stopped = new AbortController()
  readonly #onWarning: (text: string) => void
  readonly #onFault: (where: string, error: unknown) => void
  #waiting: Recorded[] = []
  #running: Promise<void> = Promise.resolve()
  /** since when posts fail, ms since 1970; null: they do not */
  failingSince: number | null = null

  constructor(log: EventLog, host: Host, options: WebhookOptions, { onWarning, onFault }: Told) {
    this.#log = log
    this.#host = host
    this.#clock = host.clock
    this.#options = options
    this.#onWarning = onWarning
    this.#onFault = onFault
  }

  /** The first time from now on, later from where it was. @throws LogUnavailable, WebhookLost */
  async start(): Promise<void> {
    const stream = webhookStream(this.#options.url)
    const known = (await this.#host.ledger.last(stream))?.data as { upTo: number } | undefined
    const from = known?.upTo ?? (await this.#log.head())
    if (!known) await this.#host.ledger.append(stream, () => ({ type: 'WebhookDelivered', data: { upTo: from } }))
    // A server's log that was copied into another has its facts elsewhere.
    if (!(await isPlaceIn(this.#log, from))) throw new WebhookLost(stream, new NoSuchPosition(from))
    this.#running = Promise.all([this.#gather(from), this.#deliver()]).then(
      () => {},
      (error) => this.#onFault('webhooks: nothing is posted until a restart', error),
    )
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #gather(from: number): Promise<void> {
    const { signal } = this.#stopped
    const filter = { types: this.#options.types }
    for await (const fact of this.#log.subscribe({ from, filter, signal })) {
      if ('caughtUp' in fact) continue
      this.#waiting.push(fact)
      // What waits stands in the log: it need not pile up here as well.
      while (this.#waiting.length >= MAX_EVENTS * 10 && !signal.aborted) await pause(this.#clock, GATHER_MS, signal)
    }
  }

  async #deliver(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      await pause(this.#clock, GATHER_MS, signal)
      const some = this.#waiting.slice(0, MAX_EVENTS)
      if (some.length === 0) continue
      const epoch = await this.#log.epoch()
      const body = JSON.stringify({ events: some.map((fact) => factItem(epoch, fact)) })
      if (!(await this.#post(body))) return
      this.#waiting.splice(0, some.length)
      const upTo = (some.at(-1) as Recorded).position
      await this.#host.ledger
        .append(webhookStream(this.#options.url), () => ({ type: 'WebhookDelivered', data: { upTo } }))
        .catch((error) => this.#onWarning(`webhook: how far it was delivered could not be stored: ${error}`))
    }
  }

  /** Until it is confirmed; false: stopped before that. */
  async #post(body: string): Promise<boolean> {
    const { url, secret } = this.#options
    const { signal } = this.#stopped
    for (let wait = FIRST_WAIT_MS; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const failed = await this.#try(url, body, signature(secret, Math.floor(this.#clock.now() / 1_000), body))
      if (failed === null) {
        this.failingSince = null
        return true
      }
      if (this.failingSince === null) {
        this.failingSince = this.#clock.now()
        this.#onWarning(`webhook: ${failed}; it is tried again until it is confirmed`)
      }
      await pause(this.#clock, wait * (0.5 + this.#host.chance.fraction() / 2), signal)
    }
    return false
  }

  /** null: confirmed; else why not. */
  async #try(url: string, body: string, signed: string): Promise<string | null> {
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-hansard-signature': signed },
        body,
        redirect: 'error',
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      })
      await answer.body?.cancel()
      return answer.ok ? null : `the backend answered ${answer.status}`
    } catch (error) {
      return `the backend did not answer: ${(error as Error).message}`
    }
  }
}
