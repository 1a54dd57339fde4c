// Ayaka's REST: where its gateway is, and messages, guilds and invites, which its clients do not send over the socket.
// docs/protocols/ayaka.md has its tables; section numbers here and in ayaka/ are those of that page.

import type { FastifyInstance } from 'fastify'
import { answerErrors } from './ayaka/errors.ts'
import { gatewayRoutes } from './ayaka/gateway.ts'
import { guildRoutes } from './ayaka/guilds.ts'
import { messageRoutes } from './ayaka/messages.ts'
import { userRoutes } from './ayaka/users.ts'
import type { Requests } from './request.ts'

export const ayakaRoutes = async (app: FastifyInstance, requests: Requests): Promise<void> => {
  // Their own page describes them; the description of the native API does not.
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, hide: true }
  })
  gatewayRoutes(app, requests.deps)
  await app.register(
    async (v3) => {
      answerErrors(v3, requests.deps.onFault)
      messageRoutes(v3, requests)
      guildRoutes(v3, requests)
      userRoutes(v3, requests)
    },
    { prefix: '/v3' },
  )
}
