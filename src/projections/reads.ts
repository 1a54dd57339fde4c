import type { DatabaseSync } from 'node:sqlite'
import type { Forgettable } from '../actors/retention.ts'
import { type At, cameBy, idOf, inForce, type Projection } from './projection.ts'

/**
 * How far an account has read in a room, on whichever of its connections: every mark is a row, and the furthest counts. So
 * the order in which rows come and go does not matter, when connections are forgotten.
 */
export const reads: Projection = {
  name: 'reads',
  version: 3,
  tables: `
    create table reads (
      room text not null, user text not null, message integer not null, connection text not null,
      position integer not null, at integer not null, kept integer not null, primary key (room, user, position)
    ) without rowid;
    create index reads_by_message on reads (room, user, message);
    create index reads_by_connection on reads (connection);`,
  prepare(db) {
    // The table of the projection of connections, which had the sign-in before.
    const whose = db.prepare('select user from connections where id = ?')
    const insert = db.prepare('insert into reads values (?, ?, ?, ?, ?, ?, 0)')
    const keep = db.prepare(
      'insert into reads values (?, ?, ?, ?, ?, ?, 1) on conflict (room, user, position) do update set kept = 1',
    )
    const forget = db.prepare('delete from reads where connection = ? and kept = 0')
    return {
      ReadMarked: (fact) => {
        const { room, upTo } = fact.data
        const connection = idOf(fact.stream)
        const { user = null } = (whose.get(connection) ?? {}) as { user?: string | null }
        if (user !== null) insert.run(room, user, upTo, connection, fact.position, fact.metadata.at)
      },
      ConnectionsRemembered: (fact) => {
        for (const { room, user, message, connection, position, at } of fact.data.reads)
          keep.run(room, user, message, connection, position, at)
      },
      ConnectionsForgotten: (fact) => {
        for (const id of fact.data.ids) forget.run(id)
      },
    }
  },
}

export interface ReadRow {
  readonly user: { readonly id: string; readonly number: number; readonly username: string }
  readonly message: number
  /** ms since 1970 */
  readonly at: number
}

/** Marks on these connections that still say how far their account has read: the first at the furthest message. */
export const heldReads = (db: DatabaseSync, connections: readonly string[]): Forgettable['reads'] =>
  db
    .prepare(
      `select room, user, message, connection, position, at from reads r
       where connection in (select value from json_each(?)) and kept = 0
         and position = (select position from reads f where f.room = r.room and f.user = r.user
                         order by f.message desc, f.position limit 1)
       order by position`,
    )
    .all(JSON.stringify(connections)) as unknown as Forgettable['reads']

/** Accounts with marks in a room, one look into an index each: `user` after `user`. */
const READERS = `with recursive readers(user) as (
  select min(user) from reads where room = :room
  union all select (select min(user) from reads where room = :room and user > readers.user) from readers where readers.user is not null)`

export interface MarkRow extends ReadRow {
  /** null: forgotten */
  readonly connection: string | null
}

export const readQueries = {
  /** who has marked this message or a later one as read, by the first such mark of each; in the order of those */
  'message.marks': (db: DatabaseSync, { room, id }: { room: string; id: number }): MarkRow[] =>
    db
      .prepare(
        `${READERS} select u.user as id, u.number, u.username, r.message, r.at, c.id as connection
         from readers join reads r on r.room = :room and r.user = readers.user and r.position = (
           select m.position from reads m where m.room = :room and m.user = readers.user and m.message >= :id
           order by m.message, m.position limit 1)
         join users u on u.user = r.user and u.to_position is null
         left join connections c on c.id = r.connection order by r.position`,
      )
      .all({ room, id })
      .map((found) => {
        const { id: user, number, username, ...mark } = found as Record<string, never>
        return { user: { id: user, number, username }, ...mark } as unknown as MarkRow
      }),
  'reads.of': (db: DatabaseSync, { room, user }: { room: string; user: string }): number | null => {
    const found = db.prepare('select max(message) as message from reads where room = ? and user = ?').get(room, user)
    return (found as { message: number | null }).message
  },
  /** in the order of the accounts' numbers, after `after` */
  'room.reads': (
    db: DatabaseSync,
    { room, after = 0, limit, at = null }: { room: string; after?: number; limit: number; at?: At },
  ): ReadRow[] => {
    const [read, user] = [cameBy(at, 'r'), inForce(at, 'u')]
    return db
      .prepare(
        // Account by account, each a look into an index: a room may hold many more marks than there are accounts.
        `select u.user as id, u.number, u.username, b.message, b.at
         from users u cross join reads b on b.room = ? and b.user = u.user and b.position = (
           select r.position from reads r where r.room = ? and r.user = u.user and ${read.sql}
           order by r.message desc, r.position limit 1)
         where u.number > ? and ${user.sql} order by u.number limit ?`,
      )
      .all(room, room, ...read.values, after, ...user.values, limit)
      .map((found) => {
        const { id, number, username, message, at } = found as unknown as ReadRow['user'] & Omit<ReadRow, 'user'>
        return { user: { id, number, username }, message, at }
      })
  },
}
