// The read models as a whole: how far they are, and making them anew while they answer.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Status } from '../projections/thread.ts'
import type { Requests } from './request.ts'

export const readModelRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { readModels } = requests.deps

  const item = ({ position, lag, parked, firstParked, building }: Status) => ({
    position: requests.position(position),
    lag,
    parked,
    firstParked,
    building,
  })

  app.get('/read-models', {}, async (request) => {
    await requests.admin(request)
    return item(await readModels.status())
  })

  app.post(
    '/read-models/rebuild',
    { schema: { body: z.strictObject({ atPoison: z.enum(['stop', 'park']).default('stop') }).nullish() } },
    async (request, reply) => {
      await requests.admin(request)
      return reply.code(202).send(item(await readModels.rebuild(request.body?.atPoison ?? 'stop')))
    },
  )
}
