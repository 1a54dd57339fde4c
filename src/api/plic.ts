// The REST that PLIC's clients expect (docs/protocols/plic.md §4), mounted at the root in two forms: `/rooms`, the
// protocol's own, and `/chat/rooms`, the app's. An answer is never 403, at which the app signs its user out.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Account } from '../actors/identity.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import { asJson, isPlainObject, numberIn } from '../dialects/json.ts'
import { LogUnavailable } from '../log/event-log.ts'
import type { RoomOfParticipants } from '../projections/plic-rooms.ts'
import { iso } from './position.ts'
import { Problem } from './problem.ts'
import type { Bearer, Requests } from './request.ts'

const MAX_PARTICIPANTS = 200
/** messages in a room's details; older ones are a question of the native API */
const MAX_MESSAGES = 500
const ALIAS = 'plic:'

/** An answer that is no success, in this protocol's form. */
class Failed extends Error {
  readonly status: 400 | 401 | 404
  constructor(status: 400 | 401 | 404, message: string) {
    super(message)
    this.status = status
  }
}

const badRequest = () => new Failed(400, 'bad request')
/** Unknown, not the caller's, or not the caller's to change: one answer for all. */
const noRoom = () => new Failed(404, 'room not found')

export const plicRoutes = async (root: FastifyInstance, requests: Requests): Promise<void> => {
  for (const prefix of ['/rooms', '/chat/rooms']) {
    await root.register(async (app) => {
      answerFailures(app, requests.deps.onFault, prefix !== '/rooms')
      roomRoutes(app, prefix, requests)
    })
  }
  await root.register(async (app) => {
    answerFailures(app, requests.deps.onFault, true)
    userRoutes(app, requests)
  })
}

const answerFailures = (
  app: FastifyInstance,
  onFault: (where: string, error: unknown) => void,
  withMessage: boolean,
): void => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const fail = (status: number, text: string) =>
      reply.code(status).send({ error_message: text, data: null, ...(withMessage ? { message: text } : {}) })
    if (error instanceof Failed) return fail(error.status, error.message)
    const away = error instanceof LogUnavailable || (error instanceof Problem && error.status === 503)
    if (error instanceof Problem && error.status === 429) return fail(429, 'too many requests')
    if (error instanceof Problem && !away) return fail(404, 'room not found')
    const { statusCode = 500 } = error
    if (!away && statusCode >= 400 && statusCode < 500) return fail(statusCode === 413 ? 413 : 400, 'bad request')
    if (!away) onFault(`${request.method} ${request.routeOptions.url ?? request.url}`, error)
    return fail(500, 'server error')
  })
}

/** A token of another party, or one of ours. @throws Failed 401 */
const callerIn =
  (requests: Requests) =>
  async (request: FastifyRequest): Promise<Bearer> => {
    const [, token] = /^Bearer (\S{1,8192})$/.exec(request.headers.authorization ?? '') ?? []
    const bearer = token === undefined ? 'invalid' : await requests.bearing(token)
    if (bearer === 'expired') throw new Failed(401, 'token is expired')
    if (bearer === 'invalid') throw new Failed(401, 'invalid token')
    return bearer
  }

