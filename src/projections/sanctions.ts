import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, json, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** The mute list of each room; bans from rooms and from everywhere (`room` empty). */
export const sanctions: Projection = {
  name: 'sanctions',
  version: 1,
  tables: `
    create table mutes (
      room text not null, holds text not null, name text not null, user text, by text, reason text, until integer, seconds integer, ${TEMPORAL}
    );
    create index mutes_by_room on mutes (room, holds, from_position);
    create table bans (room text not null, user text not null, by text, reason text, until integer, ${TEMPORAL});
    create index bans_by_room on bans (room, user, from_position);
    create index bans_by_user on bans (user, from_position);`,
  prepare(db) {
    const mutes = new Temporal(
      db,
      'mutes',
      ['room', 'holds', 'name', 'user', 'by', 'reason', 'until', 'seconds'],
      ['room', 'holds'],
    )
    const bans = new Temporal(db, 'bans', ['room', 'user', 'by', 'reason', 'until'], ['room', 'user'])
    return {
      UserMuted: (fact) => {
        const room = idOf(fact.stream)
        const { holds, name, user, by, reason, until, seconds } = fact.data
        mutes.end(fact, room, name)
        mutes.end(fact, room, holds)
        mutes.begin(fact, { room, holds, name, user, by: json(by), reason, until, seconds })
      },
      UserUnmuted: (fact) => mutes.end(fact, idOf(fact.stream), fact.data.holds),
      MuteExpired: (fact) => mutes.end(fact, idOf(fact.stream), fact.data.holds),
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
  readonly holds: string
  readonly name: string
  readonly user: string | null
  readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly reason: string | null
  readonly from: number
  readonly until: number | null
  readonly seconds: number | null
}

/** Two accounts may be muted under a name that went from one to the other. */
export const muteCursor = ({ name, holds }: MuteRow): string => `${name}\n${holds}`
const MUTE_CURSOR = 'name || char(10) || holds'

export interface BanRow extends Omit<MuteRow, 'holds' | 'name' | 'user' | 'seconds'> {
  readonly user: string
}

const parsed = <Row>(found: unknown): Row => {
  const row = found as { by: string | null }
  return { ...row, by: row.by === null ? null : JSON.parse(row.by) } as Row
}

export const sanctionQueries = {
  /** in the order of names, after `after`, which is a `muteCursor`; or the one that `holds` an account or a name */
  'room.mutes': (
    db: DatabaseSync,
    {
      room,
      holds,
      after = '',
      limit,
      at = null,
    }: { room: string; holds?: string; after?: string; limit: number; at?: At },
  ): MuteRow[] => {
    const cut = inForce(at)
    return db
      .prepare(
        `select holds, name, user, by, reason, from_at as "from", until, seconds from mutes
         where room = ? and ${MUTE_CURSOR} > ? and holds = coalesce(?, holds) and ${cut.sql}
         order by ${MUTE_CURSOR} limit ?`,
      )
      .all(room, after, holds ?? null, ...cut.values, limit)
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
