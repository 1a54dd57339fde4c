import type { DatabaseSync } from 'node:sqlite'
import { OPEN_DIALECTS } from '../actors/alias.ts'
import type { RoomExtra } from '../actors/room/room.facts.ts'
import { type At, idOf, inForce, json, type ProjectedFact, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** Rooms as they were: each change of name, mode or aliases ends a row and begins the next. */
export const rooms: Projection = {
  name: 'rooms',
  version: 3,
  tables: `
    create table rooms (
      room text not null, number integer not null, name text not null, kind text not null, parent text,
      mode text not null, slow_ms integer not null, aliases text not null, opened_at integer not null, locked_at integer,
      extra text not null, ${TEMPORAL}
    );
    create index rooms_by_room on rooms (room, from_position);
    create index rooms_by_number on rooms (number);`,
  prepare(db) {
    const columns = [
      'room',
      'number',
      'name',
      'kind',
      'parent',
      'mode',
      'slow_ms',
      'aliases',
      'opened_at',
      'locked_at',
      'extra',
    ]
    const table = new Temporal(db, 'rooms', columns, ['room'])
    const current = db.prepare(`select ${columns.join(', ')} from rooms where room = ? and to_position is null`)
    const change = (fact: ProjectedFact, changes: Record<string, string | number | null>, extra = {}) => {
      const room = idOf(fact.stream)
      const row = current.get(room) as Record<string, string> | undefined
      if (!row) return
      const kept = json({ ...JSON.parse(row.extra ?? '{}'), ...extra })
      table.end(fact, room)
      table.begin(fact, { ...row, extra: kept, ...changes })
    }
    return {
      RoomOpened: (fact) => {
        const { room, number, name, kind, parent, aliases, extra } = fact.data
        const opened_at = fact.metadata.at
        table.begin(fact, {
          room,
          number,
          name,
          kind,
          parent,
          mode: 'open',
          slow_ms: 0,
          aliases: json(aliases),
          opened_at,
          locked_at: null,
          extra: json(extra ?? {}),
        })
      },
      RoomChanged: (fact) => {
        const { name, mode, slowMs, aliases, extra } = fact.data
        change(
          fact,
          {
            ...(name === undefined ? {} : { name }),
            ...(mode === undefined ? {} : { mode, slow_ms: mode === 'slow' ? (slowMs ?? 0) : 0 }),
            ...(mode === undefined ? {} : { locked_at: mode === 'locked' ? fact.metadata.at : null }),
            ...(mode === undefined && slowMs !== undefined ? { slow_ms: slowMs } : {}),
            ...(aliases === undefined ? {} : { aliases: json(aliases) }),
          },
          extra,
        )
      },
      RoomArchived: (fact) => change(fact, { mode: 'archived' }),
    }
  },
}

export interface RoomRow {
  readonly id: string
  readonly number: number
  readonly name: string
  readonly kind: 'room' | 'space'
  readonly parent: string | null
  readonly mode: 'open' | 'slow' | 'locked' | 'archived'
  readonly slowMs: number
  readonly aliases: readonly string[]
  readonly openedAt: number
  /** since when only staff may write; null: it is not locked */
  readonly lockedAt: number | null
  /** what dialects keep beside the name */
  readonly extra: RoomExtra
}

export const SELECT_ROOM = `select room as id, number, name, kind, parent, mode, slow_ms as slowMs, aliases, opened_at as openedAt,
  locked_at as lockedAt, extra from rooms`

/** A member of the room or of its space, and not banned from it. */
const BELONGS = `exists (
  select 1 from members m where m.user = ? and m.to_position is null and m.room in (rooms.room, rooms.parent)
    and not exists (select 1 from bans b
      where b.user = m.user and b.to_position is null and b.room in (rooms.room, rooms.parent)))`
/** of a row of `rooms`: this user may read it */
export const VISIBLE = `(${[...OPEN_DIALECTS.map((dialect) => `aliases like '%"${dialect}:%'`), BELONGS].join(' or ')})`

export const roomRow = (found: unknown): RoomRow => {
  const plain = found as Omit<RoomRow, 'aliases' | 'extra'> & { aliases: string; extra: string }
  return { ...plain, aliases: JSON.parse(plain.aliases), extra: JSON.parse(plain.extra) }
}

export const roomQueries = {
  'rooms.get': (db: DatabaseSync, { id, at = null }: { id: string; at?: At }): RoomRow | null => {
    const cut = inForce(at)
    const found = db.prepare(`${SELECT_ROOM} where room = ? and ${cut.sql}`).get(id, ...cut.values)
    return found ? roomRow(found) : null
  },
  /** ids of the rooms that a dialect shows and this user belongs to (`all`: and any other), by number */
  'rooms.of': (
    db: DatabaseSync,
    { user, dialect, all = false }: { user: string; dialect: string; all?: boolean },
  ): string[] => {
    const whose = all ? `and kind = 'room'` : `and ${BELONGS}`
    const sql = `select room from rooms where to_position is null and mode <> 'archived' and aliases like ? ${whose} order by number`
    return db
      .prepare(sql)
      .all(`%"${dialect}:%`, ...(all ? [] : [user]))
      .map(({ room }) => room as string)
  },
  /** ids of a space's rooms, by number */
  'rooms.within': (db: DatabaseSync, { space }: { space: string }): string[] =>
    db
      .prepare(`select room from rooms where to_position is null and mode <> 'archived' and parent = ? order by number`)
      .all(space)
      .map(({ room }) => room as string),
  /** in the order of their numbers, after `after`; `visibleTo`: those that this user may read now */
  'rooms.list': (
    db: DatabaseSync,
    { after = 0, limit, at = null, visibleTo }: { after?: number; limit: number; at?: At; visibleTo?: string },
  ): RoomRow[] => {
    const cut = inForce(at)
    // Rights are those of now, whatever the moment that is asked about.
    const mayRead = `and room in (select room from rooms where to_position is null and ${VISIBLE})`
    const seen = visibleTo === undefined ? { sql: '', values: [] } : { sql: mayRead, values: [visibleTo] }
    return db
      .prepare(`${SELECT_ROOM} where number > ? and ${cut.sql} ${seen.sql} order by number limit ?`)
      .all(after, ...cut.values, ...seen.values, limit)
      .map(roomRow)
  },
}
