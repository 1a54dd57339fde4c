// What the native API answers, as schemas: each answer is checked against its own before it leaves, and the OpenAPI
// document is made of them.

import { z } from 'zod'
import { accountRole, memberRole } from '../actors/fact.ts'
import { rule } from '../actors/rules.ts'

const named = <S extends z.ZodType>(id: string, schema: S): S => schema.meta({ id }) as S

export const time = z.string().meta({ format: 'date-time', description: 'ISO 8601, UTC' })
export const position = z.string().describe('a place in the log: opaque, `<epoch>-<n>`')

export const person = named(
  'Person',
  z.object({ id: z.string(), number: z.int(), username: z.string() }).describe('an account, by each of its names'),
)

/** An account, as it is told of. */
export const personOf = ({ id, number, username }: z.infer<typeof person>) => ({ id, number, username })

/** Whoever did something, or had it done; a muted name without an account has neither id nor number. */
const someone = named(
  'Someone',
  z
    .object({ id: z.string().nullable(), number: z.int().nullable(), username: z.string().nullable() })
    .describe('an account, the server (null id), or a muted name without an account'),
)

export const user = named(
  'User',
  z.object({
    ...person.shape,
    role: accountRole,
    guest: z.boolean(),
    registeredAt: time,
    position: position.optional(),
  }),
)

export const registered = named(
  'Registered',
  z.object({ ...person.shape, role: accountRole, token: z.string().describe('shown this once') }),
)

export const token = named(
  'Token',
  z
    .object({
      id: z.string(),
      label: z.string().nullable().describe('what it is for'),
      issuedAt: time,
      revokedAt: time.nullable(),
    })
    .describe('never the token itself'),
)

export const issuedToken = named(
  'IssuedToken',
  z.object({ id: z.string(), token: z.string().describe('shown this once') }),
)

export const heldRole = named(
  'HeldRole',
  z
    .object({
      room: z.string().nullable().describe('null: the role of the account itself'),
      role: z.union([accountRole, memberRole]),
      by: person.nullable(),
      from: time,
      to: time.nullable(),
    })
    .describe('a role, and from when to when it was held'),
)

export const room = named(
  'Room',
  z.object({
    id: z.string(),
    number: z.int(),
    name: z.string(),
    kind: z.enum(['room', 'space']),
    parent: z.string().nullable().describe('the space it is in'),
    mode: z.enum(['open', 'slow', 'locked', 'archived']),
    slowMs: z.int().describe('least time between two messages of one member in mode slow'),
    aliases: z.array(z.string()).describe('where each protocol sees the room, e.g. moneypot:18'),
    openedAt: time,
    position: position.optional(),
  }),
)

export const invite = named('Invite', z.object({ code: z.string(), room: z.string() }))

export const membership = named('Membership', z.object({ room: z.string(), user: person, role: memberRole }))

export const member = named(
  'Member',
  z.object({ user: person, role: memberRole, online: z.boolean().describe('present in the room now, or then') }),
)

export const readMark = named(
  'ReadMark',
  z.object({ user: person, message: z.int().describe('read up to this one'), at: time }),
)

export const message = named(
  'Message',
  z.object({
    id: z.int(),
    room: z.string(),
    author: person,
    role: z.string().describe('as shown beside the name then'),
    text: z.string().nullable().describe('null: removed, at that moment or since'),
    kind: z.enum(['text', 'action']),
    at: time,
    position,
    ref: z.string().nullable().describe('the sender’s own reference'),
    replyTo: z.int().optional(),
    edited: z.literal(true).optional(),
    removed: z.object({ by: person.nullable(), reason: z.string().nullable(), at: time }).optional(),
  }),
)

const sanctioned = { by: person.nullable(), reason: z.string().nullable(), from: time, until: time.nullable() }

export const mute = named(
  'Mute',
  z.object({
    user: z
      .object({ id: z.string().nullable(), number: z.int().nullable(), username: z.string() })
      .describe('by the name that is muted; id null: it had no account'),
    ...sanctioned,
  }),
)

export const ban = named('Ban', z.object({ user: person, ...sanctioned }))

export const kick = named('Kick', z.object({ user: person, reason: z.string().nullable() }))

export const ruleSet = named(
  'RuleSet',
  z.object({
    version: z.int().describe('0: never set; one more with each change'),
    rules: z.array(rule),
    position: position.optional(),
  }),
)

