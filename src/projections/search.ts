import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { idOf, type Projection } from './projection.ts'
import { EDITED_NOW, item, MESSAGE, type MessageItem, selectMessages, TEXT } from './room-history.ts'
import { VISIBLE } from './rooms.ts'

/**
 * Words of the messages that are shown, as they read now (SQLite FTS5, letters without their marks). The index keeps no
 * text of its own; its rows are named by the positions of the messages' facts, which no two rooms share.
 */
export const search: Projection = {
  name: 'search',
  version: 2,
  tables: `
    create virtual table search using fts5(text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');
    create virtual table search_words using fts5vocab(search, 'instance');`,
  prepare(db) {
    const add = db.prepare('insert into search (rowid, text) values (?, ?)')
    const drop = db.prepare('delete from search where rowid = ?')
    // The tables of the projection of history, which has folded the same fact before.
    const now = db.prepare(
      `select m.position, ${TEXT} as text,
         exists (select 1 from removals d where d.room = m.room and d.id = m.id and d.to_position is null) as removed
       from messages m ${EDITED_NOW} where m.room = ? and m.id = ?`,
    )
    const index = (room: string, id: number) => {
      const found = now.get(room, id)
      if (!found) return
      const { position, text, removed } = found as { position: number; text: string; removed: number }
      drop.run(position)
      if (!removed) add.run(position, text)
    }
    const anew = (fact: { stream: string; data: { id: number } }) => index(idOf(fact.stream), fact.data.id)
    return {
      MessagePosted: ({ position, data: { text } }) => {
        if (typeof text === 'string') add.run(position, text)
      },
      MessageEdited: anew,
      MessageRemoved: anew,
      MessageRestored: anew,
    }
  },
}

const MAX_TERMS = 20

/**
 * What somebody types, as FTS5 reads it: every word must be there, `"two words"` together, `begin*` as a beginning. All
 * else is taken as it stands. null: there is no word in it.
 */
export const matching = (typed: string): string | null => {
  const terms = [...typed.matchAll(/"([^"]+)"(\*?)|([^\s"]+)/g)]
    .slice(0, MAX_TERMS)
    .flatMap(([, phrase, more, word]) => {
      const bare = phrase ?? (word as string).replace(/\*+$/, '')
      if (!/[\p{L}\p{N}]/u.test(bare)) return []
      const isBeginning = phrase === undefined ? (word as string).endsWith('*') : more === '*'
      return [`"${bare}"${isBeginning ? '*' : ''}`]
    })
  return terms.length === 0 ? null : terms.join(' ')
}

export interface SearchArgs {
  readonly words: string
  readonly room?: string
  readonly author?: string
  /** only rooms that this user may read now */
  readonly visibleTo?: string
  /** ms since 1970, inclusive */
  readonly from?: number
  readonly to?: number
  /** posted before this position */
  readonly before?: number
  readonly limit: number
}

export const searchQueries = {
  /** in all rooms, newest first */
  'messages.search': (db: DatabaseSync, args: SearchArgs): MessageItem[] => {
    const match = matching(args.words)
    if (match === null) return []
    const where: string[] = ['search match ?']
    const values: SQLInputValue[] = [match]
    const need = (sql: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return
      where.push(sql)
      values.push(value)
    }
    need('search.rowid < ?', args.before)
    need('m.room = ?', args.room)
    need('m.author = ?', args.author)
    need('m.at >= ?', args.from)
    need('m.at <= ?', args.to)
    need(`m.room in (select room from rooms where to_position is null and ${VISIBLE})`, args.visibleTo)
    // From the index of words on, which gives its rows in order by itself.
    // None of them is removed.
    const sql = `select ${MESSAGE}, null as removed_at, null as now_at
      from search cross join messages m on m.position = search.rowid ${EDITED_NOW}
      where ${where.join(' and ')} order by search.rowid desc limit ?`
    return db
      .prepare(sql)
      .all(...values, args.limit)
      .map(item)
  },
  /** newest first; `before`: message ids, exclusive */
  'room.search': (
    db: DatabaseSync,
    { room, words, before, limit }: { room: string; words: string; before?: number; limit: number },
  ): MessageItem[] => {
    const match = matching(words)
    if (match === null) return []
    const found = selectMessages(
      null,
      `m.room = ? and m.position in (select rowid from search where search match ?) and d.from_at is null
       ${before === undefined ? '' : 'and m.id < ?'}`,
      'order by m.id desc limit ?',
    )
    return db
      .prepare(found.sql)
      .all(...found.before, room, match, ...(before === undefined ? [] : [before]), limit)
      .map(item)
  },
}
