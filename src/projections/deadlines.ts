import type { DatabaseSync } from 'node:sqlite'
import type { ProjectedFact, Projection } from './projection.ts'

/** Every timer that is armed by the log, of actors in memory or not: it wakes those that sleep (actors/deadlines.ts). */
export const deadlines: Projection = {
  name: 'deadlines',
  version: 1,
  tables: `
    create table deadlines (stream text not null, timer text not null, due integer not null, primary key (stream, timer)) without rowid;
    create index deadlines_by_due on deadlines (due);`,
  prepare(db) {
    const put = db.prepare('insert or replace into deadlines values (?, ?, ?)')
    const drop = db.prepare('delete from deadlines where stream = ? and timer = ?')
    const armed = (timer: (fact: ProjectedFact) => string) => (fact: ProjectedFact) => {
      if (fact.data.until === null) drop.run(fact.stream, timer(fact))
      else put.run(fact.stream, timer(fact), fact.data.until)
    }
    const ended = (timer: (fact: ProjectedFact) => string) => (fact: ProjectedFact) => {
      drop.run(fact.stream, timer(fact))
    }
    const mute = ({ data }: ProjectedFact) => `mute:${data.holds}`
    const roomBan = ({ data }: ProjectedFact) => `ban:${data.user}`
    const ban = () => 'ban'
    return {
      UserMuted: (fact) => {
        drop.run(fact.stream, `mute:${fact.data.name}`)
        armed(mute)(fact)
      },
      UserUnmuted: ended(mute),
      MuteExpired: ended(mute),
      MemberBanned: armed(roomBan),
      MemberBanLifted: ended(roomBan),
      MemberBanExpired: ended(roomBan),
      UserBanned: armed(ban),
      BanLifted: ended(ban),
      BanExpired: ended(ban),
    }
  },
}

export const deadlineQueries = {
  /** streams with a timer due before `before`, the soonest first */
  'deadlines.due': (db: DatabaseSync, { before, limit }: { before: number; limit: number }): string[] =>
    (
      db
        .prepare('select stream, min(due) as due from deadlines where due < ? group by stream order by due limit ?')
        .all(before, limit) as unknown as { stream: string }[]
    ).map(({ stream }) => stream),
}
