// Categories ('rooms') and topics over drivers.uz's REST. Anybody with an account may read a topic and subscribe to it;
// whoever made it, and admins, may close and delete it.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { inForce, type RoomContext } from '../actors/room/room.context.ts'
import { type Asker, type RoomMode, roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import { messageData } from '../dialects/drivers.ts'
import { topicData, topicExtra, topicNumber } from '../dialects/drivers-topics.ts'
import { field, jsonText } from '../dialects/json.ts'
import type { MessageItem } from '../projections/room-history.ts'
import type { TopicRow } from '../projections/topics.ts'
import {
  type Caller,
  callerFor,
  callerOf,
  Failed,
  formOf,
  numberField,
  optionalText,
  rolesOf,
  textField,
  wholeOf,
} from './drivers-forms.ts'
import type { Bearer, Requests } from './request.ts'

const MAX_TITLE = 32
const MAX_BODY = 5_000
const MAX_ATTRS_BYTES = 4_096
const MAX_PAGE = 500
/** characters of a last message */
const MAX_SHOWN = 50

const hidden = { schema: { hide: true } } as const
const DIALECT = 'drivers'
const OK = { status: 'ok' } as const

interface Topic {
  readonly room: RoomRef
  readonly number: number
  readonly context: RoomContext
  /** whoever made it */
  readonly owner: string | null
}

const named = (person: { readonly number: number; readonly username: string } | null) =>
  person && { id: person.number, username: person.username }

const listed = (topic: TopicRow, space: RoomRef) => {
  const { owner, subscribed, last } = topic
  const {
    id,
    title,
    body,
    parent_room,
    closed,
    attrs,
    created_at,
    closed_at,
    owner: made,
  } = topicData(topic, space, owner)
  const short = last && [...last.text].slice(0, MAX_SHOWN).join('')
  return {
    ...{ id, title, body, parent_room, closed, subscribed, owner: made, attrs, created_at, closed_at },
    last_message: {
      id: last?.id ?? null,
      body: short,
      sent_at: last?.at ?? null,
      owner: named(last?.owner ?? null),
    },
  }
}

export const topicRoutes = (app: FastifyInstance, requests: Requests): void => {
  const { rooms, host, clock } = requests.deps

  /** @throws Failed */
  const spaceOf = async (request: FastifyRequest): Promise<RoomRef> => {
    const number = wholeOf((request.params as { room: string }).room)
    const space = number === null ? null : await rooms.byAlias(`${DIALECT}:${number}`)
    if (space?.kind !== 'space') throw new Failed('room not found')
    const { snapshot } = await host.load(roomStream(space.id))
    if (snapshot.value === 'archived') throw new Failed('room not found')
    return space
  }

  /** @throws Failed */
  const topicOf = async (request: FastifyRequest, archived: 'also' | 'not' = 'not'): Promise<Topic> => {
    const { topic, room: parent } = request.params as { topic: string; room: string }
    const number = wholeOf(topic)
    const room = number === null ? null : await rooms.byAlias(`${DIALECT}:${number}`)
    const space = await rooms.byAlias(`${DIALECT}:${wholeOf(parent) ?? ''}`)
    // A topic that is in no space is found through any.
    if (room?.kind !== 'room' || (room.parent !== null && room.parent !== space?.id))
      throw new Failed('topic not found')
    const { snapshot, stream, revision } = await host.load(roomStream(room.id))
    if (snapshot.value === 'archived' && archived === 'not') throw new Failed('topic not found')
    const { result } = await requests.read('rooms.get', { id: room.id }, { stream, revision })
    const owner = (result && topicExtra(result)?.owner) ?? null
    return { room, number: number as number, context: snapshot.context as RoomContext, owner }
  }

  /** Whoever made the topic is its owner, a member or not. */
  const askerIn = ({ owner }: Topic, { asker }: Bearer): Asker =>
    owner === asker.id ? { ...asker, spaceRole: 'owner' } : asker

  /** A topic that this account may read. @throws Problem, Failed */
  const readable = async (request: FastifyRequest): Promise<Topic> => {
    const { account } = await callerOf(requests, request)
    const topic = await topicOf(request)
    if (account.role !== 'admin' && inForce(topic.context.bans.get(account.id), clock.now())) throw new Failed('banned')
    return topic
  }

  const upToNow = async ({ room }: Topic) => {
    const { stream, revision } = await host.load(roomStream(room.id))
    return { stream, revision }
  }

  app.get('/rooms', { ...hidden, constraints: { dialect: DIALECT } }, async (request) => {
    await callerOf(requests, request)
    const { result } = await requests.read('spaces.shown', { dialect: DIALECT })
    const data = result.map((space) => ({
      id: topicNumber(space),
      subject: space.name,
      description: (space.extra[DIALECT] as { description?: string } | undefined)?.description ?? null,
      owner: named(space.owner),
      created_at: space.openedAt,
    }))
    return { status: 'ok', data }
  })

  app.post('/rooms/:room/topics', hidden, async (request) => {
    const { user } = await callerFor(requests, request)
    const space = await spaceOf(request)
    const { result } = await requests.read('topics.of', { space: space.id, dialect: DIALECT, user: user.id })
    return { status: 'ok', data: result.map((topic) => listed(topic, space)) }
  })

  app.post('/rooms/:room', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    const space = await spaceOf(request)
    const form = formOf(request)
    const title = textField(form, 'title', MAX_TITLE)
    const body = optionalText(form, 'body')
    if (body !== null && body.length > MAX_BODY) throw new Failed('body too long')
    const written = jsonText(field(form, 'attrs') ?? null)
    if (written === null || Buffer.byteLength(written) > MAX_ATTRS_BYTES) throw new Failed('attrs too big')
    const attrs: unknown = JSON.parse(written)
    const { user, account, asker } = caller
    const opening = { name: title, parent: space.id, dialect: DIALECT, asker, correlationId: request.id }
    await requests.permitRoom(caller)
    const outcome = await rooms.open({ ...opening, extra: { [DIALECT]: { body, attrs, owner: user.id } } })
    const { room, revision } = await requests.accepted(account, 'room.open', outcome)
    const { result } = await requests.read('rooms.get', { id: room.id }, { stream: roomStream(room.id), revision })
    const data = {
      id: topicNumber(room),
      title,
      body,
      parent_room: topicNumber(space),
      archived: false,
      owner: user.number,
      attrs,
      created_at: result?.openedAt ?? null,
      subscribed: false,
    }
    return { status: 'ok', data }
  })

  app.get('/rooms/:room/topics/:topic/members', hidden, async (request) => {
    const topic = await readable(request)
    const { result } = await requests.read('topic.members', { room: topic.room.id }, await upToNow(topic))
    return result.map(({ number, username, role, lastSeen }) => ({
      member: { id: number, username, last_seen: lastSeen ?? 0 },
      roles: rolesOf(role),
      profile: null,
      vt: null,
    }))
  })

  const page = (
    path: string,
    bounds: (from: number) => { readonly after: number } | { readonly before: number },
    order: (items: MessageItem[]) => MessageItem[],
  ) =>
    app.post(`/rooms/:room/topics/:topic/${path}`, hidden, async (request) => {
      const topic = await readable(request)
      const form = formOf(request)
      const from = numberField(form, 'from')
      const limit = Math.min(Math.max(numberField(form, 'size'), 1), MAX_PAGE)
      const args = { room: topic.room.id, limit, ...bounds(from) }
      const { result } = await requests.read('room.messages', args, await upToNow(topic))
      return { status: 'ok', data: order(result).map((item) => messageData(topic.number, item as never)) }
    })
  page(
    'history',
    (from) => ({ after: from - 1 }),
    (items) => items,
  )
  page(
    'history_up',
    (from) => ({ before: from + 1 }),
    (items) => items.toReversed(),
  )

  app.post('/rooms/:room/topics/:topic/count', hidden, async (request) => {
    const topic = await readable(request)
    const from = numberField(formOf(request), 'from')
    const { result } = await requests.read('topic.count', { room: topic.room.id, from }, await upToNow(topic))
    return { status: 'ok', count: result }
  })

  /** A change of a topic: done, and in what is read next, when it is answered. */
  const change = (
    path: string,
    command: (topic: Topic, caller: Caller) => Parameters<Requests['command']>[3],
    archived: 'also' | 'not' = 'not',
  ) =>
    app.post(`/rooms/:room/topics/:topic/${path}`, hidden, async (request) => {
      const caller = await callerFor(requests, request)
      const topic = await topicOf(request, archived)
      const stream = roomStream(topic.room.id)
      const { revision } = await requests.command(request, caller, stream, command(topic, caller))
      await requests.read('rooms.get', { id: topic.room.id }, { stream, revision })
      return OK
    })
  const mode = (topic: Topic, caller: Caller, to: RoomMode) =>
    ({ type: 'room.change', asker: askerIn(topic, caller), mode: to }) as const

  change('subscribe', (topic, caller) => {
    const { user } = caller
    const role = topic.owner === user.id ? 'owner' : 'member'
    return { type: 'member.add', asker: askerIn(topic, caller), user: user.id, role }
  })
  change('unsubscribe', (topic, caller) => ({
    type: 'member.remove',
    asker: askerIn(topic, caller),
    user: caller.user.id,
  }))
  change('close', (topic, caller) => mode(topic, caller, 'locked'))
  // A topic in slow mode is open already.
  change('open', (topic, caller) => mode(topic, caller, topic.context.mode === 'slow' ? 'slow' : 'open'))
  change('delete', (topic, caller) => ({ type: 'room.archive', asker: askerIn(topic, caller), reason: null }), 'also')

  app.post('/messages/:id/delete', hidden, async (request) => {
    const caller = await callerFor(requests, request)
    if (caller.account.role !== 'admin') await requests.refuse(request, caller)
    const id = wholeOf((request.params as { id: string }).id)
    const { result: room } =
      id === null ? { result: null } : await requests.read('message.room', { id, dialect: DIALECT })
    if (id === null || room === null) throw new Failed('message not found')
    const removing = { type: 'message.remove', asker: caller.asker, id, reason: null } as const
    await requests.command(request, caller, roomStream(room), removing)
    return OK
  })
}
