// The read models as a whole: how far they are, and making them anew while they answer.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Status } from '../projections/thread.ts'
import { operation } from './operation.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

export const readModelRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { readModels } = requests.deps

  const item = ({ position, lag, parked, firstParked, building }: Status) => ({
    position: requests.position(position),
    lag,
    parked,
    firstParked: [...firstParked],
    building,
  })

  const looking = {
    ...operation('record', 'getReadModels', 'How far the read models are, and what they could not fold; for admins'),
    response: { 200: shapes.readModels },
  }
  app.get('/read-models', { schema: looking }, async (request) => {
    await requests.admin(request)
    return item(await readModels.status())
  })

  const rebuilding = {
    ...operation('record', 'rebuildReadModels', 'Makes the read models anew while those in force answer; for admins'),
    body: z.strictObject({ atPoison: z.enum(['stop', 'park']).default('stop') }).nullish(),
    response: { 202: shapes.readModels },
  }
  app.post('/read-models/rebuild', { schema: rebuilding }, async (request, reply) => {
    await requests.admin(request)
    return reply.code(202).send(item(await readModels.rebuild(request.body?.atPoison ?? 'stop')))
  })
}
