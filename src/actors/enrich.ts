// What commands need beyond their actor's own state, brought in once before a batch is decided: the next message ids, what
// the rules for all rooms say of a text, and the messages that commands are about.

import { LogUnavailable } from '../log/event-log.ts'
import type { Actor, WaitingCommand } from './actor.ts'
import type { GlobalRules } from './global-rules.ts'
import type { MessageIds } from './message-ids.ts'
import { type Refused, refused } from './outcome.ts'
import type { Clock } from './ports.ts'
import type { MessageRow } from './room/room.facts.ts'
import { isAboutMessage, MessageRows } from './room/room.rows.ts'

/** The whole room waits for the rows of a batch: no longer than this. */
const WAIT_FOR_ROWS_MS = 1_000

/** A batch as it is decided. */
export interface Enriched {
  readonly commands: readonly WaitingCommand[]
  readonly rows: MessageRows
}

export interface EnrichmentOptions {
  readonly clock: Clock
  readonly rules: GlobalRules
  readonly messageIds: MessageIds
  /** the message as of at least `revision` of the room's stream */
  message(roomStream: string, revision: number, id: number): Promise<MessageRow | null>
  fault(actor: Actor, error: unknown): void
}

export class Enrichment {
  readonly #options: EnrichmentOptions

  constructor(options: EnrichmentOptions) {
    this.#options = options
  }

  /** @throws LogUnavailable when no ids can be had */
  async enrich(actor: Actor, batch: readonly WaitingCommand[]): Promise<Enriched> {
    const [firstId, rows] = await Promise.all([this.#idsFor(actor, batch), this.#rowsFor(actor, batch)])
    let nextId = firstId
    const commands = batch.map((waiting) => {
      const { event } = waiting
      if (event.type === 'message.post')
        return { ...waiting, event: { ...event, newId: nextId++, ...this.#said(event) } }
      return event.type === 'message.edit' ? { ...waiting, event: { ...event, ...this.#said(event) } } : waiting
    })
    return { commands, rows }
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

  async #rowsFor(actor: Actor, batch: readonly WaitingCommand[]): Promise<MessageRows> {
    const ids = new Set<number>()
    for (const { event } of batch) if (isAboutMessage(event)) ids.add(event.id)
    if (ids.size === 0) return NO_ROWS
    return new MessageRows(await Promise.all([...ids].map(async (id) => [id, await this.#row(actor, id)] as const)))
  }

  /** What one row's reading comes to is nobody else's affair. */
  #row(actor: Actor, id: number): Promise<MessageRow | null | Refused> {
    const { clock, message, fault } = this.#options
    return new Promise((settle) => {
      const cancel = clock.at(clock.now() + WAIT_FOR_ROWS_MS, () => settle(refused('unavailable')))
      message(actor.stream, actor.revision, id)
        .then(settle, (error) => {
          const away = error instanceof LogUnavailable
          if (!away) fault(actor, error)
          settle(refused(away ? 'unavailable' : 'faulted'))
        })
        .finally(cancel)
    })
  }
}

const NO_ROWS = new MessageRows()

/** Half a surrogate pair is no text: no store keeps it, and it would be another text on every way. */
const textOf = (event: object): string =>
  'text' in event && typeof event.text === 'string' ? event.text.toWellFormed() : ''
