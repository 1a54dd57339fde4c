import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import { NO_RULES, type RuleSet, settableRules } from '../actors/rules.ts'
import { operation } from './operation.ts'
import { temporalQuery } from './position.ts'
import { ofRoom } from './references.ts'
import type { Requests } from './request.ts'
import * as shapes from './shapes.ts'

/** Blocking rules: of one room, read by its staff and set by its owner; of all rooms, both by admins. */
export const rulesRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { host } = requests.deps
  const body = z.strictObject({ rules: settableRules })
  const querystring = z.strictObject(temporalQuery)
  const response = { 200: shapes.ruleSet }
  type Query = z.infer<typeof querystring>

  const shown = ({ version, rules }: RuleSet) => ({ version, rules: [...rules] })
  const inRoom = async (id: string) => (await host.loadContext<RoomContext>(roomStream(id))).rules

  /** Those in force now, or as the moderation log has them of then. */
  const inForce = async (room: string | null, query: Query) => {
    const at = requests.at(query)
    const { result, position } = await requests.read('rules.at', { room, at }, query.atLeast)
    const current = room === null ? host.rules.current : await inRoom(room)
    return { ...shown(at ? (result ?? NO_RULES) : current), position: requests.position(position) }
  }

  const ofAll = {
    ...operation('moderation', 'getRules', 'Words blocked in all rooms; for admins'),
    querystring,
    response,
  }
  app.get('/rules', { schema: ofAll }, async (request) => {
    await requests.admin(request)
    return inForce(null, request.query)
  })

  const setting = {
    ...operation('moderation', 'setRules', 'Sets the words blocked in all rooms; for admins'),
    body,
    response,
  }
  app.put('/rules', { schema: setting }, async (request) => {
    const { account } = await requests.admin(request)
    const set = await host.rules.set(request.body.rules, { by: account.id, correlationId: request.id })
    await requests.read('rules.at', { room: null, at: null }, await requests.deps.log.head())
    return shown(set)
  })

  const ofOne = {
    ...operation('moderation', 'getRoomRules', 'Words blocked in a room; for its staff'),
    params: ofRoom,
    querystring,
    response,
  }
  app.get('/rooms/:room/rules', { schema: ofOne }, async (request) => {
    const bearer = await requests.bearer(request)
    const { id } = await requests.moderated(request, bearer, request.params.room)
    return inForce(id, request.query)
  })

  const settingOne = {
    ...operation('moderation', 'setRoomRules', 'Sets the words blocked in a room; for owners and admins'),
    params: ofRoom,
    body,
    response,
  }
  app.put('/rooms/:room/rules', { schema: settingOne }, async (request) => {
    const bearer = await requests.bearer(request)
    const { room, asker } = await requests.asked(bearer, request.params.room)
    const { id } = room
    const { rules } = request.body
    const stream = roomStream(id)
    const command = { type: 'rules.set', asker, rules } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    await requests.read('rooms.get', { id }, { stream, revision })
    return shown(await inRoom(id))
  })
}
