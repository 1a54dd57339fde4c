// What every route of Ayaka's needs of a request: who asks, and the guild or channel meant.

import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { refused } from '../../actors/outcome.ts'
import { inForce, type RoomContext } from '../../actors/room/room.context.ts'
import { roomStream } from '../../actors/room/room.facts.ts'
import type { RoomRef } from '../../actors/rooms.ts'
import { roomName } from '../../dialects/ayaka/forms.ts'
import type { Bearer, Requests } from '../request.ts'
import { badRequest, notFound } from './errors.ts'

/** A session is one of our tokens, shown bare. @throws Problem 401, 403 when banned */
export const sessionOf = (requests: Requests, { headers }: FastifyRequest): Promise<Bearer> => {
  const [token] = /^[\x21-\x7e]{1,256}$/.exec(headers.authorization ?? '') ?? []
  return requests.bearerOf(token)
}

/** Read in the handler, so that whoever is nobody is told so first. @throws Problem 400 */
export const bodyOf = <Schema extends z.ZodType>(schema: Schema, { body }: FastifyRequest): z.output<Schema> => {
  const read = schema.safeParse(body ?? {})
  if (!read.success) throw badRequest(read.error.message)
  return read.data
}

/** A number in the path. @throws Problem 404 */
export const numberAt = ({ params }: FastifyRequest, name: string): number => {
  const given = (params as Record<string, string>)[name] ?? ''
  if (!/^[0-9]{1,15}$/.test(given)) throw notFound()
  return Number(given)
}

/** A room that its members see. */
export interface Seen {
  readonly ref: RoomRef
  readonly context: RoomContext
}

const seen = async ({ deps }: Requests, ref: RoomRef | null): Promise<(Seen & { archived: boolean }) | null> => {
  if (!ref) return null
  const { snapshot } = await deps.host.load(roomStream(ref.id))
  return { ref, context: snapshot.context as RoomContext, archived: snapshot.value === 'archived' }
}

/** To strangers it does not exist; whoever is banned is told so, which stands on their record. @throws Problem 403, 404 */
const asMember = async (
  requests: Requests,
  request: FastifyRequest,
  { account }: Bearer,
  rooms: readonly Seen[],
): Promise<void> => {
  const now = requests.deps.clock.now()
  if (rooms.some(({ context }) => inForce(context.bans.get(account.id), now))) {
    await requests.accepted(account, `${request.method} ${request.routeOptions.url}`, refused('banned'))
  }
  const belongs = rooms.some(({ context }) => context.members.has(account.id))
  if (!belongs && account.role !== 'admin') throw notFound()
}

/** The guild in the path, of which whoever asks is a member. @throws Problem 403, 404 */
export const guildAt = async (requests: Requests, request: FastifyRequest, bearer: Bearer): Promise<Seen> => {
  const alias = roomName(numberAt(request, 'guild'))
  const guild = await seen(requests, await requests.deps.rooms.byAlias(alias))
  if (guild?.ref.kind !== 'space' || guild.archived) throw notFound()
  await asMember(requests, request, bearer, [guild])
  return guild
}

/** The channel in the path, and the guild it is in. @throws Problem 403, 404 */
export const channelAt = async (
  requests: Requests,
  request: FastifyRequest,
  bearer: Bearer,
): Promise<Seen & { readonly guild: Seen | null }> => {
  const { rooms } = requests.deps
  const channel = await seen(requests, await rooms.byAlias(roomName(numberAt(request, 'channel'))))
  if (channel?.ref.kind !== 'room') throw notFound()
  const { parent } = channel.ref
  const guild = await seen(requests, parent === null ? null : await rooms.byId(parent))
  if (guild?.archived) throw notFound()
  await asMember(requests, request, bearer, guild ? [channel, guild] : [channel])
  return { ...channel, guild }
}
