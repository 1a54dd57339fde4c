import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** How far an account has read in a room, on whichever of its connections; never back. */
export const reads: Projection = {
  name: 'reads',
  version: 2,
  tables: `
    create table reads (room text not null, user text not null, message integer not null, ${TEMPORAL});
    create index reads_by_room on reads (room, user, from_position);
    create index reads_open on reads (room, user) where to_position is null;`,
  prepare(db) {
    // The table of the projection of connections, which had the sign-in before.
    const whose = db.prepare('select user from connections where id = ?')
    const current = db.prepare('select message from reads where room = ? and user = ? and to_position is null')
    const table = new Temporal(db, 'reads', ['room', 'user', 'message'], ['room', 'user'])
    return {
      ReadMarked: (fact) => {
        const { room, upTo } = fact.data
        const { user = null } = (whose.get(idOf(fact.stream)) ?? {}) as { user?: string | null }
        if (user === null) return
        const before = current.get(room, user) as { message: number } | undefined
        if (before && before.message >= upTo) return
        table.end(fact, room, user)
        table.begin(fact, { room, user, message: upTo })
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

export const readQueries = {
  'reads.of': (db: DatabaseSync, { room, user }: { room: string; user: string }): number | null => {
    const found = db
      .prepare('select message from reads where room = ? and user = ? and to_position is null')
      .get(room, user)
    return (found as { message: number } | undefined)?.message ?? null
  },
  /** in the order of the accounts' numbers, after `after` */
  'room.reads': (
    db: DatabaseSync,
    { room, after = 0, limit, at = null }: { room: string; after?: number; limit: number; at?: At },
  ): ReadRow[] => {
    const [read, user] = [inForce(at, 'r'), inForce(at, 'u')]
    return db
      .prepare(
        `select u.user as id, u.number, u.username, r.message, r.from_at as at
         from reads r join users u on u.user = r.user and ${user.sql}
         where r.room = ? and u.number > ? and ${read.sql} order by u.number limit ?`,
      )
      .all(...user.values, room, after, ...read.values, limit)
      .map((found) => {
        const { id, number, username, message, at } = found as unknown as ReadRow['user'] & Omit<ReadRow, 'user'>
        return { user: { id, number, username }, message, at }
      })
  },
}
