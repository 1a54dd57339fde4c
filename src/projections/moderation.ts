import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Forgettable } from '../actors/retention.ts'
import type { Rule } from '../actors/rules.ts'
import { type At, cameBy, idOf, inForce, type ProjectedFact, type Projection } from './projection.ts'

/** Commands that only staff puts; refused for whatever reason, the try belongs to the record of what staff did. */
const STAFF_COMMANDS: ReadonlySet<string> = new Set([
  'mute.set',
  'mute.lift',
  'member.kick',
  'member.ban',
  'member.unban',
  'member.promote',
  'member.demote',
  'message.restore',
  'removed.read',
  'rules.set',
  'room.change',
  'room.archive',
  'user.ban',
  'user.unban',
  'user.kick',
  'role.set',
])

/** Every act of staff, the end of what it set, and every refused try at one. What people do to themselves is none. */
export const moderation: Projection = {
  name: 'moderation',
  version: 5,
  tables: `
    create table moderation (
      position integer primary key, at integer not null, act text not null, room text, target text, name text, actor text,
      reason text, detail text not null
    );
    create index moderation_by_room on moderation (room, position);
    create index moderation_by_target on moderation (target, position);
    create index moderation_by_actor on moderation (actor, position);
    create index moderation_by_act on moderation (act, position);
    create index moderation_by_connection on moderation (json_extract(detail, '$.connection')) where act = 'CommandRefused';`,
  prepare(db) {
    const insert = db.prepare('insert into moderation values (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    interface About {
      readonly room?: string
      readonly target?: string | null
      /** folded, where a name was muted that may have no account */
      readonly name?: string
      readonly actor?: string | null
    }
    const note = (fact: ProjectedFact, { room, target, name, actor }: About, about: object) =>
      insert.run(
        fact.position,
        fact.metadata.at,
        fact.type,
        room ?? null,
        target ?? null,
        name ?? null,
        actor ?? null,
        fact.data.reason ?? null,
        JSON.stringify(about),
      )
    const act = (fact: ProjectedFact, about: About) => {
      const { by = null, reason: _reason, ...detail } = fact.data
      const actor = by?.id ?? null
      // Whoever leaves a room, comes into it with an imported log or takes back an own message does nobody anything.
      const who = actor ?? fact.metadata.by
      if (who === null || who !== about.target) note(fact, { ...about, actor }, detail)
    }
    const inRoom =
      (target: (data: ProjectedFact['data']) => string | null = () => null) =>
      (fact: ProjectedFact) =>
        act(fact, { room: idOf(fact.stream), target: target(fact.data) })
    const ofUser = inRoom(({ user }) => user)
    const ofAuthor = inRoom(({ author }) => author)
    const everywhere = (fact: ProjectedFact) => act(fact, { target: idOf(fact.stream) })
    // The table of the projection of sanctions, which has folded the same fact before.
    const muted = db.prepare('select user from mutes where room = ? and holds = ? order by from_position desc limit 1')
    const ofName = (fact: ProjectedFact) => {
      const { name, holds } = fact.data
      const room = idOf(fact.stream)
      const { user = null } = (muted.get(room, holds) ?? {}) as { user?: string | null }
      act(fact, { room, target: user, name })
    }
    const remember = db.prepare(
      "insert or replace into moderation values (?, ?, 'CommandRefused', ?, null, null, ?, null, ?)",
    )
    return {
      UserMuted: ofName,
      UserUnmuted: ofName,
      MuteExpired: ofName,
      MemberKicked: ofUser,
      MemberBanned: ofUser,
      MemberBanLifted: ofUser,
      MemberBanExpired: ofUser,
      MemberAdded: ofUser,
      MemberRoleGranted: ofUser,
      MemberRoleRevoked: ofUser,
      MemberRemoved: ofUser,
      MessageRemoved: ofAuthor,
      MessageRestored: ofAuthor,
      InviteCreated: inRoom(),
      RemovedTextRead: inRoom(),
      RoomRulesSet: inRoom(),
      RoomArchived: inRoom(),
      RoomChanged: (fact) =>
        note(fact, { room: idOf(fact.stream), actor: fact.metadata.by }, { ...fact.data, extra: undefined }),
      RulesSet: (fact) => note(fact, { actor: fact.metadata.by }, fact.data),
      UserBanned: everywhere,
      BanLifted: everywhere,
      BanExpired: everywhere,
      UserKicked: everywhere,
      RoleGranted: everywhere,
      RoleRevoked: everywhere,
      // The rows of refused acts outlive their connections: they are these, whether their facts are still there or not.
      ConnectionsRemembered: (fact) => {
        for (const { position, at, room, actor, detail } of fact.data.acts)
          remember.run(position, at, room, actor, JSON.stringify(detail))
      },
      CommandRefused: (fact) => {
        const { command, code, at, guard, count } = fact.data
        if (code !== 'not-authorized' && !STAFF_COMMANDS.has(command)) return
        const room = at?.stream?.startsWith('room-') ? { room: idOf(at.stream) } : {}
        const connection = idOf(fact.stream)
        note(fact, { ...room, actor: fact.metadata.by }, { command, code, guard, count, connection })
      },
    }
  },
}

