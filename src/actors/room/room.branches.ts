// The branches of the room's commands: what each is refused for, in the order of checks that clients rely on
// (user and place → rate → mute → room closed → text → right → grammar), and the facts it becomes.

import { branches, fact, refuse } from '../chart.ts'
import { byOf, LATE_MS } from '../fact.ts'
import { personIn, type RoomContext } from './room.context.ts'
import type { RoomCommand } from './room.facts.ts'
import {
  banOf,
  blockOf,
  firstUse,
  type Given,
  type GuardName,
  heldBy,
  liftedOf,
  muteOf,
  type RoomEvent,
  read,
  slowWaitMs,
} from './room.guards.ts'

export type CommandOf<T extends RoomCommand['type']> = Extract<RoomCommand, { type: T }>

export const { no, only, nothingNew } = branches<RoomContext, RoomEvent, GuardName>()

/** One accepting branch of a command, with its facts in order. */
export const yes = <T extends RoomCommand['type']>(
  _command: T,
  facts: Readonly<Record<string, (command: CommandOf<T>, context: RoomContext) => object>>,
) => ({
  actions: Object.entries(facts).map(([type, data]) =>
    fact<RoomContext, RoomEvent>(type, ({ context, event }) => data(event as CommandOf<T>, context)),
  ),
  description: Object.keys(facts).join(', '),
})

export const archivedAlready = (...commands: RoomCommand['type'][]) =>
  Object.fromEntries(commands.map((command) => [command, only('room-archived')]))

export const fault = {
  guard: 'hasTextFault' as const,
  actions: refuse<RoomContext, RoomEvent>(({ event }) => read(event).fault ?? 'malformed', 'hasTextFault'),
  description: 'what the decoder found fault with, told after who may write',
}
export const tooFast = no('isOverRate', 'rate-limited')
export const isMuted = no('isMuted', 'muted', (given) => {
  const mute = muteOf(given)
  return { until: mute?.until ?? null, by: mute?.by ?? null }
})
const bannedUntil = (given: Given) => ({ until: banOf(given)?.until ?? null })
export const isBanned = no('isBanned', 'banned', bannedUntil)
export const isBannedAndNotSelf = no('isBannedAndNotSelf', 'banned', bannedUntil)
/** Which rule, of which version: the record tells what the rules were. */
export const blocked = no('isBlocked', 'blocked', (given) => ({ ...blockOf(given) }))
export const closed = no('isClosedToAsker', 'room-closed')
export const tooSoon = no('isTooSoon', 'slow-mode', (given) => ({ waitMs: slowWaitMs(given) }))

/** Posting, with what the room's mode adds between the mute and the text. */
export const posting = (...mode: (typeof closed | typeof tooSoon)[]) => [
  no('isSpace', 'unknown-room'),
  nothingNew('isRepeated', (given) => ({ messageId: firstUse(given)?.message ?? null })),
  no('isReferenceReused', 'ref-reused'),
  isBanned,
  no('isNotPresent', 'not-present'),
  no('isStranger', 'not-a-member'),
  tooFast,
  isMuted,
  ...mode,
  fault,
  blocked,
  yes('message.post', {
    MessagePosted: ({ newId, asker, text, kind, clientRef, replyTo, extra }, context) => ({
      author: personIn(context, asker),
      clientRef,
      extra,
      id: newId,
      kind,
      replyTo,
      text,
    }),
  }),
]

/** Why something was undone, where that is said. */
export const given = (reason: string | null | undefined) => (typeof reason === 'string' ? { reason } : {})

const mutedData = (command: CommandOf<'mute.set'>) => {
  const { name, user, asker, seconds, reason, at } = command
  const until = seconds === null ? null : at + seconds * 1_000
  return { name, user, holds: heldBy(command), by: byOf(asker), seconds, until, reason }
}

const unmutedData = (event: CommandOf<'mute.set' | 'mute.lift'>, context: RoomContext) => {
  const holds = liftedOf({ context, event }) ?? ''
  const reason = event.type === 'mute.lift' ? event.reason : null
  return { name: context.mutes.get(holds)?.name, holds, by: byOf(event.asker), ...given(reason) }
}

export const muting = (...mode: (typeof closed)[]) => [
  tooFast,
  isBanned,
  isMuted,
  ...mode,
  fault,
  no('isNotStaff', 'not-authorized'),
  no('isCommandInvalid', 'command-invalid'),
  no('mutesAreFull', 'room-full'),
  {
    guard: 'isMutedAsAnother' as const,
    ...yes('mute.set', { UserUnmuted: unmutedData, UserMuted: mutedData }),
  },
  yes('mute.set', { UserMuted: mutedData }),
]

export const unmuting = (...mode: (typeof closed)[]) => [
  tooFast,
  isBanned,
  isMuted,
  ...mode,
  fault,
  no('isNotStaff', 'not-authorized'),
  no('isCommandInvalid', 'command-invalid'),
  no('isNotMuted', 'not-muted'),
  yes('mute.lift', { UserUnmuted: unmutedData }),
]

/** Also in the archive: its record is asked for as long as it is kept. */
export const readingRemoved = [
  isBanned,
  no('isNotStaff', 'not-authorized'),
  yes('removed.read', { RemovedTextRead: ({ ids, asker }) => ({ ids: [...ids], by: byOf(asker) }) }),
]

export const leaving = [
  nothingNew('isNotHere'),
  yes('presence.leave', {
    PresenceLeft: ({ leaving, cause }, { connections, presence }) => {
      const present = presence.get(connections.get(leaving) ?? '')
      return { user: present?.user, connection: leaving, last: present?.connections.size === 1, cause }
    },
  }),
]

export const muteExpiring = [
  nothingNew('isNotThatMute'),
  yes('mute.expire', {
    MuteExpired: ({ holds, due, at }, { mutes }) => ({
      name: mutes.get(holds)?.name,
      holds,
      due,
      fired: at,
      late: at - due > LATE_MS,
      armedBy: mutes.get(holds)?.fact,
      cause: 'timer',
    }),
  }),
]

export const banExpiring = [
  nothingNew('isNotThatBan'),
  yes('ban.expire', {
    MemberBanExpired: ({ user, due, at }, { bans }) => ({
      user,
      due,
      fired: at,
      late: at - due > LATE_MS,
      armedBy: bans.get(user)?.fact,
      cause: 'timer',
    }),
  }),
]
