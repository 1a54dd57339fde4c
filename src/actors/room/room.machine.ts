// The room's statechart. Commands are answered by branches that refuse, accept with facts, or say that there is
// nothing new; only facts move it. The order of branches is the order of checks that clients rely on
// (protocols: user → rate → mute → room closed → text → right → grammar).

import { setup } from 'xstate'
import { type Decided, fact, nothing, refuse, type Values } from '../chart.ts'
import { type RefusalCode, refusals } from '../refusals.ts'
import {
  absentRoom,
  banned,
  changed,
  entered,
  left,
  memberRemoved,
  muted,
  opened,
  personIn,
  posted,
  type RoomContext,
  roleRevoked,
  roleSet,
  unbanned,
  unmuted,
} from './room.context.ts'
import type { Asker, RoomCommand, RoomFactEvent } from './room.facts.ts'
import {
  banOf,
  changesOf,
  firstUse,
  type Given,
  type GuardName,
  guards,
  muteOf,
  type RoomEvent,
  read,
  slowWaitMs,
} from './room.guards.ts'

export { restoreContext, summarise } from './room.context.ts'

type CommandOf<T extends RoomCommand['type']> = Extract<RoomCommand, { type: T }>

/** Late enough to say so. */
const LATE_MS = 1_000

const byOf = (asker: Asker | null) => asker && { id: asker.id, number: asker.number, username: asker.username }

/** One branch: this guard, this refusal. */
const no = <G extends GuardName>(guard: G, code: RefusalCode, values?: (given: Given) => Values) => ({
  guard,
  actions: refuse<RoomContext, RoomEvent>(code, guard, values),
  description: refusals[code].title,
})

/** One accepting branch of a command, with its facts in order. */
const yes = <T extends RoomCommand['type']>(
  _command: T,
  facts: Readonly<Record<string, (command: CommandOf<T>, context: RoomContext) => object>>,
) => ({
  actions: Object.entries(facts).map(([type, data]) =>
    fact<RoomContext, RoomEvent>(type, ({ context, event }) => data(event as CommandOf<T>, context)),
  ),
  description: Object.keys(facts).join(', '),
})

const nothingNew = <G extends GuardName>(guard: G, values?: (given: Given) => Values) => ({
  guard,
  actions: nothing<RoomContext, RoomEvent>(values),
  description: 'nothing new',
})

const archivedAlready = (...commands: RoomCommand['type'][]) =>
  Object.fromEntries(
    commands.map((command) => [
      command,
      { actions: refuse<RoomContext, RoomEvent>('room-archived'), description: refusals['room-archived'].title },
    ]),
  )

const fault = {
  guard: 'hasTextFault' as const,
  actions: refuse<RoomContext, RoomEvent>(({ event }) => read(event).fault ?? 'malformed', 'hasTextFault'),
  description: 'what the decoder found fault with, told after who may write',
}
const tooFast = no('isOverRate', 'rate-limited')
const isMuted = no('isMuted', 'muted', (given) => {
  const mute = muteOf(given)
  return { until: mute?.until ?? null, by: mute?.by ?? null }
})
const isBanned = no('isBanned', 'banned', (given) => ({ until: banOf(given)?.until ?? null }))
const closed = no('isClosedToAsker', 'room-closed')
const tooSoon = no('isTooSoon', 'slow-mode', (given) => ({ waitMs: slowWaitMs(given) }))

/** Posting, with what the room's mode adds between the mute and the text. */
const posting = (...mode: (typeof closed | typeof tooSoon)[]) => [
  nothingNew('isRepeated', (given) => ({ messageId: firstUse(given)?.message ?? null })),
  no('isReferenceReused', 'ref-reused'),
  tooFast,
  isBanned,
  no('isNotPresent', 'not-present'),
  no('isStranger', 'not-a-member'),
  isMuted,
  ...mode,
  fault,
  yes('message.post', {
    MessagePosted: ({ newId, asker, text, kind, clientRef, replyTo, extra }, context) => ({
      id: newId,
      author: personIn(context, asker),
      text,
      kind,
      clientRef,
      replyTo,
      extra,
    }),
  }),
]

