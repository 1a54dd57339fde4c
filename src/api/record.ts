// The record itself: connections, the moderation log and facts. Whole lives are in timeline.ts.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Filter, Recorded } from '../log/event-log.ts'
import type { ConnectionRow } from '../projections/connections.ts'
import { notOfEvents, wantsEvents } from './event-streams.ts'
import { factItem } from './fact-item.ts'
import { operation } from './operation.ts'
import { iso, isoOrNull, pageQuery, temporalQuery } from './position.ts'
import { notFound } from './problem.ts'
import { roomReference, userReference } from './references.ts'
import { removedAmong, withoutText } from './removed-texts.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

export const recordRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { log } = requests.deps

  const shown = async (fact: Recorded) => {
    const item = factItem(requests.epoch, fact)
    const removed = await removedAmong(requests, fact.stream, [item])
    return removed.has(item.data.id) ? { ...item, data: withoutText(item.data) } : item
  }

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
        ...operation('record', 'listConnections', 'Connections, newest first; their own for everybody, all for admins'),
        response: { 200: shapes.pageOf(shapes.connection) },
        querystring: z.strictObject({
          ...pageQuery,
          user: userReference.optional(),
          dialect: z.string().max(32).optional(),
          state: z.string().max(64).optional(),
          cause: z.string().max(64).optional(),
        }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { user, dialect, state, cause } = request.query
      const wanted = user === undefined ? null : await requests.user(user)
      // Everybody may see their own; an admin may see all.
      if (bearer.account.role !== 'admin' && wanted?.id !== bearer.account.id) await requests.refuse(request, bearer)
      const args = {
        ...(wanted ? { user: wanted.id } : {}),
        ...(dialect === undefined ? {} : { dialect }),
        ...(state === undefined ? {} : { state }),
        ...(cause === undefined ? {} : { cause }),
      }
      return requests.page('connections.list', request.query, {
        args,
        on: 'before',
        key: ({ opened }) => opened,
        item: connectionItem,
      })
    },
  )

  app.get(
    '/connections/:id',
    {
      schema: {
        ...operation('record', 'getConnection', 'A connection; one’s own, and admins'),
        params: z.object({ id: z.string().max(64) }),
        querystring: z.strictObject(temporalQuery),
        response: { 200: shapes.connection },
      },
    },
    async (request) => {
      const { account } = await requests.bearer(request)
      const args = { id: request.params.id, limit: 1, at: requests.at(request.query) }
      const [connection] = (await requests.read('connections.list', args, request.query.atLeast)).result
      if (!connection || (account.role !== 'admin' && connection.user?.id !== account.id)) throw notFound('connection')
      return connectionItem(connection)
    },
  )

  app.get(
    '/moderation',
    {
      schema: {
        ...operation(
          'moderation',
          'listModeration',
          'Every act of staff, and every refused try; newest first; for admins',
        ),
        response: { 200: shapes.pageOf(shapes.act) },
        querystring: z.strictObject({
          ...pageQuery,
          room: roomReference.optional(),
          target: userReference.optional(),
          actor: userReference.optional(),
          kind: z.string().max(500).optional().describe('types of facts, comma separated'),
        }),
      },
    },
    async (request) => {
      await requests.admin(request)
      const { room, target, actor, kind } = request.query
      const args = {
        ...(room === undefined ? {} : { room: (await requests.room(room)).id }),
        ...(target === undefined ? {} : { target: await requests.target(target) }),
        ...(actor === undefined ? {} : { actor: (await requests.user(actor)).id }),
        ...(kind === undefined ? {} : { kinds: kind.split(',') }),
      }
      return requests.page('moderation.list', request.query, {
        args,
        on: 'before',
        key: ({ position }) => position,
        item: (row) => ({ ...row, position: requests.position(row.position), at: iso(row.at) }),
      })
    },
  )

  app.get(
    '/facts',
    {
      schema: {
        ...operation(
          'record',
          'listFacts',
          'The log, fact by fact, as pages or (Accept: text/event-stream) live; for admins',
        ),
        response: {
          200: {
            description: 'server-sent events have the position as their id: Last-Event-ID goes on there',
            content: {
              'application/json': { schema: shapes.pageOf(shapes.fact) },
              'text/event-stream': { schema: z.string() },
            },
          },
        },
        querystring: z.strictObject({
          stream: z.string().max(200).optional().describe('a stream, or the beginning of several'),
          type: z.string().max(200).optional().describe('types, comma separated'),
          from: z.string().max(100).optional().describe('a position: facts after it'),
          at: pageQuery.at,
          limit: pageQuery.limit,
        }),
      },
    },
    async (request, reply) => {
      const bearer = await requests.admin(request)
      const { stream, type, from, limit } = request.query
      const at = await requests.moment(request.query)
      const resumed = request.headers['last-event-id']
      const after =
        typeof resumed === 'string'
          ? await requests.placeIn('Last-Event-ID', resumed)
          : from === undefined
            ? 0
            : await requests.placeIn('from', from)
      const filter: Filter = {
        ...(type === undefined ? {} : { types: type.split(',') }),
        ...(stream === undefined ? {} : { streamPrefixes: [stream] }),
      }
      if (wantsEvents(request)) {
        if (at) throw notOfEvents
        return requests.follow(request, reply, bearer, { from: after, filter }, async (fact, events) => {
          if ('caughtUp' in fact) await events.send('caught-up', { position: requests.position(fact.caughtUp) })
          else await events.send('fact', await shown(fact), requests.position(fact.position))
        })
      }
      const items: ReturnType<typeof factItem>[] = []
      let last = after
      const cut = at && 'time' in at ? {} : { limit, ...(at ? { to: at.position } : {}) }
      for await (const fact of log.readAll({ from: after, filter, ...cut })) {
        const item = await shown(fact)
        // By time it is, in each stream, the facts not after it: in the log's order others may stand between.
        if (at && 'time' in at && item.metadata.at > at.time) continue
        items.push(item)
        last = fact.position
        if (items.length === limit) break
      }
      return {
        items,
        next: items.length === limit ? requests.position(last) : null,
        position: requests.position(await log.head()),
      }
    },
  )
}
