// hansard's own protocol, in one place: types, validation and docs/protocols/native.md come from these schemas.
//
// A client sends commands, each with a reference `ref` of its own that the answer repeats. The server sends results,
// refusals, and what happened: every frame about a room says `room` and, where it is a fact of the room's stream, its
// `revision`. The epoch (told at sign-in) and a room's last revision are all a client needs to resume.

import { z } from 'zod'

export const MAX_TEXT = 5_000
export const MAX_REF = 128
export const MAX_HISTORY = 100
export const HISTORY = 50

const ref = z.union([z.string().max(MAX_REF), z.int()]).describe('the client’s own reference to this command')
const room = z.string().min(1).max(128).describe('a room’s id, or an alias as `moneypot:2`')
const message = z.int().min(1).describe('a message’s id')
const user = z.string().min(1).max(64).describe('a user’s name')
/** its length is judged by the room, after who may write */
const text = z.string().max(60_000)
const reason = z.string().max(1_000).nullable().default(null)
const seconds = z.int().min(1).max(31_536_000).nullable().default(null).describe('null: no end')

const command = <Name extends string, Shape extends z.ZodRawShape>(name: Name, says: string, shape: Shape) =>
  z.strictObject({ do: z.literal(name), ref: ref.optional(), ...shape }).describe(says)

export const commands = {
  'sign-in': command('sign-in', 'Who it is. First of all.', {
    token: z.string().min(1).max(256).nullable().describe('null: nobody, who may read what anybody may'),
  }),
  join: command('join', 'Enter a room and hear it. With `since`, what was missed comes instead of a snapshot.', {
    room,
    since: z
      .strictObject({ epoch: z.string().max(64), revision: z.int().min(0) })
      .optional()
      .describe('the epoch of the sign-in and the last revision heard of this room'),
  }),
  leave: command('leave', 'Leave a room.', { room }),
  post: command('post', 'Say something. The same `id` again is stored once, and answered the same.', {
    room,
    text,
    id: z.string().min(1).max(MAX_REF).optional().describe('makes a retry harmless, for ten minutes at least'),
    replyTo: message.optional(),
    kind: z.enum(['text', 'action']).optional().describe('`action`: what its author does, `/me`; else `text`'),
  }),
  edit: command('edit', 'Change a message of one’s own.', { room, message, text }),
  remove: command('remove', 'Hide a message: its author, or staff.', { room, message, reason }),
  restore: command('restore', 'Show a removed message again: staff.', { room, message }),
  typing: command('typing', 'One is writing, or no more. Told at most once a second.', { room, on: z.boolean() }),
  read: command('read', 'One has read up to this message.', { room, message }),
  history: command('history', 'Messages before or after an id; with neither the newest. Oldest first.', {
    room,
    before: message.optional(),
    after: z.int().min(0).optional(),
    limit: z.int().min(1).max(MAX_HISTORY).default(HISTORY),
  }),
  mute: command('mute', 'Keep somebody from writing: staff.', { room, user, seconds, reason }),
  unmute: command('unmute', 'End a mute: staff.', { room, user }),
  ping: command('ping', 'Answered at once.', {}),
} as const

export const commandFrame = z.discriminatedUnion('do', [
  commands['sign-in'],
  commands.join,
  commands.leave,
  commands.post,
  commands.edit,
  commands.remove,
  commands.restore,
  commands.typing,
  commands.read,
  commands.history,
  commands.mute,
  commands.unmute,
  commands.ping,
])
export type CommandFrame = z.infer<typeof commandFrame>
/** As a client writes it: defaults may be left out. */

const person = z.object({ id: z.string(), number: z.int(), username: z.string() })
const shownRole = z.enum(['owner', 'admin', 'mod', 'robot', 'member'])
const present = person.extend({ role: shownRole })
const at = z.int().describe('ms since 1970')
const revision = z.int().describe('place in the room’s stream')
const by = person.nullable().describe('null: the server itself')
const messageShape = z.object({
  id: z.int(),
  author: present,
  text: z.string(),
  kind: z.enum(['text', 'action']),
  at,
  ref: z.string().nullable().describe('the `id` it was posted with'),
  replyTo: z.int().nullable(),
  edited: z.boolean(),
})
const muteShape = z.object({ user: z.string(), until: at.nullable() })

