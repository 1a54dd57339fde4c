import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { memberRole } from '../actors/fact.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { cursorText, iso, pageQuery, readNumberCursor } from './position.ts'
import type { Requests } from './request.ts'
import { ofRoom } from './rooms.ts'

export const memberRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const ofMember = ofRoom.extend({ user: z.string().max(128) })

  app.get(
    '/rooms/:room/members',
    { schema: { params: ofRoom, querystring: z.strictObject(pageQuery) } },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.readable(bearer, request.params.room)
      const { limit, cursor, atLeast } = request.query
      const after = readNumberCursor(cursor) ?? 0
      const args = { room: id, limit, after, at: requests.at(request.query) }
      const { result, position } = await requests.read('room.members', args, atLeast)
      const next = result.length === limit ? cursorText(result.at(-1)?.user.number ?? 0) : null
      return { items: result, next, position: requests.position(position) }
    },
  )

  app.get(
    '/rooms/:room/reads',
    { schema: { params: ofRoom, querystring: z.strictObject(pageQuery) } },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.readable(bearer, request.params.room)
      const { limit, cursor, atLeast } = request.query
      const after = readNumberCursor(cursor) ?? 0
      const args = { room: id, limit, after, at: requests.at(request.query) }
      const { result, position } = await requests.read('room.reads', args, atLeast)
      const next = result.length === limit ? cursorText(result.at(-1)?.user.number ?? 0) : null
      const items = result.map(({ user, message, at }) => ({ user, message, at: iso(at) }))
      return { items, next, position: requests.position(position) }
    },
  )

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
      const { members } = (await requests.deps.host.load(stream)).snapshot.context as RoomContext
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
