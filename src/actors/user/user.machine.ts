// The user's statechart: who somebody is, whether they are online, and whether they may be.

import { Map as PersistentMap } from 'immutable'
import { setup } from 'xstate'
import { type Decided, fact, nothing, refuse, type Values } from '../chart.ts'
import type { AccountRole } from '../fact.ts'
import { type RefusalCode, refusals } from '../refusals.ts'
import type { Asker } from '../room/room.facts.ts'
import type { UserCommand, UserFactEvent } from './user.facts.ts'

/** A connection that the account is online on. */
export interface Attached {
  readonly node: string
  /** of its CameOnline: an older connection has a smaller one */
  readonly revision: number
}

export interface UserContext {
  readonly user: string
  readonly number: number
  readonly username: string
  readonly role: AccountRole
  readonly guest: boolean
  /** token id → SHA-256 of the hex of the token's SHA-256 */
  readonly tokens: PersistentMap<string, string>
  readonly connections: PersistentMap<string, Attached>
  /** as set last while online; empty: none */
  readonly status: Readonly<Record<string, unknown>>
  readonly ban: { readonly until: number | null; readonly fact: string } | null
}

const absentUser: UserContext = {
  user: '',
  number: 0,
  username: '',
  role: 'member',
  guest: false,
  tokens: PersistentMap(),
  connections: PersistentMap(),
  status: {},
  ban: null,
}

export const summarise = (context: UserContext): unknown => ({
  ...context,
  tokens: [...context.tokens],
  connections: [...context.connections],
})

export const restoreContext = (json: unknown): UserContext => {
  const plain = json as UserContext & { tokens: Iterable<[string, string]>; connections: Iterable<[string, Attached]> }
  return { ...plain, tokens: PersistentMap(plain.tokens), connections: PersistentMap(plain.connections) }
}

const MAX_TOKENS = 100
const MAX_CONNECTIONS = 200
const MAX_SECONDS = 31_536_000
const LATE_MS = 1_000

type UserEvent = UserCommand | UserFactEvent
type CommandOf<T extends UserCommand['type']> = Extract<UserCommand, { type: T }>
type FactOf<T extends UserFactEvent['type']> = Extract<UserFactEvent, { type: T }>

interface Given {
  readonly context: UserContext
  readonly event: UserEvent
}

/** The fields that guards read, whichever command carries them. */
const read = (event: UserEvent) =>
  event as unknown as {
    asker: Asker | null
    token?: string | null
    attaching?: string
    detaching?: string
    username?: string
    role?: AccountRole
    seconds?: number | null
    due?: number
  }

const isAdmin = ({ event }: Given): boolean => {
  const { asker } = read(event)
  return asker === null || asker.account === 'admin'
}

const guards = {
  isNotAdmin: (given: Given) => !isAdmin(given),
  isNeitherSelfNorAdmin: (given: Given) => !isAdmin(given) && read(given.event).asker?.id !== given.context.user,
  /** staff is not put out by itself, so that nobody locks the last admin out by a slip */
  isSelf: ({ context, event }: Given) => read(event).asker?.id === context.user,
  isTokenRevoked: ({ context, event }: Given) => {
    const { token } = read(event)
    return typeof token === 'string' && !context.tokens.has(token)
  },
  isUnknownToken: ({ context, event }: Given) => !context.tokens.has(read(event).token ?? ''),
  hasTokenAlready: ({ context, event }: Given) => context.tokens.has(read(event).token ?? ''),
  tokensAreFull: ({ context }: Given) => context.tokens.size >= MAX_TOKENS,
  connectionsAreFull: ({ context }: Given) => context.connections.size >= MAX_CONNECTIONS,
  isAttached: ({ context, event }: Given) => context.connections.has(read(event).attaching ?? ''),
  isNotAttached: ({ context, event }: Given) => !context.connections.has(read(event).detaching ?? ''),
  /** with the last connection the status ends, too */
  takesStatusAlong: ({ context }: Given) => context.connections.size === 1 && Object.keys(context.status).length > 0,
  isSameName: ({ context, event }: Given) => context.username === read(event).username,
  isSameRole: ({ context, event }: Given) => context.role === read(event).role,
  isPlainRole: ({ event }: Given) => read(event).role === 'member',
  isDurationInvalid: ({ event }: Given) => {
    const { seconds } = read(event)
    return (
      seconds !== null && !(Number.isInteger(seconds) && (seconds as number) >= 1 && (seconds as number) <= MAX_SECONDS)
    )
  },
  /** its time may have come before its timer fires, e.g. right after a start */
  isBannedStill: ({ context, event }: Given) =>
    context.ban !== null && (context.ban.until === null || event.at < context.ban.until),
  isNotThatBan: ({ context, event }: Given) => context.ban?.until !== read(event).due,
  wasLast: ({ context, event }: Given) => {
    const { data } = event as FactOf<'WentOffline'>
    return context.connections.size === 1 && context.connections.has(data.connection)
  },
}
type GuardName = keyof typeof guards

