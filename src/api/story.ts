// A message's whole story: how it came, as which command, which facts that left, what the read models say of it now, and
// who was handed it. What is told of who saw it is what the record proves; what it leaves open is told apart.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { connectionStream, type FactData } from '../actors/connection/connection.facts.ts'
import type { Fact } from '../actors/fact.ts'
import { readFact, Unreadable } from '../actors/fact-codec.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { type RoomFact, roomStream } from '../actors/room/room.facts.ts'
import type { Reach, Witness } from '../projections/handed.ts'
import type { MessageStory, Seen } from '../projections/message-story.ts'
import { messageItem } from './message-item.ts'
import { operation } from './operation.ts'
import { atLeastQuery, iso, isoOrNull, limit } from './position.ts'
import { notFound } from './problem.ts'
import { ofRoom } from './references.ts'
import { shownBut } from './removed-texts.ts'
import type { Requests } from './request.ts'
import { story } from './story-shapes.ts'

type Posted = Extract<RoomFact, { type: 'MessagePosted' }>

/** A fact, and its place in the whole log. */
interface Placed<F extends Fact = Fact> {
  readonly fact: F
  readonly position: number
}

const COMMANDS: Readonly<Record<string, string>> = {
  MessagePosted: 'message.post',
  MessageEdited: 'message.edit',
  MessageRemoved: 'message.remove',
  MessageRestored: 'message.restore',
}

/** What a connection says of itself stands in its first facts: on a shared address, the second has the dialect. */
const FIRST_FACTS = 5

