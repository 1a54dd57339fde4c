// Lives as the console shows them: what each fact came of, what it did, and how its actor stood then. Folded here, by the
// statechart itself; the browser folds nothing. Fields that actors/shown.ts does not name are absent.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import { machinesStream } from '../actors/node.facts.ts'
import { type Moment, type Replay, timerName } from '../actors/replay.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { type ShownKind, shownContext, withoutCredentials } from '../actors/shown.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { At } from '../projections/projection.ts'
import type { RefusalRow } from '../projections/refusals.ts'
import { notOfEvents, wantsEvents } from './event-streams.ts'
import { type Life, Lives, type StepTaken } from './lives.ts'
import { operation } from './operation.ts'
import { atQuery, cursorQuery, iso, limit } from './position.ts'
import { notFound, Problem } from './problem.ts'
import { removedAmong, shownBut } from './removed-texts.ts'
import type { Bearer, Requests } from './request.ts'
import * as shapes from './shapes.ts'

const BUCKETS = 120
const MOST_MARKS = 300

interface Subject {
  readonly kind: ShownKind
  readonly path: string
  /** the stream to read, and who does; what this bearer may not see is not there. @throws Problem */
  asked(request: FastifyRequest, reference: string): Promise<{ stream: string; bearer: Bearer }>
}