const no = <G extends GuardName>(guard: G, code: RefusalCode, values?: (given: Given) => Values) => ({
  guard,
  actions: refuse<UserContext, UserEvent>(code, guard, values),
  description: refusals[code].title,
})

const already = { actions: nothing<UserContext, UserEvent>(), description: 'nothing new' }

const nothingNew = <G extends GuardName>(guard: G) => ({ guard, ...already })

/** Where no other answer is possible. */
const only = (code: RefusalCode) => ({
  actions: refuse<UserContext, UserEvent>(code),
  description: refusals[code].title,
})

const yes = <T extends UserCommand['type']>(
  _command: T,
  type: UserFactEvent['type'],
  data: (command: CommandOf<T>, context: UserContext) => object,
) => ({
  actions: fact<UserContext, UserEvent>(type, ({ context, event }) => data(event as CommandOf<T>, context)),
  description: type,
})

const byOf = (asker: Asker | null) => asker && { id: asker.id, number: asker.number, username: asker.username }

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

const banning = [
  no('isNotAdmin', 'not-authorized'),
  no('isSelf', 'not-authorized'),
  no('isDurationInvalid', 'command-invalid'),
  yes('user.ban', 'UserBanned', ({ asker, seconds, reason, at }) => ({
    by: byOf(asker),
    until: seconds === null ? null : at + seconds * 1_000,
    reason,
  })),
]

const cameOnline = fold<'CameOnline'>((context, { data, revision }) => ({
  connections: context.connections.set(data.connection, { node: data.node, revision }),
}))

const wentOffline = fold<'WentOffline'>((context, { data }) => ({
  connections: context.connections.delete(data.connection),
}))

const attaching = [
  no('isTokenRevoked', 'token-revoked'),
  nothingNew('isAttached'),
  no('connectionsAreFull', 'busy', () => ({ connections: MAX_CONNECTIONS })),
  yes('connection.attach', 'CameOnline', ({ attaching: connection, node }, { connections }) => ({
    connection,
    node,
    first: connections.size === 0,
  })),
]

const wentOfflineOf = (event: UserEvent, { connections }: UserContext) => ({
  connection: (event as CommandOf<'connection.detach'>).detaching,
  last: connections.size === 1,
})

const detaching = [
  nothingNew('isNotAttached'),
  {
    guard: 'takesStatusAlong' as const,
    actions: [
      fact<UserContext, UserEvent>('StatusChanged', () => ({ status: {} })),
      fact<UserContext, UserEvent>('WentOffline', ({ context, event }) => wentOfflineOf(event, context)),
    ],
    description: 'StatusChanged, WentOffline',
  },
  yes('connection.detach', 'WentOffline', (command, context) => wentOfflineOf(command as UserEvent, context)),
]

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
                'ban.expire': [
                  nothingNew('isNotThatBan'),
                  yes('ban.expire', 'BanExpired', ({ due, at }, { ban }) => ({
                    due,
                    fired: at,
                    late: at - due > LATE_MS,
                    armedBy: ban?.fact,
                    cause: 'timer',
                  })),
                ],
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