/** Sockets and those who ask over REST have such an id; those of an import are made of names. */
const OF_A_CONNECTION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const storyRoutes = (root: FastifyInstance, requests: Requests): void => {
  const app = root.withTypeProvider<ZodTypeProvider>()
  const { log, host, dialects } = requests.deps

  /** @throws LogUnavailable, Unreadable */
  const read = async (stream: string, from: number, most = 1): Promise<Placed[]> => {
    const found: Placed[] = []
    for await (const recorded of log.readStream(stream, { from, limit: most })) {
      const fact = readFact(recorded)
      if (fact instanceof Unreadable) throw fact
      found.push({ fact, position: recorded.position })
    }
    return found
  }

  /** Whom each dialect sends a frame of this message, by the codecs that send it. */
  const reachOf = async (fact: Posted): Promise<Record<string, readonly Reach[]>> => {
    const room = await host.loadContext<RoomContext>(fact.stream)
    const space = room.parent === null ? null : await host.loadContext<RoomContext>(roomStream(room.parent))
    const view = { room, space, owner: null, message: null, person: null }
    return Object.fromEntries(
      dialects.map((dialect) => [
        dialect.name,
        dialect.encode(fact, view).flatMap(({ to }): Reach[] => {
          if (to === 'all') return [{ exceptConnection: null, exceptUser: null }]
          if ('except' in to) return [{ exceptConnection: to.except, exceptUser: null }]
          return 'exceptUser' in to ? [{ exceptConnection: null, exceptUser: to.exceptUser }] : []
        }),
      ]),
    )
  }

  const cameBy = async ({ data, metadata }: Posted): Promise<z.infer<typeof story>['came']> => {
    const { connection } = metadata
    const nothing = { version: null, transport: null, dialect: null, openedAt: null, closedAt: null, onRecord: false }
    if (connection === null) return { by: 'server', name: null, connection, ...nothing }
    if (!OF_A_CONNECTION.test(connection)) return { by: 'import', name: null, connection, ...nothing }
    const [known] = (await requests.read('connections.list', { id: connection, limit: 1 })).result
    if (!known) return { by: 'frame', name: null, connection, ...nothing }
    const first = await read(connectionStream(connection), 0, FIRST_FACTS)
    const said = first.map(({ fact }) => fact)
    const opened = said.find(({ type }) => type === 'ConnectionOpened')?.data as
      | FactData<'ConnectionOpened'>
      | undefined
    const chosen = said.find(({ type }) => type === 'DialectChosen')?.data as FactData<'DialectChosen'> | undefined
    const isRequest = known.dialect === 'rest'
    const route =
      data.extra?.ayaka === undefined ? '/api/v1/rooms/:room/messages' : '/v3/channels/:channel/messages/create'
    return {
      by: isRequest ? 'request' : 'frame',
      name: isRequest ? `POST ${route}` : (dialects.find(({ name }) => name === known.dialect)?.posts ?? null),
      connection,
      onRecord: true,
      dialect: known.dialect,
      version: chosen?.version ?? opened?.version ?? null,
      transport: opened?.transport ?? null,
      openedAt: iso(known.openedAt),
      closedAt: isoOrNull(known.closedAt),
    }
  }

  const factItem = ({ fact, position }: Placed, removed: ReadonlySet<unknown>) => {
    const { id, stream, revision, type, metadata } = fact
    return {
      id,
      stream,
      revision,
      position: requests.position(position),
      at: iso(metadata.at),
      type,
      data: shownBut(removed, fact),
      by: metadata.by,
      connection: metadata.connection,
      correlation: metadata.$correlationId,
      cause: { name: COMMANDS[type] ?? type, id: metadata.$causationId },
    }
  }

  app.get(
    '/rooms/:room/messages/:id/story',
    {
      schema: {
        ...operation(
          'record',
          'getMessageStory',
          'How a message came, what it became, what is said of it now, and who was handed it; for admins',
        ),
        params: ofRoom.extend({ id: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER) }),
        querystring: z.strictObject({ limit: limit.describe('items of each list'), ...atLeastQuery }),
        response: { 200: story },
      },
    },
    async (request) => {
      await requests.admin(request)
      const { id: room } = await requests.room(request.params.room)
      const { id } = request.params
      const stream = roomStream(room)
      const { limit: most, atLeast } = request.query
      // Where it stands; what is told of it is read below, all at one position.
      const { result: known } = await requests.read('room.message', { room, id }, atLeast)
      const [posted] = known ? ((await read(stream, known.revision)) as Placed<Posted>[]) : []
      if (!known || !posted) throw notFound('message')
      const { fact } = posted
      const { revision, position: placed, at } = known
      const args = { room, id, revision, position: placed, at, reach: await reachOf(fact), limit: most }
      const { result: told, position } = await requests.read('message.story', args)
      if (!told) throw notFound('message')
      const changes = await Promise.all(told.acts.items.map((each) => read(stream, each)))
      const facts = [posted, ...changes.flat()]
      const removed = new Set(told.message.removed ? [id] : [])
      const { $causationId, $correlationId, at: decided } = fact.metadata
      const seenItem = ({ items, ...counts }: Seen) => ({
        ...counts,
        items: items.map((witness) => witnessItem(requests, witness, fact.data.author.id)),
      })
      const { unknownBefore } = told
      return {
        message: messageItem(requests.epoch, told.message),
        came: await cameBy(fact),
        command: {
          name: COMMANDS.MessagePosted as string,
          id: $causationId,
          correlation: $correlationId,
          ref: fact.data.clientRef,
          at: iso(decided),
        },
        facts: { items: facts.map((each) => factItem(each, removed)), more: told.acts.more },
        readModels: readModelsOf(told),
        seen: {
          sure: seenItem(told.sure),
          maybe: seenItem(told.maybe),
          untold: seenItem(told.untold),
          marked: {
            items: told.marks.items.map(({ user, message, at: marked, connection }) => ({
              user,
              upTo: message,
              at: iso(marked),
              connection,
            })),
            more: told.marks.more,
          },
          unknownBefore: unknownBefore !== null && unknownBefore > decided ? iso(unknownBefore) : null,
        },
        position: requests.position(position),
      }
    },
  )
}

const witnessItem = (requests: Requests, { user, at, position, ...witness }: Witness, author: string) => ({
  ...witness,
  user,
  author: user?.id === author,
  at: isoOrNull(at),
  position: requests.position(position),
})

const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

/** By the names that the projections have. */
const readModelsOf = ({ message, searchable, acts, moderated, marks, ...seen }: MessageStory) => {
  const changes = acts.items.length + acts.more
  const readers = marks.items.length + marks.more
  const noted = seen.sure.connections + seen.maybe.connections + seen.untold.connections
  const shown = message.removed
    ? 'removed: histories leave it out'
    : message.edited
      ? 'shown, with a later text'
      : 'shown, as it was posted'
  return [
    { name: 'room-history', holds: true, says: shown },
    { name: 'search', holds: searchable, says: searchable ? 'found by its words' : 'not found: only what is shown is' },
    { name: 'message-acts', holds: changes > 0, says: many(changes, 'change') },
    { name: 'moderation', holds: moderated > 0, says: `${many(moderated, 'act')} of staff about it` },
    { name: 'handed', holds: noted > 0, says: `${many(noted, 'connection')} that heard of it or were there` },
    { name: 'reads', holds: readers > 0, says: `${many(readers, 'account')} marked it, or a later one, as read` },
  ]
}
