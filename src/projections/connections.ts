import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Forgettable } from '../actors/retention.ts'
import { refusedOn } from './moderation.ts'
import {
  type At,
  cameBy,
  idOf,
  inForce,
  type ProjectedFact,
  type Projection,
  TEMPORAL,
  Temporal,
} from './projection.ts'
import { heldReads } from './reads.ts'

/** Connections and the states they were in. Their timelines are their streams in the log. */
export const connections: Projection = {
  name: 'connections',
  version: 3,
  tables: `
    create table connections (
      id text primary key, opened_position integer not null, opened_at integer not null, dialect text, user text,
      chosen_position integer, chosen_at integer,
      closed_position integer, closed_at integer, code integer, cause text, refusals integer not null
    );
    create index connections_by_opening on connections (opened_position);
    create index connections_by_user on connections (user, opened_position);
    create index connections_open on connections (id) where closed_position is null;
    create table connection_states (id text not null, state text not null, ${TEMPORAL});
    create index connection_states_by_id on connection_states (id, from_position);
    create index connections_by_closing on connections (closed_at) where closed_at is not null;
    create table forgotten (stream text primary key, ids text not null) without rowid;`,
  prepare(db) {
    const insert = db.prepare(
      'insert into connections (id, opened_position, opened_at, dialect, refusals) values (?, ?, ?, ?, 0)',
    )
    const choose = db.prepare('update connections set dialect = ?, chosen_position = ?, chosen_at = ? where id = ?')
    const sign = db.prepare('update connections set user = ? where id = ?')
    const refuse = db.prepare('update connections set refusals = refusals + ? where id = ?')
    const close = db.prepare(
      'update connections set closed_position = ?, closed_at = ?, code = ?, cause = ? where id = ? and closed_position is null',
    )
    const forget = [
      'delete from connections where id = ?',
      'delete from connection_states where id = ?',
      "delete from streams where stream = 'connection-' || ?",
      "delete from summaries where stream = 'connection-' || ?",
    ].map((sql) => db.prepare(sql))
    const forgotten = db.prepare('insert or replace into forgotten values (?, ?)')
    const states = new Temporal(db, 'connection_states', ['id', 'state'], ['id'])
    const become = (fact: ProjectedFact, state: string) => {
      const id = idOf(fact.stream)
      states.end(fact, id)
      states.begin(fact, { id, state })
    }
    return {
      ConnectionOpened: (fact) => {
        insert.run(idOf(fact.stream), fact.position, fact.metadata.at, fact.data.dialect)
        become(fact, 'authenticating')
      },
      DialectChosen: (fact) => {
        choose.run(fact.data.dialect, fact.position, fact.metadata.at, idOf(fact.stream))
      },
      AuthSucceeded: (fact) => {
        if (fact.data.user) sign.run(fact.data.user.id, idOf(fact.stream))
        become(fact, 'authenticated.active')
      },
      WentIdle: (fact) => become(fact, 'authenticated.idle'),
      BecameActive: (fact) => become(fact, 'authenticated.active'),
      CommandRefused: (fact) => {
        refuse.run(fact.data.count, idOf(fact.stream))
      },
      ConnectionsForgotten: (fact) => {
        for (const id of fact.data.ids) for (const deletion of forget) deletion.run(id)
        forgotten.run(fact.stream, JSON.stringify(fact.data.ids))
      },
      ConnectionClosed: (fact) => {
        const { code, cause } = fact.data
        close.run(fact.position, fact.metadata.at, code, cause, idOf(fact.stream))
        become(fact, 'closed')
      },
    }
  },
}

export interface ConnectionRow {
  readonly id: string
  readonly dialect: string | null
  readonly user: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly state: string
  readonly openedAt: number
  readonly closedAt: number | null
  readonly code: number | null
  readonly cause: string | null
  readonly refusals: number
  /** cursor of this row */
  readonly opened: number
}

