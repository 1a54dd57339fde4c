// The room's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import {
  type AccountRole,
  accountRole,
  by,
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
  type Upcast,
} from '../fact.ts'
import { type Blocked, type Rule, rule } from '../rules.ts'

export const roomStream = (room: string): string => `room-${room}`
/** The id of the room whose stream this is. */
export const roomOf = (stream: string): string => stream.slice('room-'.length)

const reason = (whose: string) => personal(z.string().nullable(), whose)
const roomMode = z.enum(['open', 'slow', 'locked'])
export type RoomMode = z.infer<typeof roomMode>
const leaveCause = z.enum(['left', 'closed', 'kicked', 'banned', 'archived', 'node-lost'])
export type LeaveCause = z.infer<typeof leaveCause>

const holds = personal(z.string(), 'name').describe('the account’s id; the folded name where no account had it')
/** v1: mutes held names alone */
const heldByName: readonly Upcast[] = [(data) => ({ ...data, holds: data.name })]

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
    'the first fact of a room, or of a space of rooms',
    z.object({
      room: z.string(),
      number: z.int(),
      name: z.string(),
      kind: z.enum(['room', 'space']),
      parent: z.string().nullable(),
      aliases: z.array(z.string()).describe('`moneypot:18`: where each dialect sees this room'),
      extra: kept.optional(),
      machine: z.string().describe('hash of the sources that the statechart in force decides with, see MachineDefined'),
    }),
  ),
  RoomChanged: factType(
    'room',
    'what is in it has another value from now on; what is absent stays',
    z.object({
      name: z.string().optional(),
      mode: roomMode.optional(),
      slowMs: z.int().optional().describe('least time between two messages of one member in mode `slow`'),
      aliases: z.array(z.string()).optional(),
      extra: kept.optional().describe('replaces what the dialects named in it kept before; of others it says nothing'),
    }),
  ),
  RoomArchived: factType('room', 'closed for good; its record stays', z.object({ by, reason: reason('by') })),

  MemberAdded: factType('room', 'an account belongs to the room', z.object({ user: z.string(), role: memberRole, by })),
  MemberRemoved: factType(
    'room',
    'an account left, or was taken out',
    z.object({
      user: z.string(),
      by,
      reason: reason('user').optional(),
      after: z.enum(['kicked', 'banned']).optional().describe('a plain member was put out, and so is none any more'),
    }),
  ),
  MemberRoleGranted: factType(
    'room',
    'a member is owner or mod from now on',
    z.object({ user: z.string(), role: memberRole, by }),
  ),
  MemberRoleRevoked: factType('room', 'an owner or mod is a plain member again', z.object({ user: z.string(), by })),

  PresenceEntered: factType(
    'room',
    'a connection entered, one fact each',
    z.object({
      user: person,
      account: accountRole,
      connection: z.string(),
      node: z.string(),
      first: z.boolean().describe('the account had no other connection here'),
    }),
  ),
  PresenceLeft: factType(
    'room',
    'a connection left, and why',
    z.object({
      user: person,
      connection: z.string(),
      last: z.boolean().describe('the account has no other connection here'),
      cause: leaveCause,
    }),
  ),

  MessagePosted: factType(
    'room',
    'a message, told to nobody before this fact is on disk',
    z.object({
      id: z.int(),
      author: person,
      text: personal(z.string(), 'author.id'),
      kind: z.enum(['text', 'action']),
      clientRef: z.string().nullable().describe('the reference it was sent with: a repeat of it says nothing new'),
      replyTo: z.int().nullable(),
      extra,
    }),
  ),
  MessageEdited: factType(
    'room',
    'its author gave a message another text; the one before stays on record',
    z.object({ id: z.int(), author: z.string(), text: personal(z.string(), 'author'), by }),
  ),
  MessageRemoved: factType(
    'room',
    'hidden from every history; its text stays in the fact that posted it',
    z.object({ id: z.int(), author: z.string(), by, reason: reason('by') }),
  ),
  MessageRestored: factType(
    'room',
    'a removed message is shown again',
    z.object({
      id: z.int(),
      author: z.string(),
      original: z.int().describe('the revision of the fact that posted it'),
      by,
    }),
  ),
  RemovedTextRead: factType(
    'room',
    'staff were shown the texts of removed messages, which nobody else is',
    z.object({ ids: z.array(z.int()), by }),
  ),

  UserMuted: factType(
    'room',
    'may not write here. A mute of an account holds it under whatever name; one of a name that is nobody’s yet holds whoever takes it. It replaces an earlier one',
    z.object({
      name: personal(z.string(), 'name').describe('folded, as it was then'),
      user: z.string().nullable().describe('null: no account has the name'),
      holds,
      by,
      seconds: z.int().nullable(),
      until: instant.nullable().describe('null: no end'),
      reason: reason('name'),
    }),
    heldByName,
  ),
  UserUnmuted: factType(
    'room',
    'a mute was lifted before its end',
    z.object({ name: personal(z.string(), 'name'), holds, by, reason: reason('name').optional() }),
    heldByName,
  ),
  MuteExpired: factType(
    'room',
    'a mute came to its end',
    z.object({ name: personal(z.string(), 'name'), holds, ...fired }),
    heldByName,
  ),

  MemberKicked: factType(
    'room',
    'put out of the room; may come back',
    z.object({ user: z.string(), by, reason: reason('user') }),
  ),
  MemberBanned: factType(
    'room',
    'put out of the room and kept out',
    z.object({ user: z.string(), by, until: instant.nullable().describe('null: no end'), reason: reason('user') }),
  ),
  MemberBanLifted: factType(
    'room',
    'a ban from the room was lifted before its end',
    z.object({ user: z.string(), by, reason: reason('user').optional() }),
  ),
  MemberBanExpired: factType('room', 'a ban from the room came to its end', z.object({ user: z.string(), ...fired })),

  RoomRulesSet: factType(
    'room',
    'the words blocked in this room, whole at each change',
    z.object({ version: z.int().describe('counts the changes'), rules: z.array(rule), by }),
  ),

  InviteCreated: factType('room', 'whoever has the code may come in', z.object({ code: z.string(), by })),
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
  | (Asked & { type: 'member.remove'; user: string; reason?: string | null; after?: 'kicked' | 'banned' })
  | (Asked & { type: 'member.promote'; user: string; role: MemberRole })
  | (Asked & { type: 'member.demote'; user: string })
  | (Asked & { type: 'member.kick'; user: string; reason: string | null })
  | (Asked & { type: 'member.ban'; user: string; seconds: number | null; reason: string | null })
  | (Asked & { type: 'member.unban'; user: string; reason?: string | null })
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
  | (Asked & { type: 'removed.read'; ids: readonly number[] })
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
  | (Asked & {
      type: 'mute.lift'
      name: string
      user: string | null
      reason?: string | null
      fault?: TextFault | 'command-invalid'
    })
  | (Asked & { type: 'rules.set'; rules: readonly Rule[] })
  | (Asked & { type: 'invite.create'; code: string })
  // timers: raised by the chart itself, decided like any command
  | (CommandFields & { type: 'mute.expire'; holds: string; due: number })
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
