// The connection's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import { type CommandFields, type FactEventsOf, factType, instant, person, personal, shape } from '../fact.ts'

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
export const connectionLimits = shape(
  'limits',
  "limits that the chart's timers use; 0: off",
  z.object({
    authTimeoutMs: z.int(),
    afkMs: z.int(),
    typingMs: z.int(),
    badFrameStrikes: z.int(),
  }),
)
export type ConnectionLimits = z.infer<typeof connectionLimits>

/** What of a dialect's profile the chart and the policies use. */
export const connectionOptions = shape(
  'options',
  "what of a dialect's profile the chart and the policies use",
  z.object({
    oneRoom: z.boolean().describe('put out of its only room, it has nothing left and is closed'),
    socketsPerAccount: z
      .int()
      .describe('a newer connection of the account in this dialect closes older ones; 0: any number'),
    closeCodes: z
      .partialRecord(closeCause, z.int())
      .describe("the dialect's own close code for each cause; a cause without one closes without a code"),
  }),
)
export type ConnectionOptions = z.infer<typeof connectionOptions>

export const connectionFacts = {
  ConnectionOpened: factType(
    'connection',
    'a socket opened, or a request came over REST',
    z.object({
      connection: z.string(),
      dialect: z
        .string()
        .nullable()
        .describe('null until the first event tells (socket.io on a shared listener): DialectChosen follows'),
      version: z.int(),
      since: instant.describe('when the socket opened; its fact follows with the first frame, or after a second'),
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
    'on an address that several dialects share, the first event told which it speaks',
    z.object({ dialect: z.string(), version: z.int(), limits: connectionLimits, options: connectionOptions }),
  ),
  AuthSucceeded: factType(
    'connection',
    'signed in',
    z.object({
      user: person.nullable().describe('null: an anonymous reader'),
      token: z.string().nullable().describe("the token's id"),
    }),
  ),
  AuthFailed: factType('connection', 'a sign-in was refused', z.object({ code: z.string() })),
  RoomEntered: factType(
    'connection',
    'the room has its presence, and it hears what is live there',
    z.object({
      room: z.string(),
      revision: z.int().describe("the room's revision that the snapshot was read at; live facts follow above it"),
      history: z.object({ count: z.int(), firstId: z.int().nullable(), lastId: z.int().nullable() }),
      resumedFrom: z
        .int()
        .optional()
        .describe('a client that came back: it is handed the facts above this revision, in place of history'),
    }),
  ),
  RoomsFollowed: factType(
    'connection',
    'rooms that are heard without entering them',
    z.object({ rooms: z.record(z.string(), z.int()).describe('room → the revision that live facts follow above') }),
  ),
  RoomLeft: factType('connection', 'entered or followed, it is neither any more', z.object({ room: z.string() })),
  HistoryRead: factType(
    'connection',
    'older messages were handed to it',
    z.object({ room: z.string(), count: z.int(), firstId: z.int().nullable(), lastId: z.int().nullable() }),
  ),
  TypingStarted: factType(
    'connection',
    'shown to those in the room',
    z.object({
      room: z.string(),
      named: z.literal(true).optional().describe('by a client that shows who types by name'),
    }),
  ),
  TypingStopped: factType(
    'connection',
    'typing ended, and why',
    z.object({ room: z.string(), cause: z.enum(['client', 'message', 'timeout', 'left']) }),
  ),
  ReadMarked: factType(
    'connection',
    'its account has read the room up to this message',
    z.object({ room: z.string(), upTo: z.int() }),
  ),
  WentIdle: factType(
    'connection',
    'it said nothing for as long as the dialect allows, or its client said so',
    z.object({ since: instant }),
  ),
  BecameActive: factType('connection', 'it is idle no more', z.object({})),
  Delivered: factType(
    'connection',
    'what the socket was surely handed; written when it falls behind, has caught up, and at its end',
    z.object({
      rooms: z
        .record(z.string(), z.int())
        .describe('room → revision: what was live up to there, and the history it was entered with'),
    }),
  ),
  CommandRefused: factType(
    'connection',
    'something was asked and not done: who decided, in which state, by which guard, on what values',
    z.object({
      command: z.string(),
      code: z.string(),
      state: z.string().describe("the chart's state, guard and allow-listed values it was decided at"),
      guard: z.string().nullable(),
      values: z.record(z.string(), z.unknown()),
      at: z
        .object({ stream: z.string(), revision: z.int() })
        .nullable()
        .describe('the other actor that refused, and its revision then; null: the connection itself'),
      count: z.int().describe('repeats of the same refusal within a second are one fact'),
    }),
  ),
  ConnectionClosed: factType(
    'connection',
    'its last fact',
    z.object({
      code: z.int().nullable(),
      reason: personal(z.string().nullable(), 'self'),
      cause: closeCause,
      late: z.boolean().describe('appended after the socket was gone already (transport limit, crash)'),
    }),
  ),
} as const

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