const fact = <Name extends string, Shape extends z.ZodRawShape>(name: Name, says: string, shape: Shape) =>
  z.object({ is: z.literal(name), room: z.string(), revision, at, ...shape }).describe(says)

/** Of whoever is there as a member only, the room's stream says nothing. */
const presence = <Name extends string>(name: Name, says: string) =>
  z
    .object({
      is: z.literal(name),
      room: z.string(),
      revision: revision
        .nullable()
        .describe('place in the room’s stream; null: there as a member of it, without entering'),
      at,
      user: present,
    })
    .describe(says)

export const events = {
  hello: z.object({ is: z.literal('hello'), protocol: z.literal(1) }).describe('The first frame.'),
  signedIn: z
    .object({
      is: z.literal('signed-in'),
      ref: ref.nullable(),
      epoch: z.string(),
      connection: z.string(),
      user: person.nullable(),
    })
    .describe('The answer to `sign-in`. Another epoch than before: forget every revision.'),
  joined: z
    .object({
      is: z.literal('joined'),
      ref: ref.nullable(),
      room: z.string(),
      revision,
      name: z.string(),
      mode: z.enum(['open', 'slow', 'locked']),
      present: z.array(present),
      mutes: z.array(muteShape),
      readUpTo: z
        .int()
        .nullable()
        .describe('the last message that the account has marked as read, on any connection; null: none'),
      resumed: z
        .boolean()
        .describe('true: what was missed follows as it happened; false: `messages` is a fresh snapshot'),
      tooFarBehind: z.boolean().describe('`since` was asked for and could not be given'),
      messages: z.array(messageShape),
    })
    .describe('The answer to `join`. Live frames above `revision` follow.'),
  done: z
    .object({ is: z.literal('done'), ref: ref.nullable(), message: z.int().optional() })
    .describe('A command was carried out; `message` is the id of what was posted.'),
  history: z
    .object({
      is: z.literal('history'),
      ref: ref.nullable(),
      room: z.string(),
      messages: z.array(messageShape),
      more: z.boolean(),
    })
    .describe('The answer to `history`.'),
  refused: z
    .object({
      is: z.literal('refused'),
      ref: ref.nullable(),
      code: z.string(),
      title: z.string(),
      retryable: z.boolean(),
      values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    })
    .describe('A command was refused, and why; nothing changed.'),
  closing: z
    .object({ is: z.literal('closing'), code: z.int(), reason: z.string(), comeBackAfterMs: z.int().nullable() })
    .describe('The last frame before the close, which has the same code. null: do not come back by yourself.'),
  posted: fact('posted', 'A message.', { message: messageShape }),
  edited: fact('edited', 'A message has another text.', { message: z.int(), text: z.string() }),
  removed: fact('removed', 'A message is hidden.', { message: z.int(), by }),
  restored: fact('restored', 'A removed message is shown again.', { message: z.int(), by }),
  entered: presence('entered', 'Somebody is here, on a first connection.'),
  left: presence('left', 'Somebody is gone, with the last connection.'),
  muted: fact('muted', 'Somebody may not write.', {
    user: z.string(),
    until: at.nullable(),
    by,
    reason: z.string().nullable(),
  }),
  unmuted: fact('unmuted', 'A mute ended, by somebody or (null) by its time.', { user: z.string(), by }),
  changed: fact('changed', 'The room’s name or mode.', { name: z.string(), mode: z.enum(['open', 'slow', 'locked']) }),
  role: fact('role', 'A member’s role in the room; null: a member no more.', {
    user: z.string(),
    role: shownRole.nullable(),
  }),
  banned: fact('banned', 'Put out, until (null: no end).', { user: z.string(), until: at.nullable(), by }),
  kicked: fact('kicked', 'Put out; may come back.', { user: z.string(), by }),
  archived: fact('archived', 'The room is closed for good.', { by }),
  typing: z
    .object({ is: z.literal('typing'), room: z.string(), user: person, on: z.boolean() })
    .describe('Somebody is writing, or no more.'),
  read: z
    .object({ is: z.literal('read'), room: z.string(), user: person, message: z.int() })
    .describe('Somebody has read up to this message.'),
} as const

export type EventName = keyof typeof events
export type EventOf<Name extends EventName> = z.infer<(typeof events)[Name]>
export type EventFrame = { [Name in EventName]: EventOf<Name> }[EventName]
