import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { RoomContext } from '../../actors/room/room.context.ts'
import { roomStream } from '../../actors/room/room.facts.ts'
import type { RoomOpening } from '../../actors/rooms.ts'
import {
  type About,
  aboutOf,
  CATEGORY,
  channelForm,
  guildForm,
  inOrder,
  keptAs,
  memberForm,
  numberOf,
  TEXT_CHANNEL,
} from '../../dialects/ayaka/forms.ts'
import type { Bearer, Requests } from '../request.ts'
import { bodyOf, guildAt, type Seen, sessionOf } from './asked.ts'
import { alreadyIn, badRequest, notFound } from './errors.ts'

const MAX_LISTED = 1_000

const name = z.string().trim().min(1).max(100)
const description = z.string().max(1_000)
const newGuild = z.object({ name, description: description.default('') })
const changedGuild = z.object({ name: name.optional(), description: description.optional() })
const newChannel = z.object({
  name,
  description: description.default(''),
  type: z.literal([CATEGORY, TEXT_CHANNEL]).default(TEXT_CHANNEL),
  inside_of: z.int().min(0).default(0),
  position: z.int().min(0).max(MAX_LISTED).optional(),
})

export const guildRoutes = (app: FastifyInstance, requests: Requests): void => {
  const { rooms, identity, host, log } = requests.deps

  const contextOf = (room: string) => host.loadContext<RoomContext>(roomStream(room))

  const shown = async (room: string) => {
    const context = await contextOf(room)
    const owner = context.members.findKey((role) => role === 'owner')
    const account = owner === undefined ? null : await identity.byId(owner)
    return guildForm(context, account?.number ?? null)
  }

  /** The guild's rooms that its clients see, as they are now. */
  const channelsOf = async ({ ref }: Seen): Promise<RoomContext[]> => {
    const { result } = await requests.read('rooms.within', { space: ref.id }, await freshness())
    const found = await Promise.all(result.map(contextOf))
    return found.filter((each) => numberOf(each) !== null)
  }

  const freshness = () => log.head()

  const memberOf = async (room: string, user: string) => {
    const { result } = await requests.read('room.members.joined', { room, user, limit: 1 }, await freshness())
    const [found] = result
    if (!found) throw notFound()
    return memberForm(found, found.role, found.joinedAt)
  }

  /** Opens a guild or one of its channels, and waits until the read models have it. @throws Problem */
  const open = async (
    bearer: Bearer,
    opening: Omit<RoomOpening, 'asker' | 'dialect' | 'extra'>,
    about: Partial<About>,
  ) => {
    const wanted = { ...opening, dialect: 'ayaka', extra: keptAs(about), asker: bearer.asker }
    const { room, revision } = await requests.accepted(bearer.account, 'room.open', await rooms.open(wanted))
    await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
    return room
  }

  for (const path of ['/guilds/create', '/guilds']) {
    app.post(path, async (request, reply) => {
      const bearer = await sessionOf(requests, request)
      const { name: called, description: about } = bodyOf(newGuild, request)
      await requests.permitRoom(bearer)
      const members = [{ account: bearer.account, role: 'owner' as const }]
      const guild = await open(bearer, { name: called, kind: 'space', members }, { description: about })
      const category = await open(bearer, { name: 'General', parent: guild.id }, { type: CATEGORY })
      await open(bearer, { name: 'general', parent: guild.id }, { inside_of: numberOf(category) ?? 0 })
      return reply.code(201).send(await shown(guild.id))
    })
  }

  app.get('/guilds/:guild', async (request) => {
    const guild = await guildAt(requests, request, await sessionOf(requests, request))
    const channels = (await channelsOf(guild)).map((each) => channelForm(each, numberOf(guild.context)))
    return { ...(await shown(guild.ref.id)), channels: inOrder(channels) }
  })

  app.get('/guilds/:guild/preview', async (request) => {
    const guild = await guildAt(requests, request, await sessionOf(requests, request))
    return shown(guild.ref.id)
  })

  app.patch('/guilds/:guild', async (request) => {
    const bearer = await sessionOf(requests, request)
    const { ref } = await guildAt(requests, request, bearer)
    const { name: called, description: about } = bodyOf(changedGuild, request)
    const change = {
      ...(called === undefined ? {} : { name: called }),
      ...(about === undefined ? {} : { extra: keptAs({ description: about }) }),
    }
    await requests.permit(bearer, 'room.change')
    const changed = await rooms.change(ref, change, bearer.asker, await requests.from(request, bearer))
    await requests.accepted(bearer.account, 'room.change', changed)
    return shown(ref.id)
  })

  app.delete('/guilds/:guild', async (request, reply) => {
    const bearer = await sessionOf(requests, request)
    const { ref } = await guildAt(requests, request, bearer)
    await requests.archive(request, bearer, ref, null)
    return reply.code(204).send()
  })

  app.get('/guilds/:guild/members', async (request) => {
    const { ref } = await guildAt(requests, request, await sessionOf(requests, request))
    const { result } = await requests.read(
      'room.members.joined',
      { room: ref.id, limit: MAX_LISTED },
      await freshness(),
    )
    return result.map((member) => memberForm(member, member.role, member.joinedAt))
  })

  app.post('/guilds/:guild/channels/create', async (request, reply) => {
    const bearer = await sessionOf(requests, request)
    const guild = await guildAt(requests, request, bearer)
    const role = guild.context.members.get(bearer.account.id)
    if (role !== 'owner' && role !== 'mod' && bearer.account.role !== 'admin') await requests.refuse(request, bearer)
    const { name: called, position, ...about } = bodyOf(newChannel, request)
    const others = await channelsOf(guild)
    const isCategory = (each: RoomContext) => numberOf(each) === about.inside_of && aboutOf(each).type === CATEGORY
    if (about.inside_of !== 0 && !others.some(isCategory)) throw badRequest('inside_of is no category of this guild')
    await requests.permitRoom(bearer)
    const siblings = others.filter((each) => aboutOf(each).inside_of === about.inside_of)
    const kept = { ...about, position: position ?? siblings.length }
    const { id } = await open(bearer, { name: called, parent: guild.ref.id }, kept)
    return reply.code(201).send(channelForm(await contextOf(id), numberOf(guild.context)))
  })

  app.post('/guilds/:guild/invites', async (request, reply) => {
    const bearer = await sessionOf(requests, request)
    const { ref } = await guildAt(requests, request, bearer)
    await requests.permit(bearer, 'invite.create')
    const invited = await rooms.invite(ref, bearer.asker, await requests.from(request, bearer))
    const { code } = await requests.accepted(bearer.account, 'invite.create', invited)
    return reply.code(201).send({ code })
  })

  app.post('/guilds/invites/:code', async (request) => {
    const bearer = await sessionOf(requests, request)
    const { code } = request.params as { code: string }
    const room = /^[0-9a-f]{32}$/.test(code) ? await rooms.byInvite(code) : null
    const number = room && numberOf(room)
    if (room?.kind !== 'space' || number === null) throw notFound()
    const stream = roomStream(room.id)
    const { snapshot } = await host.load(stream)
    if (snapshot.value === 'archived') throw notFound()
    const { asker, account } = bearer
    const joining = { type: 'member.add', asker, user: account.id, role: 'member' } as const
    const { facts } = await requests.command(request, bearer, stream, joining)
    if (facts.length === 0) throw alreadyIn()
    return memberOf(room.id, account.id)
  })
}
