import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ALIAS } from '../actors/alias.ts'
import { memberRole } from '../actors/fact.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRow } from '../projections/rooms.ts'
import { DONE, operation } from './operation.ts'
import { iso, pageQuery, temporalQuery } from './position.ts'
import { malformed, notFound, refusalProblem } from './problem.ts'
import { ofRoom, roomReference, userReference } from './references.ts'
import type { Requests } from './request.ts'
import { reasonQuery } from './sanctions.ts'
import * as shapes from './shapes.ts'

const name = z.string().trim().min(1, 'at least one character').max(100, 'at most 100 characters')
const aliases = z.array(z.string().regex(ALIAS, 'a dialect and a number, e.g. moneypot:18')).max(20)
const user = userReference

const shown = ({ openedAt, lockedAt: _lockedAt, extra: _extra, aliases: seen, ...room }: RoomRow) => ({
  ...room,
  aliases: [...seen],
  openedAt: iso(openedAt),
})

export const roomRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { rooms, identity } = requests.deps

  const listing = {
    ...operation('rooms', 'listRooms', 'Rooms that the bearer may read'),
    querystring: z.strictObject(pageQuery),
    response: { 200: shapes.pageOf(shapes.room) },
  }
  app.get('/rooms', { schema: listing }, async (request) => {
    const { account } = await requests.bearer(request)
    const args = account.role === 'admin' ? {} : { visibleTo: account.id }
    return requests.page('rooms.list', request.query, { args, on: 'after', key: ({ number }) => number, item: shown })
  })

  app.post(
    '/rooms',
    {
      schema: {
        ...operation('rooms', 'openRoom', 'Opens a room or a space; for admins'),
        response: { 201: shapes.room },
        body: z.strictObject({
          name,
          kind: z.enum(['room', 'space']).default('room'),
          parent: roomReference.optional(),
          aliases: aliases.default([]),
          owner: user.optional(),
          members: z
            .array(z.union([user, z.strictObject({ user, role: memberRole.default('member') })]))
            .max(200)
            .default([]),
        }),
      },
    },
    async (request, reply) => {
      const bearer = await requests.admin(request)
      const { owner, members, parent, ...wanted } = request.body
      const listed = members.map((member) =>
        typeof member === 'string' ? { user: member, role: 'member' as const } : member,
      )
      const all = owner === undefined ? listed : [{ user: owner, role: 'owner' as const }, ...listed]
      const accounts = await Promise.all(
        all.map(async ({ user: reference, role }) => {
          const account = await identity.resolve(reference)
          if (account) return { account, role }
          throw refusalProblem('unknown-user', { field: reference === owner ? 'owner' : 'members', user: reference })
        }),
      )
      const space = parent === undefined ? null : await rooms.resolve(parent)
      if (parent !== undefined && !space) throw refusalProblem('unknown-room', { field: 'parent', room: parent })
      if (space?.kind === 'room') throw malformed('parent', 'a room, and no space')
      const outcome = await rooms.open({
        ...wanted,
        aliases: [...new Set(wanted.aliases)],
        parent: space?.id ?? null,
        members: accounts,
        asker: bearer.asker,
        ...(await requests.from(request, bearer)),
      })
      const { room, revision } = await requests.accepted(bearer.account, 'room.open', outcome)
      const { result } = await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
      if (!result) throw notFound('room')
      return reply.code(201).send(shown(result))
    },
  )

  app.get(
    '/rooms/:room',
    {
      schema: {
        ...operation('rooms', 'getRoom', 'One room'),
        params: ofRoom,
        querystring: z.strictObject(temporalQuery),
        response: { 200: shapes.room },
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id } = await requests.readable(bearer, request.params.room)
      const { result, position } = await requests.read(
        'rooms.get',
        { id, at: requests.at(request.query) },
        request.query.atLeast,
      )
      if (!result) throw notFound('room')
      return { ...shown(result), position: requests.position(position) }
    },
  )

  app.patch(
    '/rooms/:room',
    {
      schema: {
        ...operation('rooms', 'changeRoom', 'Changes name, mode or aliases; for owners and admins'),
        params: ofRoom,
        response: { 200: shapes.room },
        body: z.strictObject({
          name: name.optional(),
          mode: z.enum(['open', 'slow', 'locked']).optional(),
          slowSeconds: z.int().min(1).max(21_600).optional(),
          aliases: aliases.optional(),
        }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { room, asker } = await requests.asked(bearer, request.params.room)
      const { slowSeconds, mode, ...rest } = request.body
      if (mode === 'slow' && slowSeconds === undefined) {
        throw malformed('slowSeconds', 'needed with mode slow')
      }
      const change = {
        ...(rest.name === undefined ? {} : { name: rest.name }),
        ...(rest.aliases === undefined ? {} : { aliases: rest.aliases }),
        ...(mode === undefined ? {} : { mode }),
        ...(slowSeconds === undefined ? {} : { slowMs: slowSeconds * 1_000 }),
      }
      await requests.permit(bearer, 'room.change')
      const outcome = await rooms.change(room, change, asker, await requests.from(request, bearer))
      const { revision } = await requests.accepted(bearer.account, 'room.change', outcome)
      const { result, position } = await requests.read(
        'rooms.get',
        { id: room.id },
        { stream: roomStream(room.id), revision },
      )
      if (!result) throw notFound('room')
      return { ...shown(result), position: requests.position(position) }
    },
  )

  app.delete(
    '/rooms/:room',
    {
      schema: {
        ...operation('rooms', 'archiveRoom', 'Archives a room, and a space’s rooms with it; for owners and admins'),
        params: ofRoom,
        querystring: reasonQuery,
        response: DONE,
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const room = await requests.readable(bearer, request.params.room)
      const { revision } = await requests.archive(request, bearer, room, request.query.reason ?? null)
      await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
      return reply.code(204).send(null)
    },
  )

  const inviting = {
    ...operation('members', 'invite', 'Makes a code that lets its bearer become a member; for staff'),
    params: ofRoom,
    response: { 201: shapes.invite },
  }
  app.post('/rooms/:room/invites', { schema: inviting }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room, asker } = await requests.asked(bearer, request.params.room)
    await requests.permit(bearer, 'invite.create')
    const outcome = await rooms.invite(room, asker, await requests.from(request, bearer))
    const { code, revision } = await requests.accepted(bearer.account, 'invite.create', outcome)
    await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
    return reply.code(201).send({ code, room: room.id })
  })

  app.post(
    '/invites/:code',
    {
      schema: {
        ...operation('members', 'acceptInvite', 'Makes the bearer a member by a code'),
        params: z.object({ code: z.string().regex(/^[0-9a-f]{32}$/) }),
        response: { 201: shapes.membership },
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const room = await rooms.byInvite(request.params.code)
      if (!room) throw notFound('room')
      const stream = roomStream(room.id)
      const command = { type: 'member.add', asker: bearer.asker, user: bearer.account.id, role: 'member' } as const
      const { revision } = await requests.command(request, bearer, stream, command)
      await requests.read('rooms.get', { id: room.id }, { stream, revision })
      return reply.code(201).send({ room: room.id, user: shapes.personOf(bearer.account), role: 'member' as const })
    },
  )
}
