import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { type RoomFact, roomStream } from '../../actors/room/room.facts.ts'
import { aboutOf, CATEGORY, extraOf, messageForm, numberOf } from '../../dialects/ayaka/forms.ts'
import type { MessageView } from '../../dialects/dialect.ts'
import { asJson, textFaultOf } from '../../dialects/json.ts'
import type { Requests } from '../request.ts'
import { bodyOf, channelAt, numberAt, type Seen, sessionOf } from './asked.ts'
import { badRequest, notFound } from './errors.ts'

const MAX_TEXT = 5_000

const message = z.object({
  content: z.string(),
  tts: z.boolean().default(false),
  embeds: z.array(z.record(z.string(), z.unknown())).default([]),
})

export const messageRoutes = (app: FastifyInstance, requests: Requests): void => {
  /** At least as fresh as the room at `revision`. */
  const read = async ({ ref }: Seen, id: number, revision: number) => {
    const { result } = await requests.read(
      'room.message',
      { room: ref.id, id },
      { stream: roomStream(ref.id), revision },
    )
    if (!result) throw notFound()
    return result
  }
  const shown = ({ context, guild }: Seen & { guild: Seen | null }, item: Awaited<ReturnType<typeof read>>) =>
    messageForm(item as MessageView, numberOf(context), guild && numberOf(guild.context))

  app.post('/channels/:channel/messages/create', async (request, reply) => {
    const bearer = await sessionOf(requests, request)
    const channel = await channelAt(requests, request, bearer)
    if (aboutOf(channel.context).type === CATEGORY) throw badRequest('a category has no messages')
    const { content, tts, embeds } = bodyOf(message, request)
    const text = content.trim()
    const fault = textFaultOf(text, MAX_TEXT)
    const stream = roomStream(channel.ref.id)
    const { facts, revision } = await requests.command(request, bearer, stream, {
      type: 'message.post',
      asker: await requests.askerIn(bearer, channel.ref),
      overRate: requests.deps.rates.overRate(bearer.account),
      kind: 'text',
      clientRef: null,
      replyTo: null,
      extra: extraOf(tts, asJson(embeds) as typeof embeds),
      entered: false,
      text: fault ? '' : text,
      ...(fault ? { fault } : {}),
    })
    const posted = facts.find(({ type }) => type === 'MessagePosted') as Extract<RoomFact, { type: 'MessagePosted' }>
    return reply.code(201).send(shown(channel, await read(channel, posted.data.id, revision)))
  })

  app.get('/channels/:channel/messages/:message', async (request) => {
    const bearer = await sessionOf(requests, request)
    const channel = await channelAt(requests, request, bearer)
    const { revision } = await requests.deps.host.load(roomStream(channel.ref.id))
    const found = await read(channel, numberAt(request, 'message'), revision)
    if (found.removed) throw notFound()
    return shown(channel, found)
  })

  app.delete('/channels/:channel/messages/:message', async (request) => {
    const bearer = await sessionOf(requests, request)
    const channel = await channelAt(requests, request, bearer)
    const id = numberAt(request, 'message')
    const asker = await requests.askerIn(bearer, channel.ref)
    const removal = { type: 'message.remove', asker, id, reason: null } as const
    const { facts, revision } = await requests.command(request, bearer, roomStream(channel.ref.id), removal)
    if (facts.length === 0) throw notFound()
    return shown(channel, await read(channel, id, revision))
  })
}
