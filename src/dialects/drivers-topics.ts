// Topics as drivers.uz clients see them: a room with an alias `drivers:<id>`, inside a space with one. What is news of a
// topic goes to everybody who has signed in (docs/protocols/drivers.md §2), not only to those in it.

import type { Fact, Person } from '../actors/fact.ts'
import type { FrameOut, NewsView, RoomNews } from './dialect.ts'

const PREFIX = 'drivers:'

/** Its number in this protocol; null: it is not shown here. */
export const topicNumber = ({ aliases }: { readonly aliases: readonly string[] }): number | null => {
  const alias = aliases.find((each) => each.startsWith(PREFIX))
  return alias === undefined ? null : Number(alias.slice(PREFIX.length))
}

const shown = ({ number, username }: Pick<Person, 'number' | 'username'>) => ({ id: number, username })

/** What a client wrote when it made the topic, kept beside the room's name. */
export interface TopicExtra {
  readonly body: string | null
  readonly attrs: unknown
  /** the account's id */
  readonly owner: string
}

export const topicExtra = ({ extra }: Pick<RoomNews, 'extra'>): TopicExtra | null =>
  (extra.drivers as TopicExtra | undefined) ?? null

/** Times are ms since 1970. */
export const topicData = (
  room: RoomNews,
  parent: { readonly aliases: readonly string[] } | null,
  owner: Pick<Person, 'number' | 'username'> | null,
) => ({
  id: topicNumber(room),
  title: room.name,
  body: topicExtra(room)?.body ?? null,
  parent_room: parent && topicNumber(parent),
  closed: room.lockedAt !== null,
  owner: owner && shown(owner),
  attrs: topicExtra(room)?.attrs ?? null,
  created_at: room.openedAt,
  closed_at: room.lockedAt,
})

export const announceTopic = (fact: Fact, { room, parent, owner, person, since }: NewsView): FrameOut[] => {
  const topic = topicNumber(room)
  if (room.kind !== 'room' || topic === null) return []
  const event = (type: string, data: object): FrameOut[] => [
    { event: 'topic_events', args: [{ event_type: type, data }] },
  ]
  const changed = (type: string) => event(type, topicData(room, parent, owner))
  const membership = (type: 'joined' | 'left') =>
    person ? event(type, { id: topic, user: shown(person), subscribed_at: since }) : []
  switch (fact.type) {
    case 'RoomOpened':
      return changed('created')
    case 'RoomChanged': {
      const { mode } = fact.data as { mode?: 'open' | 'slow' | 'locked' }
      if (mode === 'locked') return changed('closed')
      return changed(mode === 'open' ? 'opened' : 'updated')
    }
    case 'RoomArchived':
      return changed('deleted')
    case 'MemberAdded':
      return membership('joined')
    case 'MemberRemoved':
      return membership('left')
    default:
      return []
  }
}
