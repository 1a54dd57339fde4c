import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { MessageItem } from '../projections/room-history.ts'
import { messageItem } from './message-item.ts'
import { operation } from './operation.ts'
import { pageQuery, readTime } from './position.ts'
import { ofRoom, roomReference, userReference } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

const q = z.string().min(1).max(200).describe('all of these words; "two words" together; begin* as a beginning')
const page = { q, ...pageQuery }
const moment = z.string().max(100).describe('an ISO time with zone, inclusive')

/**
 * Messages that are shown, as they read now or then, newest first: in one room, or in all that the bearer may read now. What
 * is removed now is found at no moment.
 */
export const searchRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const paged = {
    on: 'before',
    key: ({ position }: MessageItem) => position,
    item: (message: MessageItem) => messageItem(requests.epoch, message),
  } as const

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
    const { q: words, room, author, from, to } = request.query
    const args = {
      words,
      ...(room === undefined ? {} : { room: (await requests.readable(bearer, room)).id }),
      ...(author === undefined ? {} : { author: (await requests.user(author)).id }),
      ...(room !== undefined || bearer.account.role === 'admin' ? {} : { visibleTo: bearer.account.id }),
      ...(from === undefined ? {} : { from: readTime(from, 'from') }),
      ...(to === undefined ? {} : { to: readTime(to, 'to') }),
    }
    return requests.page('messages.search', request.query, { args, ...paged })
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
    const { q: words, before } = request.query
    const args = { room, words, ...(before === undefined ? {} : { beforeId: before }) }
    return requests.page('messages.search', request.query, { args, ...paged })
  })
}
