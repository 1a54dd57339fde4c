import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { messageItem } from './message-item.ts'
import { operation } from './operation.ts'
import { atLeastQuery, cursorQuery, limit, nextCursor, readAt, readNumberCursor } from './position.ts'
import { Problem } from './problem.ts'
import { ofRoom, roomReference, userReference } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const q = z.string().min(1).max(200).describe('all of these words; "two words" together; begin* as a beginning')
const page = { q, limit, cursor: cursorQuery, ...atLeastQuery }
const moment = z.string().max(100).describe('an ISO time with zone, inclusive')

/** Messages that are shown, as they read now, newest first: in one room, or in all that the bearer may read. */
export const searchRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const time = (text: string | undefined, name: string): number | undefined => {
    const at = readAt(requests.epoch, text)
    if (at === null) return undefined
    if ('time' in at) return at.time
    throw new Problem(400, 'malformed', `${name}: an ISO time with its zone, here`)
  }

  const everywhere = {
    ...operation('messages', 'search', 'Finds messages in all rooms that the bearer may read, newest first'),
    querystring: z.strictObject({
      ...page,
      room: roomReference.optional(),
      author: userReference.optional(),
      from: moment.optional(),
      to: moment.optional(),
    }),
    response: { 200: shapes.pageOf(shapes.message) },
  }
  app.get('/search', { schema: everywhere }, async (request) => {
    const bearer = await requests.bearer(request)
    const { q: words, room, author, limit, cursor, atLeast } = request.query
    const [from, to] = [time(request.query.from, 'from'), time(request.query.to, 'to')]
    const before = readNumberCursor(cursor)
    const args = {
      words,
      limit,
      ...(room === undefined ? {} : { room: (await requests.readable(bearer, room)).id }),
      ...(author === undefined ? {} : { author: (await requests.user(author)).id }),
      ...(room !== undefined || bearer.account.role === 'admin' ? {} : { visibleTo: bearer.account.id }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(before === undefined ? {} : { before }),
    }
    const { result, position } = await requests.read('messages.search', args, atLeast)
    const next = nextCursor(result, limit, (message) => message.position)
    const items = result.map((message) => messageItem(requests.epoch, message))
    return { items, next, position: requests.position(position) }
  })

  const before = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional()
  const inRoom = {
    ...operation('messages', 'searchRoom', 'Finds messages in a room, newest first'),
    params: ofRoom,
    querystring: z.strictObject({ ...page, before: before.describe('a message’s id, exclusive') }),
    response: { 200: shapes.pageOf(shapes.message) },
  }
  app.get('/rooms/:room/search', { schema: inRoom }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id: room } = await requests.readable(bearer, request.params.room)
    const { q: words, limit, cursor, atLeast } = request.query
    const before = readNumberCursor(cursor) ?? request.query.before
    const args = { room, words, limit, ...(before === undefined ? {} : { before }) }
    const { result, position } = await requests.read('room.search', args, atLeast)
    const next = nextCursor(result, limit, ({ id }) => id)
    const items = result.map((message) => messageItem(requests.epoch, message))
    return { items, next, position: requests.position(position) }
  })
}
