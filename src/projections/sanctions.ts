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

type Person = { readonly id: string; readonly number: number; readonly username: string }

interface Sanctioned {
  readonly by: Person | null
  readonly reason: string | null
  readonly from: number
  readonly until: number | null
}

export interface MuteRow extends Sanctioned {
  /** the account, or the name that was nobody's */
  readonly holds: string
  readonly name: string
  /** the account that had the name */
  readonly user: string | null
  readonly number: number | null
  readonly seconds: number | null
}

export interface BanRow extends Sanctioned {
  readonly user: Person
}

/** Two accounts may be muted under a name that went from one to the other. */
export const muteCursor = ({ name, holds }: MuteRow): string => `${name}\n${holds}`
const MUTE_CURSOR = 'm.name || char(10) || m.holds'

const by = (found: unknown): Person | null => JSON.parse((found as { by: string | null }).by ?? 'null')

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
    const [cut, named] = [inForce(at, 'm'), inForce(at, 'u')]
    return db
      .prepare(
        `select m.holds, m.name, m.user, u.number, m.by, m.reason, m.from_at as "from", m.until, m.seconds from mutes m
         left join users u on u.user = m.user and ${named.sql}
         where m.room = ? and ${MUTE_CURSOR} > ? and m.holds = coalesce(?, m.holds) and ${cut.sql}
         order by ${MUTE_CURSOR} limit ?`,
      )
      .all(...named.values, room, after, holds ?? null, ...cut.values, limit)
      .map((found) => ({ ...found, by: by(found) }) as unknown as MuteRow)
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
    const [cut, named] = [inForce(at, 'b'), inForce(at, 'u')]
    return db
      .prepare(
        `select u.user as id, u.number, u.username, b.by, b.reason, b.from_at as "from", b.until from bans b
         join users u on u.user = b.user and ${named.sql}
         where b.room = ? and b.user > ? and b.user = coalesce(?, b.user) and ${cut.sql} order by b.user limit ?`,
      )
      .all(...named.values, room, after, user ?? null, ...cut.values, limit)
      .map((found) => {
        const { id, number, username, ...ban } = found
        return { ...ban, by: by(found), user: { id, number, username } } as unknown as BanRow
      })
  },
}
