// All that the read models know of one message, at one position.

import type { DatabaseSync } from 'node:sqlite'
import { type Handed, type HandedArgs, handedTo, type Witness } from './handed.ts'
import { type MarkRow, readQueries } from './reads.ts'
import { type MessageItem, messageQueries } from './room-history.ts'

/** As many of a list as somebody reads; how many there are is told. */
export interface Some<Item> {
  readonly items: readonly Item[]
  /** how many more there are */
  readonly more: number
}

/** Connections, and the accounts behind them. */
export interface Seen extends Some<Witness> {
  readonly connections: number
  readonly people: number
}

export interface MessageStory {
  readonly message: MessageItem
  /** revisions of what changed it, the first ones */
  readonly acts: Some<number>
  /** is it among the words that are searched? */
  readonly searchable: boolean
  /** rows of the moderation log about it */
  readonly moderated: number
  readonly sure: Seen
  readonly maybe: Seen
  readonly untold: Seen
  readonly marks: Some<MarkRow>
  readonly unknownBefore: number | null
}

export interface StoryArgs extends HandedArgs {
  /** items of each list */
  readonly limit: number
}

const some = <Item>(all: readonly Item[], limit: number): Some<Item> => ({
  items: all.slice(0, limit),
  more: Math.max(0, all.length - limit),
})

const seen = (all: Handed['sure'], limit: number): Seen => ({
  ...some(all, limit),
  connections: all.length,
  people: new Set(all.flatMap(({ user }) => (user ? [user.id] : []))).size,
})

export const storyQueries = {
  /** null: there is no such message */
  'message.story': (db: DatabaseSync, args: StoryArgs): MessageStory | null => {
    const { room, id, limit } = args
    const message = messageQueries['room.message'](db, { room, id })
    if (!message) return null
    const acts = db
      .prepare('select revision, position from message_acts where room = ? and id = ? order by revision')
      .all(room, id) as unknown as { revision: number; position: number }[]
    const moderated = db
      .prepare('select count(*) as n from moderation where position in (select value from json_each(?))')
      .get(JSON.stringify(acts.map(({ position }) => position))) as { n: number }
    const { sure, maybe, untold, unknownBefore } = handedTo(db, args)
    return {
      message,
      acts: some(
        acts.map(({ revision }) => revision),
        limit,
      ),
      searchable: db.prepare('select rowid from search where rowid = ?').get(message.position) !== undefined,
      moderated: moderated.n,
      sure: seen(sure, limit),
      maybe: seen(maybe, limit),
      untold: seen(untold, limit),
      marks: some(readQueries['message.marks'](db, { room, id }), limit),
      unknownBefore,
    }
  },
}
