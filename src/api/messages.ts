import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { RoomFact, TextFault } from '../actors/room/room.facts.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { MessageItem } from '../projections/room-history.ts'
import { messageItem } from './message-item.ts'
import { DONE, operation } from './operation.ts'
import { pageQuery } from './position.ts'
import { notFound, Problem } from './problem.ts'
import { ofRoom } from './references.ts'
import type { Bearer, Requests } from './request.ts'
import { reasonQuery } from './sanctions.ts'
import * as shapes from './shapes.ts'

const MAX_TEXT = 5_000
const id = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const messageId = id.describe('a message’s id, exclusive')
const ofMessage = ofRoom.extend({ id })
/** longer texts are refused by the room's rule, in its order of checks; this bounds what is looked at */
const text = z.string().max(60_000)

/** Where the room refuses a text for its length: how long one may be is known here. */
const toldLimit = (error: unknown): never => {
  if (!(error instanceof Problem) || error.code !== 'text-too-long') throw error
  const values = { field: 'text', limit: MAX_TEXT }
  throw new Problem(error.status, error.code, `text: at most ${MAX_TEXT} characters`, values)
}

/** What the room is told of a text: checked there after mute and rate. */
const checked = (given: string): { text: string; fault?: TextFault } => {
  const trimmed = given.trim()
  if (trimmed === '' || trimmed.includes('\0')) return { text: '', fault: 'text-empty' }
  return trimmed.length > MAX_TEXT ? { text: '', fault: 'text-too-long' } : { text: trimmed }
}

/** A cursor says which way it goes. */
const wayAndId = z.string().regex(/^(before|after):[0-9]{1,15}$/)