const muting = (...mode: (typeof closed)[]) => [
  tooFast,
  isBanned,
  isMuted,
  ...mode,
  fault,
  no('isNotStaff', 'not-authorized'),
  no('isCommandInvalid', 'command-invalid'),
  no('mutesAreFull', 'room-full'),
  yes('mute.set', {
    UserMuted: ({ name, user, asker, seconds, reason, at }) => ({
      name,
      user,
      by: byOf(asker),
      seconds,
      until: seconds === null ? null : at + seconds * 1_000,
      reason,
    }),
  }),
]

const unmuting = (...mode: (typeof closed)[]) => [
  tooFast,
  isBanned,
  isMuted,
  ...mode,
  fault,
  no('isNotStaff', 'not-authorized'),
  no('isCommandInvalid', 'command-invalid'),
  no('isNotMuted', 'not-muted'),
  yes('mute.lift', { UserUnmuted: ({ name, asker }) => ({ name, by: byOf(asker) }) }),
]

const leaving = [
  nothingNew('isNotHere'),
  yes('presence.leave', {
    PresenceLeft: ({ leaving, cause }, { connections, presence }) => {
      const present = presence.get(connections.get(leaving) ?? '')
      return { user: present?.user, connection: leaving, last: present?.connections.size === 1, cause }
    },
  }),
]

const muteExpiring = [
  nothingNew('isNotThatMute'),
  yes('mute.expire', {
    MuteExpired: ({ name, due, at }, { mutes }) => ({
      name,
      due,
      fired: at,
      late: at - due > LATE_MS,
      armedBy: mutes.get(name)?.fact,
      cause: 'timer',
    }),
  }),
]

