import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { roomStream } from '../actors/room/room.facts.ts'
import type { MuteRow } from '../projections/sanctions.ts'
import { iso, isoOrNull, nextCursor, pageQuery, readCursor } from './position.ts'
import type { Requests } from './request.ts'
import { ofRoom } from './rooms.ts'
import { banItem } from './users.ts'

const user = z.string().max(128)
const body = z.strictObject({
  user,
  seconds: z.int().min(1).max(31_536_000).optional(),
  reason: z.string().max(1_000).optional(),
})
const ofTarget = ofRoom.extend({ user })

const muteItem = ({ name, user: id, by, reason, from, until }: MuteRow) => ({
  user: { id, username: name },
  by,
  reason,
  from: iso(from),
  until: isoOrNull(until),
})

/** Mutes, bans and kicks in one room. */
export const sanctionRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/rooms/:room/mutes',
    { schema: { params: ofRoom, querystring: z.strictObject(pageQuery) } },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.readable(bearer, request.params.room)
      const { limit, cursor, atLeast } = request.query
      const args = { room, limit, after: readCursor(cursor) ?? '', at: requests.at(request.query) }
      const { result, position } = await requests.read('room.mutes', args, atLeast)
      const next = nextCursor(result, limit, ({ name }) => name)
      return { items: result.map(muteItem), next, position: requests.position(position) }
    },
  )

  app.post('/rooms/:room/mutes', { schema: { params: ofRoom, body } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.room(request.params.room)
    const { seconds = null, reason = null } = request.body
    const { name, id } = await requests.target(request.body.user)
    const command = { type: 'mute.set', asker: bearer.asker, name, user: id, seconds, reason } as const
    const { revision } = await requests.command(request, bearer, roomStream(room), command)
    const args = { room, name, limit: 1 }
    const { result } = await requests.read('room.mutes', args, { stream: roomStream(room), revision })
    return reply.code(201).send(result[0] && muteItem(result[0]))
  })

  app.delete('/rooms/:room/mutes/:user', { schema: { params: ofTarget } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.room(request.params.room)
    const { name } = await requests.target(request.params.user)
    const stream = roomStream(room)
    const { revision } = await requests.command(request, bearer, stream, {
      type: 'mute.lift',
      asker: bearer.asker,
      name,
    })
    await requests.read('rooms.get', { id: room }, { stream, revision })
    return reply.code(204).send()
  })

  app.get(
    '/rooms/:room/bans',
    { schema: { params: ofRoom, querystring: z.strictObject(pageQuery) } },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.moderated(request, bearer, request.params.room)
      const { limit, cursor, atLeast } = request.query
      const args = { room, limit, after: readCursor(cursor) ?? '', at: requests.at(request.query) }
      const { result, position } = await requests.read('room.bans', args, atLeast)
      const next = nextCursor(result, limit, ({ user }) => user)
      return { items: result.map(banItem), next, position: requests.position(position) }
    },
  )

  app.post('/rooms/:room/bans', { schema: { params: ofRoom, body } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.room(request.params.room)
    const { id } = await requests.user(request.body.user)
    const { seconds = null, reason = null } = request.body
    const stream = roomStream(room)
    const command = { type: 'member.ban', asker: bearer.asker, user: id, seconds, reason } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    const { result } = await requests.read('room.bans', { room, user: id, limit: 1 }, { stream, revision })
    return reply.code(201).send(result[0] && banItem(result[0]))
  })

  app.delete('/rooms/:room/bans/:user', { schema: { params: ofTarget } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.room(request.params.room)
    const { id } = await requests.user(request.params.user)
    const stream = roomStream(room)
    const { revision } = await requests.command(request, bearer, stream, {
      type: 'member.unban',
      asker: bearer.asker,
      user: id,
    })
    await requests.read('rooms.get', { id: room }, { stream, revision })
    return reply.code(204).send()
  })

  app.post(
    '/rooms/:room/kicks',
    { schema: { params: ofRoom, body: body.omit({ seconds: true }) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.room(request.params.room)
      const { id } = await requests.user(request.body.user)
      const reason = request.body.reason ?? null
      const stream = roomStream(room)
      const command = { type: 'member.kick', asker: bearer.asker, user: id, reason } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('rooms.get', { id: room }, { stream, revision })
      return reply.code(201).send({ user: id, reason })
    },
  )
}
