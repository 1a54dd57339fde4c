import type { Fact, Person } from '../../actors/fact.ts'
import type { RoomContext } from '../../actors/room/room.context.ts'
import { type RoomFact, roomStream } from '../../actors/room/room.facts.ts'
import type { Addressed, MessageView, View } from '../dialect.ts'
import type { EventFrame, EventOf } from './schema.ts'

type Shown = EventOf<'posted'>['message']

const personOf = ({ id, number, username }: Pick<Person, 'id' | 'number' | 'username'>) => ({ id, number, username })
const presentOf = ({ role, ...person }: Person) => ({ ...personOf(person), role })

export const messageOf = ({ id, author, text, kind, at, ref, replyTo, edited }: Omit<MessageView, 'extra'>): Shown => ({
  id,
  author: presentOf(author),
  text,
  kind,
  at,
  ref,
  replyTo,
  edited,
})

export const roomOf = ({ room, name, mode, mutes }: RoomContext) => ({
  room,
  name,
  mode,
  mutes: [...mutes.values()].map(({ name: user, until }) => ({ user, until })),
})

export { presentOf }

const told = (event: EventFrame, to: Addressed['to'] = 'all'): Addressed[] => [{ frame: { json: event }, to }]

export const encode = (recorded: Fact, { room, person }: View): Addressed[] => {
  const fact = recorded as RoomFact
  const at = recorded.metadata.at
  const place = { room: room.room, revision: recorded.revision, at }
  // Of whoever is there as a member only their connection's stream tells, whose revisions mean nothing here.
  const presence = recorded.stream === roomStream(room.room) ? place : { ...place, revision: null }
  const { connection } = recorded.metadata
  switch (fact.type) {
    case 'MessagePosted': {
      const { clientRef: ref, ...posted } = fact.data
      return told({ is: 'posted', ...place, message: messageOf({ ...posted, at, ref, edited: false }) })
    }
    case 'MessageEdited':
      return told({ is: 'edited', ...place, message: fact.data.id, text: fact.data.text })
    case 'MessageRemoved':
      return told({ is: 'removed', ...place, message: fact.data.id, by: fact.data.by })
    case 'MessageRestored':
      return told({ is: 'restored', ...place, message: fact.data.id, by: fact.data.by })
    case 'PresenceEntered':
      if (!fact.data.first) return []
      return told({ is: 'entered', ...presence, user: presentOf(fact.data.user) }, { except: fact.data.connection })
    case 'PresenceLeft':
      if (!fact.data.last) return []
      return told({ is: 'left', ...presence, user: presentOf(fact.data.user) }, { except: fact.data.connection })
    case 'UserMuted': {
      const { name: user, until, by, reason } = fact.data
      return told({ is: 'muted', ...place, user, until, by, reason })
    }
    case 'UserUnmuted':
      return told({ is: 'unmuted', ...place, user: fact.data.name, by: fact.data.by })
    case 'MuteExpired':
      return told({ is: 'unmuted', ...place, user: fact.data.name, by: null })
    case 'RoomChanged':
      return told({ is: 'changed', ...place, name: room.name, mode: room.mode })
    case 'MemberAdded':
    case 'MemberRoleGranted':
      return told({ is: 'role', ...place, user: fact.data.user, role: fact.data.role })
    case 'MemberRoleRevoked':
      return told({ is: 'role', ...place, user: fact.data.user, role: 'member' })
    case 'MemberRemoved':
      return told({ is: 'role', ...place, user: fact.data.user, role: null })
    case 'MemberBanned':
      return told({ is: 'banned', ...place, user: fact.data.user, until: fact.data.until, by: fact.data.by })
    case 'MemberKicked':
      return told({ is: 'kicked', ...place, user: fact.data.user, by: fact.data.by })
    case 'RoomArchived':
      return told({ is: 'archived', ...place, by: fact.data.by })
    default:
      break
  }
  if (!person) return []
  const others = connection ? { except: connection } : ('all' as const)
  const about = { room: room.room, user: personOf(person) }
  switch (recorded.type) {
    case 'TypingStarted':
      return told({ is: 'typing', ...about, on: true }, others)
    case 'TypingStopped':
      return told({ is: 'typing', ...about, on: false }, others)
    case 'ReadMarked':
      return told({ is: 'read', ...about, message: (recorded.data as { upTo: number }).upTo }, others)
    default:
      return []
  }
}
