import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, json, type Projection, TEMPORAL, Temporal } from './projection.ts'

/**
 * Messages of a room. What never changes stands in `messages`, with the text as it was posted; the text of an edit is a
 * temporal row in `texts`, so that it leaves the earlier ones; a removal is a temporal row, ended by a restoration.
 */
export const roomHistory: Projection = {
  name: 'room-history',
  version: 4,
  tables: `
    create table messages (
      position integer primary key, room text not null, id integer not null, revision integer not null, at integer not null,
      author text not null, author_number integer not null, author_name text not null, author_role text not null,
      kind text not null, ref text, reply_to integer, extra text, posted_text text not null
    );
    create unique index messages_by_id on messages (room, id);
    create table texts (
      room text not null, id integer not null, text text not null, ${TEMPORAL},
      primary key (room, id, from_position)
    ) without rowid;
    create table removals (room text not null, id integer not null, by text, reason text, ${TEMPORAL});
    create index removals_by_message on removals (room, id, from_position);`,
  prepare(db) {
    const insert = db.prepare('insert into messages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    const texts = new Temporal(db, 'texts', ['room', 'id', 'text'], ['room', 'id'])
    const removals = new Temporal(db, 'removals', ['room', 'id', 'by', 'reason'], ['room', 'id'])
    return {
      MessagePosted: (fact) => {
        const { id, author, text, kind, clientRef, replyTo, extra } = fact.data
        const { revision, position, metadata } = fact
        const { id: user, number, username, role } = author
        insert.run(
          position,
          idOf(fact.stream),
          id,
          revision,
          metadata.at,
          user,
          number,
          username,
          role,
          kind,
          clientRef,
          replyTo,
          json(extra),
          text,
        )
      },
      MessageEdited: (fact) => {
        const room = idOf(fact.stream)
        const { id, text } = fact.data
        texts.end(fact, room, id)
        texts.begin(fact, { room, id, text })
      },
      MessageRemoved: (fact) => {
        const room = idOf(fact.stream)
        const { id, by, reason } = fact.data
        // An early log may have a message removed twice: one removal is in force at a time.
        removals.end(fact, room, id)
        removals.begin(fact, { room, id, by: json(by), reason })
      },
      MessageRestored: (fact) => removals.end(fact, idOf(fact.stream), fact.data.id),
    }
  },
}

export interface MessageItem {
  readonly room: string
  readonly id: number
  readonly revision: number
  readonly position: number
  /** ms since 1970 */
  readonly at: number
  readonly author: { readonly id: string; readonly number: number; readonly username: string; readonly role: string }
  readonly text: string
  readonly kind: 'text' | 'action'
  readonly ref: string | null
  readonly replyTo: number | null
  readonly extra: Readonly<Record<string, unknown>> | null
  readonly edited: boolean
  /** at the moment asked about */
  readonly removed: Removal | null
  /** now: what has been removed since is not to be read by asking about a moment before */
  readonly removedNow: Removal | null
}

interface Removal {
  readonly by: unknown
  readonly reason: string | null
  /** ms since 1970 */
  readonly at: number
}

/** The text now, of `messages m`: joined as `t`, absent where it was never edited. */
export const EDITED_NOW = 'left join texts t on t.room = m.room and t.id = m.id and t.to_position is null'
export const TEXT = 'coalesce(t.text, m.posted_text)'
/** What never changes of `messages m`, and the text as `t` has it. */
const MESSAGE = `m.*, ${TEXT} as text, t.text is not null as edited`

export const selectMessages = (at: At, where: string, order: string, from = 'messages m') => {
  const text = inForce(at, 't')
  const removal = inForce(at, 'd')
  const seen = at === null ? '' : 'position' in at ? 'and m.position <= ?' : 'and m.at <= ?'
  const cut = at === null ? [] : ['position' in at ? at.position : at.time]
  const sql = `
    select ${MESSAGE}, d.from_at as removed_at, d.by as removed_by, d.reason as removed_reason,
      n.from_at as now_at, n.by as now_by, n.reason as now_reason
    from ${from}
    left join texts t on t.room = m.room and t.id = m.id and ${text.sql}
    left join removals d on d.room = m.room and d.id = m.id and ${removal.sql}
    left join removals n on n.room = m.room and n.id = m.id and n.to_position is null
    where ${where} ${seen} ${order}`
  return { sql, before: [...text.values, ...removal.values], after: cut }
}

interface Row {
  readonly room: string
  readonly id: number
  readonly revision: number
  readonly position: number
  readonly at: number
  readonly author: string
  readonly author_number: number
  readonly author_name: string
  readonly author_role: string
  readonly text: string
  readonly kind: 'text' | 'action'
  readonly ref: string | null
  readonly reply_to: number | null
  readonly extra: string | null
  readonly edited: number
  readonly removed_at: number | null
  readonly removed_by: string | null
  readonly removed_reason: string | null
  readonly now_at: number | null
  readonly now_by: string | null
  readonly now_reason: string | null
}

const removal = (at: number | null, by: string | null, reason: string | null): Removal | null =>
  at === null ? null : { by: by === null ? null : JSON.parse(by), reason, at }

export const item = (found: unknown): MessageItem => {
  const { room, id, revision, position, at, text, kind, ref, ...row } = found as Row
  return {
    room,
    id,
    revision,
    position,
    at,
    author: { id: row.author, number: row.author_number, username: row.author_name, role: row.author_role },
    text,
    kind,
    ref,
    replyTo: row.reply_to,
    extra: row.extra === null ? null : JSON.parse(row.extra),
    edited: row.edited === 1,
    removed: removal(row.removed_at, row.removed_by, row.removed_reason),
    removedNow: removal(row.now_at, row.now_by, row.now_reason),
  }
}

export interface MessagesArgs {
  readonly room: string
  /** message ids, exclusive; without either the newest */
  readonly before?: number
  readonly after?: number
  readonly limit: number
  readonly at?: At
  /** only messages at or below this revision of the room's stream: the cut of a snapshot */
  readonly upTo?: number
  readonly removed?: 'shown' | 'left-out'
}

/**
 * The id of the room's last message by then; 0: there was none. Ids grow in a room as positions and times do, so that it
 * is found by halving: a condition on the time alone would look at every message since.
 */
const lastIdBy = (db: DatabaseSync, room: string, at: NonNullable<At>): number => {
  const [column, limit] = 'position' in at ? ['position', at.position] : ['at', at.time]
  const probe = db.prepare(
    `select id, ${column} as place from messages where room = ? and id <= ? order by id desc limit 1`,
  )
  const upTo = (id: number) => probe.get(room, id) as { id: number; place: number } | undefined
  const newest = upTo(Number.MAX_SAFE_INTEGER)
  if (!newest || newest.place <= limit) return newest?.id ?? 0
  let [low, high] = [0, newest.id]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const found = upTo(middle)
    if (!found || found.id <= low || found.place <= limit) low = middle
    else high = found.id
  }
  return low
}

