// The record itself: connections, the moderation log and facts. Whole lives are in timeline.ts.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Filter, Recorded } from '../log/event-log.ts'
import type { ConnectionRow } from '../projections/connections.ts'
import { factItem } from './fact-item.ts'
import { iso, isoOrNull, nextCursor, pageQuery, readNumberCursor, readPosition } from './position.ts'
import { Problem } from './problem.ts'
import type { Requests } from './request.ts'

export const recordRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { log } = requests.deps

  const shown = (fact: Recorded) => factItem(requests.epoch, fact)

  const connectionItem = ({ id, dialect, user, state, openedAt, closedAt, code, cause, refusals }: ConnectionRow) => ({
    id,
    dialect,
    user,
    state,
    openedAt: iso(openedAt),
    closedAt: isoOrNull(closedAt),
    code,
    cause,
    refusals,
  })

  app.get(
    '/connections',
    {
      schema: {
        querystring: z.strictObject({
          ...pageQuery,
          user: z.string().max(128).optional(),
          dialect: z.string().max(32).optional(),
          state: z.string().max(64).optional(),
          cause: z.string().max(64).optional(),
        }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { user, dialect, state, cause, limit, cursor, atLeast } = request.query
      const wanted = user === undefined ? null : await requests.user(user)
      // Everybody may see their own; an admin may see all.
      if (bearer.account.role !== 'admin' && wanted?.id !== bearer.account.id) await requests.refuse(request, bearer)
      const before = readNumberCursor(cursor)
      const args = {
        limit,
        at: requests.at(request.query),
        ...(before === undefined ? {} : { before }),
        ...(wanted ? { user: wanted.id } : {}),
        ...(dialect === undefined ? {} : { dialect }),
        ...(state === undefined ? {} : { state }),
        ...(cause === undefined ? {} : { cause }),
      }
      const { result, position } = await requests.read('connections.list', args, atLeast)
      const next = nextCursor(result, limit, ({ opened }) => opened)
      return { items: result.map(connectionItem), next, position: requests.position(position) }
    },
  )

  app.get(
    '/moderation',
    {
      schema: {
        querystring: z.strictObject({
          ...pageQuery,
          room: z.string().max(128).optional(),
          user: z.string().max(128).optional(),
        }),
      },
    },
    async (request) => {
      await requests.admin(request)
      const { room, user, limit, cursor, atLeast } = request.query
      const before = readNumberCursor(cursor)
      const at = requests.at(request.query)
      if (at && 'time' in at) throw new Problem(400, 'malformed', 'at: a position, here')
      const args = {
        limit,
        ...(before === undefined ? {} : { before }),
        ...(at ? { upTo: at.position } : {}),
        ...(room === undefined ? {} : { room: (await requests.room(room)).id }),
        ...(user === undefined ? {} : { target: (await requests.user(user)).id }),
      }
      const { result, position } = await requests.read('moderation.list', args, atLeast)
      const items = result.map((row) => ({ ...row, position: requests.position(row.position), at: iso(row.at) }))
      const next = nextCursor(result, limit, ({ position }) => position)
      return { items, next, position: requests.position(position) }
    },
  )

  app.get(
    '/facts',
    {
      schema: {
        querystring: z.strictObject({
          stream: z.string().max(200).optional(),
          type: z.string().max(200).optional(),
          from: z.string().max(100).optional(),
          limit: pageQuery.limit,
        }),
      },
    },
    async (request, reply) => {
      await requests.admin(request)
      const { stream, type, from, limit } = request.query
      const resumed = request.headers['last-event-id']
      const start = typeof resumed === 'string' ? resumed : from
      const after = start === undefined ? 0 : readPosition(requests.epoch, start)
      const filter: Filter = {
        ...(type === undefined ? {} : { types: type.split(',') }),
        ...(stream === undefined ? {} : { streamPrefixes: [stream] }),
      }
      if (/\btext\/event-stream\b/.test(request.headers.accept ?? '')) return streamFacts(request, reply, after, filter)
      const items: ReturnType<typeof factItem>[] = []
      let last = after
      for await (const fact of log.readAll({ from: after, filter, limit })) {
        items.push(shown(fact))
        last = fact.position
      }
      return {
        items,
        next: items.length === limit ? requests.position(last) : null,
        position: requests.position(await log.head()),
      }
    },
  )

  const streamFacts = async (
    request: FastifyRequest,
    reply: FastifyReply,
    from: number,
    filter: Filter,
  ): Promise<void> => {
    const events = requests.events(request, reply)
    try {
      for await (const fact of log.subscribe({ from, filter, signal: events.gone })) {
        if ('caughtUp' in fact) await events.send('caught-up', { position: requests.position(fact.caughtUp) })
        else await events.send('fact', shown(fact), requests.position(fact.position))
      }
    } catch (error) {
      requests.deps.onFault('GET /api/v1/facts', error)
    } finally {
      events.end()
    }
  }
}
