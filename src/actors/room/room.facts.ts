// The room's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import {
  type AccountRole,
  accountRole,
  type CommandFields,
  type FactEventsOf,
  type FactsOf,
  factType,
  fired,
  instant,
  kept,
  type MemberRole,
  memberRole,
  type Person,
  person,
  personal,
} from '../fact.ts'
import { type Blocked, type Rule, rule } from '../rules.ts'

export const roomStream = (room: string): string => `room-${room}`

const by = z.object({ id: z.string(), number: z.int(), username: personal(z.string(), 'id') }).nullable()
const reason = (whose: string) => personal(z.string().nullable(), whose)
const roomMode = z.enum(['open', 'slow', 'locked'])
export type RoomMode = z.infer<typeof roomMode>
const leaveCause = z.enum(['left', 'closed', 'kicked', 'banned', 'archived', 'node-lost'])
export type LeaveCause = z.infer<typeof leaveCause>

/** What a dialect wants kept beside the text: drivers.uz attrs and has_media, Ayaka embeds and tts. */
const extra = kept.nullable()

/**
 * What dialects keep of the room itself, each under its own name: drivers.uz body and attrs of a topic, Ayaka a channel's
 * type, category and description.
 */
export type RoomExtra = Readonly<z.infer<typeof kept>>

/** Whom a dialect notes as the owner there, for where nobody is a member as owner. */
export const notedOwner = (extra: RoomExtra, dialect: string): string | null => {
  const { owner } = (extra[dialect] ?? {}) as { owner?: unknown }
  return typeof owner === 'string' ? owner : null
}

export const roomFacts = {
  RoomOpened: factType(
    'room',
    z.object({
      room: z.string(),
      number: z.int(),
      name: z.string(),
      kind: z.enum(['room', 'space']),
      parent: z.string().nullable(),
      /** `moneypot:18`: where each dialect sees this room */
      aliases: z.array(z.string()),
      extra: kept.optional(),
      /** hash of the statechart in force, see MachineDefined */
      machine: z.string(),
    }),
  ),
  RoomChanged: factType(
    'room',
    z.object({
      name: z.string().optional(),
      mode: roomMode.optional(),
      /** least time between two messages of one member in mode `slow` */
      slowMs: z.int().optional(),
      aliases: z.array(z.string()).optional(),
      /** replaces what the dialects named in it kept before; of others it says nothing */
      extra: kept.optional(),
    }),
  ),
  RoomArchived: factType('room', z.object({ by, reason: reason('by') })),

  MemberAdded: factType('room', z.object({ user: z.string(), role: memberRole, by })),
  /** `after`: a plain member was put out, and so is none any more */
  MemberRemoved: factType('room', z.object({ user: z.string(), by, after: z.enum(['kicked', 'banned']).optional() })),
  MemberRoleGranted: factType('room', z.object({ user: z.string(), role: memberRole, by })),
  MemberRoleRevoked: factType('room', z.object({ user: z.string(), by })),

  /** One per connection; `first` when the account had no other connection here. */
  PresenceEntered: factType(
    'room',
    z.object({ user: person, account: accountRole, connection: z.string(), node: z.string(), first: z.boolean() }),
  ),
  PresenceLeft: factType(
    'room',
    z.object({ user: person, connection: z.string(), last: z.boolean(), cause: leaveCause }),
  ),

  MessagePosted: factType(
    'room',
    z.object({
      id: z.int(),
      author: person,
      text: personal(z.string(), 'author.id'),
      kind: z.enum(['text', 'action']),
      clientRef: z.string().nullable(),
      replyTo: z.int().nullable(),
      extra,
    }),
  ),
  MessageEdited: factType(
    'room',
    z.object({ id: z.int(), author: z.string(), text: personal(z.string(), 'author'), by }),
  ),
  MessageRemoved: factType('room', z.object({ id: z.int(), author: z.string(), by, reason: reason('by') })),
  MessageRestored: factType('room', z.object({ id: z.int(), author: z.string(), original: z.int(), by })),

  /** Kept by folded name: a mute may precede the account. `until` null: no end. Replaces an earlier mute of the name. */
  UserMuted: factType(
    'room',
    z.object({
      name: personal(z.string(), 'name'),
      user: z.string().nullable(),
      by,
      seconds: z.int().nullable(),
      until: instant.nullable(),
      reason: reason('name'),
    }),
  ),
  UserUnmuted: factType('room', z.object({ name: personal(z.string(), 'name'), by })),
  MuteExpired: factType('room', z.object({ name: personal(z.string(), 'name'), ...fired })),

  MemberKicked: factType('room', z.object({ user: z.string(), by, reason: reason('user') })),
  MemberBanned: factType('room', z.object({ user: z.string(), by, until: instant.nullable(), reason: reason('user') })),
  MemberBanLifted: factType('room', z.object({ user: z.string(), by })),
  MemberBanExpired: factType('room', z.object({ user: z.string(), ...fired })),

  /** the words blocked in this room, whole at each change; `version` counts the changes */
  RoomRulesSet: factType('room', z.object({ version: z.int(), rules: z.array(rule), by })),

  InviteCreated: factType('room', z.object({ code: z.string(), by })),
} as const

