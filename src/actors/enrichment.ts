// What commands need beyond their actor's own state, which does not keep it: the next message ids, the row of the message
// they are about, what the rules for all rooms say of their text.

import type { EventObject } from 'xstate'
import { LogUnavailable } from '../log/event-log.ts'
import type { Actor, Enriched, WaitingCommand } from './actor.ts'
import type { GlobalRules } from './global-rules.ts'
import type { MessageIds } from './message-ids.ts'
import { refused } from './outcome.ts'
import type { MessageRow } from './room/room.facts.ts'

/** The message as of at least `revision` of the room's stream. @throws LogUnavailable */
export type MessageOfRoom = (roomStream: string, revision: number, id: number) => Promise<MessageRow | null>

export class Enrichment {
  readonly #messageIds: MessageIds
  readonly #rules: GlobalRules
  readonly #store: { readonly message: MessageOfRoom }
  readonly #onFault: (where: string, error: unknown) => void

  constructor(
    messageIds: MessageIds,
    rules: GlobalRules,
    store: { readonly message: MessageOfRoom },
    onFault: (where: string, error: unknown) => void,
  ) {
    this.#messageIds = messageIds
    this.#rules = rules
    this.#store = store
    this.#onFault = onFault
  }

  /** @throws LogUnavailable */
  async enrich(actor: Actor, batch: readonly WaitingCommand[]): Promise<Enriched> {
    const [together, later] = untilAskedTwice(batch)
    const posts = together.reduce((count, { event }) => count + (event.type === 'message.post' ? 1 : 0), 0)
    let nextId = 0
    if (posts > 0) {
      const { lastMessageId } = actor.snapshot.context as { lastMessageId: number }
      nextId = await this.#messageIds.take(posts, lastMessageId)
    }
    const ready: WaitingCommand[] = []
    for (const waiting of together) {
      const { event } = waiting
      const id = askedAbout(event)
      if (event.type === 'message.post') {
        const text = textOf(event)
        const blocked = this.#rules.verdictOn(text)
        ready.push({ ...waiting, event: { ...event, newId: nextId++, text, blocked } as typeof event })
      } else if (id !== null) {
        const message = await this.#messageOf(actor, id, waiting)
        if (message === 'unread') continue
        const text = textOf(event)
        const said = event.type === 'message.edit' ? { text, blocked: this.#rules.verdictOn(text) } : {}
        ready.push({ ...waiting, event: { ...event, message, ...said } as unknown as typeof event })
      } else ready.push(waiting)
    }
    return { ready, later }
  }

  /** Read models that cannot answer refuse the one who needs them, and nobody else of the batch. */
  async #messageOf({ stream, revision }: Actor, id: number, { settle }: WaitingCommand) {
    try {
      return await this.#store.message(stream, revision, id)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) this.#onFault(stream, error)
      settle(refused(error instanceof LogUnavailable ? 'unavailable' : 'faulted'))
      return 'unread'
    }
  }
}

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
