import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { MAX_SANCTION_SECONDS } from '../actors/fact.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { type BanRow, type MuteRow, muteCursor } from '../projections/sanctions.ts'
import { DONE, operation } from './operation.ts'
import { iso, isoOrNull, pageQuery } from './position.ts'
import { ofRoom, userReference } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const user = userReference
const reason = z.string().max(1_000).optional()
/** of a DELETE, which has no body */
export const reasonQuery = z.strictObject({ reason: reason.describe('why; on record') })
export const sanction = z.strictObject({ seconds: z.int().min(1).max(MAX_SANCTION_SECONDS).optional(), reason })
const body = sanction.extend({ user })
const ofTarget = ofRoom.extend({ user })

const muteItem = ({ name, user: id, number, by, reason, from, until }: MuteRow) => ({
  user: { id, number, username: name },
  by,
  reason,
  from: iso(from),
  until: isoOrNull(until),
})

export const banItem = ({ user, by, reason: why, from, until }: BanRow) => ({
  user,
  by,
  reason: why,
  from: iso(from),
  until: isoOrNull(until),
})

/** Whoever is banned from a room, or ('') from everywhere. */
export const bansOf = (requests: Requests, room: string, query: z.infer<z.ZodObject<typeof pageQuery>>) =>
  requests.page('room.bans', query, { args: { room }, on: 'after', key: (ban) => ban.user.id, item: banItem })

/** Mutes, bans and kicks in one room. */
export const sanctionRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/rooms/:room/mutes',
    {
      schema: {
        ...operation('moderation', 'listMutes', 'The mute list of a room'),
        params: ofRoom,
        querystring: z.strictObject(pageQuery),
        response: { 200: shapes.pageOf(shapes.mute) },
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.readable(bearer, request.params.room)
      return requests.page('room.mutes', request.query, {
        args: { room },
        on: 'after',
        key: muteCursor,
        item: muteItem,
      })
    },
  )

  const muting = {
    ...operation('moderation', 'mute', 'Mutes an account, or a name that has none yet; without seconds for good'),
    params: ofRoom,
    body,
    response: { 201: shapes.mute },
  }
  app.post('/rooms/:room/mutes', { schema: muting }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room: found, asker } = await requests.asked(bearer, request.params.room)
    const { id: room } = found
    const { seconds = null, reason = null } = request.body
    const { name, id } = await requests.toMute(request.body.user)
    const command = { type: 'mute.set', asker, name, user: id, seconds, reason } as const
    const { revision } = await requests.command(request, bearer, roomStream(room), command)
    const args = { room, holds: id ?? name, limit: 1 }
    const { result } = await requests.read('room.mutes', args, { stream: roomStream(room), revision })
    return reply.code(201).send(muteItem(result[0] as MuteRow))
  })

  const lifting = { params: ofTarget, querystring: reasonQuery, response: DONE }
  const unmuting = { ...operation('moderation', 'unmute', 'Lifts a mute'), ...lifting }
  app.delete('/rooms/:room/mutes/:user', { schema: unmuting }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room: found, asker } = await requests.asked(bearer, request.params.room)
    const { id: room } = found
    const { name, id: user } = await requests.target(request.params.user)
    const stream = roomStream(room)
    const { revision } = await requests.command(request, bearer, stream, {
      type: 'mute.lift',
      asker,
      name,
      user,
      reason: request.query.reason ?? null,
    })
    await requests.read('rooms.get', { id: room }, { stream, revision })
    return reply.code(204).send(null)
  })

  app.get(
    '/rooms/:room/bans',
    {
      schema: {
        ...operation('moderation', 'listRoomBans', 'Who is banned from a room; for its staff'),
        params: ofRoom,
        querystring: z.strictObject(pageQuery),
        response: { 200: shapes.pageOf(shapes.ban) },
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.moderated(request, bearer, request.params.room)
      return bansOf(requests, room, request.query)
    },
  )

  const banning = {
    ...operation('moderation', 'banFromRoom', 'Bans an account from a room; without seconds for good'),
    params: ofRoom,
    body,
    response: { 201: shapes.ban },
  }
  app.post('/rooms/:room/bans', { schema: banning }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room: found, asker } = await requests.asked(bearer, request.params.room)
    const { id: room } = found
    const { id } = await requests.user(request.body.user)
    const { seconds = null, reason = null } = request.body
    const stream = roomStream(room)
    const command = { type: 'member.ban', asker, user: id, seconds, reason } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    const { result } = await requests.read('room.bans', { room, user: id, limit: 1 }, { stream, revision })
    return reply.code(201).send(banItem(result[0] as BanRow))
  })

  const unbanning = { ...operation('moderation', 'unbanFromRoom', 'Lifts a ban'), ...lifting }
  app.delete('/rooms/:room/bans/:user', { schema: unbanning }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room: found, asker } = await requests.asked(bearer, request.params.room)
    const { id: room } = found
    const { id } = await requests.user(request.params.user)
    const stream = roomStream(room)
    const { revision } = await requests.command(request, bearer, stream, {
      type: 'member.unban',
      asker,
      user: id,
      reason: request.query.reason ?? null,
    })
    await requests.read('rooms.get', { id: room }, { stream, revision })
    return reply.code(204).send(null)
  })

  app.post(
    '/rooms/:room/kicks',
    {
      schema: {
        ...operation('moderation', 'kickFromRoom', 'Puts an account out of a room; it may come back'),
        params: ofRoom,
        body: body.omit({ seconds: true }),
        response: { 201: shapes.kick },
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { room: found, asker } = await requests.asked(bearer, request.params.room)
      const { id: room } = found
      const account = await requests.user(request.body.user)
      const reason = request.body.reason ?? null
      const stream = roomStream(room)
      const command = { type: 'member.kick', asker, user: account.id, reason } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('rooms.get', { id: room }, { stream, revision })
      return reply.code(201).send({ user: shapes.personOf(account), reason })
    },
  )
}