interface Who {
  readonly id: string | null
  readonly number: number | null
  readonly username: string | null
}

export interface ModerationRow {
  readonly position: number
  readonly at: number
  /** the fact's type */
  readonly act: string
  readonly room: string | null
  /** with the name of that moment; a muted name without an account has neither id nor number */
  readonly target: Who | null
  /** null: the server itself, e.g. at the end of a mute's time */
  readonly by: Who | null
  readonly reason: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

export interface ModerationArgs {
  readonly room?: string
  /** user id, and the folded name under which the account may have been muted */
  readonly target?: { readonly id: string | null; readonly name: string }
  readonly actor?: string
  /** types of facts */
  readonly kinds?: readonly string[]
  /** a position, exclusive */
  readonly before?: number
  readonly at?: At
  readonly limit: number
}

const who = (id: unknown, number: unknown, username: unknown): Who | null =>
  id === null && username === null ? null : ({ id, number, username } as Who)

/** What the moderation log has of these connections. */
export const refusedOn = (db: DatabaseSync, connections: readonly string[]): Forgettable['acts'] =>
  db
    .prepare(
      `select position, at, room, actor, detail from moderation
       where act = 'CommandRefused' and json_extract(detail, '$.connection') in (select value from json_each(?))
       order by position`,
    )
    .all(JSON.stringify(connections))
    .map((row) => ({ ...row, detail: JSON.parse(row.detail as string) })) as Forgettable['acts']

export const moderationQueries = {
  /** the blocking rules of a room, or of all (null), that were in force then; null: none were ever set */
  'rules.at': (
    db: DatabaseSync,
    { room, at }: { room: string | null; at: At },
  ): { version: number; rules: readonly Rule[] } | null => {
    const [cut, moment] =
      at === null ? ['', []] : 'position' in at ? ['and position <= ?', [at.position]] : ['and at <= ?', [at.time]]
    const found = db
      .prepare(`select detail from moderation where act = ? and room is ? ${cut} order by position desc limit 1`)
      .get(room === null ? 'RulesSet' : 'RoomRulesSet', room, ...moment) as { detail: string } | undefined
    return found ? JSON.parse(found.detail) : null
  },
  /** newest first, before position `before` */
  'moderation.list': (db: DatabaseSync, args: ModerationArgs): ModerationRow[] => {
    const { room, target, actor, kinds, before, at = null, limit } = args
    const where: string[] = ['true']
    const values: SQLInputValue[] = []
    const need = (sql: string, ...more: SQLInputValue[]) => {
      where.push(sql)
      values.push(...more)
    }
    if (room !== undefined) need('m.room = ?', room)
    if (target !== undefined) need('(m.target = ? or (m.target is null and m.name = ?))', target.id, target.name)
    if (actor !== undefined) need('m.actor = ?', actor)
    if (kinds !== undefined) need(`m.act in (${kinds.map(() => '?').join(', ')})`, ...kinds)
    if (before !== undefined) need('m.position < ?', before)
    const [act, targeted, acting] = [cameBy(at, 'm'), inForce(at, 't'), inForce(at, 'a')]
    need(act.sql, ...act.values)
    return db
      .prepare(
        `select m.position, m.at, m.act, m.room, m.reason, m.detail, m.target, m.name, m.actor,
           t.number as targetNumber, t.username as targetName, a.number as actorNumber, a.username as actorName
         from moderation m
         left join users t on t.user = m.target and ${targeted.sql}
         left join users a on a.user = m.actor and ${acting.sql}
         where ${where.join(' and ')} order by m.position desc limit ?`,
      )
      .all(...targeted.values, ...acting.values, ...values, limit)
      .map((found) => {
        const { position, at: when, act, room: where, reason, detail, ...row } = found as Record<string, SQLInputValue>
        return {
          position,
          at: when,
          act,
          room: where,
          target: who(row.target, row.targetNumber, row.targetName ?? row.name),
          by: row.actor === 'system' ? null : who(row.actor, row.actorNumber, row.actorName),
          reason,
          detail: JSON.parse(detail as string),
        } as unknown as ModerationRow
      })
  },
}
