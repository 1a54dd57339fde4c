// The messages that a batch of a room's commands is about. A room does not remember them: their rows are read from a read
// model once for the batch, and what the batch decides changes them as it will change the read model, so that each command
// is decided on what the ones before it leave.

import type { EventObject } from 'xstate'
import type { Fact } from '../fact.ts'
import type { Refused } from '../outcome.ts'
import type { MessageRow, RoomFact } from './room.facts.ts'

/** As read: the message, that there is none, or why it cannot be had now. */
type Row = MessageRow | null | Refused

type AboutMessage = EventObject & { readonly id: number }

export const isAboutMessage = (command: EventObject): command is AboutMessage =>
  command.type === 'message.edit' || command.type === 'message.remove' || command.type === 'message.restore'

export class MessageRows {
  readonly #rows: Map<number, Row>

  constructor(rows: Iterable<readonly [id: number, row: Row]> = []) {
    this.#rows = new Map(rows)
  }

  /** For a fork, which may come to nothing. */
  copy(): MessageRows {
    return this.#rows.size === 0 ? this : new MessageRows(this.#rows)
  }

  /** The command with the message it is about; a refusal when that cannot be had now. */
  complete<Command extends EventObject>(command: Command): Command | Refused {
    if (!isAboutMessage(command)) return command
    const row = this.#rows.get(command.id) ?? null
    return row && 'refusal' in row ? row : { ...command, message: row }
  }

  /** A row may be ahead of the fact: what was folded into it already leaves it as it is in the end. */
  evolve(fact: Fact): void {
    if (this.#rows.size === 0) return
    const { type, data, revision } = fact as RoomFact
    if (type === 'MessagePosted') {
      const { id, author, text } = data
      if (this.#rows.has(id)) this.#rows.set(id, { id, revision, author: author.id, text, removed: false })
    } else if (type === 'MessageEdited') this.#change(data.id, { text: data.text })
    else if (type === 'MessageRemoved') this.#change(data.id, { removed: true })
    else if (type === 'MessageRestored') this.#change(data.id, { removed: false })
  }

  #change(id: number, change: Partial<MessageRow>): void {
    const row = this.#rows.get(id)
    if (row && !('refusal' in row)) this.#rows.set(id, { ...row, ...change })
  }
}
