import type { DatabaseSync } from 'node:sqlite'
import { type At, idOf, inForce, json, type ProjectedFact, type Projection, TEMPORAL, Temporal } from './projection.ts'

/** Accounts as they were, what dialects keep of them, their tokens (never the hashes), and who belonged to which room. */
export const people: Projection = {
  name: 'people',
  version: 4,
  tables: `
    create table users (
      user text not null, number integer not null, username text not null, role text not null, role_by text, guest integer not null,
      registered_at integer not null, ${TEMPORAL}
    );
    create index users_by_user on users (user, from_position);
    create index users_by_number on users (number);
    create table tokens (user text not null, token text not null, label text, ${TEMPORAL});
    create index tokens_by_user on tokens (user);
    create table profiles (user text not null, dialect text not null, fields text not null, ${TEMPORAL});
    create index profiles_by_user on profiles (user, dialect);
    create table members (room text not null, user text not null, role text not null, by text, ${TEMPORAL});
    create index members_by_room on members (room, user, from_position);
    create index members_by_user on members (user);`,
  prepare(db) {
    const columns = ['user', 'number', 'username', 'role', 'role_by', 'guest', 'registered_at']
    const users = new Temporal(db, 'users', columns, ['user'])
    const tokens = new Temporal(db, 'tokens', ['user', 'token', 'label'], ['user', 'token'])
    const profiles = new Temporal(db, 'profiles', ['user', 'dialect', 'fields'], ['user', 'dialect'])
    const profile = db.prepare('select fields from profiles where user = ? and dialect = ? and to_position is null')
    const members = new Temporal(db, 'members', ['room', 'user', 'role', 'by'], ['room', 'user'])
    const current = db.prepare(`select ${columns.join(', ')} from users where user = ? and to_position is null`)
    const change = (fact: ProjectedFact, changes: Record<string, string | null>) => {
      const user = idOf(fact.stream)
      const row = current.get(user) as Record<string, string> | undefined
      if (!row) return
      users.end(fact, user)
      users.begin(fact, { ...row, ...changes })
    }
    const setRole = (fact: ProjectedFact, role: string) => {
      const room = idOf(fact.stream)
      const { user, by } = fact.data
      members.end(fact, room, user)
      members.begin(fact, { room, user, role, by: json(by) })
    }
    return {
      UserRegistered: (fact) => {
        const { user, number, username, role, guest } = fact.data
        users.begin(fact, { user, number, username, role, guest: guest ? 1 : 0, registered_at: fact.metadata.at })
      },
      UserRenamed: (fact) => change(fact, { username: fact.data.username }),
      RoleGranted: (fact) => change(fact, { role: fact.data.role, role_by: json(fact.data.by) }),
      RoleRevoked: (fact) => change(fact, { role: 'member', role_by: json(fact.data.by) }),
      TokenIssued: (fact) => {
        const { token, label } = fact.data
        tokens.begin(fact, { user: idOf(fact.stream), token, label })
      },
      TokenRevoked: (fact) => tokens.end(fact, idOf(fact.stream), fact.data.token),
      ProfileSet: (fact) => {
        const user = idOf(fact.stream)
        const { dialect, fields } = fact.data
        const before = profile.get(user, dialect) as { fields: string } | undefined
        profiles.end(fact, user, dialect)
        profiles.begin(fact, {
          user,
          dialect,
          fields: json({ ...(before ? JSON.parse(before.fields) : {}), ...fields }),
        })
      },
      MemberAdded: (fact) => setRole(fact, fact.data.role),
      MemberRoleGranted: (fact) => setRole(fact, fact.data.role),
      MemberRoleRevoked: (fact) => setRole(fact, 'member'),
      MemberRemoved: (fact) => members.end(fact, idOf(fact.stream), fact.data.user),
    }
  },
}

export interface UserRow {
  readonly id: string
  readonly number: number
  readonly username: string
  readonly role: 'admin' | 'member' | 'robot'
  readonly guest: boolean
  readonly registeredAt: number
  /** since when it is as it is: name and role */
  readonly changedAt: number
}

export interface MemberRow {
  readonly user: { readonly id: string; readonly number: number; readonly username: string }
  readonly role: 'owner' | 'mod' | 'member'
  readonly online: boolean
}

export interface JoinedRow {
  readonly number: number
  readonly username: string
  readonly role: MemberRow['role']
  /** ms since 1970 */
  readonly joinedAt: number
}

export interface TokenRow {
  readonly id: string
  readonly label: string | null
  readonly issuedAt: number
  readonly revokedAt: number | null
}

export interface RoleRow {
  /** null: the role of the account itself */
  readonly room: string | null
  readonly role: UserRow['role'] | MemberRow['role']
  readonly by: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly position: number
  readonly from: number
  readonly to: number | null
}

interface RolesArgs {
  readonly user: string
  readonly at?: At
  /** begun before this position */
  readonly before?: number
  readonly limit: number
}

const SELECT =
  'select user as id, number, username, role, guest, registered_at as registeredAt, from_at as changedAt from users'

const userRow = (found: unknown): UserRow => {
  const row = found as Omit<UserRow, 'guest'> & { guest: number }
  return { ...row, guest: row.guest === 1 }
}

