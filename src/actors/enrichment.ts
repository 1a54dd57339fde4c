// What commands need beyond their actor's own state, which does not keep it: the next message ids, the row of the message
// they are about, what the rules for all rooms say of their text.

import type { EventObject } from 'xstate'
import { LogUnavailable } from '../log/event-log.ts'
import type { Actor, Enriched, WaitingCommand } from './actor.ts'
import type { GlobalRules } from './global-rules.ts'
import type { MessageIds } from './message-ids.ts'
import { type Refused, refused } from './outcome.ts'
import type { Clock } from './ports.ts'
import type { MessageRow } from './room/room.facts.ts'

/** The whole room waits for the rows of a batch: no longer than this. */
const WAIT_FOR_ROWS_MS = 1_000

/** The message as of at least `revision` of the room's stream. @throws LogUnavailable */
export type MessageOfRoom = (roomStream: string, revision: number, id: number) => Promise<MessageRow | null>

export class Enrichment {
  readonly #clock: Clock
  readonly #messageIds: MessageIds
  readonly #rules: GlobalRules
  readonly #store: { readonly message: MessageOfRoom }
  readonly #onFault: (where: string, error: unknown) => void

  constructor(
    clock: Clock,
    messageIds: MessageIds,
    rules: GlobalRules,
    store: { readonly message: MessageOfRoom },
    onFault: (where: string, error: unknown) => void,
  ) {
    this.#clock = clock
    this.#messageIds = messageIds
    this.#rules = rules
    this.#store = store
    this.#onFault = onFault
  }

  /** @throws LogUnavailable */
  async enrich(actor: Actor, batch: readonly WaitingCommand[]): Promise<Enriched> {
    const [together, later] = untilAskedTwice(batch)
    const [firstId, rows] = await Promise.all([
      this.#idsFor(actor, together),
      Promise.all(together.map(({ event }) => this.#rowFor(actor, askedAbout(event)))),
    ])
    let nextId = firstId
    const ready: WaitingCommand[] = []
    for (const [index, waiting] of together.entries()) {
      const { event, settle } = waiting
      const message = rows[index]
      if (event.type === 'message.post') {
        ready.push(withMore(waiting, { newId: nextId++, ...this.#said(event) }))
      } else if (message === undefined) ready.push(waiting)
      else if (message !== null && 'refusal' in message) settle(message)
      else {
        const said = event.type === 'message.edit' ? this.#said(event) : {}
        ready.push(withMore(waiting, { message, ...said }))
      }
    }
    return { ready, later }
  }

  #said(event: EventObject) {
    const text = textOf(event)
    return { text, blocked: this.#rules.verdictOn(text) }
  }

  async #idsFor(actor: Actor, batch: readonly WaitingCommand[]): Promise<number> {
    const posts = batch.reduce((count, { event }) => count + (event.type === 'message.post' ? 1 : 0), 0)
    if (posts === 0) return 0
    const { lastMessageId } = actor.snapshot.context as { lastMessageId: number }
    return this.#messageIds.take(posts, lastMessageId)
  }

  /** Read models that cannot answer, or not in time, refuse the one who needs them, and nobody else of the batch. */
  #rowFor({ stream, revision }: Actor, id: number | null): Promise<MessageRow | null | Refused> | undefined {
    if (id === null) return undefined
    return new Promise((settle) => {
      const cancel = this.#clock.at(this.#clock.now() + WAIT_FOR_ROWS_MS, () => settle(refused('unavailable')))
      this.#store
        .message(stream, revision, id)
        .then(settle, (error) => {
          if (!(error instanceof LogUnavailable)) this.#onFault(stream, error)
          settle(refused(error instanceof LogUnavailable ? 'unavailable' : 'faulted'))
        })
        .finally(cancel)
    })
  }
}

const withMore = ({ event, settle }: WaitingCommand, more: object): WaitingCommand => ({
  event: { ...event, ...more },
  settle,
})

/** The message that a command is about, whose row the host brings. */
const askedAbout = (event: EventObject): number | null =>
  event.type === 'message.edit' || event.type === 'message.remove' || event.type === 'message.restore'
    ? (event as unknown as { id: number }).id
    : null

/** What is decided of a message changes its row, so whoever asks of the same one next is decided after that. */
const untilAskedTwice = (batch: readonly WaitingCommand[]): [WaitingCommand[], WaitingCommand[]] => {
  const asked = new Set<number>()
  const again = batch.findIndex(({ event }) => {
    const id = askedAbout(event)
    return id !== null && asked.size === asked.add(id).size
  })
  return again < 0 ? [[...batch], []] : [batch.slice(0, again), batch.slice(again)]
}

/** Half a surrogate pair is no text: no store keeps it, and it would be another text on every way. */
const textOf = (event: object): string =>
  'text' in event && typeof event.text === 'string' ? event.text.toWellFormed() : ''
