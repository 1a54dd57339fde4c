import type { FastifyInstance } from 'fastify'
import { userStream } from '../../actors/user/user.facts.ts'
import { userForm } from '../../dialects/ayaka/forms.ts'
import type { Requests } from '../request.ts'
import { sessionOf } from './asked.ts'
import { badRequest } from './errors.ts'

export const userRoutes = (app: FastifyInstance, requests: Requests): void => {
  app.get('/users/@me', async (request) => {
    const { account } = await sessionOf(requests, request)
    return userForm(account, account.role)
  })

  /** Logging out: the session ends everywhere, and its sockets are closed. */
  app.delete('/users/@me/sessions', async (request, reply) => {
    const bearer = await sessionOf(requests, request)
    const { asker, token } = bearer
    if (token === null) throw badRequest('this session is of another party, who ends it')
    await requests.command(request, bearer, userStream(bearer.account.id), { type: 'token.revoke', asker, token })
    return reply.code(204).send()
  })
}
