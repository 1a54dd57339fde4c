// Everything on record about one connection, gathered from the API and folded through the statechart.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import { definitions } from '../actors/definitions.ts'
import type { Fact } from '../actors/fact.ts'
import { Replay, type Step as Taken, timerName } from '../actors/replay.ts'
import { ConfigError } from '../config.ts'
import { FORM } from '../recording/secrets.ts'
import { type Answer, type Door, every } from './door.ts'
import { events } from './log-commands.ts'

/** consequences of its end follow within this */
const AFTER_MS = 60_000
/** of one connection, in rooms and its account */
const MAX_RELATED = 20_000
/** say who or what, and are no credentials, though they look alike */
const PLAIN_FIELDS: readonly string[] = ['machine', 'hash']

export interface Step {
  readonly revision: number
  readonly at: string
  readonly type: string
  readonly data: unknown
  readonly by: string | null
  readonly correlationId: string
  /** the command or timer that it was decided for; null, or without a name: not to be told */
  readonly cause: Taken['cause'] | null
  /** after it; null: the statechart of this version does not read it */
  readonly state: string | null
  readonly timers: readonly { readonly id: string; readonly due: string }[]
}

export interface Dossier {
  readonly connection: Answer
  readonly inForce: {
    /** of the fact that opened it: limits, options, transport, node */
    readonly opened: Answer
    /** of the process that held it; null: not on record */
    readonly version: string | null
    readonly settings: Readonly<Record<string, string>> | null
    readonly statechart: { readonly inForce: string; readonly foldedBy: string }
  }
  readonly life: readonly Step[]
  readonly refusals: readonly Step[]
  /** facts of rooms and accounts that it asked for or that followed from what it did */
  readonly related: readonly Answer[]
  /** there is more of these than fits here */
  readonly relatedCutOff: boolean
  /** what staff did to its account, ever */
  readonly moderation: readonly Answer[]
}

/** `hidden`: credentials known by themselves; others are found by their form. @throws ConfigError */
export const dossierOf = async (door: Door, id: string, hidden: readonly string[]): Promise<Dossier> => {
  const clean = <T>(value: T): T => withoutCredentials(value, hidden) as T
  const connection = await door.ask('GET', `/connections/${encodeURIComponent(id)}`)
  const facts: Answer[] = []
  for await (const fact of factsOf(door, { stream: connectionStream(id) })) facts.push(fact)
  const [first] = facts
  if (first?.type !== 'ConnectionOpened') throw new ConfigError(`the log has no facts of connection ${id}`)
  const life = lifeOf(id, facts).map((step) => ({ ...step, data: clean(step.data) }))
  const { related, cutOff } = await relatedTo(door, id, facts, connection.closedAt)
  const started = await startOf(door, first.data)
  const { hash } = await door.ask('GET', '/machines/connection')
  const moderation: Answer[] = []
  if (connection.user)
    for await (const act of every(door, `/moderation?limit=500&target=${connection.user.id}`)) moderation.push(act)
  const { settings = null, version = null } = started?.data ?? {}
  return {
    connection,
    inForce: {
      ...{ opened: clean(first.data), version, settings: clean(settings) },
      statechart: { inForce: first.data.machine, foldedBy: hash },
    },
    life,
    refusals: life.filter(({ type }) => type === 'CommandRefused' || type === 'AuthFailed'),
    related: related.map((fact) => ({ ...fact, data: clean(fact.data) })),
    relatedCutOff: cutOff,
    moderation: moderation.map(clean),
  }
}

/** A fact that this version's statechart does not know leaves the state unknown from there on. */
const lifeOf = (id: string, facts: readonly Answer[]): Step[] => {
  const definition = definitions.find(({ kind }) => kind === 'connection')
  let replay: Replay | null = definition ? new Replay(definition.machine, connectionStream(id)) : null
  return facts.map(({ revision, at, type, data, metadata, ...rest }) => {
    let taken: Taken | null = null
    try {
      taken = replay?.take({ ...rest, revision, type, data, metadata } as Fact) ?? null
    } catch {
      replay = null
    }
    const { moment, cause = null } = taken ?? {}
    return {
      ...{ revision, at, type, data, by: metadata.by, correlationId: metadata.$correlationId, cause },
      state: moment?.state ?? null,
      timers: moment?.timers.map(({ id, due }) => ({ id: timerName(id), due: new Date(due).toISOString() })) ?? [],
    }
  })
}

/** One pass over rooms and accounts from its opening to a minute after its end. */
const relatedTo = async (door: Door, id: string, facts: readonly Answer[], closedAt: string | null) => {
  const correlations = new Set(facts.map(({ metadata }) => metadata.$correlationId))
  const last = closedAt === null ? Number.POSITIVE_INFINITY : Date.parse(closedAt) + AFTER_MS
  const related: Answer[] = []
  let cutOff = false
  for (const stream of ['room-', 'user-']) {
    for await (const fact of factsOf(door, { stream, from: facts[0].position })) {
      if (Date.parse(fact.at) > last) break
      const { connection, $correlationId } = fact.metadata
      if (connection !== id && !correlations.has($correlationId)) continue
      cutOff = related.length === MAX_RELATED
      if (cutOff) break
      related.push(fact)
    }
  }
  const place = ({ position }: Answer) => Number(/\d+$/.exec(position)?.[0])
  return { related: related.sort((one, other) => place(one) - place(other)), cutOff }
}

/** Those there are now. */
async function* factsOf(door: Door, query: Readonly<Record<string, string>>): AsyncGenerator<Answer> {
  const stop = new AbortController()
  try {
    for await (const { type, data } of events(door, new URLSearchParams(query), stop.signal)) {
      if (type !== 'fact') return
      yield JSON.parse(data)
    }
  } finally {
    stop.abort()
  }
}

const startOf = async (door: Door, { node, incarnation }: Answer): Promise<Answer | null> => {
  for await (const fact of factsOf(door, { type: 'NodeStarted', stream: `node-${node}` }))
    if (fact.data.incarnation === incarnation) return fact
  return null
}

const withoutCredentials = (value: unknown, hidden: readonly string[], field = ''): unknown => {
  if (typeof value === 'string') {
    if (PLAIN_FIELDS.includes(field)) return value
    const rest = hidden.reduce((text, credential) => text.replaceAll(credential, '(hidden)'), value)
    return rest.replace(FORM, '(hidden)')
  }
  if (Array.isArray(value)) return value.map((item) => withoutCredentials(item, hidden, field))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutCredentials(item, hidden, name)]))
}
