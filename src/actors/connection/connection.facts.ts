// The connection's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import { type CommandFields, type FactEventsOf, type FactsOf, factType, instant, person, personal } from '../fact.ts'

export const connectionStream = (connection: string): string => `connection-${connection}`

export const closeCause = z.enum([
  'client',
  'auth-timeout',
  'auth-failed',
  'afk',
  'banned',
  'kicked',
  'admin',
  'new-device',
  'protocol-error',
  'flood',
  'slow-consumer',
  'server-error',
  'shutdown',
  'node-lost',
])
export type CloseCause = z.infer<typeof closeCause>

/** Limits that the chart's timers use: they stand in the fact, so that a replay shows the chart that was. 0 = off. */
export const connectionLimits = z.object({
  authTimeoutMs: z.int(),
  afkMs: z.int(),
  typingMs: z.int(),
  badFrameStrikes: z.int(),
})
export type ConnectionLimits = z.infer<typeof connectionLimits>

/** What of a dialect's profile the chart and the policies use. */
export const connectionOptions = z.object({
  /** put out of its only room, it has nothing left and is closed */
  oneRoom: z.boolean(),
  /** a newer connection of the account in this dialect closes older ones; 0: any number */
  socketsPerAccount: z.int(),
  /** the dialect's own close code for each cause; a cause without one closes without a code */
  closeCodes: z.partialRecord(closeCause, z.int()),
})
export type ConnectionOptions = z.infer<typeof connectionOptions>

export const connectionFacts = {
  ConnectionOpened: factType(
    'connection',
    z.object({
      connection: z.string(),
      /** null until the first event tells (socket.io on a shared listener): DialectChosen follows */
      dialect: z.string().nullable(),
      version: z.int(),
      /** when the socket opened; its fact follows with the first frame, or after a second */
      since: instant,
      transport: z.string(),
      limits: connectionLimits,
      options: connectionOptions,
      node: z.string(),
      incarnation: z.string(),
      machine: z.string(),
    }),
  ),
  DialectChosen: factType(
    'connection',
    z.object({ dialect: z.string(), version: z.int(), limits: connectionLimits, options: connectionOptions }),
  ),
  /** `user` null: an anonymous reader */
  AuthSucceeded: factType('connection', z.object({ user: person.nullable(), token: z.string().nullable() })),
  AuthFailed: factType('connection', z.object({ code: z.string() })),
  RoomEntered: factType(
    'connection',
    z.object({
      room: z.string(),
      /** the room's revision that the snapshot was read at; live facts follow above it */
      revision: z.int(),
      history: z.object({ count: z.int(), firstId: z.int().nullable(), lastId: z.int().nullable() }),
    }),
  ),
  /** Rooms that are heard without entering them: room → the revision that live facts follow above. */
  RoomsFollowed: factType('connection', z.object({ rooms: z.record(z.string(), z.int()) })),
  /** entered or followed, it is neither any more */
  RoomLeft: factType('connection', z.object({ room: z.string() })),
  HistoryRead: factType(
    'connection',
    z.object({ room: z.string(), count: z.int(), firstId: z.int().nullable(), lastId: z.int().nullable() }),
  ),
  /** `named`: by a client that shows who types by name */
  TypingStarted: factType('connection', z.object({ room: z.string(), named: z.literal(true).optional() })),
  TypingStopped: factType(
    'connection',
    z.object({ room: z.string(), cause: z.enum(['client', 'message', 'timeout', 'left']) }),
  ),
  /** its account has read the room up to this message */
  ReadMarked: factType('connection', z.object({ room: z.string(), upTo: z.int() })),
  WentIdle: factType('connection', z.object({ since: instant })),
  BecameActive: factType('connection', z.object({})),
  /** What the socket was surely handed: room → revision. Written when it falls behind, has caught up, and at its end. */
  Delivered: factType('connection', z.object({ rooms: z.record(z.string(), z.int()) })),
  /** `count` repeats of the same refusal within a second are one fact. */
  CommandRefused: factType(
    'connection',
    z.object({
      command: z.string(),
      code: z.string(),
      /** the chart's state, guard and allow-listed values it was decided at */
      state: z.string(),
      guard: z.string().nullable(),
      values: z.record(z.string(), z.unknown()),
      /** the other actor that refused, and its revision then; null: the connection itself */
      at: z.object({ stream: z.string(), revision: z.int() }).nullable(),
      count: z.int(),
    }),
  ),
  ConnectionClosed: factType(
    'connection',
    z.object({
      code: z.int().nullable(),
      reason: personal(z.string().nullable(), 'self'),
      cause: closeCause,
      /** appended after the socket was gone already (transport limit, crash) */
      late: z.boolean(),
    }),
  ),
} as const

export type ConnectionFact = FactsOf<typeof connectionFacts>
export type ConnectionFactEvent = FactEventsOf<typeof connectionFacts>
export type FactData<T extends keyof typeof connectionFacts> = z.infer<(typeof connectionFacts)[T]['schema']>

/** What a client has stored beside messages carries the verdict of its bucket of acts; absent: not limited. */
interface Act extends CommandFields {
  readonly overRate?: boolean
}

export type ConnectionCommand =
  | (CommandFields & { type: 'connection.open' } & FactData<'ConnectionOpened'>)
  | (CommandFields & { type: 'dialect.choose' } & FactData<'DialectChosen'>)
  | (Act & { type: 'auth.succeed' } & FactData<'AuthSucceeded'>)
  /** recorded; `final`: the dialect closes on it */
  | (CommandFields & {
      type: 'auth.fail'
      code: string
      final: boolean
      closeCode: number | null
      reason: string | null
    })
  /** `own`: a room that its account belongs to, which no client asked for */
  | (Act & { type: 'room.enter'; own?: boolean } & FactData<'RoomEntered'>)
  | (CommandFields & { type: 'rooms.follow' } & FactData<'RoomsFollowed'>)
  | (CommandFields & { type: 'room.leave'; room: string })
  | (Act & { type: 'history.note' } & FactData<'HistoryRead'>)
  | (CommandFields & { type: 'delivery.note' } & FactData<'Delivered'>)
  | (Act & { type: 'typing.start'; room: string; named?: boolean })
  | (CommandFields & { type: 'typing.stop'; room: string; cause: 'client' | 'message' | 'left' })
  /** timer */
  | (CommandFields & { type: 'typing.expire'; room: string; due: number })
  | (Act & { type: 'read.mark' } & FactData<'ReadMarked'>)
  | (CommandFields & { type: 'activity.idle'; since: number })
  | (CommandFields & { type: 'activity.resume' })
  /** may a command of this kind be handed to a room now? answered `nothing` when authenticated, never a fact */
  | (Act & { type: 'command.permit'; command: string })
  /** `decidedAt` is the fact's `at`; a command's own `at` is its time */
  | (CommandFields & { type: 'refusal.note'; decidedAt: FactData<'CommandRefused'>['at'] } & Omit<
        FactData<'CommandRefused'>,
        'at'
      >)
  | (CommandFields & {
      type: 'connection.close'
      code: number | null
      reason: string | null
      cause: CloseCause
      late: boolean
    })
