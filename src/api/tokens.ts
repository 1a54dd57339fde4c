// What an account has: the tokens that sign it in, and its roles. Its own, and admins.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { userStream } from '../actors/user/user.facts.ts'
import { DONE, operation } from './operation.ts'
import { iso, isoOrNull, pageQuery, temporalQuery } from './position.ts'
import { ofUser } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const label = z.string().trim().min(1, 'at least one character').max(64, 'at most 64 characters')

export const tokenRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { identity } = requests.deps

  /** Their own, or an admin. @throws Problem */
  const oneself = async (request: FastifyRequest, reference: string) => {
    const bearer = await requests.bearer(request)
    const user = await requests.user(reference)
    if (bearer.account.role !== 'admin' && bearer.account.id !== user.id) await requests.refuse(request, bearer)
    return user
  }

  const tokens = {
    ...operation(
      'users',
      'listTokens',
      'Tokens of an account, revoked ones too, without what they are; its own, and admins',
    ),
    params: ofUser,
    querystring: z.strictObject(temporalQuery),
    response: { 200: shapes.pageOf(shapes.token) },
  }
  app.get('/users/:user/tokens', { schema: tokens }, async (request) => {
    const user = await oneself(request, request.params.user)
    const args = { user: user.id, at: requests.at(request.query) }
    const { result, position } = await requests.read('users.tokens', args, request.query.atLeast)
    const items = result.map(({ id, label, issuedAt, revokedAt }) => ({
      id,
      label,
      issuedAt: iso(issuedAt),
      revokedAt: isoOrNull(revokedAt),
    }))
    return { items, next: null, position: requests.position(position) }
  })

  const roles = {
    ...operation(
      'users',
      'listRoles',
      'Roles that an account has and had, its own and in rooms, the latest first; its own, and admins',
    ),
    params: ofUser,
    querystring: z.strictObject(pageQuery),
    response: { 200: shapes.pageOf(shapes.heldRole) },
  }
  app.get('/users/:user/roles', { schema: roles }, async (request) => {
    const { id: user } = await oneself(request, request.params.user)
    return requests.page('users.roles', request.query, {
      args: { user },
      on: 'before',
      key: ({ position }) => position,
      item: ({ room, role, by, from, to }) => ({ room, role, by, from: iso(from), to: isoOrNull(to) }),
    })
  })

  const issuing = {
    ...operation('users', 'issueToken', 'Issues one more token; its own, and admins'),
    params: ofUser,
    body: z.strictObject({ label: label.optional() }).default({}),
    response: { 201: shapes.issuedToken },
  }
  app.post('/users/:user/tokens', { schema: issuing }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const user = await requests.user(request.params.user)
    await requests.permit(bearer, 'token.issue')
    const { label: what } = request.body
    const from = { ...(await requests.from(request, bearer)), ...(what === undefined ? {} : { label: what }) }
    const outcome = await identity.issueToken(user, bearer.asker, undefined, from)
    const issued = await requests.accepted(bearer.account, 'token.issue', outcome)
    await requests.read('users.tokens', { user: user.id }, { stream: userStream(user.id), revision: issued.revision })
    return reply.code(201).send({ id: issued.id, token: issued.token })
  })

  app.delete(
    '/users/:user/tokens/:token',
    {
      schema: {
        ...operation('users', 'revokeToken', 'Ends a token, and the connections that it opened'),
        params: ofUser.extend({ token: z.string().max(64).describe('its id') }),
        response: DONE,
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const user = await requests.user(request.params.user)
      const stream = userStream(user.id)
      const command = { type: 'token.revoke', asker: bearer.asker, token: request.params.token } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('users.tokens', { user: user.id }, { stream, revision })
      return reply.code(204).send(null)
    },
  )
}
