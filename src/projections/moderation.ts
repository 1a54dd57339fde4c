import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { idOf, json, type ProjectedFact, type Projection } from './projection.ts'

/** Every moderator's act, and every refused try at one. */
export const moderation: Projection = {
  name: 'moderation',
  version: 1,
  tables: `
    create table moderation (
      position integer primary key, at integer not null, act text not null, room text, target text, by text, reason text, detail text not null
    );
    create index moderation_by_room on moderation (room, position);
    create index moderation_by_target on moderation (target, position);`,
  prepare(db) {
    const insert = db.prepare('insert into moderation values (?, ?, ?, ?, ?, ?, ?, ?)')
    const note = (fact: ProjectedFact, room: string | null, target: string | null) => {
      const { by = null, reason = null, ...detail } = fact.data
      insert.run(fact.position, fact.metadata.at, fact.type, room, target, json(by), reason, JSON.stringify(detail))
    }
    const inRoom = (target: (data: ProjectedFact['data']) => string | null) => (fact: ProjectedFact) =>
      note(fact, idOf(fact.stream), target(fact.data))
    const everywhere = (fact: ProjectedFact) => note(fact, null, idOf(fact.stream))
    const ofUser = inRoom(({ user }) => user)
    return {
      UserMuted: inRoom(({ user, name }) => user ?? name),
      UserUnmuted: inRoom(({ name }) => name),
      MuteExpired: inRoom(({ name }) => name),
      MemberKicked: ofUser,
      MemberBanned: ofUser,
      MemberBanLifted: ofUser,
      MemberBanExpired: ofUser,
      MemberRoleGranted: ofUser,
      MemberRoleRevoked: ofUser,
      MemberRemoved: ofUser,
      MessageRemoved: inRoom(({ author }) => author),
      MessageRestored: inRoom(({ author }) => author),
      RoomArchived: inRoom(() => null),
      RoomChanged: inRoom(() => null),
      UserBanned: everywhere,
      BanLifted: everywhere,
      BanExpired: everywhere,
      UserKicked: everywhere,
      RoleGranted: everywhere,
      RoleRevoked: everywhere,
      CommandRefused: (fact) => {
        const { command, code, decidedAt } = fact.data
        if (code !== 'not-authorized') return
        const room = decidedAt?.stream?.startsWith('room-') ? idOf(decidedAt.stream) : null
        insert.run(
          fact.position,
          fact.metadata.at,
          'CommandRefused',
          room,
          null,
          json(fact.metadata.by),
          null,
          JSON.stringify({ command, code, connection: idOf(fact.stream) }),
        )
      },
    }
  },
}

export interface ModerationRow {
  readonly position: number
  readonly at: number
  readonly act: string
  readonly room: string | null
  readonly target: string | null
  readonly by: unknown
  readonly reason: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

export const moderationQueries = {
  /** newest first, before position `before` */
  'moderation.list': (
    db: DatabaseSync,
    {
      room,
      target,
      before,
      upTo,
      limit,
    }: { room?: string; target?: string; before?: number; upTo?: number; limit: number },
  ): ModerationRow[] => {
    const where: string[] = ['position < ?', 'position <= ?']
    const values: SQLInputValue[] = [before ?? Number.MAX_SAFE_INTEGER, upTo ?? Number.MAX_SAFE_INTEGER]
    if (room !== undefined) where.push('room = ?') && values.push(room)
    if (target !== undefined) where.push('target = ?') && values.push(target)
    return db
      .prepare(`select * from moderation where ${where.join(' and ')} order by position desc limit ?`)
      .all(...values, limit)
      .map((found) => {
        const row = found as Record<string, string | null>
        return {
          ...row,
          by: row.by === null ? null : JSON.parse(row.by as string),
          detail: JSON.parse(row.detail as string),
        }
      }) as unknown as ModerationRow[]
  },
}
