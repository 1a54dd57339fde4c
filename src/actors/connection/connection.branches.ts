// The branches of the connection's commands: what each is refused for, and the facts it becomes.

import { branches, fact } from '../chart.ts'
import type { ConnectionContext } from './connection.context.ts'
import type { CloseCause, ConnectionCommand, ConnectionFactEvent } from './connection.facts.ts'
import type { CommandOf, ConnectionEvent, GuardName } from './connection.guards.ts'

/** An accepted command whose fact repeats these fields of it. */
export const yes = <T extends ConnectionCommand['type']>(
  _command: T,
  type: ConnectionFactEvent['type'],
  data: (command: CommandOf<T>, context: ConnectionContext) => object,
) => ({
  actions: fact<ConnectionContext, ConnectionEvent>(type, ({ context, event }) => data(event as CommandOf<T>, context)),
  description: type,
})

export const { no, only, nothingNew, already } = branches<ConnectionContext, ConnectionEvent, GuardName>()

export const tooMany = no('isOverRate', 'rate-limited')

/** The code that the dialect closes with for this cause, when the command names none. */
const codeOf = ({ options }: ConnectionContext, cause: CloseCause, code: number | null = null): number | null =>
  code ?? options.closeCodes[cause] ?? null

export const closing = yes('connection.close', 'ConnectionClosed', ({ code, reason, cause, late }, context) => ({
  code: codeOf(context, cause, code),
  reason,
  cause,
  late,
}))

export const entering = yes('room.enter', 'RoomEntered', ({ room, revision, history, resumedFrom }) => ({
  room,
  revision,
  history,
  ...(resumedFrom === undefined ? {} : { resumedFrom }),
}))

export const timedOut = (cause: 'auth-timeout' | 'afk') => ({
  actions: fact<ConnectionContext, ConnectionEvent>('ConnectionClosed', ({ context }) => ({
    code: codeOf(context, cause),
    reason: null,
    cause,
    late: false,
  })),
  description: `ConnectionClosed, cause ${cause}`,
})

export const noting = yes(
  'refusal.note',
  'CommandRefused',
  ({ command, code, state, guard, values, decidedAt, count }) => ({
    command,
    code,
    state,
    guard,
    values,
    at: decidedAt,
    count,
  }),
)

export const failing = [
  {
    guard: 'isFinal' as const,
    actions: [
      fact<ConnectionContext, ConnectionEvent>('AuthFailed', ({ event }) => ({
        code: (event as CommandOf<'auth.fail'>).code,
      })),
      fact<ConnectionContext, ConnectionEvent>('ConnectionClosed', ({ context, event }) => {
        const { closeCode, reason, code } = event as CommandOf<'auth.fail'>
        const cause = code === 'banned' ? 'banned' : 'auth-failed'
        return { code: codeOf(context, cause, closeCode), reason, cause, late: false }
      }),
    ],
    description: 'AuthFailed, ConnectionClosed',
  },
  yes('auth.fail', 'AuthFailed', ({ code }) => ({ code })),
]

/** Chosen when the first event tells the dialect: its limits take the place of the listener's. */
export const choosing = [
  nothingNew('isChosen'),
  yes('dialect.choose', 'DialectChosen', ({ dialect, version, limits, options }) => ({
    dialect,
    version,
    limits,
    options,
  })),
]
