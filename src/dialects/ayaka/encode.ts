// What Ayaka's clients hear of facts (§3).

import type { Fact } from '../../actors/fact.ts'
import type { RoomFact } from '../../actors/room/room.facts.ts'
import type { UserFact } from '../../actors/user/user.facts.ts'
import type { Addressed, Followed, FrameOut, RoomView, View, Welcome } from '../dialect.ts'
import { isPlainObject } from '../json.ts'
import { channelForm, guildForm, inOrder, memberForm, messageForm, numberOf, type Spoken, userForm } from './forms.ts'

export const frame = (t: string, d: unknown): FrameOut => ({ json: { t, d } })

const toAll = (t: string, d: unknown): Addressed[] => [{ frame: frame(t, d), to: 'all' }]

/** A guild with those of these rooms that are its channels. */
const wholeGuild = (guild: RoomView, rooms: readonly RoomView[]) => {
  const { room, owner } = guild
  const channels = rooms.filter(({ room: { parent } }) => parent === room.room)
  const number = numberOf(room)
  return { ...guildForm(room, owner), channels: inOrder(channels.map((each) => channelForm(each.room, number))) }
}

export const welcome = ({ connection, user, account, rooms }: Welcome, session: string | null): readonly FrameOut[] => {
  const s = connection
  const guilds = rooms.filter(({ room }) => room.kind === 'space')
  const self = user && userForm(user, account ?? 'member')
  return [
    { json: { t: 'HELLO', s, d: null, i: 'wait for READY' } },
    { json: { t: 'READY', s, d: { ...self, session_ids: [session] }, i: null } },
    ...guilds.map((guild) => ({ json: { t: 'GUILD_INIT', s, d: wholeGuild(guild, rooms), i: '' } })),
  ]
}

/** A guild that the account came to be in, or a channel that was opened in one of its guilds. */
export const followed = ({ user, room: view, channels, space, because }: Followed): readonly FrameOut[] => {
  const { room, owner } = view
  if (room.kind === 'room') {
    const guild = space && numberOf(space)
    return guild === null ? [] : [frame('CHANNEL_CREATE', channelForm(room, guild))]
  }
  const { data } = because as Extract<RoomFact, { type: 'MemberAdded' }>
  const made = data.role === 'owner' && data.by?.id === user
  return [made ? frame('GUILD_CREATE', guildForm(room, owner)) : frame('GUILD_JOIN', wholeGuild(view, channels))]
}

export interface EncodeOptions {
  /** false: of a message only its NOTIFICATION is told */
  readonly messageCreate: boolean
}

export const encode = (recorded: Fact, view: View, { messageCreate }: EncodeOptions): readonly Addressed[] => {
  const fact = recorded as RoomFact | UserFact
  const { at } = recorded.metadata
  // Of a status there is no room.
  if (fact.type === 'StatusChanged') return status(fact, view)
  if (view.room.kind === 'space') return ofGuild(fact as RoomFact, view)
  const { room, space, message } = view
  const shown = (spoken: Spoken) => messageForm(spoken, numberOf(room), space && numberOf(space))
  switch (fact.type) {
    case 'MessagePosted': {
      const { author, text } = fact.data
      const excerpt = shown({ ...fact.data, at })
      const type = noticeOf(text, ['owner', 'admin', 'mod'].includes(author.role))
      return [
        ...(messageCreate ? toAll('MESSAGE_CREATE', excerpt) : []),
        { frame: { json: { t: 'NOTIFICATION', type, excerpt } }, to: { exceptUser: author.id } },
      ]
    }
    case 'MessageEdited':
      return message ? toAll('MESSAGE_EDIT', shown(message)) : []
    case 'MessageRemoved':
      return message ? toAll('MESSAGE_DELETE', shown(message)) : []
    default:
      return []
  }
}

/** Only who keeps order there may call everybody. */
const noticeOf = (text: unknown, mayCall: boolean): 'MESSAGE' | 'EVERYONE' | 'HERE' => {
  if (!mayCall || typeof text !== 'string') return 'MESSAGE'
  if (text.includes('@everyone')) return 'EVERYONE'
  return text.includes('@here') ? 'HERE' : 'MESSAGE'
}

const ofGuild = (fact: RoomFact, { room, owner, person }: View): readonly Addressed[] => {
  const guild = numberOf(room)
  switch (fact.type) {
    case 'RoomChanged':
      return fact.data.name !== undefined || fact.data.extra?.ayaka !== undefined
        ? toAll('GUILD_UPDATE', guildForm(room, owner))
        : []
    case 'RoomArchived':
      return toAll('GUILD_DELETE', { id: guild })
    case 'InviteCreated':
      return toAll('INVITE_CREATE', { code: fact.data.code, guild_id: guild })
    case 'MemberAdded': {
      if (!person) return []
      const member = memberForm(person, fact.data.role, fact.metadata.at)
      return [{ frame: frame('MEMBER_JOIN', { guild_id: guild, member }), to: { exceptUser: person.id } }]
    }
    case 'MemberRemoved':
      // The kick or the ban was told.
      if (fact.data.after) return []
      return [{ frame: frame('GUILD_DELETE', { id: guild }), to: { onlyUser: fact.data.user } }]
    case 'MemberKicked':
    case 'MemberBanned':
      return [{ frame: frame('GUILD_DELETE', { id: guild }), to: { onlyUser: fact.data.user } }]
    default:
      return []
  }
}

/** With its last connection an account's presence ends. */
const OFFLINE = { type: 4, description: '', emoji: null, embed: null }

const status = (fact: Extract<UserFact, { type: 'StatusChanged' }>, { person }: View): readonly Addressed[] => {
  if (!person) return []
  const { ayaka = OFFLINE } = fact.data.status
  if (!isPlainObject(ayaka)) return []
  const json = { t: 'PRESENCE_UPDATE', id: person.number, d: ayaka }
  return [{ frame: { json }, to: { exceptUser: person.id }, topic: 'status' }]
}
