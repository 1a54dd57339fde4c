// Prints every type of fact from its schema, for docs/facts.md.

import { z } from 'zod'
import { connectionStream } from '../src/actors/connection/connection.facts.ts'
import { type ActorKind, type FactType, shapes } from '../src/actors/fact.ts'
import { factTypes } from '../src/actors/fact-codec.ts'
import { logStream, machinesStream, nodeStream, numbersStream } from '../src/actors/node.facts.ts'
import { roomStream } from '../src/actors/room/room.facts.ts'
import { userStream } from '../src/actors/user/user.facts.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly propertyNames?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly description?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly maxItems?: number
  /** see `personal` and `shape` in src/actors/fact.ts */
  readonly personal?: string
  readonly shape?: { readonly name: string; readonly says: string }
}

/** Where the facts of a kind stand, and what such a stream is. */
const kinds: Readonly<Record<ActorKind, { streams: readonly string[]; says: string }>> = {
  connection: {
    streams: [connectionStream('<id>')],
    says: 'One socket’s whole life, or one request over REST. It leaves the log some time after it closed, whole.',
  },
  user: { streams: [userStream('<id>')], says: 'An account.' },
  room: { streams: [roomStream('<id>')], says: 'A room, or a space of rooms.' },
  rules: { streams: ['rules'], says: 'Blocking rules for all rooms.' },
  name: {
    streams: ['name-<kind>-<HMAC of what is claimed>'],
    says: 'Who owns a username, an alias, a phone number, an e-mail address, a token. What is claimed does not stand there.',
  },
  numbers: {
    streams: (['user', 'room', 'message'] as const).map(numbersStream),
    says: 'The series that numbers are taken from.',
  },
  node: { streams: [nodeStream('<name>'), logStream], says: 'The process that serves the log, and the log itself.' },
  machines: { streams: [machinesStream], says: 'The statecharts that were ever in force.' },
  import: { streams: ['import-<room>-<day>'], says: 'How far a log of another chat has been imported.' },
  webhook: { streams: ['webhook-<hash of the address>'], says: 'How far a backend has been told.' },
}

const schemaOf = (type: z.ZodType): Schema =>
  z.toJSONSchema(type, {
    override: ({ zodSchema, jsonSchema }) => {
      const shape = shapes.get(zodSchema)
      if (shape) jsonSchema.shape = shape
    },
  }) as Schema

const sentence = (says: string): string => `${says.charAt(0).toUpperCase()}${says.slice(1)}.`

const cell = (text: string): string => text.replaceAll('|', '\\|')

const limit = ({ minLength, maxLength, maxItems }: Schema): string => {
  if (maxItems !== undefined) return ` (at most ${maxItems})`
  if (maxLength === undefined) return ''
  return ` (${minLength === undefined ? 'at most ' : `${minLength} to `}${maxLength} characters)`
}

const fieldsOf = ({ properties = {}, required = [] }: Schema): [name: string, schema: Schema][] =>
  Object.entries(properties).map(([name, inner]) => [required.includes(name) ? name : `${name}?`, inner])

/** Shapes that were met while printing. */
type Met = Map<string, Schema>

const typeOf = (schema: Schema, met: Met): string => {
  const { shape, type, items, additionalProperties, propertyNames } = schema
  if (shape !== undefined) {
    const { name } = shape
    if (!met.has(name)) met.set(name, schema)
    return `[${name}](#${name})`
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const).replaceAll('"', '')}\``
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.anyOf) return schema.anyOf.map((each) => typeOf(each, met)).join(' or ')
  if (typeof type === 'object') return type.map((each) => typeOf({ ...schema, type: each }, met)).join(' or ')
  if (type === 'array') return `list of ${typeOf(items ?? {}, met)}${limit(schema)}`
  if (schema.properties) {
    const inner = fieldsOf(schema).map(([name, each]) => `${name}: ${typeOf(each, met)}`)
    return `{ ${inner.join('; ')} }`
  }
  if (type === 'object' && propertyNames) {
    const keys = propertyNames.enum ? 'cause' : 'text'
    return `map of ${keys} to ${typeOf(typeof additionalProperties === 'object' ? additionalProperties : {}, met)}`
  }
  const named: Readonly<Record<string, string>> = {
    string: 'text',
    integer: 'integer',
    boolean: 'yes or no',
    null: 'null',
  }
  return `${named[type ?? ''] ?? 'JSON'}${limit(schema)}`
}

/** `personal` says whose, as a path in the same fact; null and texts of it are in one `anyOf`. */
const personalOf = (schema: Schema): string => {
  const whose = schema.personal ?? schema.anyOf?.find(({ personal }) => personal !== undefined)?.personal
  if (whose === undefined) return ''
  return whose === 'self' ? 'the stream’s account' : `\`${whose}\``
}

const rowsOf = (schema: Schema, met: Met): string[] =>
  fieldsOf(schema).map(
    ([name, inner]) =>
      `| \`${name}\` | ${cell(typeOf(inner, met))} | ${personalOf(inner)} | ${cell(inner.description ?? '')} |`,
  )

const table = (schema: Schema, met: Met): string[] => {
  const rows = rowsOf(schema, met)
  return rows.length === 0
    ? ['No fields.', '']
    : ['| Field | Type | Personal data of | |', '|---|---|---|---|', ...rows, '']
}

const typePart = (name: string, { v, says, schema }: FactType, met: Met): string[] => [
  `### ${name}`,
  '',
  `Version ${v}. ${sentence(says)}`,
  '',
  ...table(schemaOf(schema), met),
]

export const factsPage = (): string => {
  const met: Met = new Map()
  const parts = Object.entries(kinds).flatMap(([kind, { streams, says }]) => {
    const types = Object.entries(factTypes).filter(([, type]) => type.kind === kind)
    return [
      `## ${kind}`,
      '',
      `${says} Stream${streams.length > 1 ? 's' : ''} ${streams.map((stream) => `\`${stream}\``).join(', ')}.`,
      '',
      ...types.flatMap(([name, type]) => typePart(name, type, met)),
    ]
  })
  // A shape may name another, which is then met here.
  const shapeParts: string[] = []
  for (const [name, schema] of met) {
    shapeParts.push(`### ${name}`, '', sentence(schema.shape?.says ?? ''), '')
    if (schema.properties) shapeParts.push(...table(schema, met))
  }
  return [
    '# Every fact',
    '',
    'Printed from the schemas (`UPDATE_FACTS=1 npx vitest run test/facts-page.test.ts`): `src/actors/**/*.facts.ts`.',
    '',
    'A fact is something that happened, on record before anybody was told. Its name and shape are storage format: a change of',
    'shape is a new version, and older ones stay readable for good. A field with `?` may be absent. Limits that stand here are',
    'the storage’s; what a client may send is bounded before that, on the pages of protocols. Beside its data each fact has',
    'an id and metadata: `at` (ms since 1970, never smaller than that of the fact before it in its stream), `by` (an account’s',
    'id, `system`, or null), `connection`, `$correlationId` and `$causationId`, the id of the command it was decided for.',
    '',
    'To see some: `npm run hansard -- log export --type UserMuted,MuteExpired`, or `GET /api/v1/facts?type=`. What a client is',
    'told of each is on the [protocols’](protocols/native.md) pages; what moves what is drawn in the [charts](charts/room.md).',
    '',
    ...parts,
    '## Shapes',
    '',
    'What several facts have alike.',
    '',
    ...shapeParts,
  ].join('\n')
}