export const peopleQueries = {
  'users.get': (db: DatabaseSync, { id, at = null }: { id: string; at?: At }): UserRow | null => {
    const cut = inForce(at)
    const found = db.prepare(`${SELECT} where user = ? and ${cut.sql}`).get(id, ...cut.values)
    return found ? userRow(found) : null
  },
  /** in the order of their numbers, after `after` */
  'users.list': (
    db: DatabaseSync,
    { after = 0, limit, role, at = null }: { after?: number; limit: number; role?: string; at?: At },
  ): UserRow[] => {
    const cut = inForce(at)
    const ofRole = role === undefined ? '' : 'and role = ?'
    return db
      .prepare(`${SELECT} where number > ? and ${cut.sql} ${ofRole} order by number limit ?`)
      .all(after, ...cut.values, ...(role === undefined ? [] : [role]), limit)
      .map(userRow)
  },
  /** in the order in which they were issued, revoked ones too; as of then: those issued by then, as they were */
  'users.tokens': (db: DatabaseSync, { user, at = null }: { user: string; at?: At }): TokenRow[] => {
    const [kind, moment] = at === null ? ['at', null] : 'position' in at ? ['position', at.position] : ['at', at.time]
    return db
      .prepare(
        `select token as id, label, from_at as issuedAt, iif(?1 is null or to_${kind} <= ?1, to_at, null) as revokedAt
         from tokens where user = ?2 and (?1 is null or from_${kind} <= ?1) order by from_position`,
      )
      .all(moment, user) as unknown as TokenRow[]
  },
  /** roles of an account, its own and in rooms, that were ever held, the latest first; as of then: as they were */
  'users.roles': (
    db: DatabaseSync,
    { user, at = null, before = Number.MAX_SAFE_INTEGER, limit }: RolesArgs,
  ): RoleRow[] => {
    const [kind, moment] =
      at === null ? ['at', Number.MAX_SAFE_INTEGER] : 'position' in at ? ['position', at.position] : ['at', at.time]
    const isOver = `coalesce(to_${kind} <= ?4, false)`
    // A row of `users` ends with a change of the name, too: the role is held from its first row to its last.
    const rows = db
      .prepare(
        `with own as (
           select *, sum(new) over (order by from_position) as held from (
             select *, role is not lag(role) over (order by from_position) as new from users
             where user = ?1 and from_${kind} <= ?4)),
         held as (
           select null as room, role, max(iif(new, role_by, null)) as by, min(from_position) as from_position, min(from_at) as from_at,
             iif(min(${isOver}), max(to_at), null) as to_at
           from own group by held
           union all
           select room, role, by, from_position, from_at, iif(${isOver}, to_at, null) from members
           where user = ?1 and from_${kind} <= ?4)
         select room, role, by, from_position as position, from_at as "from", to_at as "to" from held
         where from_position < ?2 order by from_position desc limit ?3`,
      )
      .all(user, before, limit, moment as number)
    return rows.map((found) => {
      const row = found as { by: string | null }
      return { ...row, by: row.by === null ? null : JSON.parse(row.by) } as unknown as RoleRow
    })
  },
  /** what a dialect keeps of an account, and since when as it is; null: nothing */
  'users.profile': (
    db: DatabaseSync,
    { id, dialect, at = null }: { id: string; dialect: string; at?: At },
  ): { fields: Readonly<Record<string, unknown>>; since: number } | null => {
    const cut = inForce(at)
    const found = db
      .prepare(`select fields, from_at as since from profiles where user = ? and dialect = ? and ${cut.sql}`)
      .get(id, dialect, ...cut.values) as { fields: string; since: number } | undefined
    return found ? { fields: JSON.parse(found.fields), since: found.since } : null
  },
  /** since when the account has belonged to the room, or had when it belonged last */
  'member.since': (db: DatabaseSync, { room, user }: { room: string; user: string }): number | null => {
    const sql = 'select from_at as since from members where room = ? and user = ? order by from_position desc limit 1'
    return (db.prepare(sql).get(room, user) as { since: number } | undefined)?.since ?? null
  },
  /** with the time since which each is a member without a break, in the order of their numbers, after `after` */
  'room.members.joined': (
    db: DatabaseSync,
    { room, after = 0, limit, user }: { room: string; after?: number; limit: number; user?: string },
  ): JoinedRow[] =>
    db
      .prepare(
        `select u.number, u.username, m.role,
           (select max(first.from_at) from members first
             where first.room = m.room and first.user = m.user and first.from_position <= m.from_position
               and not exists (select 1 from members before where before.room = m.room and before.user = m.user
                 and before.to_position = first.from_position)) as joinedAt
         from members m join users u on u.user = m.user and u.to_position is null
         where m.room = ? and m.to_position is null and u.number > ? ${user === undefined ? '' : 'and m.user = ?'}
         order by u.number limit ?`,
      )
      .all(room, after, ...(user === undefined ? [] : [user]), limit) as unknown as JoinedRow[],
  /** in the order of their numbers, after `after`; online: present in the room on some connection */
  'room.members': (
    db: DatabaseSync,
    { room, after = 0, limit, at = null }: { room: string; after?: number; limit: number; at?: At },
  ): MemberRow[] => {
    const [member, user, present] = [inForce(at, 'm'), inForce(at, 'u'), inForce(at, 'p')]
    return db
      .prepare(
        `select u.user as id, u.number, u.username, m.role,
           exists (select 1 from presence p where p.room = m.room and p.user = m.user and ${present.sql}) as online
         from members m join users u on u.user = m.user and ${user.sql}
         where m.room = ? and u.number > ? and ${member.sql} order by u.number limit ?`,
      )
      .all(...present.values, ...user.values, room, after, ...member.values, limit)
      .map((found) => {
        const { id, number, username, role, online } = found as unknown as MemberRow['user'] & {
          role: MemberRow['role']
          online: number
        }
        return { user: { id, number, username }, role, online: online === 1 }
      })
  },
}
