// Texts of messages that are removed now are not shown among facts: who wants one asks for the room's history.

import type { Fact } from '../actors/fact.ts'
import { shownFact } from '../actors/shown.ts'
import type { Requests } from './request.ts'

/** Ids of the messages in these facts of a room that are removed now. @throws LogUnavailable */
export const removedAmong = async (
  requests: Requests,
  stream: string,
  facts: readonly Fact[],
): Promise<ReadonlySet<unknown>> => {
  const removed = new Set<unknown>()
  const ids = new Set(
    facts.flatMap(({ type, data }) =>
      type === 'MessagePosted' || type === 'MessageEdited' ? [(data as { id: number }).id] : [],
    ),
  )
  const room = stream.slice('room-'.length)
  await Promise.all(
    [...ids].map(async (id) => {
      const { result } = await requests.read('room.message', { room, id })
      if (result?.removed) removed.add(id)
    }),
  )
  return removed
}

/** What may be shown of a fact's data, without the text of a removed message. */
export const shownBut = (removed: ReadonlySet<unknown>, { type, data }: Fact): Record<string, unknown> => {
  const shown = shownFact(type, data)
  if (removed.has(shown.id) && 'text' in shown) {
    delete shown.text
    shown.removed = true
  }
  return shown
}