const banExpiring = [
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

const room = setup({
  types: { context: {} as RoomContext, events: {} as RoomEvent, emitted: {} as Decided },
  guards,
})

/** Folds one fact into the context. */
const fold = <T extends RoomFactEvent['type']>(
  evolve: (context: RoomContext, fact: Extract<RoomFactEvent, { type: T }>) => Partial<RoomContext>,
) => room.assign(({ context, event }) => evolve(context, event as Extract<RoomFactEvent, { type: T }>))

type FactOf<T extends RoomFactEvent['type']> = Extract<RoomFactEvent, { type: T }>
const nameOf = (event: RoomEvent) => `mute:${(event as FactOf<'UserMuted' | 'UserUnmuted' | 'MuteExpired'>).data.name}`
const userOf = (event: RoomEvent) =>
  `ban:${(event as FactOf<'MemberBanned' | 'MemberBanLifted' | 'MemberBanExpired'>).data.user}`

const cancelMute = room.cancel(({ event }) => nameOf(event))
const cancelBan = room.cancel(({ event }) => userOf(event))

/** What a timer raises is a command like any other; the host fills in the rest when it is due. */
const timer = (command: object) => command as RoomCommand

const armMute = room.enqueueActions(({ event, enqueue }) => {
  const { data, at } = event as FactOf<'UserMuted'>
  if (data.until === null) return
  const { name, until } = data
  enqueue.raise(timer({ type: 'mute.expire', name, due: until }), { id: nameOf(event), delay: until - at })
})

const armBan = room.enqueueActions(({ event, enqueue }) => {
  const { data, at } = event as FactOf<'MemberBanned'>
  if (data.until === null) return
  const { user, until } = data
  enqueue.raise(timer({ type: 'ban.expire', user, due: until }), { id: userOf(event), delay: until - at })
})

/** Facts that mean the same in every living mode, and in the archive. */
const memory = {
  PresenceLeft: { actions: fold(left), description: 'one connection left; heard by others when it was the last' },
  UserUnmuted: { actions: [cancelMute, fold(unmuted)], description: 'a mute was lifted' },
  MuteExpired: { actions: [cancelMute, fold(unmuted)], description: 'a mute ended by its time' },
  MemberBanLifted: { actions: [cancelBan, fold(unbanned)], description: 'a ban was lifted' },
  MemberBanExpired: { actions: [cancelBan, fold(unbanned)], description: 'a ban ended by its time' },
} as const

const existsAlready = {
  actions: refuse<RoomContext, RoomEvent>('already-exists'),
  description: refusals['already-exists'].title,
}

const to = (mode: 'open' | 'slow' | 'locked') => ({
  guard: ({ event }: Given) => (event as FactOf<'RoomChanged'>).data.mode === mode,
  target: `.${mode}` as const,
  actions: fold(changed),
  description: `the room is ${mode} from now on`,
})

export const roomMachine = room.createMachine({
  id: 'room',
  context: absentRoom,
  initial: 'absent',
  states: {
    absent: {
      description: 'no fact yet',
      on: {
        'room.open': [
          no('isBornTooFull', 'room-full'),
          {
            actions: room.enqueueActions(({ event, enqueue }) => {
              const {
                room: id,
                number,
                name,
                kind,
                parent,
                aliases,
                machine,
                members,
                asker,
              } = event as CommandOf<'room.open'>
              enqueue(
                fact('RoomOpened', () => ({
                  room: id,
                  number,
                  name,
                  kind,
                  parent,
                  aliases: [...aliases],
                  machine,
                })) as never,
              )
              for (const { user, role } of members)
                enqueue(fact('MemberAdded', () => ({ user, role, by: byOf(asker) })) as never)
            }),
            description: 'RoomOpened, MemberAdded for each first member',
          },
        ],
        RoomOpened: { target: 'living', actions: fold(opened), description: 'born' },
      },
    },

    living: {
      description: 'people enter, talk and leave; staff keep order',
      initial: 'open',
      on: {
        'room.open': existsAlready,
        'room.change': [
          isBanned,
          no('isNotChief', 'not-authorized'),
          no('isPaceInvalid', 'command-invalid'),
          nothingNew('changesNothing'),
          yes('room.change', {
            RoomChanged: (event, context) => changesOf({ context, event }),
          }),
        ],
        'room.archive': [
          isBanned,
          no('isNotChief', 'not-authorized'),
          yes('room.archive', { RoomArchived: ({ asker, reason }) => ({ by: byOf(asker), reason }) }),
        ],
        'presence.enter': [
          nothingNew('hasEntered'),
          isBanned,
          yes('presence.enter', {
            PresenceEntered: ({ asker, connection, node }, context) => ({
              user: personIn(context, asker),
              account: asker.account,
              connection,
              node,
              first: !context.presence.has(asker.id),
            }),
          }),
        ],
        'presence.leave': leaving,
        'message.edit': [
          tooFast,
          isBanned,
          no('isUnknownMessage', 'unknown-message'),
          no('isRemovedMessage', 'unknown-message'),
          no('isNotAuthor', 'not-authorized'),
          isMuted,
          fault,
          nothingNew('hasSameText'),
          yes('message.edit', {
            MessageEdited: ({ id, message, text, asker }) => ({ id, author: message?.author, text, by: byOf(asker) }),
          }),
        ],
        'message.remove': [
          isBanned,
          no('isUnknownMessage', 'unknown-message'),
          no('isNeitherAuthorNorStaff', 'not-authorized'),
          nothingNew('isRemovedMessage'),
          yes('message.remove', {
            MessageRemoved: ({ id, message, asker, reason }) => ({
              id,
              author: message?.author,
              by: byOf(asker),
              reason,
            }),
          }),
        ],
        'message.restore': [
          isBanned,
          no('isUnknownMessage', 'unknown-message'),
          no('isNotStaff', 'not-authorized'),
          nothingNew('isPresentMessage'),
          yes('message.restore', {
            MessageRestored: ({ id, message, asker }) => ({
              id,
              author: message?.author,
              original: message?.revision,
              by: byOf(asker),
            }),
          }),
        ],
        'member.add': [
          isBanned,
          no('mayNotAddMember', 'not-authorized'),
          nothingNew('isMemberAlready'),
          no('membersAreFull', 'room-full'),
          yes('member.add', { MemberAdded: ({ user, role, asker }) => ({ user, role, by: byOf(asker) }) }),
        ],
        'member.remove': [
          no('mayNotRemoveMember', 'not-authorized'),
          nothingNew('isNotMember'),
          yes('member.remove', { MemberRemoved: ({ user, asker }) => ({ user, by: byOf(asker) }) }),
        ],
        'member.promote': [
          isBanned,
          no('isNotChief', 'not-authorized'),
          no('isNotMember', 'not-a-member'),
          nothingNew('hasRoleAlready'),
          yes('member.promote', { MemberRoleGranted: ({ user, role, asker }) => ({ user, role, by: byOf(asker) }) }),
        ],
        'member.demote': [
          isBanned,
          no('isNotChief', 'not-authorized'),
          no('isNotMember', 'not-a-member'),
          nothingNew('isPlainMember'),
          yes('member.demote', { MemberRoleRevoked: ({ user, asker }) => ({ user, by: byOf(asker) }) }),
        ],
        'member.kick': [
          isBanned,
          no('mayNotActOnTarget', 'not-authorized'),
          no('isNeitherMemberNorPresent', 'not-a-member'),
          yes('member.kick', { MemberKicked: ({ user, asker, reason }) => ({ user, by: byOf(asker), reason }) }),
        ],
        'member.ban': [
          isBanned,
          no('mayNotActOnTarget', 'not-authorized'),
          no('isCommandInvalid', 'command-invalid'),
          no('bansAreFull', 'room-full'),
          yes('member.ban', {
            MemberBanned: ({ user, asker, seconds, reason, at }) => ({
              user,
              by: byOf(asker),
              until: seconds === null ? null : at + seconds * 1_000,
              reason,
            }),
          }),
        ],
        'member.unban': [
          isBanned,
          no('mayNotActOnTarget', 'not-authorized'),
          no('isNotBanned', 'not-banned'),
          yes('member.unban', { MemberBanLifted: ({ user, asker }) => ({ user, by: byOf(asker) }) }),
        ],
        'invite.create': [
          isBanned,
          no('isNotStaff', 'not-authorized'),
          yes('invite.create', { InviteCreated: ({ code, asker }) => ({ code, by: byOf(asker) }) }),
        ],
        'mute.expire': muteExpiring,
        'ban.expire': banExpiring,

        ...memory,
        RoomChanged: [
          to('open'),
          to('slow'),
          to('locked'),
          { actions: fold(changed), description: 'name or aliases changed, the mode did not' },
        ],
        RoomArchived: { target: 'archived', description: 'closed for good; its record stays' },
        MemberAdded: { actions: fold(roleSet), description: 'a member with this role' },
        MemberRemoved: { actions: fold(memberRemoved), description: 'a member no more' },
        MemberRoleGranted: { actions: fold(roleSet), description: 'the role shown beside the name follows' },
        MemberRoleRevoked: { actions: fold(roleRevoked), description: 'a plain member again' },
        PresenceEntered: { actions: fold(entered), description: 'one connection entered; heard by others when first' },
        MessagePosted: { actions: fold(posted), description: 'its id, and its reference for ten minutes' },
        MessageEdited: { description: 'the text stands in the read model' },
        MessageRemoved: { description: 'hidden from history; the log keeps it' },
        MessageRestored: { description: 'back in history' },
        UserMuted: {
          actions: [cancelMute, fold(muted), armMute],
          description: 'arms the mute’s timer; replaces an earlier one',
        },
        MemberKicked: { description: 'a policy puts the member’s connections out' },
        MemberBanned: { actions: [cancelBan, fold(banned), armBan], description: 'arms the ban’s timer' },
        InviteCreated: { description: 'the code stands in its claim stream' },
      },
      states: {
        open: {
          description: 'whoever is here may talk',
          on: { 'message.post': posting(), 'mute.set': muting(), 'mute.lift': unmuting() },
        },
        slow: {
          description: 'each member waits between two messages; staff do not',
          on: { 'message.post': posting(tooSoon), 'mute.set': muting(), 'mute.lift': unmuting() },
        },
        locked: {
          description: 'only staff and robots may talk',
          on: {
            'message.post': posting(closed),
            // Whoever passes is asked further by the parent's branches: an edit is writing, too.
            'message.edit': closed,
            'mute.set': muting(closed),
            'mute.lift': unmuting(closed),
          },
        },
      },
    },

    archived: {
      description: 'read only; those still inside leave, and timers end',
      on: {
        'presence.leave': leaving,
        'mute.expire': muteExpiring,
        'ban.expire': banExpiring,
        'room.archive': { actions: nothing(), description: 'nothing new' },
        'room.open': existsAlready,
        ...archivedAlready(
          'room.change',
          'presence.enter',
          'message.post',
          'message.edit',
          'message.remove',
          'message.restore',
          'member.add',
          'member.remove',
          'member.promote',
          'member.demote',
          'member.kick',
          'member.ban',
          'member.unban',
          'mute.set',
          'mute.lift',
          'invite.create',
        ),
        ...memory,
      },
    },
  },
})
