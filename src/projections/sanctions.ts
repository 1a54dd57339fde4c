import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, json, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** The mute list of each room; bans from rooms and from everywhere (`room` empty). */
export const sanctions: Projection = {
  name: 'sanctions',
  version: 1,
  tables: `
    create table mutes (
      room text not null, name text not null, user text, by text, reason text, until integer, seconds integer, ${TEMPORAL}
    );
    create index mutes_by_room on mutes (room, name, from_position);
    create table bans (room text not null, user text not null, by text, reason text, until integer, ${TEMPORAL});
    create index bans_by_room on bans (room, user, from_position);
    create index bans_by_user on bans (user, from_position);`,
  prepare(db) {
    const mutes = new Temporal(
      db,
      'mutes',
      ['room', 'name', 'user', 'by', 'reason', 'until', 'seconds'],
      ['room', 'name'],
    )
    const bans = new Temporal(db, 'bans', ['room', 'user', 'by', 'reason', 'until'], ['room', 'user'])
    return {
      UserMuted: (fact) => {
        const room = idOf(fact.stream)
        const { name, user, by, reason, until, seconds } = fact.data
        mutes.end(fact, room, name)
        mutes.begin(fact, { room, name, user, by: json(by), reason, until, seconds })
      },
      UserUnmuted: (fact) => mutes.end(fact, idOf(fact.stream), fact.data.name),
      MuteExpired: (fact) => mutes.end(fact, idOf(fact.stream), fact.data.name),
      MemberBanned: (fact) => {
        const room = idOf(fact.stream)
        const { user, by, reason, until } = fact.data
        bans.end(fact, room, user)
        bans.begin(fact, { room, user, by: json(by), reason, until })
      },
      MemberBanLifted: (fact) => bans.end(fact, idOf(fact.stream), fact.data.user),
      MemberBanExpired: (fact) => bans.end(fact, idOf(fact.stream), fact.data.user),
      UserBanned: (fact) => {
        const user = idOf(fact.stream)
        const { by, reason, until } = fact.data
        bans.end(fact, '', user)
        bans.begin(fact, { room: '', user, by: json(by), reason, until })
      },
      BanLifted: (fact) => bans.end(fact, '', idOf(fact.stream)),
      BanExpired: (fact) => bans.end(fact, '', idOf(fact.stream)),
    }
  },
}

export interface MuteRow {
  readonly name: string
  readonly user: string | null
  readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly reason: string | null
  readonly from: number
  readonly until: number | null
  readonly seconds: number | null
}

export interface BanRow extends Omit<MuteRow, 'name' | 'user' | 'seconds'> {
  readonly user: string
}

const parsed = <Row>(found: unknown): Row => {
  const row = found as { by: string | null }
  return { ...row, by: row.by === null ? null : JSON.parse(row.by) } as Row
}

export const sanctionQueries = {
  /** in the order of names, after `after`; or that of one `name` */
  'room.mutes': (
    db: DatabaseSync,
    {
      room,
      name,
      after = '',
      limit,
      at = null,
    }: { room: string; name?: string; after?: string; limit: number; at?: At },
  ): MuteRow[] => {
    const cut = inForce(at)
    return db
      .prepare(
        `select name, user, by, reason, from_at as "from", until, seconds from mutes
         where room = ? and name > ? and name = coalesce(?, name) and ${cut.sql} order by name limit ?`,
      )
      .all(room, after, name ?? null, ...cut.values, limit)
      .map((row) => parsed<MuteRow>(row))
  },
  /** bans from one room, or from everywhere with room ''; or that of one `user` */
  'room.bans': (
    db: DatabaseSync,
    {
      room,
      user,
      after = '',
      limit,
      at = null,
    }: { room: string; user?: string; after?: string; limit: number; at?: At },
  ): BanRow[] => {
    const cut = inForce(at)
    return db
      .prepare(
        `select user, by, reason, from_at as "from", until from bans
         where room = ? and user > ? and user = coalesce(?, user) and ${cut.sql} order by user limit ?`,
      )
      .all(room, after, user ?? null, ...cut.values, limit)
      .map((row) => parsed<BanRow>(row))
  },
  /** the ban of one account from everywhere */
  'user.bans': (db: DatabaseSync, { user, at = null }: { user: string; at?: At }): BanRow[] => {
    const cut = inForce(at)
    return db
      .prepare(
        `select user, by, reason, from_at as "from", until from bans where room = '' and user = ? and ${cut.sql}`,
      )
      .all(user, ...cut.values)
      .map((row) => parsed<BanRow>(row))
  },
}
