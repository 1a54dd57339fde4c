// What a message's story is told in.

import { z } from 'zod'
import { message, person, position, time } from './shapes.ts'

const someOf = <Item extends z.ZodType>(item: Item) => ({
  items: z.array(item),
  more: z.int().describe('how many there are beside these'),
})

const came = z
  .object({
    by: z
      .enum(['frame', 'request', 'import', 'server'])
      .describe('over a socket, over REST, out of a log of another chat, or said by the server itself'),
    name: z
      .string()
      .nullable()
      .describe('the frame of that protocol that says something, or the route. The frame itself is not on record'),
    connection: z.string().nullable(),
    onRecord: z.boolean().describe('false: the connection is forgotten, or there was none'),
    dialect: z.string().nullable(),
    version: z.int().nullable().describe('of the protocol'),
    transport: z.string().nullable(),
    openedAt: time.nullable(),
    closedAt: time.nullable(),
  })
  .describe('how it came to the server')

const command = z.object({
  name: z.string(),
  id: z.string().describe('what each fact it became names as its cause'),
  correlation: z.string().describe('of a request over REST: the one in its answer’s x-correlation-id'),
  ref: z.string().nullable().describe('the sender’s own reference'),
  at: time.describe('when it was decided'),
})

const fact = z.object({
  id: z.string(),
  stream: z.string(),
  revision: z.int(),
  position,
  at: time,
  type: z.string(),
  data: z.record(z.string(), z.unknown()).describe('fields that may be shown; the text of a removed message is not'),
  by: z.string().nullable(),
  connection: z.string().nullable(),
  correlation: z.string(),
  cause: z.object({ name: z.string(), id: z.string() }),
})

const readModel = z.object({
  name: z.string(),
  holds: z.boolean().describe('is anything of this message in it?'),
  says: z.string(),
})

const witness = z.object({
  connection: z.string(),
  dialect: z.string(),
  user: person.nullable().describe('null: an anonymous reader'),
  author: z.boolean().describe('the account that wrote it'),
  how: z
    .enum(['live', 'history'])
    .describe('as it happened (or on coming back, with what was missed), or among older ones'),
  why: z
    .enum(['open', 'ended', 'left', 'answered', 'removed-then'])
    .nullable()
    .describe(
      'of a maybe: nothing is noted before this connection ends, falls behind or catches up; it ended, or left the room, before it was noted; it asked for older messages, of which nothing is noted; or they were read around the message’s removal',
    ),
  at: time.nullable().describe('noted by then'),
  position: position.describe('of the fact on that connection that tells so'),
})

const seen = z.object({
  connections: z.int(),
  people: z.int().describe('accounts behind them'),
  ...someOf(witness),
})

const mark = z.object({
  user: person,
  upTo: z.int().describe('the message that was marked'),
  at: time,
  connection: z.string().nullable().describe('null: forgotten'),
})

export const story = z
  .object({
    message,
    came,
    command,
    facts: z.object(someOf(fact)).describe('the one that posted it, then what changed it'),
    readModels: z.array(readModel),
    seen: z
      .object({
        sure: seen.describe('the network took it from us. Nobody knows who looked'),
        maybe: seen.describe('were there, or asked for older messages, and no fact tells that the network took it'),
        untold: seen.describe('were there, and their protocol sends them no frame of it: its author’s own'),
        marked: z.object(someOf(mark)).describe('say themselves that they have read up to here'),
        unknownBefore: time
          .nullable()
          .describe(
            'connections that closed before are forgotten, and what they were handed; null: none that could have seen it',
          ),
      })
      .describe('who saw it, as far as it is on record: what was read over REST is not'),
    position: position.describe('what the answer is as fresh as: the read models have folded everything up to here'),
  })
  .meta({ id: 'MessageStory' })
