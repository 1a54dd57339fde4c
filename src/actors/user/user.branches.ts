// The branches of the user's commands: what each is refused for, and the facts it becomes.

import { branches, fact } from '../chart.ts'
import { byOf, LATE_MS } from '../fact.ts'
import type { UserContext } from './user.context.ts'
import type { UserCommand, UserFactEvent } from './user.facts.ts'
import { type CommandOf, type GuardName, MAX_CONNECTIONS, type UserEvent } from './user.guards.ts'

export const { no, only, nothingNew, already } = branches<UserContext, UserEvent, GuardName>()

export const yes = <T extends UserCommand['type']>(
  _command: T,
  type: UserFactEvent['type'],
  data: (command: CommandOf<T>, context: UserContext) => object,
) => ({
  actions: fact<UserContext, UserEvent>(type, ({ context, event }) => data(event as CommandOf<T>, context)),
  description: type,
})

export const banning = [
  no('isNotAdmin', 'not-authorized'),
  no('isSelf', 'not-authorized'),
  no('isDurationInvalid', 'command-invalid'),
  yes('user.ban', 'UserBanned', ({ asker, seconds, reason, at }) => ({
    by: byOf(asker),
    until: seconds === null ? null : at + seconds * 1_000,
    reason,
  })),
]

export const attaching = [
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

export const detaching = [
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

export const banExpiring = [
  nothingNew('isNotThatBan'),
  yes('ban.expire', 'BanExpired', ({ due, at }, { ban }) => ({
    due,
    fired: at,
    late: at - due > LATE_MS,
    armedBy: ban?.fact,
    cause: 'timer',
  })),
]
