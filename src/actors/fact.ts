// What a fact and a command are, for every kind of actor.
//
// A command (`message.post`) is a wish: guards decide on it, and it never changes state. A fact (`MessagePosted`)
// happened and is on the log: it alone changes state. Type names are storage format: a change of shape is a new
// version with an upcaster, never an edit.

import { z } from 'zod'

export type ActorKind =
  | 'connection'
  | 'room'
  | 'user'
  | 'node'
  | 'name'
  | 'numbers'
  | 'machines'
  | 'webhook'
  | 'rules'
  | 'import'

/** Who and why, beside the data of each fact. */
export interface Metadata {
  /** ms since 1970, never smaller than that of the fact before it in its stream */
  readonly at: number
  /** user id, or `system` (start, policy, timer) */
  readonly by: string | null
  readonly connection: string | null
  readonly $correlationId: string
  /** the id of the command it was decided for */
  readonly $causationId: string
}

/** A fact as actors, projections and codecs see it: parsed, and acknowledged by the log. */
export interface Fact<Type extends string = string, Data = unknown> {
  readonly id: string
  readonly stream: string
  readonly revision: number
  readonly type: Type
  readonly v: number
  readonly data: Data
  readonly metadata: Metadata
}

/** What a statechart receives when a fact is folded in: an XState event whose type is the fact's. */
export interface FactEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly id: string
  readonly revision: number
  readonly at: number
  readonly data: Data
  readonly by: string | null
  readonly connection: string | null
}

/** Fields every command carries; the host fills what the sender left out. */
export interface CommandFields {
  /** a repeat with the same id yields nothing new; becomes `$causationId` */
  readonly commandId: string
  /** ms since 1970 when it is decided */
  readonly at: number
  readonly by: string | null
  readonly connection: string | null
  readonly correlationId: string
}

/** A command as its sender writes it: `newId` and `message` are the host's to fill as well. */
export type Wish<C extends CommandFields> = C extends CommandFields
  ? Omit<C, keyof CommandFields | 'newId' | 'message'> & Partial<CommandFields>
  : never

/** Marks a field as personal data of the person that `whose` names (a path in the same fact's data, or `self` for the stream's own user). */
export const personal = <S extends z.ZodType>(schema: S, whose: string): S => schema.meta({ personal: whose }) as S

export interface FactType {
  readonly kind: ActorKind
  readonly v: number
  /** what it means, for docs/facts.md */
  readonly says: string
  readonly schema: z.ZodType
  /** the first makes v2's data of v1's, and so on up to `v`; what they take stays readable for good */
  readonly upcasts?: readonly Upcast[]
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of a version that has no type any more
export type Upcast = (data: any) => unknown

export type FactTypes = Readonly<Record<string, FactType>>

/** The union of facts of one kind, from its table of schemas. */
export type FactsOf<T extends Record<string, { schema: z.ZodType }>> = {
  [K in keyof T & string]: Fact<K, z.infer<T[K]['schema']>>
}[keyof T & string]

export type FactEventsOf<T extends Record<string, { schema: z.ZodType }>> = {
  [K in keyof T & string]: FactEvent<K, z.infer<T[K]['schema']>>
}[keyof T & string]

export const factType = <S extends z.ZodType, K extends ActorKind>(
  kind: K,
  says: string,
  schema: S,
  upcasts: readonly Upcast[] = [],
) => ({
  kind,
  v: 1 + upcasts.length,
  says,
  schema,
  upcasts,
})

/** Shapes that several facts share, and what they mean: each stands once, under this name, in docs/facts.md. */
export const shapes = z.registry<{ readonly name: string; readonly says: string }>()

export const shape = <S extends z.ZodType>(name: string, says: string, schema: S): S => {
  shapes.add(schema, { name, says })
  return schema
}

// --- shapes that facts of several kinds share ---

/**
 * What dialects want kept, each under its own name: whatever JSON can say. A number beyond all numbers (1e400 reads as
 * Infinity) has no form there; it is refused here, where it costs its own command, and not by the log.
 */
export const kept = shape(
  'kept',
  'whatever JSON can say, each dialect under its own name',
  z.record(z.string(), z.json() as z.ZodType<unknown>),
)

export const accountRole = z.enum(['admin', 'member', 'robot'])
export type AccountRole = z.infer<typeof accountRole>

export const memberRole = z.enum(['owner', 'mod', 'member'])
export type MemberRole = z.infer<typeof memberRole>

/** The role shown beside a name in a room: the member's, else the account's. An owner wins over an admin there. */
export const shownRole = z.enum(['owner', 'admin', 'mod', 'robot', 'member'])
export type ShownRole = z.infer<typeof shownRole>

export const person = shape(
  'person',
  'an account as it was then, with the role shown beside its name',
  z.object({
    id: z.string(),
    number: z.int(),
    username: personal(z.string(), 'id'),
    role: shownRole,
  }),
)
export type Person = z.infer<typeof person>

/** Who did it; null is the server itself (timer, policy, operator's command line). */
export const by = shape(
  'by',
  'whoever did it, as the account was then; null is the server itself, or its operator',
  z.object({ id: z.string(), number: z.int(), username: personal(z.string(), 'id') }),
).nullable()

/** That field, of whoever asked. */
export const byOf = (asker: { readonly id: string; readonly number: number; readonly username: string } | null) =>
  asker && { id: asker.id, number: asker.number, username: asker.username }

/** Of a mute or a ban: a year; longer is 'no end'. */
export const MAX_SANCTION_SECONDS = 31_536_000

/** ms since 1970 */
export const instant = shape('instant', 'milliseconds since 1970', z.int())

/** A timer that fired so long after it was due says that it is late. */
export const LATE_MS = 1_000

/** A timer's fact names when it was due, when it fired, and the fact that armed it. */
export const fired = {
  due: instant,
  fired: instant,
  late: z.boolean().describe('fired well after it was due'),
  armedBy: z.string().describe('the fact that armed the timer'),
  cause: z.literal('timer'),
}
