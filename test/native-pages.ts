// Prints what is made of the native protocol's schema: its tables for docs/protocols/native.md, and the types of
// src/client/frames.ts, which the client has to itself so that it depends on nothing.

import { z } from 'zod'
import { closeCodes } from '../src/dialects/native/close-codes.ts'
import { commands, events } from '../src/dialects/native/schema.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly description?: string
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

const schemaOf = (type: z.ZodType, io: 'input' | 'output'): Schema => z.toJSONSchema(type, { io }) as Schema

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ')

const typeOf = (schema: Schema): string => {
  const {
    const: only,
    enum: values,
    anyOf,
    oneOf,
    type,
    items,
    properties,
    required = [],
    additionalProperties,
  } = schema
  if (only !== undefined) return JSON.stringify(only).replaceAll('"', "'")
  if (values) return union(values.map((value) => `'${value}'`))
  if (anyOf || oneOf) return union((anyOf ?? oneOf ?? []).map(typeOf))
  if (Array.isArray(type)) return union(type.map((each) => typeOf({ type: each })))
  if (type === 'array') {
    const inner = typeOf(items ?? {})
    return inner.includes(' | ') ? `(${inner})[]` : `${inner}[]`
  }
  if (type === 'object' && properties) {
    const fields = Object.entries(properties).map(([name, inner]) => {
      return `readonly ${name}${required.includes(name) ? '' : '?'}: ${typeOf(inner)}`
    })
    return `{ ${fields.join('; ')} }`
  }
  if (type === 'object') return `Readonly<Record<string, ${typeOf(additionalProperties as Schema)}>>`
  if (type === 'integer' || type === 'number') return 'number'
  return String(type)
}

export const clientFrames = (): string => {
  const named = (list: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output') =>
    Object.values(list).map((type) => {
      const schema = schemaOf(type, io)
      return `  /** ${schema.description} */\n  | ${typeOf(schema)}`
    })
  return `// Printed from src/dialects/native/schema.ts: UPDATE_NATIVE=1 npx vitest run test/native-pages.test.ts

/** What a client sends. */
export type CommandFrame =
${named(commands, 'input').join('\n')}

/** What the server sends. */
export type EventFrame =
${named(events, 'output').join('\n')}

export type EventOf<Name extends EventFrame['is']> = Extract<EventFrame, { is: Name }>
`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const fieldRows = (schema: Schema, tag: string): string[] =>
  Object.entries(schema.properties ?? {})
    .filter(([name]) => name !== tag)
    .map(([name, inner]) => {
      const optional = schema.required?.includes(name) ? '' : '?'
      const bounds = [
        inner.maxLength === undefined ? '' : `at most ${inner.maxLength} characters`,
        inner.minimum !== undefined && inner.minimum > Number.MIN_SAFE_INTEGER ? `from ${inner.minimum}` : '',
        inner.maximum !== undefined && inner.maximum < Number.MAX_SAFE_INTEGER ? `to ${inner.maximum}` : '',
      ].filter((bound) => bound !== '')
      const says = [inner.description ?? '', bounds.join(' ')].filter((part) => part !== '').join('; ')
      return `| \`${name}${optional}\` | \`${cell(typeOf(inner))}\` | ${cell(says)} |`
    })

const section = (list: Readonly<Record<string, z.ZodType>>, tag: 'do' | 'is', io: 'input' | 'output'): string =>
  Object.values(list)
    .map((type) => {
      const schema = schemaOf(type, io)
      const rows = fieldRows(schema, tag)
      const table = rows.length > 0 ? `\n\n| Field | Type | Meaning |\n|---|---|---|\n${rows.join('\n')}` : ''
      return `#### \`${schema.properties?.[tag]?.const}\`\n\n${schema.description}${table}`
    })
    .join('\n\n')

export const nativeTables = (): string => `### What a client sends

Every command is an object with \`do\`; \`ref\` comes back in its answer. Unknown keys are refused.

${section(commands, 'do', 'input')}

### What the server sends

Every frame is an object with \`is\`. A client passes over what it does not know.

${section(events, 'is', 'output')}

### Close codes

| Code | Reason | Come back by yourself? |
|---|---|---|
${Object.values(closeCodes)
  .map(
    ({ code, reason, comeBackAfterMs }) =>
      `| ${code} | ${reason} | ${comeBackAfterMs === null ? 'no' : `after ${comeBackAfterMs / 1_000} s and jitter`} |`,
  )
  .join('\n')}`
