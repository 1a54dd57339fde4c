import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { memberRole } from '../actors/fact.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { DONE, operation } from './operation.ts'
import { iso, pageQuery } from './position.ts'
import { ofRoom, userReference } from './references.ts'
import type { Requests } from './request.ts'
import { reasonQuery } from './sanctions.ts'
import * as shapes from './shapes.ts'

const listing = { params: ofRoom, querystring: z.strictObject(pageQuery) }

export const memberRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const ofMember = ofRoom.extend({ user: userReference })

  const members = {
    ...operation('members', 'listMembers', 'Members with their roles, by number'),
    ...listing,
    response: { 200: shapes.pageOf(shapes.member) },
  }
  app.get('/rooms/:room/members', { schema: members }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.readable(bearer, request.params.room)
    return requests.page('room.members', request.query, {
      args: { room },
      on: 'after',
      key: ({ user }) => user.number,
      item: (member) => member,
    })
  })

  const reads = {
    ...operation('members', 'listReads', 'How far each account has read, by number'),
    ...listing,
    response: { 200: shapes.pageOf(shapes.readMark) },
  }
  app.get('/rooms/:room/reads', { schema: reads }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.readable(bearer, request.params.room)
    return requests.page('room.reads', request.query, {
      args: { room },
      on: 'after',
      key: ({ user }) => user.number,
      item: ({ user, message, at }) => ({ user, message, at: iso(at) }),
    })
  })

  /** Adds the member, or gives a member another role. */
  app.put(
    '/rooms/:room/members/:user',
    {
      schema: {
        ...operation('members', 'putMember', 'Adds a member, or gives one another role'),
        params: ofMember,
        response: DONE,
        body: z
          .strictObject({ role: memberRole.optional().describe('default: member, or what it is already') })
          .default({}),
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      // Whoever does not see the room does not come in by themselves.
      const room = await requests.readable(bearer, request.params.room)
      const asker = await requests.askerIn(bearer, room)
      const user = await requests.user(request.params.user)
      const stream = roomStream(room.id)
      const { members } = await requests.deps.host.loadContext<RoomContext>(stream)
      const held = members.get(user.id)
      const { role = held ?? 'member' } = request.body
      if (role === held) return reply.code(204).send(null)
      const type = held === undefined ? 'member.add' : 'member.promote'
      const command = { type, asker, user: user.id, role } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('rooms.get', { id: room.id }, { stream, revision })
      return reply.code(204).send(null)
    },
  )

  const removal = {
    ...operation('members', 'removeMember', 'Takes a member out; anybody may leave'),
    params: ofMember,
    querystring: reasonQuery,
    response: DONE,
  }
  app.delete('/rooms/:room/members/:user', { schema: removal }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room, asker } = await requests.asked(bearer, request.params.room)
    const user = await requests.user(request.params.user)
    const stream = roomStream(room.id)
    const reason = request.query.reason ?? null
    const command = { type: 'member.remove', asker, user: user.id, reason } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    await requests.read('rooms.get', { id: room.id }, { stream, revision })
    return reply.code(204).send(null)
  })
}
