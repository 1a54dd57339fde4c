import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { type At, idOf, inForce, type ProjectedFact, type Projection } from './projection.ts'
import { EDITED_NOW, item, type MessageItem, selectMessages, TEXT } from './room-history.ts'
import { VISIBLE } from './rooms.ts'

const INDEX = "content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'"

/**
 * Words of the messages that are shown, as they read now (SQLite FTS5, letters without their marks), and beside them words
 * of the texts that an edit has replaced, from when to when each was read. The indexes keep no text of their own; their rows
 * are named by the positions of the facts that a text is of, which no two rooms share.
 */
export const search: Projection = {
  name: 'search',
  version: 3,
  tables: `
    create virtual table search using fts5(text, ${INDEX});
    create virtual table search_words using fts5vocab(search, 'instance');
    create table replaced (
      from_position integer primary key, from_at integer not null, to_position integer not null, to_at integer not null,
      message integer not null
    );
    create index replaced_by_message on replaced (message);
    create virtual table search_replaced using fts5(text, ${INDEX});
    create virtual table replaced_words using fts5vocab(search_replaced, 'instance');`,
  prepare(db) {
    const add = db.prepare('insert into search (rowid, text) values (?, ?)')
    const drop = db.prepare('delete from search where rowid = ?')
    // The tables of the projection of history, which has folded the same fact before.
    const now = db.prepare(
      `select m.position, ${TEXT} as text,
         exists (select 1 from removals d where d.room = m.room and d.id = m.id and d.to_position is null) as removed
       from messages m ${EDITED_NOW} where m.room = ? and m.id = ?`,
    )
    const before = db.prepare(
      `select m.position as message, coalesce(t.from_position, m.position) as from_position,
         coalesce(t.from_at, m.at) as from_at, ${TEXT} as text
       from messages m left join texts t on t.room = m.room and t.id = m.id and t.to_position = ?
       where m.room = ? and m.id = ?`,
    )
    const note = db.prepare('insert into replaced values (?, ?, ?, ?, ?)')
    const addReplaced = db.prepare('insert into search_replaced (rowid, text) values (?, ?)')
    const index = (room: string, id: number) => {
      const found = now.get(room, id)
      if (!found) return
      const { position, text, removed } = found as { position: number; text: string; removed: number }
      drop.run(position)
      if (!removed) add.run(position, text)
    }
    const anew = (fact: { stream: string; data: { id: number } }) => index(idOf(fact.stream), fact.data.id)
    const keepReplaced = ({ stream, position, metadata, data: { id } }: ProjectedFact) => {
      const found = before.get(position, idOf(stream), id) as Replaced | undefined
      if (!found) return
      note.run(found.from_position, found.from_at, position, metadata.at, found.message)
      addReplaced.run(found.from_position, found.text)
    }
    return {
      MessagePosted: ({ position, data: { text } }) => {
        if (typeof text === 'string') add.run(position, text)
      },
      MessageEdited: (fact) => {
        keepReplaced(fact)
        anew(fact)
      },
      MessageRemoved: anew,
      MessageRestored: anew,
    }
  },
}

interface Replaced {
  readonly message: number
  readonly from_position: number
  readonly from_at: number
  readonly text: string
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
  /** in one room: before this message */
  readonly beforeId?: number
  readonly at?: At
  readonly limit: number
}

/** Where a text is looked for, and how its message is found from there. */
interface Place {
  readonly from: string
  readonly match: string
  readonly position: string
  /** ids, positions and times grow together in a room */
  readonly order: string
}

/** From the index of words on, which gives its rows in order by itself. */
const EVERYWHERE: Place = {
  from: 'search cross join messages m on m.position = search.rowid',
  match: 'search match ?',
  position: 'search.rowid',
  order: 'search.rowid',
}
const IN_A_ROOM: Place = {
  from: 'messages m',
  match: 'm.position in (select rowid from search where search match ?)',
  position: 'm.position',
  order: 'm.id',
}
const REPLACED: Place = {
  from: `search_replaced cross join replaced r on r.from_position = search_replaced.rowid
    cross join messages m on m.position = r.message`,
  match: 'search_replaced match ?',
  position: 'm.position',
  order: 'm.position',
}

const look = (db: DatabaseSync, place: Place, match: string, args: SearchArgs): MessageItem[] => {
  const { at = null } = args
  const where: string[] = [place.match, 'd.from_at is null']
  const values: SQLInputValue[] = [match]
  const need = (sql: string, ...given: (SQLInputValue | undefined)[]) => {
    if (given.some((value) => value === undefined)) return
    where.push(sql)
    values.push(...(given as SQLInputValue[]))
  }
  need(`${place.position} < ?`, args.before)
  need('m.id < ?', args.beforeId)
  need('m.room = ?', args.room)
  need('m.author = ?', args.author)
  need('m.at >= ?', args.from)
  need('m.at <= ?', args.to)
  need(`m.room in (select room from rooms where to_position is null and ${VISIBLE})`, args.visibleTo)
  if (at !== null) {
    const read = inForce(at, 'r')
    // What is removed now is not to be found by asking about a moment before; of the texts of now none is.
    if (place === REPLACED) need(`${read.sql} and n.from_at is null`, ...read.values)
    else need(`not exists (select 1 from replaced r where r.message = m.position and ${read.sql})`, ...read.values)
    if ('position' in at) need(`${place.position} <= ?`, at.position)
  }
  const found = selectMessages(at, where.join(' and '), `order by ${place.order} desc limit ?`, place.from)
  return db
    .prepare(found.sql)
    .all(...found.before, ...values, ...found.after, args.limit)
    .map(item)
}

export const searchQueries = {
  /** in all rooms or in one, newest first: by the words that messages have now, or had then */
  'messages.search': (db: DatabaseSync, args: SearchArgs): MessageItem[] => {
    const match = matching(args.words)
    if (match === null) return []
    const found = look(db, args.room === undefined ? EVERYWHERE : IN_A_ROOM, match, args)
    if ((args.at ?? null) === null) return found
    const replaced = look(db, REPLACED, match, args)
    return [...found, ...replaced].sort((one, other) => other.position - one.position).slice(0, args.limit)
  },
}