const roomRoutes = (app: FastifyInstance, prefix: string, requests: Requests): void => {
  const { rooms, host, identity } = requests.deps
  const caller = callerIn(requests)
  const enveloped = (data: unknown) => ({ error_message: null, data })
  const hide = { schema: { hide: true } }
  // Only GET /rooms is another protocol's as well, and told apart by the credential (rooms-door.ts).
  const list = prefix === '/rooms' ? { ...hide, constraints: { dialect: 'plic' } } : hide

  /** A room that the caller takes part in. @throws Failed 404 */
  const own = async (number: unknown, { account }: Bearer): Promise<RoomRef> => {
    const room = Number.isSafeInteger(number) ? await rooms.byAlias(`${ALIAS}${number}`) : null
    if (!room || membersOf(await host.load(roomStream(room.id))).get(account.id) === undefined) throw noRoom()
    return room
  }

  const accounts = async (given: unknown): Promise<Account[]> => {
    if (!Array.isArray(given) || given.length > MAX_PARTICIPANTS) throw badRequest()
    const found = await Promise.all(given.map((id) => (typeof id === 'string' ? identity.byId(id) : null)))
    if (found.includes(null)) throw badRequest()
    return found as Account[]
  }

  app.post(prefix, hide, async (request, reply) => {
    const bearer = await caller(request)
    const { body } = request
    if (!isPlainObject(body)) throw badRequest()
    const users = await accounts(body.users)
    if (users.length === 0) throw badRequest()
    const others = [...new Map(users.map((user) => [user.id, user])).values()].filter(
      ({ id }) => id !== bearer.account.id,
    )
    await requests.permitRoom(bearer)
    const opened = await rooms.open({
      name: 'PLIC',
      dialect: 'plic',
      members: [
        { account: bearer.account, role: 'owner' as const },
        ...others.map((account) => ({ account, role: 'member' as const })),
      ],
      extra: { plic: { apartment_id: asJson(body.apartment_id ?? null) } },
      asker: bearer.asker,
      correlationId: request.id,
    })
    const { room, revision } = await requests.accepted(bearer.account, 'room.open', opened)
    await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
    return reply.code(201).send(enveloped(numberOf(room)))
  })

  app.get(prefix, list, async (request) => {
    const { account } = await caller(request)
    const atLeast = await requests.deps.log.head()
    const { result } = await requests.read('participants.rooms', { user: account.id, dialect: 'plic' }, atLeast)
    const items = result.map((room) => shown(room, account))
    return prefix === '/rooms' ? enveloped(items) : items
  })

  app.get(`${prefix}/:id`, hide, async (request) => {
    const bearer = await caller(request)
    const room = await own(idOf(request), bearer)
    const atLeast = await requests.deps.log.head()
    const { result: found } = await requests.read('participants.room', { id: room.id }, atLeast)
    if (!found) throw noRoom()
    const { result: messages } = await requests.read('room.messages', { room: room.id, limit: MAX_MESSAGES })
    const { participants_id, apartment_id, room_id, created_at } = shown(found, bearer.account)
    return {
      room_id,
      apartment_id,
      created_at,
      owner_id: found.owner,
      participants_id,
      messages: messages.map(({ id, text, author, at }) => message(room_id, { id, text, author: author.id, at })),
    }
  })

  app.put(prefix, hide, async (request) => {
    const bearer = await caller(request)
    const { body } = request
    if (!isPlainObject(body)) throw badRequest()
    const room = await own(numberIn(body, 'room_id'), bearer)
    const [added, removed] = [await accounts(body.users_to_add ?? []), await accounts(body.users_to_remove ?? [])]
    const stream = roomStream(room.id)
    const put = (command: Parameters<Requests['command']>[3]) => requests.command(request, bearer, stream, command)
    const roleOf = async (user: string) => membersOf(await host.load(stream)).get(user)
    const isOwner = (await roleOf(bearer.account.id)) === 'owner'
    // Anybody may go; everything else is the owner's.
    if (!isOwner && (added.length > 0 || removed.some(({ id }) => id !== bearer.account.id))) throw noRoom()
    for (const { id } of added) await put({ type: 'member.add', asker: bearer.asker, user: id, role: 'member' })
    // The caller last, who may still do the rest until then.
    const going = removed.toSorted(
      (one, other) => Number(one.id === bearer.account.id) - Number(other.id === bearer.account.id),
    )
    let revision = 0
    for (const { id } of going) {
      const role = await roleOf(id)
      if (role === undefined) continue
      if (role === 'owner') await passOn(id)
      revision = (await put({ type: 'member.remove', asker: bearer.asker, user: id })).revision
    }
    const left = membersOf(await host.load(stream)).size
    if (left === 0) {
      const archived = await host.send(stream, {
        type: 'room.archive',
        by: bearer.account.id,
        asker: null,
        reason: null,
      })
      if (archived.ok) revision = archived.revision
    }
    if (revision > 0) await requests.read('rooms.get', { id: room.id }, { stream, revision })
    return enveloped(null)

    /** The owner's leaving passes ownership to whoever has been there longest. */
    async function passOn(owner: string): Promise<void> {
      const { result } = await requests.read('participants.room', { id: room.id }, await requests.deps.log.head())
      const members = membersOf(await host.load(stream))
      const heir = result?.participants.find((id) => id !== owner && members.has(id))
      if (heir) await put({ type: 'member.promote', asker: bearer.asker, user: heir, role: 'owner' })
    }
  })

  app.delete(`${prefix}/:id`, hide, async (request) => {
    const bearer = await caller(request)
    const room = await own(idOf(request), bearer)
    const stream = roomStream(room.id)
    if (membersOf(await host.load(stream)).get(bearer.account.id) !== 'owner') throw noRoom()
    const command = { type: 'room.archive', asker: bearer.asker, reason: null } as const
    const { revision } = await requests.command(request, bearer, stream, command)
    await requests.read('rooms.get', { id: room.id }, { stream, revision })
    return enveloped(null)
  })
}

/** What the app asks beside rooms. Everybody has an answer: at one that fails it hides the whole room. */
const userRoutes = (app: FastifyInstance, requests: Requests): void => {
  const caller = callerIn(requests)
  const profile = async (account: Account) => {
    const { result } = await requests.read('users.profile', { id: account.id, dialect: 'plic' })
    const text = (name: string, fallback: string) => {
      const given = result?.fields[name]
      return typeof given === 'string' ? given : fallback
    }
    return {
      id: account.id,
      firstname: text('firstname', account.username),
      lastname: text('lastname', ''),
      birthdate: text('birthdate', '2000-01-01'),
    }
  }
  // Asked for every participant at every list: no limit on the requests of one address may bite.
  const open = { schema: { hide: true }, config: { rateLimit: false as const } }
  app.get('/user/', open, async (request: FastifyRequest) => {
    const { account } = await caller(request)
    const { id } = request.query as { id?: string }
    const found = id === undefined ? account : await requests.deps.identity.byId(String(id))
    if (!found) throw new Failed(404, 'user not found')
    return profile(found)
  })
  app.get('/user/check', open, async (request: FastifyRequest, reply: FastifyReply) =>
    reply.send(await profile((await caller(request)).account)),
  )
}

const membersOf = ({ snapshot }: { readonly snapshot: { readonly context: unknown } }): RoomContext['members'] =>
  (snapshot.context as RoomContext).members

const idOf = (request: FastifyRequest): number | null => {
  const { id } = request.params as { id: string }
  return /^[0-9]{1,15}$/.test(id) ? Number(id) : null
}

const numberOf = ({ aliases }: { readonly aliases: readonly string[] }): number =>
  Number(aliases.find((alias) => alias.startsWith(ALIAS))?.slice(ALIAS.length))

const message = (room_id: number, { id, text, author, at }: NonNullable<RoomOfParticipants['last']>) => ({
  id,
  room_id,
  message: text,
  sender_id: author,
  created_at: iso(at),
})

const shown = (room: RoomOfParticipants, { id }: Account) => {
  const room_id = numberOf(room)
  const kept = room.extra.plic as { apartment_id?: unknown } | undefined
  return {
    room_id,
    participants_id: room.participants,
    apartment_id: kept?.apartment_id ?? null,
    is_owner: room.owner === id,
    created_at: iso(room.openedAt),
    last_message: room.last && message(room_id, room.last),
  }
}
