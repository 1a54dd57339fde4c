// What the console's pages ask for and nobody else: who is signed in, how things stand, and that something changed.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { withoutCredentials } from '../actors/shown.ts'
import { GUESTS_A_MINUTE } from './callers.ts'
import { CONSOLE_HEADER, COOKIE, COOKIE_PATH } from './console-sessions.ts'
import { readiness } from './health.ts'
import { iso } from './position.ts'
import { Problem } from './problem.ts'
import type { Requests } from './request.ts'

const REFUSED_LATELY = 12
/** Changes are told in one go this often. */
const TELL_EVERY_MS = 500
const STREAMS = { connections: 'connection-', rooms: 'room-', users: 'user-' } as const

export const consoleRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { deps, console: sessions } = requests
  const { publicUrl } = deps

  const setCookie = (reply: FastifyReply, value: string, maxAgeSeconds: number) => {
    const secure = reply.request.protocol === 'https' || publicUrl.startsWith('https:') ? '; Secure' : ''
    reply.header(
      'set-cookie',
      `${COOKIE}=${value}; Path=${COOKIE_PATH}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`,
    )
  }

  const ownPage = { [CONSOLE_HEADER]: z.string().optional() }
  const checked = (request: FastifyRequest) => {
    if (!sessions.isOwnScript(request)) {
      throw new Problem(403, 'not-authorized', `sent by no page of this server: needs ${CONSOLE_HEADER}: 1`)
    }
  }

  app.post(
    '/console/session',
    {
      schema: {
        hide: true,
        headers: z.looseObject(ownPage),
        body: z.strictObject({ token: z.string().min(1).max(8_192) }),
      },
      config: { rateLimit: GUESTS_A_MINUTE },
    },
    async (request, reply) => {
      checked(request)
      const bearer = await requests.bearerOf(request.body.token)
      if (bearer.account.role !== 'admin') await requests.refuse(request, bearer)
      if (bearer.token === null) {
        throw new Problem(403, 'not-authorized', 'the console takes tokens of this server, not those of another party')
      }
      const { cookie, maxAgeSeconds } = sessions.open(bearer.account.id, bearer.token)
      setCookie(reply, cookie, maxAgeSeconds)
      return { user: bearer.account, token: bearer.token }
    },
  )

  /** Nobody is no error: the page asks before it shows anything. `token`: the id of the one it was opened with. */
  app.get('/console/session', { schema: { hide: true } }, async (request) => {
    const bearing = await sessions.of(request)
    return { user: bearing?.account ?? null, token: bearing?.token ?? null }
  })

  app.delete(
    '/console/session',
    { schema: { hide: true, headers: z.looseObject(ownPage) } },
    async (request, reply) => {
      checked(request)
      sessions.close(request)
      setCookie(reply, '', 0)
      return reply.code(204).send()
    },
  )

  app.get('/console/overview', { schema: { hide: true } }, async (request) => {
    await requests.admin(request)
    const { result: alive, position } = await requests.read('console.alive', {})
    const { result: refused } = await requests.read('refusals.list', { limit: REFUSED_LATELY })
    return {
      version: deps.version,
      node: deps.node,
      health: await readiness(deps),
      facts: { head: requests.position(await deps.log.head().catch(() => position)) },
      alive: { sockets: deps.sessions.size, ...alive },
      refused: refused.map(({ position: place, at, ...row }) => ({
        ...withoutCredentials(row),
        at: iso(at),
        position: requests.position(place),
      })),
      position: requests.position(position),
    }
  })

  /** Tells that something changed in these lists, at most twice a second; what changed is asked for. */
  app.get(
    '/console/changes',
    { schema: { hide: true, querystring: z.strictObject({ of: z.enum(['connections', 'rooms', 'users', 'all']) }) } },
    async (request, reply) => {
      const bearer = await requests.admin(request)
      const { of } = request.query
      const streamPrefixes = of === 'all' ? Object.values(STREAMS) : [STREAMS[of]]
      let told = 0
      await requests.follow(
        request,
        reply,
        bearer,
        { from: null, filter: { streamPrefixes } },
        async (fact, events) => {
          if ('caughtUp' in fact || told + TELL_EVERY_MS > deps.clock.now()) return
          told = deps.clock.now()
          const position = requests.position(fact.position)
          await events.send('changed', { position }, position)
        },
      )
    },
  )
}
