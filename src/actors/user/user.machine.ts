// The user's statechart: who somebody is, whether they are online, and whether they may be.

import { setup } from 'xstate'
import { type Decided, fact } from '../chart.ts'
import { byOf } from '../fact.ts'
import { already, attaching, banExpiring, banning, detaching, no, nothingNew, only, yes } from './user.branches.ts'
import { absentUser, type UserContext } from './user.context.ts'
import type { UserCommand, UserFactEvent } from './user.facts.ts'
import { type CommandOf, type FactOf, guards, MAX_TOKENS, type UserEvent } from './user.guards.ts'

export { restoreContext, summarise } from './user.context.ts'

const user = setup({
  types: { context: {} as UserContext, events: {} as UserEvent, emitted: {} as Decided },
  guards,
})

const fold = <T extends UserFactEvent['type']>(
  evolve: (context: UserContext, fact: FactOf<T>) => Partial<UserContext>,
) => user.assign(({ context, event }) => evolve(context, event as FactOf<T>))

const BAN_TIMER = 'ban'

const banned = [
  user.cancel(BAN_TIMER),
  fold<'UserBanned'>((_context, { data, id }) => ({ ban: { until: data.until, fact: id } })),
  user.enqueueActions(({ event, enqueue }) => {
    const { data, at } = event as FactOf<'UserBanned'>
    if (data.until === null) return
    const expire = { type: 'ban.expire', due: data.until } as UserCommand
    enqueue.raise(expire, { id: BAN_TIMER, delay: data.until - at })
  }),
]

const unbanned = [user.cancel(BAN_TIMER), fold(() => ({ ban: null }))]

const cameOnline = fold<'CameOnline'>((context, { data, revision }) => ({
  connections: context.connections.set(data.connection, { node: data.node, revision }),
}))

const wentOffline = fold<'WentOffline'>((context, { data }) => ({
  connections: context.connections.delete(data.connection),
}))