export type RoomFact = FactsOf<typeof roomFacts>
export type RoomFactEvent = FactEventsOf<typeof roomFacts>

/** Whoever asks: the person and the account's own role; null is the server itself (timer, policy, operator's command line). */
export interface Asker {
  readonly id: string
  readonly number: number
  readonly username: string
  readonly account: AccountRole
  /** its role in the space that the room is in: members of a space are members of its channels */
  readonly spaceRole?: MemberRole
}

interface Asked extends CommandFields {
  readonly asker: Asker | null
  /** verdict of the account's token bucket, which stands outside the machine; absent: not limited */
  readonly overRate?: boolean
}

/** A fault that the decoder saw but that must be told only after mute and room state were checked (order of checks of the dialect). */
export type TextFault = 'text-not-a-string' | 'text-empty' | 'text-too-long' | 'callback-invalid' | 'malformed'

export type RoomCommand =
  | (CommandFields & {
      type: 'room.open'
      room: string
      number: number
      name: string
      kind: 'room' | 'space'
      parent: string | null
      aliases: readonly string[]
      extra?: RoomExtra
      machine: string
      /** members from birth, the owner among them */
      members: readonly { user: string; role: MemberRole }[]
      asker: Asker | null
    })
  | (Asked & {
      type: 'room.change'
      name?: string
      mode?: RoomMode
      slowMs?: number
      aliases?: readonly string[]
      extra?: RoomExtra
    })
  | (Asked & { type: 'room.archive'; reason: string | null })
  | (Asked & { type: 'member.add'; user: string; role: MemberRole })
  | (Asked & { type: 'member.remove'; user: string; after?: 'kicked' | 'banned' })
  | (Asked & { type: 'member.promote'; user: string; role: MemberRole })
  | (Asked & { type: 'member.demote'; user: string })
  | (Asked & { type: 'member.kick'; user: string; reason: string | null })
  | (Asked & { type: 'member.ban'; user: string; seconds: number | null; reason: string | null })
  | (Asked & { type: 'member.unban'; user: string })
  | (Asked & { type: 'presence.enter'; asker: Asker; connection: string; node: string })
  | (CommandFields & { type: 'presence.leave'; leaving: string; cause: LeaveCause })
  | (Asked & {
      type: 'message.post'
      asker: Asker
      /** next free message id, filled by the host; used only when accepted */
      newId: number
      text: string
      fault?: TextFault
      /** what the rules for all rooms say of the text, filled by the host */
      blocked?: Blocked | null
      kind: 'text' | 'action'
      clientRef: string | null
      replyTo: number | null
      extra: Readonly<Record<string, unknown>> | null
      /** the sender entered the room on this connection (false: REST and membership dialects) */
      entered: boolean
      /** the dialect spoken lets a robot write where it is no member */
      robotsWrite?: boolean
    })
  | (Asked & {
      type: 'message.edit'
      message: MessageRow | null
      id: number
      text: string
      fault?: TextFault
      /** as in `message.post` */
      blocked?: Blocked | null
    })
  | (Asked & { type: 'message.remove'; message: MessageRow | null; id: number; reason: string | null })
  | (Asked & { type: 'message.restore'; message: MessageRow | null; id: number })
  | (Asked & {
      type: 'mute.set'
      /** folded */
      name: string
      user: string | null
      seconds: number | null
      reason: string | null
      /** text faults and `command-invalid` when the dialect's grammar was not met; told to staff only, others are not authorized */
      fault?: TextFault | 'command-invalid'
    })
  | (Asked & { type: 'mute.lift'; name: string; fault?: TextFault | 'command-invalid' })
  | (Asked & { type: 'rules.set'; rules: readonly Rule[] })
  | (Asked & { type: 'invite.create'; code: string })
  // timers: raised by the chart itself, decided like any command
  | (CommandFields & { type: 'mute.expire'; name: string; due: number })
  | (CommandFields & { type: 'ban.expire'; user: string; due: number })

/** The row of a message in the read model, which the host puts into commands about it. */
export interface MessageRow {
  readonly id: number
  readonly revision: number
  readonly author: string
  readonly text: string
  readonly removed: boolean
}

export type { Person }
