// What lists of PLIC rooms need, over the tables of rooms, people and room-history.

import type { DatabaseSync } from 'node:sqlite'
import { EDITED_NOW, TEXT } from './room-history.ts'
import { type RoomRow, roomRow, SELECT_ROOM } from './rooms.ts'

export interface LastMessage {
  readonly id: number
  readonly text: string
  readonly author: string
  readonly at: number
}

export interface RoomOfParticipants extends RoomRow {
  /**
   * user ids of the members, in the order in which they came; of a room that other protocols show, too, then of whoever
   * has written there: its clients show the author of no message that is not among them
   */
  readonly participants: readonly string[]
  readonly owner: string | null
  readonly last: LastMessage | null
}

const MOST = 1_000

const isBridged = ({ aliases }: RoomRow): boolean => new Set(aliases.map((alias) => alias.split(':', 1)[0])).size > 1

const writersIn = (db: DatabaseSync, room: string): string[] =>
  db
    .prepare(`select author from messages where room = ? group by author order by min(id) limit ${MOST}`)
    .all(room)
    .map(({ author }) => author as string)

const withPeople = (db: DatabaseSync, room: RoomRow): RoomOfParticipants => {
  const members = db
    .prepare(
      `select user, role from members m where room = ? and to_position is null
       order by (select min(from_position) from members c where c.room = m.room and c.user = m.user), user`,
    )
    .all(room.id) as { user: string; role: string }[]
  const last = db
    .prepare(
      `select m.id, ${TEXT} as text, m.author, m.at from messages m ${EDITED_NOW}
       where m.room = ? and not exists (
         select 1 from removals d where d.room = m.room and d.id = m.id and d.to_position is null)
       order by m.id desc limit 1`,
    )
    .get(room.id)
  return {
    ...room,
    participants: [
      ...new Set([...members.map(({ user }) => user), ...(isBridged(room) ? writersIn(db, room.id) : [])]),
    ],
    owner: members.find(({ role }) => role === 'owner')?.user ?? null,
    last: (last as LastMessage | undefined) ?? null,
  }
}

export const plicRoomQueries = {
  /** with those who belong to them, newest activity first */
  'participants.rooms': (
    db: DatabaseSync,
    { user, dialect }: { user: string; dialect: string },
  ): RoomOfParticipants[] =>
    db
      .prepare(
        `${SELECT_ROOM} where to_position is null and mode <> 'archived' and aliases like ?
         and room in (select room from members where user = ? and to_position is null) limit ${MOST}`,
      )
      .all(`%"${dialect}:%`, user)
      .map(roomRow)
      .map((room) => withPeople(db, room))
      .sort((one, other) => (other.last?.at ?? other.openedAt) - (one.last?.at ?? one.openedAt)),
  'participants.room': (db: DatabaseSync, { id }: { id: string }): RoomOfParticipants | null => {
    const found = db.prepare(`${SELECT_ROOM} where room = ? and to_position is null and mode <> 'archived'`).get(id)
    return found ? withPeople(db, roomRow(found)) : null
  },
}