export const userMachine = user.createMachine({
  id: 'user',
  context: absentUser,
  initial: 'absent',
  states: {
    absent: {
      description: 'no fact yet',
      on: {
        'user.register': {
          actions: user.enqueueActions(({ event, enqueue }) => {
            const {
              user: id,
              number,
              username,
              role,
              guest,
              machine,
              token,
              profile,
            } = event as CommandOf<'user.register'>
            enqueue(fact('UserRegistered', () => ({ user: id, number, username, role, guest, machine })) as never)
            if (token) enqueue(fact('TokenIssued', () => ({ token: token.id, hash: token.hash })) as never)
            if (profile) {
              const { dialect, fields } = profile
              enqueue(fact('ProfileSet', () => ({ dialect, fields: { ...fields } })) as never)
            }
          }),
          description: 'UserRegistered; TokenIssued, its first token; ProfileSet, what its dialect asks of it',
        },
        UserRegistered: {
          target: 'registered',
          actions: fold<'UserRegistered'>((_context, { data }) => {
            const { user: id, number, username, role, guest } = data
            return { user: id, number, username, role, guest }
          }),
          description: 'born',
        },
      },
    },

    registered: {
      type: 'parallel',
      on: {
        'user.register': only('already-exists'),
        'user.rename': [
          no('isNeitherSelfNorAdmin', 'not-authorized'),
          nothingNew('isSameName'),
          yes('user.rename', 'UserRenamed', ({ username }) => ({ username })),
        ],
        'token.issue': [
          no('isNeitherSelfNorAdmin', 'not-authorized'),
          nothingNew('hasTokenAlready'),
          no('tokensAreFull', 'busy', () => ({ tokens: MAX_TOKENS })),
          yes('token.issue', 'TokenIssued', ({ token, hash, label }) => ({
            token,
            hash,
            ...(label === undefined ? {} : { label }),
          })),
        ],
        'token.revoke': [
          no('isNeitherSelfNorAdmin', 'not-authorized'),
          no('isUnknownToken', 'unknown-token'),
          yes('token.revoke', 'TokenRevoked', ({ token }) => ({ token })),
        ],
        'profile.set': [
          no('isNeitherSelfNorAdmin', 'not-authorized'),
          yes('profile.set', 'ProfileSet', ({ dialect, fields }) => ({ dialect, fields: { ...fields } })),
        ],
        'role.set': [
          no('isNotAdmin', 'not-authorized'),
          no('isSelf', 'not-authorized'),
          nothingNew('isSameRole'),
          {
            guard: 'isPlainRole' as const,
            ...yes('role.set', 'RoleRevoked', ({ asker }, { role }) => ({ role, by: byOf(asker) })),
          },
          yes('role.set', 'RoleGranted', ({ role, asker }) => ({ role, by: byOf(asker) })),
        ],
        'user.kick': [
          no('isNotAdmin', 'not-authorized'),
          yes('user.kick', 'UserKicked', ({ asker, reason }) => ({ by: byOf(asker), reason })),
        ],

        UserRenamed: {
          actions: fold<'UserRenamed'>((_context, { data }) => ({ username: data.username })),
          description: 'the name of now; messages keep theirs',
        },
        TokenIssued: {
          actions: fold<'TokenIssued'>(({ tokens }, { data }) => ({ tokens: tokens.set(data.token, data.hash) })),
          description: 'one more token in force',
        },
        TokenRevoked: {
          actions: fold<'TokenRevoked'>(({ tokens }, { data }) => ({ tokens: tokens.delete(data.token) })),
          description: 'a policy closes the connections that signed in with it',
        },
        RoleGranted: {
          actions: fold<'RoleGranted'>((_context, { data }) => ({ role: data.role })),
          description: 'the account’s role everywhere',
        },
        RoleRevoked: { actions: fold<'RoleRevoked'>(() => ({ role: 'member' })), description: 'a member again' },
        ProfileSet: { description: 'the fields stand in the read model' },
        StatusChanged: {
          actions: fold<'StatusChanged'>((_context, { data }) => ({ status: data.status })),
          description: 'told to whoever shares a room; empty when the last connection ended',
        },
        UserKicked: { description: 'a policy closes the connections' },
      },
      states: {
        presence: {
          initial: 'offline',
          states: {
            offline: {
              description: 'no connection',
              on: {
                'connection.detach': already,
                CameOnline: { target: 'online', actions: cameOnline, description: 'the first connection' },
              },
            },
            online: {
              description: 'one or more connections',
              on: {
                'connection.detach': detaching,
                'status.set': yes('status.set', 'StatusChanged', ({ status }) => ({ status: { ...status } })),
                CameOnline: { actions: cameOnline, description: 'another connection' },
                WentOffline: [
                  { guard: 'wasLast', target: 'offline', actions: wentOffline, description: 'the last connection' },
                  { actions: wentOffline, description: 'one of several connections' },
                ],
              },
            },
          },
        },
        standing: {
          initial: 'good',
          states: {
            good: {
              description: 'may connect',
              on: {
                'connection.attach': attaching,
                'user.ban': banning,
                'user.unban': [no('isNotAdmin', 'not-authorized'), only('not-banned')],
                'ban.expire': already,
                UserBanned: { target: 'banned', actions: banned, description: 'a policy closes the connections' },
              },
            },
            banned: {
              description: 'may not connect until the ban ends',
              on: {
                'connection.attach': [
                  no('isBannedStill', 'banned', ({ context }) => ({ until: context.ban?.until ?? null })),
                  ...attaching,
                ],
                'user.ban': banning,
                'user.unban': [
                  no('isNotAdmin', 'not-authorized'),
                  yes('user.unban', 'BanLifted', ({ asker, reason }) => ({ by: byOf(asker), reason })),
                ],
                'ban.expire': banExpiring,
                UserBanned: { target: 'banned', reenter: true, actions: banned, description: 'replaces the ban' },
                BanLifted: { target: 'good', actions: unbanned, description: 'an admin ended the ban' },
                BanExpired: { target: 'good', actions: unbanned, description: 'the ban ended by its time' },
              },
            },
          },
        },
      },
    },
  },
})