export const connection = named(
  'Connection',
  z.object({
    id: z.string(),
    dialect: z.string().nullable(),
    user: person.nullable(),
    state: z.string().describe('of its statechart, e.g. authenticated.active'),
    openedAt: time,
    closedAt: time.nullable(),
    code: z.int().nullable().describe('what the socket was closed with'),
    cause: z.string().nullable().describe('why it was closed'),
    refusals: z.int(),
  }),
)

export const act = named(
  'ModerationAct',
  z.object({
    position,
    at: time,
    act: z.string().describe('the type of the fact; CommandRefused: a try that was refused'),
    room: z.string().nullable(),
    target: someone.nullable(),
    by: someone.nullable().describe('null: the server itself, e.g. at the end of a time'),
    reason: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
  }),
)

export const fact = named(
  'Fact',
  z.object({
    id: z.string(),
    stream: z.string(),
    revision: z.int(),
    position,
    type: z.string(),
    v: z.int(),
    at: time,
    data: z.record(z.string(), z.unknown()),
    metadata: z.record(z.string(), z.unknown()),
  }),
)

export const machine = named(
  'Machine',
  z.object({
    kind: z.string(),
    hash: z.string(),
    definition: z.record(z.string(), z.unknown()),
    inForce: z.boolean(),
  }),
)

export const problem = named(
  'Problem',
  z
    .object({
      type: z.string(),
      title: z.string(),
      status: z.int(),
      detail: z.string(),
      code: z.string().describe('see the page of codes'),
      values: z.record(z.string(), z.unknown()).describe('what the rule looked at'),
      correlationId: z.string().describe('the one that the log and the server’s own output have'),
    })
    .describe('an error, RFC 9457'),
)

/** A page of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().describe('cursor of the next page; null: there is none'),
    position: position.describe('what the answer is as fresh as'),
  })

/** 204 */
export const done = z.null().describe('done; an empty answer')

/** Positions inside are plain numbers, as in `/readyz`. */
export const readModels = named(
  'ReadModels',
  z.object({
    position,
    lag: z.int().describe('facts in the log that are not folded in; counted to a bound where that costs a read'),
    parked: z.int().describe('facts that could not be folded'),
    firstParked: z.array(z.object({ position: z.int(), type: z.string(), projection: z.string(), error: z.string() })),
    building: z
      .object({ position: z.int(), head: z.int(), stopped: z.string().nullable().describe('why it does not go on') })
      .nullable()
      .describe('those being made to take the place of these; null: none'),
  }),
)

const timers = z.array(z.object({ timer: z.string(), due: time }))

const refusal = named(
  'Refusal',
  z.looseObject({ at: time, position, command: z.string().nullable() }).describe('a command that was refused, and why'),
)

/** Fields that actors/shown.ts names; others are absent. */
const moment = named(
  'Moment',
  z.object({
    revision: z.int().describe('-1: before the first fact'),
    state: z.string().describe('as refusals name it, e.g. authenticated.active'),
    value: z.unknown().describe('the state as XState has it'),
    context: z.record(z.string(), z.unknown()),
    timers,
  }),
)

const step = named(
  'Step',
  z.object({
    id: z.string(),
    revision: z.int(),
    position,
    at: time,
    type: z.string(),
    data: z.record(z.string(), z.unknown()).describe('fields that may be shown; others are absent'),
    by: z.string().nullable(),
    connection: z.string().nullable(),
    correlation: z.string(),
    cause: z.object({ kind: z.enum(['command', 'timer']), name: z.string().nullable(), id: z.string() }),
    arrow: z.string().nullable().describe('`<state it leaves>|<event>|<which branch>`'),
    state: z.string().describe('after it'),
    value: z.unknown(),
    changed: z.record(z.string(), z.unknown()).describe('keys of the context that are other than before'),
    timers,
    refused: z.array(refusal).optional().describe('what was refused while it stood there'),
  }),
)

const fault = z.object({ revision: z.int(), error: z.string() }).nullable().describe('what cannot be folded')

export const timeline = named(
  'Timeline',
  z.object({ before: moment, items: z.array(step), next: z.string().nullable(), fault, position }),
)

export const life = named(
  'Life',
  z.object({
    kind: z.enum(['connection', 'room', 'user']),
    stream: z.string(),
    machine: z.string().nullable().describe('hash of the statechart at its birth'),
    fault,
    facts: z.int(),
    revision: z.int().describe('the last one at that moment; -1: none'),
    first: time.nullable(),
    last: time.nullable(),
    buckets: z.array(z.int()).describe('how many facts, in equal parts of its time'),
    arrows: z.record(z.string(), z.int()).describe('how often each was taken'),
    marks: z.array(z.object({ revision: z.int(), mark: z.string(), type: z.string(), at: time })),
  }),
)
