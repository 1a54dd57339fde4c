// Texts of messages that are removed now are not shown among facts, whichever door gives them: who wants one asks for the
// room's history, and that they read it is on record.

import type { Fact } from '../actors/fact.ts'
import { roomOf } from '../actors/room/room.facts.ts'
import { shownFact } from '../actors/shown.ts'
import type { Requests } from './request.ts'

type Said = Pick<Fact, 'type' | 'data'>

const SAYS: ReadonlySet<string> = new Set(['MessagePosted', 'MessageEdited'])

/** Ids of the messages in these facts of a room that are removed now. @throws LogUnavailable */
export const removedAmong = async (
  requests: Requests,
  stream: string,
  facts: readonly Said[],
): Promise<ReadonlySet<unknown>> => {
  const removed = new Set<unknown>()
  const ids = new Set(facts.flatMap(({ type, data }) => (SAYS.has(type) ? [(data as { id: number }).id] : [])))
  const room = roomOf(stream)
  await Promise.all(
    [...ids].map(async (id) => {
      const { result } = await requests.read('room.message', { room, id })
      if (result?.removed) removed.add(id)
    }),
  )
  return removed
}

/** What may be shown of a fact's data, without the text of a removed message. */
export const shownBut = (removed: ReadonlySet<unknown>, { type, data }: Fact): Record<string, unknown> =>
  removed.has((data as { id?: unknown }).id) ? withoutText(shownFact(type, data)) : shownFact(type, data)

export const withoutText = ({ text, ...shown }: Record<string, unknown>): Record<string, unknown> =>
  text === undefined ? shown : { ...shown, removed: true }
