import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountRole } from '../actors/fact.ts'
import type { Registered } from '../actors/identity.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { UserRow } from '../projections/people.ts'
import type { BanRow } from '../projections/sanctions.ts'
import { isLoopback } from '../transports/callers.ts'
import { GUESTS_A_MINUTE } from './callers.ts'
import { DONE, operation } from './operation.ts'
import { iso, isoOrNull, nextCursor, pageQuery, readCursor, readNumberCursor, temporalQuery } from './position.ts'
import { notFound, Problem, refusalProblem } from './problem.ts'
import { ofUser } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const username = z.string().min(1, 'at least one character').max(128, 'at most 32 characters')
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
    {
      schema: {
        ...operation('users', 'registerUser', 'Makes an account and its first token; for admins'),
        body: z.strictObject({ username, id: z.uuid().optional(), role: accountRole.default('member') }),
        response: { 201: shapes.registered },
      },
    },
    async (request, reply) => {
      const bearer = await requests.admin(request)
      const { id, ...wanted } = request.body
      const registration = {
        ...wanted,
        guest: false,
        asker: bearer.asker,
        ...(await requests.from(request, bearer)),
        ...(id ? { id } : {}),
      }
      const registered = await requests.accepted(bearer.account, 'user.register', await identity.register(registration))
      return reply.code(201).send(await born(registered))
    },
  )

  const guest = {
    schema: {
      ...operation('users', 'registerGuest', 'Takes a name without an account, where guests may'),
      security: [],
      body: z.strictObject({ username }),
      response: { 201: shapes.registered },
    },
    config: { rateLimit: GUESTS_A_MINUTE },
  }
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

  const listing = {
    ...operation('users', 'listUsers', 'Accounts, by number'),
    querystring: z.strictObject(pageQuery),
    response: { 200: shapes.pageOf(shapes.user) },
  }
  app.get('/users', { schema: listing }, async (request) => {
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
    {
      schema: {
        ...operation('users', 'getUser', 'One account'),
        params: ofUser,
        querystring: z.strictObject(temporalQuery),
        response: { 200: shapes.user },
      },
    },
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
        ...operation('users', 'changeUser', 'Renames an account, or gives it another role (admins)'),
        params: ofUser,
        response: { 200: shapes.user },
        body: z.strictObject({ username: username.optional(), role: accountRole.optional() }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const user = await requests.user(request.params.user)
      const stream = userStream(user.id)
      let revision = 0
      if (request.body.username !== undefined) {
        await requests.permit(bearer, 'user.rename')
        const from = await requests.from(request, bearer)
        const renamed = await identity.rename(user, request.body.username, bearer.asker, from)
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
    const items = result.map(({ id, issuedAt, revokedAt }) => ({
      id,
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
    const { limit, cursor, atLeast } = request.query
    const before = readNumberCursor(cursor)
    const args = { user, limit, at: requests.at(request.query), ...(before === undefined ? {} : { before }) }
    const { result, position } = await requests.read('users.roles', args, atLeast)
    const items = result.map(({ room, role, by, from, to }) => ({ room, role, by, from: iso(from), to: isoOrNull(to) }))
    const next = nextCursor(result, limit, (held) => held.position)
    return { items, next, position: requests.position(position) }
  })

  const issuing = {
    ...operation('users', 'issueToken', 'Issues one more token; its own, and admins'),
    params: ofUser,
    response: { 201: shapes.issuedToken },
  }
  app.post('/users/:user/tokens', { schema: issuing }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const user = await requests.user(request.params.user)
    await requests.permit(bearer, 'token.issue')
    const from = await requests.from(request, bearer)
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

  const banned = {
    ...operation('moderation', 'listBans', 'Who is banned from everywhere; for admins'),
    querystring: z.strictObject(pageQuery),
    response: { 200: shapes.pageOf(shapes.ban) },
  }
  app.get('/bans', { schema: banned }, async (request) => {
    await requests.admin(request)
    const { limit, cursor, atLeast } = request.query
    const args = { room: '', limit, after: readCursor(cursor) ?? '', at: requests.at(request.query) }
    const { result, position } = await requests.read('room.bans', args, atLeast)
    const next = nextCursor(result, limit, ({ user }) => user)
    return { items: result.map(banItem), next, position: requests.position(position) }
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
        ...operation('moderation', 'ban', 'Bans an account from everywhere; without seconds for good; for admins'),
        params: ofUser,
        response: { 201: shapes.ban },
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
      return reply.code(201).send(banItem(result[0] as BanRow))
    },
  )

  app.delete(
    '/users/:user/bans',
    {
      schema: {
        ...operation('moderation', 'unban', 'Lifts the ban from everywhere; for admins'),
        params: ofUser,
        querystring: z.strictObject({ reason: reason.optional() }),
        response: DONE,
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.user(request.params.user)
      const stream = userStream(id)
      const command = { type: 'user.unban', asker: bearer.asker, reason: request.query.reason ?? null } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('user.bans', { user: id }, { stream, revision })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/users/:user/kicks',
    {
      schema: {
        ...operation('moderation', 'kick', 'Closes every connection of an account; for admins'),
        params: ofUser,
        body: z.strictObject({ reason: reason.optional() }).default({}),
        response: { 201: shapes.kick },
      },
    },
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
