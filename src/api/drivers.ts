// The REST that drivers.uz's clients expect (docs/protocols/drivers.md §5), mounted at the root.

import type { FastifyInstance } from 'fastify'
import { accountRoutes } from './drivers-accounts.ts'
import { acceptForms, answerFailures } from './drivers-forms.ts'
import { topicRoutes } from './drivers-topics.ts'
import type { Requests } from './request.ts'

export const driversRoutes = async (root: FastifyInstance, requests: Requests): Promise<void> => {
  await root.register(async (app) => {
    acceptForms(app)
    answerFailures(app, requests.deps.onFault)
    app.get('/status', { schema: { hide: true } }, async () => ({ status: 'live' }))
    accountRoutes(app, requests)
    topicRoutes(app, requests)
  })
}
