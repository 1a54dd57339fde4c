// The room's statechart. Commands are answered by branches that refuse, accept with facts, or say that there is
// nothing new; only facts move it. The order of branches is the order of checks that clients rely on
// (protocols: user → rate → mute → room closed → text → right → grammar).

import { setup } from 'xstate'
import { type Decided, fact, nothing } from '../chart.ts'
import { byOf } from '../fact.ts'
import {
  archivedAlready,
  banExpiring,
  blocked,
  type CommandOf,
  closed,
  fault,
  given,
  isBanned,
  isBannedAndNotSelf,
  isMuted,
  leaving,
  muteExpiring,
  muting,
  no,
  nothingNew,
  only,
  posting,
  readingRemoved,
  tooFast,
  tooSoon,
  unmuting,
  yes,
} from './room.branches.ts'
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
  ruled,
  unbanned,
  unmuted,
} from './room.context.ts'
import type { RoomCommand, RoomFactEvent } from './room.facts.ts'
import { changesOf, type Given, guards, type RoomEvent } from './room.guards.ts'

export { restoreContext, summarise } from './room.context.ts'

const room = setup({
  types: { context: {} as RoomContext, events: {} as RoomEvent, emitted: {} as Decided },
  guards,
})

/** Folds one fact into the context. */
const fold = <T extends RoomFactEvent['type']>(
  evolve: (context: RoomContext, fact: Extract<RoomFactEvent, { type: T }>) => Partial<RoomContext>,
) => room.assign(({ context, event }) => evolve(context, event as Extract<RoomFactEvent, { type: T }>))

type FactOf<T extends RoomFactEvent['type']> = Extract<RoomFactEvent, { type: T }>
const muteOf = (event: RoomEvent) => `mute:${(event as FactOf<'UserMuted' | 'UserUnmuted' | 'MuteExpired'>).data.holds}`
const nameOf = (event: RoomEvent) => `mute:${(event as FactOf<'UserMuted'>).data.name}`
const userOf = (event: RoomEvent) =>
  `ban:${(event as FactOf<'MemberBanned' | 'MemberBanLifted' | 'MemberBanExpired'>).data.user}`

const cancelMute = room.cancel(({ event }) => muteOf(event))
const cancelNameMute = room.cancel(({ event }) => nameOf(event))
const cancelBan = room.cancel(({ event }) => userOf(event))

/** What a timer raises is a command like any other; the host fills in the rest when it is due. */
const timer = (command: object) => command as RoomCommand

const armMute = room.enqueueActions(({ event, enqueue }) => {
  const { data, at } = event as FactOf<'UserMuted'>
  if (data.until === null) return
  const { holds, until } = data
  enqueue.raise(timer({ type: 'mute.expire', holds, due: until }), { id: muteOf(event), delay: until - at })
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
  RemovedTextRead: { description: 'the record has who read what was removed' },
} as const

const existsAlready = only('already-exists')

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
          no('isSpaceWithin', 'command-invalid'),
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
                extra,
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
                  ...(extra ? { extra } : {}),
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
          no('mayNotEnter', 'not-a-member'),
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
          blocked,
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
          no('isPresentMessage', 'not-removed'),
          yes('message.restore', {
            MessageRestored: ({ id, message, asker }) => ({
              id,
              author: message?.author,
              original: message?.revision,
              by: byOf(asker),
            }),
          }),
        ],
        'removed.read': readingRemoved,
        'member.add': [
          isBanned,
          no('mayNotAddMember', 'not-authorized'),
          nothingNew('isMemberAlready'),
          no('membersAreFull', 'room-full'),
          yes('member.add', { MemberAdded: ({ user, role, asker }) => ({ user, role, by: byOf(asker) }) }),
        ],
        'member.remove': [
          isBannedAndNotSelf,
          no('mayNotRemoveMember', 'not-authorized'),
          nothingNew('isNotMember'),
          yes('member.remove', {
            MemberRemoved: ({ user, asker, reason, after }) => ({
              user,
              by: byOf(asker),
              ...given(reason),
              ...(after ? { after } : {}),
            }),
          }),
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
          yes('member.unban', {
            MemberBanLifted: ({ user, asker, reason }) => ({ user, by: byOf(asker), ...given(reason) }),
          }),
        ],
        'rules.set': [
          isBanned,
          no('isNotChief', 'not-authorized'),
          nothingNew('hasSameRules'),
          yes('rules.set', {
            RoomRulesSet: ({ rules, asker }, context) => ({
              version: context.rules.version + 1,
              rules: [...rules],
              by: byOf(asker),
            }),
          }),
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
          {
            actions: fold(changed),
            description: 'name, aliases or what dialects keep of it changed, the mode did not',
          },
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
          actions: [cancelNameMute, cancelMute, fold(muted), armMute],
          description: 'arms the mute’s timer; replaces an earlier one',
        },
        MemberKicked: { description: 'a policy puts the member’s connections out' },
        MemberBanned: { actions: [cancelBan, fold(banned), armBan], description: 'arms the ban’s timer' },
        RoomRulesSet: { actions: fold(ruled), description: 'what may not be posted here from now on' },
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
        'removed.read': readingRemoved,
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
          'rules.set',
          'invite.create',
        ),
        ...memory,
      },
    },
  },
})