export const messageRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const one = async (room: string, message: number, revision: number) => {
    const { result } = await requests.read(
      'room.message',
      { room, id: message },
      { stream: roomStream(room), revision },
    )
    if (!result) throw notFound('message')
    return messageItem(requests.epoch, result)
  }

  /** @throws Problem 400, 410 */
  const goingOn = (cursor: string | undefined): { before?: number; after?: number } => {
    const [way, message] = requests.cursors.read('room.messages', cursor, wayAndId)?.split(':') ?? []
    return way === undefined ? {} : { [way]: Number(message) }
  }

  /** Where a message was said. It is its author's also once they belong there no more. @throws Problem 404 */
  const saidIn = async (bearer: Bearer, reference: string, message: number) => {
    const room = await requests.room(reference)
    const { result } = await requests.read('room.message', { room: room.id, id: message })
    if (result?.author.id !== bearer.account.id) await requests.mayRead(bearer, room)
    return { room, asker: await requests.askerIn(bearer, room) }
  }

  /** Before anybody sees a removed text, it is on record that they do. @throws Problem */
  const noteRead = async (request: FastifyRequest, bearer: Bearer, messages: readonly MessageItem[]) => {
    const read = messages.filter(({ removed, removedNow }) => removed ?? removedNow)
    const [first] = read
    if (!first) return
    const { asker } = await requests.asked(bearer, first.room)
    const ids = read.map(({ id }) => id)
    await requests.command(request, bearer, roomStream(first.room), { type: 'removed.read', asker, ids })
  }

  app.get(
    '/rooms/:room/messages',
    {
      schema: {
        ...operation('messages', 'listMessages', 'Messages of a room, oldest first; without a bound the newest'),
        params: ofRoom,
        querystring: z.strictObject({
          ...pageQuery,
          before: messageId.optional(),
          after: messageId.optional(),
          removed: z
            .enum(['hidden', 'read'])
            .default('hidden')
            .describe(
              'read: with the texts of those that are removed, for staff; that they were read is put on record',
            ),
        }),
        response: { 200: shapes.pageOf(shapes.message) },
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const asItWas = request.query.removed === 'read'
      const { id: room } = asItWas
        ? await requests.moderated(request, bearer, request.params.room)
        : await requests.readable(bearer, request.params.room)
      const { limit, atLeast } = request.query
      const { before, after } = { ...request.query, ...goingOn(request.query.cursor) }
      const bounds = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }
      const args = { room, limit, at: requests.at(request.query), removed: 'shown', ...bounds } as const
      const { result, position } = await requests.read('room.messages', args, atLeast)
      // The next page is the older one, and the newer one where messages are read from one on.
      const [goesOn, read] =
        after === undefined ? (['before', result.toReversed()] as const) : (['after', result] as const)
      const next = requests.cursors.next('room.messages', read, limit, (last) => `${goesOn}:${last.id}`)
      if (asItWas) await noteRead(request, bearer, result)
      const items = result.map((message) => messageItem(requests.epoch, message, asItWas))
      return { items, next, position: requests.position(position) }
    },
  )

  app.post(
    '/rooms/:room/messages',
    {
      schema: {
        ...operation('messages', 'postMessage', 'Says something, as the bearer; the same reference says it once'),
        params: ofRoom,
        body: z.strictObject({ text, ref: z.string().min(1).max(128).optional() }),
        response: { 201: shapes.message },
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { room: found, asker } = await requests.asked(bearer, request.params.room)
      const { id: room } = found
      const command = {
        type: 'message.post',
        asker,
        overRate: requests.deps.rates.overRate(bearer.account),
        kind: 'text',
        clientRef: request.body.ref ?? null,
        replyTo: null,
        extra: null,
        entered: false,
        ...checked(request.body.text),
      } as const
      const posting = requests.command(request, bearer, roomStream(room), command)
      const { facts, values, revision } = await posting.catch(toldLimit)
      const posted = facts.find((fact) => fact.type === 'MessagePosted') as
        | Extract<RoomFact, { type: 'MessagePosted' }>
        | undefined
      const number = posted?.data.id ?? (values.messageId as number)
      return reply.code(201).send(await one(room, number, posted?.revision ?? revision))
    },
  )

  app.patch(
    '/rooms/:room/messages/:id',
    {
      schema: {
        ...operation('messages', 'editMessage', 'Changes the text of an own message'),
        params: ofMessage,
        body: z.strictObject({ text }),
        response: { 200: shapes.message },
      },
    },
    async (request) => {
      const bearer = await requests.bearer(request)
      const { room: found, asker } = await saidIn(bearer, request.params.room, request.params.id)
      const { id: room } = found
      const { id: message } = request.params
      const overRate = requests.deps.rates.overRate(bearer.account)
      const command = {
        type: 'message.edit',
        asker,
        overRate,
        id: message,
        ...checked(request.body.text),
      } as const
      const { revision } = await requests.command(request, bearer, roomStream(room), command).catch(toldLimit)
      return one(room, message, revision)
    },
  )

  app.delete(
    '/rooms/:room/messages/:id',
    {
      schema: {
        ...operation('messages', 'removeMessage', 'Hides a message from history; its author, and staff'),
        params: ofMessage,
        querystring: reasonQuery,
        response: DONE,
      },
    },
    async (request, reply) => {
      const bearer = await requests.bearer(request)
      const { room: found, asker } = await saidIn(bearer, request.params.room, request.params.id)
      const { id: room } = found
      const { id: message } = request.params
      const command = {
        type: 'message.remove',
        asker,
        id: message,
        reason: request.query.reason ?? null,
      } as const
      const { revision } = await requests.command(request, bearer, roomStream(room), command)
      await one(room, message, revision)
      return reply.code(204).send(null)
    },
  )

  const restoring = {
    ...operation('messages', 'restoreMessage', 'Brings a removed message back; for staff'),
    params: ofMessage,
    response: { 201: shapes.message },
  }
  app.post('/rooms/:room/messages/:id/restore', { schema: restoring }, async (request, reply) => {
    const bearer = await requests.bearer(request)
    const { room: found, asker } = await requests.asked(bearer, request.params.room)
    const { id: room } = found
    const { id: message } = request.params
    const command = { type: 'message.restore', asker, id: message } as const
    const { revision } = await requests.command(request, bearer, roomStream(room), command)
    return reply.code(201).send(await one(room, message, revision))
  })
}
