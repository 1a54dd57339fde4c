import type { DatabaseSync } from 'node:sqlite'
import { type At, cameBy, idOf, inForce, type ProjectedFact, type Projection } from './projection.ts'

/** What was refused to whom, newest first: the first thing a debugger asks for. */
export const refusals: Projection = {
  name: 'refusals',
  version: 1,
  tables: `
    create table refusals (
      position integer primary key, at integer not null, connection text not null, user text, command text not null,
      code text not null, guard text, state text not null, stream text, revision integer, count integer not null
    );
    create index refusals_by_stream on refusals (stream, revision);
    create index refusals_by_connection on refusals (connection);`,
  prepare(db) {
    // The table of the projection of connections, which had the sign-in before.
    const whose = db.prepare('select user from connections where id = ?')
    const insert = db.prepare('insert into refusals values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    const forget = db.prepare('delete from refusals where connection = ?')
    return {
      CommandRefused: ({ stream, position, metadata, data }: ProjectedFact) => {
        const connection = idOf(stream)
        const { user = null } = (whose.get(connection) ?? {}) as { user?: string | null }
        const { command, code, guard, state, at, count } = data
        const { stream: where = null, revision = null } = at ?? {}
        insert.run(position, metadata.at, connection, user, command, code, guard, state, where, revision, count)
      },
      ConnectionsForgotten: (fact) => {
        for (const id of fact.data.ids) forget.run(id)
      },
    }
  },
}

export interface RefusalRow {
  readonly position: number
  /** ms since 1970 */
  readonly at: number
  readonly connection: string
  readonly user: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly command: string
  readonly code: string
  readonly guard: string | null
  readonly state: string
  /** the room or user that refused, at which of its revisions; null: the connection itself */
  readonly decidedAt: { readonly stream: string; readonly revision: number } | null
  readonly count: number
}

/** of a page of somebody's life: a flood is in the connections that made it */
const MOST_DECIDED = 500

const select = (named = inForce(null, 'u').sql) =>
  `select r.*, u.number, u.username from refusals r left join users u on u.user = r.user and ${named}`

const refusalRow = (found: unknown): RefusalRow => {
  const { user, number, username, stream, revision, ...row } = found as Record<string, never>
  return {
    ...row,
    user: user === null ? null : { id: user, number, username },
    decidedAt: stream === null ? null : { stream, revision },
  } as unknown as RefusalRow
}

export const refusalQueries = {
  /** newest first */
  'refusals.list': (db: DatabaseSync, { limit }: { limit: number }): RefusalRow[] =>
    db.prepare(`${select()} order by r.position desc limit ?`).all(limit).map(refusalRow),
  /** decided by this room or user while it stood at these revisions, in their order */
  'refusals.decided': (
    db: DatabaseSync,
    { stream, from, to, at = null }: { stream: string; from: number; to: number; at?: At },
  ): (RefusalRow & { decidedAt: { revision: number } })[] => {
    const [cut, named] = [cameBy(at, 'r'), inForce(at, 'u')]
    const where = `r.stream = ? and r.revision between ? and ? and ${cut.sql}`
    return db
      .prepare(`${select(named.sql)} where ${where} order by r.position limit ${MOST_DECIDED}`)
      .all(...named.values, stream, from, to, ...cut.values)
      .map(refusalRow) as (RefusalRow & { decidedAt: { revision: number } })[]
  },
  /** how many there are of what is alive now */
  'console.alive': (db: DatabaseSync, _args: Record<string, never>) => {
    const count = (sql: string): number => (db.prepare(sql).get() as { n: number }).n
    return {
      connections: count('select count(*) as n from connections where closed_position is null'),
      online: count('select count(distinct user) as n from online where to_position is null'),
      rooms: count("select count(*) as n from rooms where to_position is null and mode <> 'archived'"),
      users: count('select count(*) as n from users where to_position is null'),
      dialects: db
        .prepare(
          `select coalesce(dialect, '') as dialect, count(*) as connections from connections
           where closed_position is null group by 1 order by 2 desc, 1`,
        )
        .all()
        .map((row) => ({ ...row })) as unknown as { dialect: string; connections: number }[],
    }
  },
}
