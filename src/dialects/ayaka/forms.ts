// What Ayaka's clients are shown of accounts, guilds, channels and messages (§3), over the socket and over REST alike.

import type { AccountRole, MemberRole, Person } from '../../actors/fact.ts'
import type { RoomContext } from '../../actors/room/room.context.ts'
import type { RoomExtra } from '../../actors/room/room.facts.ts'
import type { MessageView } from '../dialect.ts'
import { isPlainObject } from '../json.ts'

const NAME = 'ayaka'

/** Names are unique here, so that one separator does for all. */
const SEPARATOR = '0001'

export const CATEGORY = 1
export const TEXT_CHANNEL = 2

/** What this dialect keeps of a guild or a channel. */
export interface About {
  readonly description: string
  readonly type: number
  /** the category's number; 0: none */
  readonly inside_of: number
  readonly position: number
}

const PLAIN: About = { description: '', type: TEXT_CHANNEL, inside_of: 0, position: 0 }

/** A room that was opened elsewhere has none of it, and is a text channel. */
export const aboutOf = ({ extra }: { readonly extra: RoomExtra }): About => {
  const kept = extra[NAME]
  return isPlainObject(kept) ? { ...PLAIN, ...kept } : PLAIN
}

/** As it is kept, under this dialect's name. */
export const keptAs = (about: Partial<About>): RoomExtra => ({ [NAME]: about })

/** The number that clients know a room by; null: they do not see it. */
export const numberOf = ({ aliases }: { readonly aliases: readonly string[] }): number | null => {
  const alias = aliases.find((each) => each.startsWith(`${NAME}:`))
  return alias === undefined ? null : Number(alias.slice(NAME.length + 1))
}

export const roomName = (number: number): string => `${NAME}:${number}`

type Named = Pick<Person, 'number' | 'username'>

const named = ({ number, username }: Named) => ({ id: number, username, separator: SEPARATOR })

const FLAGS: Readonly<Record<AccountRole, number>> = { admin: 1, robot: 2, member: 0 }

export const userForm = (account: Named, role: AccountRole) => ({
  ...named(account),
  avatar_url: null,
  banner_url: null,
  flags: FLAGS[role],
  verified: false,
  system: false,
})

/** `owner` 0: nobody. */
export const guildForm = (room: RoomContext, owner: number | null) => ({
  id: numberOf(room),
  name: room.name,
  description: aboutOf(room).description,
  banner: null,
  invite_banner: null,
  vanity_url: null,
  verified: false,
  partnered: false,
  official: false,
  owner: owner ?? 0,
  emojis: [],
  roles: [],
})

export const channelForm = (room: RoomContext, guild: number | null) => {
  const { description, inside_of, type, position } = aboutOf(room)
  return { id: numberOf(room), name: room.name, description, inside_of, type, position, guild_id: guild }
}

export type ChannelForm = ReturnType<typeof channelForm>

/** As clients list them: by position, then in the order of their numbers. */
export const inOrder = (channels: readonly ChannelForm[]): ChannelForm[] =>
  [...channels].sort((one, other) => one.position - other.position || (one.id ?? 0) - (other.id ?? 0))

export const memberForm = (person: Named, role: MemberRole, joinedAt: number) => ({
  id: person.number,
  user: named(person),
  nick: null,
  avatar_url: null,
  banner_url: null,
  joined_at: new Date(joinedAt).toISOString(),
  deaf: false,
  mute: false,
  owner: role === 'owner',
  roles: [],
})

export type Spoken = Pick<MessageView, 'id' | 'author' | 'text' | 'at' | 'extra'>

/** What is kept beside a text. */
export const extraOf = (tts: boolean, embeds: readonly unknown[]) => ({ [NAME]: { tts, embeds } })

export const messageForm = ({ id, author, text, at, extra }: Spoken, channel: number | null, guild: number | null) => {
  const kept = extra?.[NAME]
  const { tts = false, embeds = [] } = isPlainObject(kept) ? kept : {}
  return {
    id,
    channel_id: channel,
    guild_id: guild,
    author: { id: author.number, user: named(author), nick: null, owner: author.role === 'owner', roles: [] },
    content: text,
    tts,
    embeds,
    created_at: new Date(at).toISOString(),
  }
}
