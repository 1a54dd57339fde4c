import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountRole } from '../actors/fact.ts'
import type { Registered } from '../actors/identity.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { UserRow } from '../projections/people.ts'
import { isLoopback } from '../transports/callers.ts'
import { GUESTS_A_MINUTE } from './callers.ts'
import { operation } from './operation.ts'
import { iso, pageQuery, temporalQuery } from './position.ts'
import { notFound, Problem, refusalProblem } from './problem.ts'
import { ofUser } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const username = z.string().min(1, 'at least one character').max(128, 'at most 32 characters')

const shown = ({ id, number, username: name, role, guest, registeredAt }: UserRow) => ({
  id,
  number,
  username: name,
  role,
  guest,
  registeredAt: iso(registeredAt),
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
    return requests.page('users.list', request.query, {
      args: {},
      on: 'after',
      key: ({ number }) => number,
      item: shown,
    })
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
}
