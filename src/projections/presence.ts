import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, json, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** Who was where: one row a connection in a room, and one a connection of an account. */
export const presence: Projection = {
  name: 'presence',
  version: 2,
  tables: `
    create table presence (room text not null, user text not null, connection text not null, person text not null, ${TEMPORAL});
    create index presence_by_room on presence (room, user, to_position);
    create index presence_open on presence (connection, room, user) where to_position is null;
    create table online (user text not null, connection text not null, ${TEMPORAL});
    create index online_by_user on online (user, to_position);`,
  prepare(db) {
    const rooms = new Temporal(db, 'presence', ['room', 'user', 'connection', 'person'], ['room', 'user', 'connection'])
    const online = new Temporal(db, 'online', ['user', 'connection'], ['user', 'connection'])
    return {
      PresenceEntered: (fact) => {
        const { user, connection } = fact.data
        rooms.begin(fact, { room: idOf(fact.stream), user: user.id, connection, person: json(user) })
      },
      PresenceLeft: (fact) => rooms.end(fact, idOf(fact.stream), fact.data.user.id, fact.data.connection),
      CameOnline: (fact) => online.begin(fact, { user: idOf(fact.stream), connection: fact.data.connection }),
      WentOffline: (fact) => online.end(fact, idOf(fact.stream), fact.data.connection),
    }
  },
}

export interface PresentRow {
  readonly user: { readonly id: string; readonly number: number; readonly username: string; readonly role: string }
  readonly connections: number
}

export const presenceQueries = {
  /** each account once, in the order it entered */
  'room.presence': (db: DatabaseSync, { room, at = null }: { room: string; at?: At }): PresentRow[] => {
    const cut = inForce(at)
    return db
      .prepare(
        `select person, count(*) as connections from presence where room = ? and ${cut.sql}
         group by user order by min(from_position)`,
      )
      .all(room, ...cut.values)
      .map((found) => {
        const { person, connections } = found as { person: string; connections: number }
        return { user: JSON.parse(person), connections }
      })
  },
  'presence.open': (db: DatabaseSync, _args: Record<string, never>) =>
    db
      .prepare('select room, connection from presence where to_position is null order by from_position')
      .all() as unknown as {
      room: string
      connection: string
    }[],
  'online.open': (db: DatabaseSync, _args: Record<string, never>) =>
    db
      .prepare('select user, connection from online where to_position is null order by from_position')
      .all() as unknown as {
      user: string
      connection: string
    }[],
}
