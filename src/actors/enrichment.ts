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

/** The message as of at least `revision` of the room's stream. @throws LogUnavailable */
export type MessageOfRoom = (roomStream: string, revision: number, id: number) => Promise<MessageRow | null>

/** A whole room waits for the rows of a batch: no longer than this. */
const WAIT_FOR_ROWS_MS = 1_000

export interface EnrichmentOptions {
  readonly messageIds: MessageIds
  readonly rules: GlobalRules
  readonly message: MessageOfRoom
  readonly clock: Clock
  onFault(where: string, error: unknown): void
}

export class Enrichment {
  readonly #options: EnrichmentOptions

  constructor(options: EnrichmentOptions) {
    this.#options = options
  }

  /** @throws LogUnavailable when no ids can be had */
  async enrich(actor: Actor, batch: readonly WaitingCommand[]): Promise<Enriched> {
    const [together, later] = untilAskedTwice(batch)
    const [firstId, rows] = await Promise.all([this.#idsFor(actor, together), this.#rowsFor(actor, together)])
    let nextId = firstId
    const ready: WaitingCommand[] = []
    for (const waiting of together) {
      const { event, settle } = waiting
      const id = askedAbout(event)
      const row = id === null ? null : (rows.get(id) ?? null)
      if (row !== null && 'refusal' in row) settle(row)
      else if (event.type === 'message.post') ready.push(completed(waiting, { newId: nextId++, ...this.#said(event) }))
      else if (event.type === 'message.edit') ready.push(completed(waiting, { message: row, ...this.#said(event) }))
      else ready.push(id === null ? waiting : completed(waiting, { message: row }))
    }
    return { ready, later }
  }

  #said(event: object) {
    const text = textOf(event)
    return { text, blocked: this.#options.rules.verdictOn(text) }
  }

  async #idsFor(actor: Actor, batch: readonly WaitingCommand[]): Promise<number> {
    const posts = batch.reduce((count, { event }) => count + (event.type === 'message.post' ? 1 : 0), 0)
    if (posts === 0) return 0
    const { lastMessageId } = actor.snapshot.context as { lastMessageId: number }
    return this.#options.messageIds.take(posts, lastMessageId)
  }

  async #rowsFor(actor: Actor, batch: readonly WaitingCommand[]): Promise<ReadonlyMap<number, Row>> {
    const ids = batch.flatMap(({ event }) => askedAbout(event) ?? [])
    if (ids.length === 0) return NO_ROWS
    return new Map(await Promise.all(ids.map(async (id) => [id, await this.#row(actor, id)] as const)))
  }

  /** Read models that cannot answer refuse the one who needs them, and nobody else of the batch. */
  #row({ stream, revision }: Actor, id: number): Promise<Row> {
    const { clock, message, onFault } = this.#options
    return new Promise((settle) => {
      const cancel = clock.at(clock.now() + WAIT_FOR_ROWS_MS, () => settle(refused('unavailable')))
      message(stream, revision, id)
        .then(settle, (error) => {
          if (!(error instanceof LogUnavailable)) onFault(stream, error)
          settle(refused(error instanceof LogUnavailable ? 'unavailable' : 'faulted'))
        })
        .finally(cancel)
    })
  }
}

type Row = MessageRow | Refused | null

const NO_ROWS: ReadonlyMap<number, Row> = new Map()

const completed = ({ event, settle }: WaitingCommand, more: object): WaitingCommand => ({
  event: { ...event, ...more },
  settle,
})

/** The message that a command is about, whose row the host brings. */
const askedAbout = (event: EventObject): number | null => (isAboutMessage(event) ? event.id : null)

const isAboutMessage = (event: EventObject): event is EventObject & { readonly id: number } =>
  event.type === 'message.edit' || event.type === 'message.remove' || event.type === 'message.restore'

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
