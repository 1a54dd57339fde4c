import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { settableRules } from '../actors/rules.ts'
import type { Requests } from './request.ts'
import { ofRoom } from './rooms.ts'

/** Blocking rules: of one room, read by its staff and set by its owner; of all rooms, both by admins. */
export const rulesRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { host } = requests.deps
  const body = z.strictObject({ rules: settableRules })

  app.get('/rules', async (request) => {
    await requests.admin(request)
    return host.rules.current
  })

  app.put('/rules', { schema: { body } }, async (request) => {
    const { account } = await requests.admin(request)
    return host.rules.set(request.body.rules, { by: account.id, correlationId: request.id })
  })

  const inForce = async (room: string) => (await host.loadContext<RoomContext>(roomStream(room))).rules

  app.get('/rooms/:room/rules', { schema: { params: ofRoom } }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id } = await requests.moderated(request, bearer, request.params.room)
    return inForce(id)
  })

  app.put('/rooms/:room/rules', { schema: { params: ofRoom, body } }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id } = await requests.room(request.params.room)
    const { rules } = request.body
    const stream = roomStream(id)
    const { revision } = await requests.command(request, bearer, stream, {
      type: 'rules.set',
      asker: bearer.asker,
      rules,
    })
    await requests.read('rooms.get', { id }, { stream, revision })
    return inForce(id)
  })
}
