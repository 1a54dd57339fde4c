import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { RoomFact, TextFault } from '../actors/room/room.facts.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { MessageItem } from '../projections/room-history.ts'
import { iso, limit, temporalQuery } from './position.ts'
import { notFound } from './problem.ts'
import type { Requests } from './request.ts'
import { ofRoom } from './rooms.ts'

const MAX_TEXT = 5_000
const id = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const ofMessage = ofRoom.extend({ id })
/** longer texts are refused by the room's rule, in its order of checks; this bounds what is looked at */
const text = z.string().max(60_000)

/** What the room is told of a text: checked there after mute and rate. */
const checked = (given: string): { text: string; fault?: TextFault } => {
  const trimmed = given.trim()
  if (trimmed === '' || trimmed.includes('\0')) return { text: '', fault: 'text-empty' }
  return trimmed.length > MAX_TEXT ? { text: '', fault: 'text-too-long' } : { text: trimmed }
}

export const messageRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const shown = ({
    id: number,
    author,
    text: said,
    kind,
    at,
    position,
    ref,
    replyTo,
    edited,
    removed,
  }: MessageItem) => ({
    id: number,
    author: { id: author.id, number: author.number, username: author.username },
    role: author.role,
    text: removed ? null : said,
    kind,
    at: iso(at),
    position: requests.position(position),
    ref,
    ...(replyTo === null ? {} : { replyTo }),
    ...(edited ? { edited } : {}),
    ...(removed ? { removed: { ...removed, at: iso(removed.at) } } : {}),
  })
  const one = async (room: string, message: number, revision: number) => {
    const { result } = await requests.read(
      'room.message',
      { room, id: message },
      { stream: roomStream(room), revision },
    )
    if (!result) throw notFound('message')
    return shown(result)
  }

  app.get(
    '/rooms/:room/messages',
    {
      schema: {
        params: ofRoom,
        querystring: z.strictObject({ ...temporalQuery, limit, before: id.optional(), after: id.optional() }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.readable(bearer, request.params.room)
      const { before, after, limit: most, atLeast } = request.query
      const bounds = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }
      const args = { room, limit: most, at: requests.at(request.query), removed: 'shown', ...bounds } as const
      const { result, position } = await requests.read('room.messages', args, atLeast)
      return { items: result.map(shown), next: null, position: requests.position(position) }
    },
  )

  /** Messages that are shown, as they read now, with all of these words; newest first. */
  app.get(
    '/rooms/:room/search',
    {
      schema: {
        params: ofRoom,
        querystring: z.strictObject({
          q: z.string().min(1).max(200),
          limit,
          before: id.optional(),
          atLeast: temporalQuery.atLeast,
        }),
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { id: room } = await requests.readable(bearer, request.params.room)
      const { q: words, before, limit: most, atLeast } = request.query
      const args = { room, words, limit: most, ...(before === undefined ? {} : { before }) }
      const { result, position } = await requests.read('room.search', args, atLeast)
      return { items: result.map(shown), next: null, position: requests.position(position) }
    },
  )

  app.post(
    '/rooms/:room/messages',
    { schema: { params: ofRoom, body: z.strictObject({ text, ref: z.string().min(1).max(128).optional() }) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const found = await requests.room(request.params.room)
      const { id: room } = found
      const asker = await requests.askerIn(bearer, found)
      const { facts, values, revision } = await requests.command(request, bearer, roomStream(room), {
        type: 'message.post',
        asker,
        overRate: requests.deps.rates.overRate(bearer.account),
        kind: 'text',
        clientRef: request.body.ref ?? null,
        replyTo: null,
        extra: null,
        entered: false,
        ...checked(request.body.text),
      })
      const posted = facts.find((fact) => fact.type === 'MessagePosted') as
        | Extract<RoomFact, { type: 'MessagePosted' }>
        | undefined
      const number = posted?.data.id ?? (values.messageId as number)
      return reply.code(201).send(await one(room, number, posted?.revision ?? revision))
    },
  )

  app.patch(
    '/rooms/:room/messages/:id',
    { schema: { params: ofMessage, body: z.strictObject({ text }) } },
    async (request) => {
      const bearer = await requests.bearer(request)
      const found = await requests.room(request.params.room)
      const { id: room } = found
      const asker = await requests.askerIn(bearer, found)
      const { id: message } = request.params
      const overRate = requests.deps.rates.overRate(bearer.account)
      const command = {
        type: 'message.edit',
        asker,
        overRate,
        id: message,
        ...checked(request.body.text),
      } as const
      const { revision } = await requests.command(request, bearer, roomStream(room), command)
      return one(room, message, revision)
    },
  )

  app.delete(
    '/rooms/:room/messages/:id',
    { schema: { params: ofMessage, querystring: z.strictObject({ reason: z.string().max(1_000).optional() }) } },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const found = await requests.room(request.params.room)
      const { id: room } = found
      const asker = await requests.askerIn(bearer, found)
      const { id: message } = request.params
      const command = {
        type: 'message.remove',
        asker,
        id: message,
        reason: request.query.reason ?? null,
      } as const
      const { revision } = await requests.command(request, bearer, roomStream(room), command)
      await one(room, message, revision)
      return reply.code(204).send()
    },
  )

  app.post('/rooms/:room/messages/:id/restore', { schema: { params: ofMessage } }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const found = await requests.room(request.params.room)
    const { id: room } = found
    const asker = await requests.askerIn(bearer, found)
    const { id: message } = request.params
    const command = { type: 'message.restore', asker, id: message } as const
    const { revision } = await requests.command(request, bearer, roomStream(room), command)
    return reply.code(201).send(await one(room, message, revision))
  })
}
