// What lists of topics and of their members need, over the tables of rooms, people, presence and room-history.

import type { DatabaseSync } from 'node:sqlite'
import { notedOwner } from '../actors/room/room.facts.ts'
import { EDITED_NOW, TEXT } from './room-history.ts'
import { type RoomRow, roomRow, SELECT_ROOM } from './rooms.ts'

interface Named {
  readonly number: number
  readonly username: string
}

export interface TopicRow extends RoomRow {
  readonly owner: Named | null
  /** belongs to it, or to the space it is in */
  readonly subscribed: boolean
  /** the last message that is not a robot's */
  readonly last: { readonly id: number; readonly text: string; readonly at: number; readonly owner: Named } | null
}

/** A space may hold more; nobody reads through so many. */
const MOST = 10_000

/** Whoever is a member as owner, else whom the dialect noted as the owner beside the name. */
const ownerOf = (db: DatabaseSync, { id, extra }: RoomRow, dialect: string): Named | null => {
  const found = db
    .prepare(
      `select u.number, u.username from users u where u.to_position is null and u.user = coalesce(
         (select m.user from members m where m.room = ? and m.role = 'owner' and m.to_position is null
          order by m.from_position limit 1), ?)`,
    )
    .get(id, notedOwner(extra, dialect))
  return (found as Named | undefined) ?? null
}

const lastOf = (db: DatabaseSync, room: string): TopicRow['last'] => {
  const found = db
    .prepare(
      `select m.id, ${TEXT} as text, m.at, m.author_number as number, m.author_name as username
       from messages m ${EDITED_NOW}
       where m.room = ? and m.author_role <> 'robot'
         and not exists (select 1 from removals d where d.room = m.room and d.id = m.id and d.to_position is null)
       order by m.id desc limit 1`,
    )
    .get(room) as ({ id: number; text: string; at: number } & Named) | undefined
  return found
    ? { id: found.id, text: found.text, at: found.at, owner: { number: found.number, username: found.username } }
    : null
}

export const topicQueries = {
  /** spaces that the dialect shows, with their owners, by number */
  'spaces.shown': (db: DatabaseSync, { dialect }: { dialect: string }): (RoomRow & { owner: Named | null })[] =>
    db
      .prepare(
        `${SELECT_ROOM} where kind = 'space' and to_position is null and mode <> 'archived' and aliases like ?
         order by number limit ${MOST}`,
      )
      .all(`%"${dialect}:%`)
      .map(roomRow)
      .map((space) => ({ ...space, owner: ownerOf(db, space, dialect) })),
  /** rooms of this space that the dialect shows, as this user sees them, by number */
  'topics.of': (
    db: DatabaseSync,
    { space, dialect, user }: { space: string; dialect: string; user: string },
  ): TopicRow[] => {
    const belongs = db.prepare(
      'select 1 from members where room in (?, ?) and user = ? and to_position is null limit 1',
    )
    return db
      .prepare(
        `${SELECT_ROOM} where parent = ? and kind = 'room' and to_position is null and mode <> 'archived'
           and aliases like ? order by number limit ${MOST}`,
      )
      .all(space, `%"${dialect}:%`)
      .map(roomRow)
      .map((topic) => ({
        ...topic,
        owner: ownerOf(db, topic, dialect),
        subscribed: belongs.get(topic.id, space, user) !== undefined,
        last: lastOf(db, topic.id),
      }))
  },
  /** with the account's role and when its last connection ended; null: none ever did */
  'topic.members': (db: DatabaseSync, { room }: { room: string }) =>
    db
      .prepare(
        `select u.number, u.username, u.role,
           (select max(o.to_at) from online o where o.user = u.user) as lastSeen
         from members m join users u on u.user = m.user and u.to_position is null
         where m.room = ? and m.to_position is null order by u.number limit ${MOST}`,
      )
      .all(room) as unknown as (Named & { role: 'admin' | 'member' | 'robot'; lastSeen: number | null })[],
  /** messages from this id on, those of robots and removed ones left out */
  'topic.count': (db: DatabaseSync, { room, from }: { room: string; from: number }): number =>
    (
      db
        .prepare(
          `select count(*) as count from messages m where m.room = ? and m.id >= ? and m.author_role <> 'robot'
             and not exists (select 1 from removals d where d.room = m.room and d.id = m.id and d.to_position is null)`,
        )
        .get(room, from) as { count: number }
    ).count,
  /** the room that the dialect shows with this message in it */
  'message.room': (db: DatabaseSync, { id, dialect }: { id: number; dialect: string }): string | null => {
    // Rooms first: messages are found by room and id.
    const sql = `select r.room from rooms r cross join messages m on m.room = r.room and m.id = ?
       where r.to_position is null and r.aliases like ? limit 1`
    return (db.prepare(sql).get(id, `%"${dialect}:%`) as { room: string } | undefined)?.room ?? null
  },
}
