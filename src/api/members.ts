import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { memberRole } from '../actors/fact.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { iso, nextCursor, pageQuery, readNumberCursor } from './position.ts'
import type { Requests } from './request.ts'
import { ofRoom } from './rooms.ts'

const listing = { schema: { params: ofRoom, querystring: z.strictObject(pageQuery) } }
interface Listing {
  Params: z.infer<typeof listing.schema.params>
  Querystring: z.infer<typeof listing.schema.querystring>
}

export const memberRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  /** A page of the room's people, for whoever may read its record. @throws Problem 401, 403, 404, 400 */
  const asked = async (request: FastifyRequest<Listing>) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.readable(bearer, request.params.room)
    const { limit, cursor, atLeast } = request.query
    return { args: { room, limit, after: readNumberCursor(cursor) ?? 0, at: requests.at(request.query) }, atLeast }
  }
  const page = <Item extends { user: { number: number } }>(items: Item[], limit: number, position: number) => ({
    items,
    next: nextCursor(items, limit, ({ user }) => user.number),
    position: requests.position(position),
  })
  const ofMember = ofRoom.extend({ user: z.string().max(128) })

  app.get('/rooms/:room/members', listing, async (request) => {
    const { args, atLeast } = await asked(request)
    const { result, position } = await requests.read('room.members', args, atLeast)
    return page(result, args.limit, position)
  })

  app.get('/rooms/:room/reads', listing, async (request) => {
    const { args, atLeast } = await asked(request)
    const { result, position } = await requests.read('room.reads', args, atLeast)
    const items = result.map(({ user, message, at }) => ({ user, message, at: iso(at) }))
    return page(items, args.limit, position)
  })

  /** Adds the member, or gives a member another role. */
  app.put(
    '/rooms/:room/members/:user',
    {
      schema: {
        params: ofMember,
        body: z.strictObject({ role: memberRole.default('member') }).default({ role: 'member' }),
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const room = await requests.room(request.params.room)
      const user = await requests.user(request.params.user)
      const stream = roomStream(room.id)
      const { members } = await requests.deps.host.loadContext<RoomContext>(stream)
      const type = members.has(user.id) ? 'member.promote' : 'member.add'
      const command = { type, asker: bearer.asker, user: user.id, role: request.body.role } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('rooms.get', { id: room.id }, { stream, revision })
      return reply.code(204).send()
    },
  )

  app.delete('/rooms/:room/members/:user', { schema: { params: ofMember } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const room = await requests.room(request.params.room)
    const user = await requests.user(request.params.user)
    const stream = roomStream(room.id)
    const command = { type: 'member.remove', asker: bearer.asker, user: user.id } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    await requests.read('rooms.get', { id: room.id }, { stream, revision })
    return reply.code(204).send()
  })
}
