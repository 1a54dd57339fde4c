// Bans and kicks from everywhere, for admins; those of one room are in sanctions.ts.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { userStream } from '../actors/user/user.facts.ts'
import type { BanRow } from '../projections/sanctions.ts'
import { DONE, operation } from './operation.ts'
import { pageQuery, temporalQuery } from './position.ts'
import { ofUser } from './references.ts'
import type { Requests } from './request.ts'
import { banItem, bansOf, reasonQuery, sanction } from './sanctions.ts'
import * as shapes from './shapes.ts'

export const everywhereRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()

  const banned = {
    ...operation('moderation', 'listBans', 'Who is banned from everywhere; for admins'),
    querystring: z.strictObject(pageQuery),
    response: { 200: shapes.pageOf(shapes.ban) },
  }
  app.get('/bans', { schema: banned }, async (request) => {
    await requests.admin(request)
    return bansOf(requests, '', request.query)
  })

  app.get(
    '/users/:user/bans',
    {
      schema: {
        ...operation('moderation', 'getBan', 'The ban of an account from everywhere, if there is one; for admins'),
        params: ofUser,
        querystring: z.strictObject(temporalQuery),
        response: { 200: shapes.pageOf(shapes.ban) },
      },
    },
    async (request) => {
      await requests.admin(request)
      const { id } = await requests.user(request.params.user)
      const { result, position } = await requests.read(
        'room.bans',
        { room: '', user: id, limit: 1, at: requests.at(request.query) },
        request.query.atLeast,
      )
      return { items: result.map(banItem), next: null, position: requests.position(position) }
    },
  )

  app.post(
    '/users/:user/bans',
    {
      schema: {
        ...operation('moderation', 'ban', 'Bans an account from everywhere; without seconds for good; for admins'),
        params: ofUser,
        response: { 201: shapes.ban },
        body: sanction.default({}),
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const stream = userStream(id)
      const { seconds: length = null, reason: why = null } = request.body
      const command = { type: 'user.ban', asker: bearer.asker, seconds: length, reason: why } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      const { result } = await requests.read('room.bans', { room: '', user: id, limit: 1 }, { stream, revision })
      return reply.code(201).send(banItem(result[0] as BanRow))
    },
  )

  app.delete(
    '/users/:user/bans',
    {
      schema: {
        ...operation('moderation', 'unban', 'Lifts the ban from everywhere; for admins'),
        params: ofUser,
        querystring: reasonQuery,
        response: DONE,
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const stream = userStream(id)
      const command = { type: 'user.unban', asker: bearer.asker, reason: request.query.reason ?? null } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('room.bans', { room: '', user: id, limit: 1 }, { stream, revision })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/users/:user/kicks',
    {
      schema: {
        ...operation('moderation', 'kick', 'Closes every connection of an account; for admins'),
        params: ofUser,
        body: sanction.pick({ reason: true }).default({}),
        response: { 201: shapes.kick },
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const account = await requests.user(request.params.user)
      const { id } = account
      const command = { type: 'user.kick', asker: bearer.asker, reason: request.body.reason ?? null } as const
      const stream = userStream(id)
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('users.get', { id }, { stream, revision })
      return reply.code(201).send({ user: shapes.personOf(account), reason: request.body.reason ?? null })
    },
  )
}