export interface ConnectionsArgs {
  readonly id?: string
  readonly user?: string
  readonly dialect?: string
  /** a state or the beginning of one: `authenticated` */
  readonly state?: string
  readonly cause?: string
  /** opened before this position */
  readonly before?: number
  readonly limit: number
  readonly at?: At
}

export const connectionQueries = {
  /** connections closed before `before`, the oldest first, with what outlives them (actors/retention.ts) */
  'connections.forgettable': (db: DatabaseSync, { before, limit }: { before: number; limit: number }): Forgettable => {
    const found = db
      .prepare('select id, cause from connections where closed_at < ? order by closed_at, id limit ?')
      .all(before, limit) as { id: string; cause: string }[]
    const closings: Record<string, number> = {}
    for (const { cause } of found) closings[cause] = (closings[cause] ?? 0) + 1
    const ids = found.map(({ id }) => id)
    return { ids, closings, acts: refusedOn(db, ids), reads: heldReads(db, ids) }
  },
  'connections.forgotten': (db: DatabaseSync, { stream }: { stream: string }): string[] => {
    const found = db.prepare('select ids from forgotten where stream = ?').get(stream) as { ids: string } | undefined
    return found ? JSON.parse(found.ids) : []
  },
  /** newest first; as of then, also whose it was and what it spoke */
  'connections.list': (db: DatabaseSync, args: ConnectionsArgs): ConnectionRow[] => {
    const { at = null } = args
    const [state, named, refused] = [inForce(at, 's'), inForce(at, 'u'), cameBy(at, 'r')]
    const where: string[] = []
    const values: SQLInputValue[] = []
    const need = (sql: string, ...more: SQLInputValue[]) => {
      where.push(sql)
      values.push(...more)
    }
    const closed =
      at === null ? 'c.closed_at is not null' : 'position' in at ? 'c.closed_position <= ?' : 'c.closed_at <= ?'
    const cut = at === null ? [] : ['position' in at ? at.position : at.time]
    // On a shared address it is chosen by the first frames.
    const chosen = at !== null && 'position' in at ? 'c.chosen_position' : 'c.chosen_at'
    const dialect = at === null ? 'c.dialect' : `iif(coalesce(${chosen}, 0) <= ?, c.dialect, null)`
    if (args.id !== undefined) need('c.id = ?', args.id)
    if (args.user !== undefined) need("c.user = ? and s.state <> 'authenticating'", args.user)
    if (args.dialect !== undefined) need(`${dialect} = ?`, ...cut, args.dialect)
    if (args.state !== undefined) need("(s.state = ? or s.state like ? || '.%')", args.state, args.state)
    // What had not ended yet at that moment had no cause.
    if (args.cause !== undefined) need(`c.cause = ? and ${closed}`, args.cause, ...cut)
    if (args.before !== undefined) need('c.opened_position < ?', args.before)
    return db
      .prepare(
        `select c.id, ${dialect} as dialect, s.state, c.opened_at as openedAt, c.opened_position as opened,
           ${at === null ? 'c.refusals' : `(select coalesce(sum(r.count), 0) from refusals r where r.connection = c.id and ${refused.sql}) as refusals`},
           iif(${closed}, c.closed_at, null) as closedAt, iif(${closed}, c.code, null) as code, iif(${closed}, c.cause, null) as cause,
           u.user as userId, u.number, u.username
         from connections c
         join connection_states s on s.id = c.id and ${state.sql}
         left join users u on u.user = c.user and s.state <> 'authenticating' and ${named.sql}
         ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
         order by c.opened_position desc limit ?`,
      )
      .all(...cut, ...refused.values, ...cut, ...cut, ...cut, ...state.values, ...named.values, ...values, args.limit)
      .map((found) => {
        const { userId, number, username, ...row } = found as Record<string, never>
        return { ...row, user: userId === null ? null : { id: userId, number, username } } as unknown as ConnectionRow
      })
  },
  'connections.open': (db: DatabaseSync, _args: Record<string, never>) =>
    (
      db
        .prepare('select id from connections where closed_position is null order by opened_position')
        .all() as unknown as {
        id: string
      }[]
    ).map(({ id }) => id),
}