export const timelineRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { log } = requests.deps
  const lives = new Lives(log)

  const subjects: readonly Subject[] = [
    {
      kind: 'connection',
      path: '/connections',
      asked: async (request, id) => {
        const bearer = await requests.bearer(request)
        const { account } = bearer
        const [connection] = (await requests.read('connections.list', { id, limit: 1 })).result
        // Everybody may see their own; an admin may see all.
        const own = connection?.user?.id === account.id
        if (!connection || (account.role !== 'admin' && !own)) throw notFound('connection')
        return { stream: connectionStream(connection.id), bearer }
      },
    },
    {
      kind: 'room',
      path: '/rooms',
      asked: async (request, reference) => {
        const bearer = await requests.admin(request)
        return { stream: roomStream((await requests.room(reference)).id), bearer }
      },
    },
    {
      kind: 'user',
      path: '/users',
      asked: async (request, reference) => {
        const bearer = await requests.admin(request)
        return { stream: userStream((await requests.user(reference)).id), bearer }
      },
    },
  ]

  const refusalItem = ({ position, at, decidedAt: _here, ...row }: RefusalRow) => ({
    ...withoutCredentials(row),
    at: iso(at),
    position: requests.position(position),
  })

  const momentItem = (kind: ShownKind, { revision, state, value, context, timers }: Moment) => ({
    revision,
    state,
    value,
    context: shownContext(kind, context),
    timers: timersItem(timers),
  })

  /** What this room or user refused while it stood there; a connection's own are facts of its stream. */
  const refusedAmong = async ({ kind, stream }: Life, steps: readonly StepTaken[], at: At) => {
    const [first, last] = [steps[0], steps.at(-1)]
    if (kind === 'connection' || !first || !last) return null
    const [from, to] = [first.fact.revision, last.fact.revision]
    const { result } = await requests.read('refusals.decided', { stream, from, to, at })
    return Map.groupBy(result, ({ decidedAt }) => decidedAt.revision)
  }

  const stepItem = (
    life: Life,
    { fact, position, moment, cause, arrow }: StepTaken,
    before: Moment,
    removed: ReadonlySet<unknown>,
  ) => {
    const { metadata } = fact
    return {
      id: fact.id,
      revision: fact.revision,
      position: requests.position(position),
      at: iso(metadata.at),
      type: fact.type,
      data: shownBut(removed, fact),
      by: metadata.by,
      connection: metadata.connection,
      correlation: metadata.$correlationId,
      cause: { ...cause, name: withoutCredentials(cause.name), id: metadata.$causationId },
      arrow,
      state: moment.state,
      value: moment.value,
      changed: shownContext(life.kind, moment.context, before.context),
      timers: timersItem(moment.timers),
    }
  }

  const stepItems = async (life: Life, from: Moment, steps: readonly StepTaken[], at: At = null) => {
    const facts = life.kind === 'room' ? steps.map(({ fact }) => fact) : []
    const removed = await removedAmong(requests, life.stream, facts)
    const refused = await refusedAmong(life, steps, at)
    return steps.map((step, index) => {
      const item = stepItem(life, step, steps[index - 1]?.moment ?? from, removed)
      return refused ? { ...item, refused: (refused.get(item.revision) ?? []).map(refusalItem) } : item
    })
  }

  for (const { kind, path, asked } of subjects) {
    const params = z.object({ id: z.string().max(128) })
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`
    const whose = kind === 'connection' ? 'one’s own, and admins' : 'for admins'

    app.get(
      `${path}/:id/life`,
      {
        schema: {
          ...operation(
            'record',
            `get${name}Life`,
            `How many facts of a ${kind} there are, when, and what stands out; ${whose}`,
          ),
          params,
          querystring: z.strictObject(atQuery),
          response: { 200: shapes.life },
        },
      },
      async (request) => {
        const life = await lives.of(kind, (await asked(request, request.params.id)).stream)
        const at = await requests.moment(request.query)
        return { ...lifeItem(life), revision: at ? life.lastUpTo(at) : life.facts - 1, stream: life.stream }
      },
    )

    app.get(
      `${path}/:id/timeline`,
      {
        schema: {
          ...operation(
            'record',
            `get${name}Timeline`,
            `What a ${kind} did, fact by fact, and how it stood then; ${whose}`,
          ),
          response: {
            200: {
              description: 'a page, or what comes from here on as server-sent events, by Accept',
              content: {
                'application/json': { schema: shapes.timeline },
                'text/event-stream': { schema: z.string() },
              },
            },
          },
          params,
          querystring: z.strictObject({
            ...atQuery,
            from: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
            limit,
            cursor: cursorQuery,
          }),
        },
      },
      async (request, reply) => {
        const { stream, bearer } = await asked(request, request.params.id)
        const life = await lives.of(kind, stream)
        const { cursor, from, limit: most } = request.query
        const resumed = request.headers['last-event-id']
        const at = await requests.moment(request.query)
        if (wantsEvents(request)) {
          if (at) throw notOfEvents
          const after =
            typeof resumed === 'string'
              ? life.lastUpTo({ position: await requests.placeIn('Last-Event-ID', resumed) }) + 1
              : (from ?? life.facts)
          return follow(request, reply, bearer, life, await life.before(after))
        }
        const first = requests.cursors.read(`${kind}.timeline`, cursor, z.int().min(0))
        const replay = await life.before(first === undefined ? (from ?? 0) : first + 1)
        const before = replay.moment
        const last = at ? life.lastUpTo(at) : Number.MAX_SAFE_INTEGER
        const steps = (await life.page(replay, most)).filter(({ fact }) => fact.revision <= last)
        const items = await stepItems(life, before, steps, at)
        return {
          before: momentItem(kind, before),
          items,
          next: requests.cursors.next(`${kind}.timeline`, items, most, ({ revision }) => revision),
          fault: life.fault,
          position: requests.position(await log.head()),
        }
      },
    )
  }

  /** What comes from here on, as server-sent events whose id is the position. */
  const follow = async (
    request: FastifyRequest,
    reply: FastifyReply,
    bearer: Bearer,
    life: Life,
    replay: Replay,
  ): Promise<void> => {
    let before = replay.moment
    const news = { from: life.positions[before.revision] ?? 0, filter: { streamPrefixes: [life.stream] } }
    await requests.follow(request, reply, bearer, news, async (fact, events) => {
      if ('caughtUp' in fact) await events.send('caught-up', { position: requests.position(fact.caughtUp) })
      else if (fact.stream === life.stream && fact.revision > before.revision) {
        const step = await life.step(replay, fact)
        const [item] = await stepItems(life, before, [step])
        before = step.moment
        await events.send('step', item, requests.position(fact.position))
      }
    })
  }

  app.get(
    '/machines/:kind',
    {
      schema: {
        ...operation('record', 'getMachine', 'The statechart in force, or one that was, by its hash'),
        response: { 200: shapes.machine },
        params: z.object({ kind: z.enum(['connection', 'user', 'room']) }),
        querystring: z.strictObject({
          hash: z
            .string()
            .regex(/^[0-9a-f]{32}$/)
            .optional(),
        }),
      },
    },
    async (request) => {
      await requests.bearer(request)
      const { kind } = request.params
      const inForce = requests.deps.host.machineHash(kind)
      const { hash = inForce } = request.query
      for await (const fact of log.readStream(machinesStream)) {
        const data = JSON.parse(fact.data) as Omit<z.infer<typeof shapes.machine>, 'inForce'>
        if (data.hash === hash && data.kind === kind) return { ...data, inForce: hash === inForce }
      }
      throw new Problem(404, 'not-found', 'this statechart is not on record')
    },
  )
}

const timersItem = (timers: Moment['timers']) => timers.map(({ id, due }) => ({ timer: timerName(id), due: iso(due) }))

/** How many facts when, and where something stands out: what the bar shows. */
const lifeItem = ({ kind, machine, fault, ats, positions, marks, arrows }: Life) => {
  const [first, last] = [ats[0] ?? 0, ats.at(-1) ?? 0]
  const buckets = Array.from({ length: BUCKETS }, () => 0)
  for (const at of ats) {
    const index = Math.floor(((at - first) / Math.max(1, last - first + 1)) * BUCKETS)
    buckets[index] = (buckets[index] ?? 0) + 1
  }
  const every = Math.ceil(marks.length / MOST_MARKS)
  const some = marks.filter(({ mark }, index) => index % every === 0 || mark === 'birth' || mark === 'end')
  return {
    kind,
    machine,
    fault,
    facts: ats.length,
    first: positions.length === 0 ? null : iso(first),
    last: positions.length === 0 ? null : iso(last),
    buckets,
    arrows: Object.fromEntries(arrows),
    marks: some.map(({ revision, mark, type }) => ({ revision, mark, type, at: iso(ats[revision] as number) })),
  }
}
