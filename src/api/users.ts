import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountRole } from '../actors/fact.ts'
import type { Registered } from '../actors/identity.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { UserRow } from '../projections/people.ts'
import type { BanRow } from '../projections/sanctions.ts'
import { GUESTS_A_MINUTE, isLoopback } from './callers.ts'
import { iso, isoOrNull, nextCursor, pageQuery, readNumberCursor, temporalQuery } from './position.ts'
import { notFound, Problem, refusalProblem } from './problem.ts'
import type { Requests } from './request.ts'

const username = z.string().min(1).max(128)
const ofUser = z.object({ user: z.string().max(128) })
const seconds = z.int().min(1).max(31_536_000)
const reason = z.string().max(1_000)

const shown = ({ id, number, username: name, role, guest, registeredAt }: UserRow) => ({
  id,
  number,
  username: name,
  role,
  guest,
  registeredAt: iso(registeredAt),
})

export const banItem = ({ user, by, reason: why, from, until }: BanRow) => ({
  user,
  by,
  reason: why,
  from: iso(from),
  until: isoOrNull(until),
})

export const userRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { identity, guests } = requests.deps
  const born = async ({ account, token, revision }: Registered) => {
    await requests.read('users.get', { id: account.id }, { stream: userStream(account.id), revision })
    return { ...account, token }
  }

  app.post(
    '/users',
    { schema: { body: z.strictObject({ username, id: z.uuid().optional(), role: accountRole.default('member') }) } },
    async (request, reply) => {
      const bearer = await requests.admin(request)
      const { id, ...wanted } = request.body
      const registration = {
        ...wanted,
        guest: false,
        asker: bearer.asker,
        correlationId: request.id,
        ...(id ? { id } : {}),
      }
      const registered = await requests.accepted(bearer.account, 'user.register', await identity.register(registration))
      return reply.code(201).send(await born(registered))
    },
  )

  const guest = { schema: { body: z.strictObject({ username }) }, config: { rateLimit: GUESTS_A_MINUTE } }
  app.post('/guests', guest, async (request, reply) => {
    if (guests === 'off' || (guests === 'auto' && !isLoopback(request))) {
      throw new Problem(403, 'not-authorized', 'guests may not register here; ask for an account')
    }
    const registered = await identity.register({
      ...request.body,
      role: 'member',
      guest: true,
      asker: null,
      correlationId: request.id,
    })
    if (!registered.ok) {
      const { code, values } = registered.refusal
      throw refusalProblem(code, values)
    }
    return reply.code(201).send(await born(registered))
  })

  app.get('/users', { schema: { querystring: z.strictObject(pageQuery) } }, async (request) => {
    await requests.bearer(request)
    const { limit, cursor, atLeast } = request.query
    const after = readNumberCursor(cursor) ?? 0
    const { result, position } = await requests.read(
      'users.list',
      { limit, after, at: requests.at(request.query) },
      atLeast,
    )
    const next = nextCursor(result, limit, ({ number }) => number)
    return { items: result.map(shown), next, position: requests.position(position) }
  })

  app.get(
    '/users/:user',
    { schema: { params: ofUser, querystring: z.strictObject(temporalQuery) } },
    async (request) => {
      await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const { result, position } = await requests.read(
        'users.get',
        { id, at: requests.at(request.query) },
        request.query.atLeast,
      )
      if (!result) throw notFound('user')
      return { ...shown(result), position: requests.position(position) }
    },
  )

  app.patch(
    '/users/:user',
    {
      schema: {
        params: ofUser,
        body: z.strictObject({ username: username.optional(), role: accountRole.optional() }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const user = await requests.user(request.params.user)
      const stream = userStream(user.id)
      let revision = 0
      if (request.body.username !== undefined) {
        const renamed = await identity.rename(user, request.body.username, bearer.asker)
        revision = (await requests.accepted(bearer.account, 'user.rename', renamed)).revision
      }
      if (request.body.role !== undefined) {
        const command = { type: 'role.set', asker: bearer.asker, role: request.body.role } as const
        revision = (await requests.command(request, bearer, stream, command)).revision
      }
      const { result, position } = await requests.read('users.get', { id: user.id }, { stream, revision })
      if (!result) throw notFound('user')
      return { ...shown(result), position: requests.position(position) }
    },
  )

  app.get('/users/:user/tokens', { schema: { params: ofUser } }, async (request) => {
    const bearer = await requests.bearer(request)
    const user = await requests.user(request.params.user)
    if (bearer.account.role !== 'admin' && bearer.account.id !== user.id) await requests.refuse(request, bearer)
    const { result, position } = await requests.read('users.tokens', { user: user.id })
    const items = result.map(({ id, issuedAt, revokedAt }) => ({
      id,
      issuedAt: iso(issuedAt),
      revokedAt: isoOrNull(revokedAt),
    }))
    return { items, next: null, position: requests.position(position) }
  })

  app.post('/users/:user/tokens', { schema: { params: ofUser } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const user = await requests.user(request.params.user)
    const issued = await requests.accepted(bearer.account, 'token.issue', await identity.issueToken(user, bearer.asker))
    await requests.read('users.tokens', { user: user.id }, { stream: userStream(user.id), revision: issued.revision })
    return reply.code(201).send({ id: issued.id, token: issued.token })
  })

  app.delete(
    '/users/:user/tokens/:token',
    { schema: { params: ofUser.extend({ token: z.string().max(64) }) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const user = await requests.user(request.params.user)
      const stream = userStream(user.id)
      const command = { type: 'token.revoke', asker: bearer.asker, token: request.params.token } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('users.tokens', { user: user.id }, { stream, revision })
      return reply.code(204).send()
    },
  )

  app.get(
    '/users/:user/bans',
    { schema: { params: ofUser, querystring: z.strictObject(temporalQuery) } },
    async (request) => {
      await requests.admin(request)
      const { id } = await requests.user(request.params.user)
      const { result, position } = await requests.read(
        'user.bans',
        { user: id, at: requests.at(request.query) },
        request.query.atLeast,
      )
      return { items: result.map(banItem), next: null, position: requests.position(position) }
    },
  )

  app.post(
    '/users/:user/bans',
    {
      schema: {
        params: ofUser,
        body: z.strictObject({ seconds: seconds.optional(), reason: reason.optional() }).default({}),
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const stream = userStream(id)
      const { seconds: length = null, reason: why = null } = request.body
      const command = { type: 'user.ban', asker: bearer.asker, seconds: length, reason: why } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      const { result } = await requests.read('user.bans', { user: id }, { stream, revision })
      return reply.code(201).send(result[0] ? banItem(result[0]) : null)
    },
  )

  app.delete(
    '/users/:user/bans',
    { schema: { params: ofUser, querystring: z.strictObject({ reason: reason.optional() }) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const stream = userStream(id)
      const command = { type: 'user.unban', asker: bearer.asker, reason: request.query.reason ?? null } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('user.bans', { user: id }, { stream, revision })
      return reply.code(204).send()
    },
  )

  app.post(
    '/users/:user/kicks',
    { schema: { params: ofUser, body: z.strictObject({ reason: reason.optional() }).default({}) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const command = { type: 'user.kick', asker: bearer.asker, reason: request.body.reason ?? null } as const
      const stream = userStream(id)
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('users.get', { id }, { stream, revision })
      return reply.code(201).send({ user: id, reason: request.body.reason ?? null })
    },
  )
}
