// Is it alive, may it be sent work, and the figures behind both.

import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Status } from '../projections/thread.ts'
import type { ApiDependencies } from './request.ts'

/** Facts the read models may lag behind before the node says so. */
const MAX_LAG = 10_000

/** What is parked by name, and how far a rebuild is. */
const readModelProblems = ({ parked, firstParked, building }: Status): string[] => [
  ...(parked > 0 ? [`${parked} facts could not be folded into the read models`] : []),
  ...firstParked.map(
    ({ position, type, projection, error }) => `${projection} could not fold ${type} at position ${position}: ${error}`,
  ),
  ...(building
    ? [
        building.stopped === null
          ? `read models are being made anew: ${building.position} of ${building.head}`
          : `read models being made anew stopped at ${building.position} of ${building.head}: ${building.stopped}`,
      ]
    : []),
]

type Judged = Pick<ApiDependencies, 'log' | 'readModels' | 'host' | 'sessions'>

export const readiness = async ({ log, readModels, host, sessions }: Judged) => {
  const problems: string[] = sessions.stopping ? ['the server stops'] : []
  const read = await log
    .head()
    .then(() => readModels.status())
    .catch((error: Error) => {
      problems.push(error.message)
      return null
    })
  const lag = read?.lag ?? null
  const { quarantined } = host.counts()
  if (lag !== null && lag > MAX_LAG) problems.push(`read models are ${lag} facts behind`)
  if (read) problems.push(...readModelProblems(read))
  if (quarantined > 0) problems.push(`${quarantined} actors are out of service`)
  if (host.logFailure && !problems.includes(host.logFailure)) problems.push(host.logFailure)
  // A parked fact, read models being made anew or a single actor out of service is told, and does not take the node out.
  const ready = read !== null && !sessions.stopping && !host.logFailure && (lag ?? 0) <= MAX_LAG
  return { ready, lag, parked: read?.parked ?? null, building: read?.building ?? null, quarantined, problems }
}

/** How many requests were answered with which status. */
export class Answers {
  readonly counts = new Map<number, number>()

  /** Before any route, so that it hears of all. */
  countThoseOf(app: FastifyInstance): void {
    app.addHook('onResponse', async (_request, { statusCode }) => this.note(statusCode))
  }

  note(status: number): void {
    this.counts.set(status, (this.counts.get(status) ?? 0) + 1)
  }
}

export const healthRoutes = (app: FastifyInstance, deps: ApiDependencies, answers: Answers): void => {
  const { host, readModels, sessions, version, node } = deps

  app.get('/healthz', async () => ({ status: 'ok', version, node }))

  app.get('/readyz', async (_request, reply) => {
    const state = await readiness(deps)
    return reply.code(state.ready ? 200 : 503).send(state)
  })

  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  // Asked once a scrape. What is not known while the log is away is left out: the other figures say that it is.
  let scraped: Promise<Status | null> = Promise.resolve(null)
  const setOrLeaveOut = (gauge: Gauge, value: number | undefined) =>
    value === undefined ? gauge.remove() : gauge.set(value)
  const acknowledged = new Map<string, number>()
  host.onAcknowledged((batch) => {
    for (const { type } of batch.facts) acknowledged.set(type, (acknowledged.get(type) ?? 0) + 1)
  })
  new Counter({
    name: 'hansard_facts_total',
    help: 'facts acknowledged by the log',
    labelNames: ['type'],
    registers,
    collect: function () {
      this.reset()
      for (const counts of [acknowledged, host.ledger.appended]) {
        for (const [type, count] of counts) this.inc({ type }, count)
      }
    },
  })
  new Gauge({
    name: 'hansard_log_storing',
    help: '1: the last append went well; 0: the log stores nothing now',
    registers,
    collect: function () {
      this.set(host.logFailure === null ? 1 : 0)
    },
  })
  new Gauge({
    name: 'hansard_connections',
    help: 'open sockets',
    registers,
    collect: function () {
      this.set(sessions.size)
    },
  })
  new Gauge({
    name: 'hansard_connections_busy',
    help: 'sockets with frames that are not wholly dealt with',
    registers,
    collect: function () {
      this.set(sessions.busy)
    },
  })
  new Gauge({
    name: 'hansard_actors',
    help: 'actors in memory',
    labelNames: ['state'],
    registers,
    collect: function () {
      const { actors, quarantined } = host.counts()
      this.set({ state: 'live' }, actors - quarantined)
      this.set({ state: 'quarantined' }, quarantined)
    },
  })
  new Gauge({
    name: 'hansard_projection_lag_facts',
    help: 'facts in the log that the read models have not folded in',
    registers,
    collect: async function () {
      setOrLeaveOut(this, (await scraped)?.lag)
    },
  })
  new Gauge({
    name: 'hansard_parked_facts',
    help: 'facts that could not be folded into the read models',
    registers,
    collect: async function () {
      setOrLeaveOut(this, (await scraped)?.parked)
    },
  })
  new Gauge({
    name: 'hansard_rebuild_facts_left',
    help: 'positions that read models being made anew have to go; 0: none are being made',
    registers,
    collect: async function () {
      const status = await scraped
      const left = status?.building ? Math.max(status.building.head - status.building.position, 1) : 0
      setOrLeaveOut(this, status ? left : undefined)
    },
  })
  new Counter({
    name: 'hansard_refusals_total',
    help: 'commands refused, on sockets and over REST',
    labelNames: ['code'],
    registers,
    collect: function () {
      this.reset()
      for (const [code, count] of sessions.refusals) this.inc({ code }, count)
    },
  })
  new Counter({
    name: 'hansard_http_answers_total',
    help: 'HTTP requests answered',
    labelNames: ['status'],
    registers,
    collect: function () {
      this.reset()
      for (const [status, count] of answers.counts) this.inc({ status }, count)
    },
  })
  new Counter({
    name: 'hansard_sockets_total',
    help: 'sockets opened, turned away, and frames ignored',
    labelNames: ['what'],
    registers,
    collect: function () {
      this.reset()
      for (const [what, count] of sessions.counters) this.inc({ what }, count)
    },
  })
  new Counter({
    name: 'hansard_faults_total',
    help: 'unexpected faults, each isolated to its actor or socket',
    registers,
    collect: function () {
      this.reset()
      this.inc(host.faults)
    },
  })

  app.get('/metrics', async (_request, reply) => {
    scraped = readModels.status().catch(() => null)
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