export const messageQueries = {
  /** oldest first */
  'room.messages': (db: DatabaseSync, args: MessagesArgs): MessageItem[] => {
    const { room, before, after, limit, at = null, upTo, removed = 'left-out' } = args
    const forwards = after !== undefined
    const where = [
      'm.room = ?',
      before === undefined ? '' : 'and m.id < ?',
      after === undefined ? '' : 'and m.id > ?',
      at === null ? '' : 'and m.id <= ?',
      upTo === undefined ? '' : 'and m.revision <= ?',
      removed === 'shown' ? '' : 'and d.from_at is null',
    ].join(' ')
    const found = selectMessages(at, where, `order by m.id ${forwards ? 'asc' : 'desc'} limit ?`)
    const last = at === null ? undefined : lastIdBy(db, room, at)
    const bounds = [before, after, last, upTo].filter((bound) => bound !== undefined)
    const rows = db
      .prepare(found.sql)
      .all(...found.before, room, ...bounds, ...found.after, limit)
      .map(item)
    return forwards ? rows : rows.reverse()
  },
  'room.message': (
    db: DatabaseSync,
    { room, id, at = null }: { room: string; id: number; at?: At },
  ): MessageItem | null => {
    const found = selectMessages(at, 'm.room = ? and m.id = ?', '')
    const row = db.prepare(found.sql).get(...found.before, room, id, ...found.after)
    return row ? item(row) : null
  },
}
