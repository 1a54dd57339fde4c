import type { DatabaseSync } from 'node:sqlite'
import { idOf, type ProjectedFact, type Projection } from './projection.ts'

const ROOM_AT = 'select from_position as place from rooms where room = ? order by from_position limit 1'

/**
 * What each connection was handed of each room: from which revision on it heard what is live there, how far its socket is
 * known to have taken that, and which histories it was answered with.
 *
 * A connection may follow fifty thousand rooms, so rows are small: connection and room are the positions of the facts
 * that they began with. `after`: it hears what is above this revision; `ended`: the position of RoomLeft or ConnectionClosed;
 * `late`: a Delivered that came after that, since what two streams say may stand in the log in another order than it happened.
 *
 * It stands before the projection of connections, which on ConnectionsForgotten drops the rows that are looked up here.
 */
export const handed: Projection = {
  name: 'handed',
  version: 3,
  tables: `
    create table stays (
      connection integer not null, room integer not null, position integer not null, after integer not null, ended integer,
      ended_at integer, late integer, primary key (connection, room, position)
    ) without rowid;
    create index stays_open on stays (room, after) where ended is null;
    create index stays_ended on stays (room, ended) where ended is not null;
    create index stays_late on stays (room, late) where late is not null;
    create table deliveries (
      connection integer not null, room integer not null, position integer not null, revision integer not null,
      at integer not null, primary key (connection, room, position)
    ) without rowid;
    create table histories (
      room integer not null, last_id integer not null, position integer not null, first_id integer not null,
      count integer not null, revision integer, connection integer not null, at integer not null,
      primary key (room, last_id, position)
    ) without rowid;
    create index histories_by_connection on histories (connection);
    create table unknown_before (one integer primary key check (one = 1), before integer not null);`,
  prepare(db) {
    const connectionAt = db.prepare('select opened_position as place from connections where id = ?')
    const roomAt = db.prepare(ROOM_AT)
    const placeOf = (found: unknown): number | null => (found as { place: number } | undefined)?.place ?? null
    const connectionOf = ({ stream }: ProjectedFact) => placeOf(connectionAt.get(idOf(stream)))
    const roomOf = (room: string) => placeOf(roomAt.get(room))
    const stay = db.prepare('insert into stays values (?, ?, ?, ?, null, null, null)')
    const leave = db.prepare(
      'update stays set ended = ?, ended_at = ? where connection = ? and room = ? and ended is null',
    )
    const close = db.prepare('update stays set ended = ?, ended_at = ? where connection = ? and ended is null')
    const deliverLate = db.prepare(
      `update stays set late = :revision where connection = :connection and room = :room and ended is not null
         and position = (select max(position) from stays where connection = :connection and room = :room)`,
    )
    const deliver = db.prepare('insert into deliveries values (?, ?, ?, ?, ?)')
    const show = db.prepare('insert into histories values (?, ?, ?, ?, ?, ?, ?, ?)')
    const forget = ['stays', 'deliveries', 'histories'].map((table) =>
      db.prepare(`delete from ${table} where connection = ?`),
    )
    const unknown = db.prepare(
      'insert into unknown_before values (1, ?) on conflict (one) do update set before = max(before, excluded.before)',
    )
    interface History {
      readonly count: number
      readonly firstId: number | null
      readonly lastId: number | null
      /** where the room stood, of one that was entered with it */
      readonly revision: number | null
    }
    const showed = (fact: ProjectedFact, connection: number, room: number, history: History) => {
      const { count, firstId, lastId, revision } = history
      if (lastId !== null) show.run(room, lastId, fact.position, firstId, count, revision, connection, fact.metadata.at)
    }
    return {
      RoomEntered: (fact) => {
        const { revision, history, resumedFrom = revision } = fact.data
        const [connection, room] = [connectionOf(fact), roomOf(fact.data.room)]
        if (connection === null || room === null) return
        stay.run(connection, room, fact.position, resumedFrom)
        showed(fact, connection, room, { ...history, revision })
      },
      RoomsFollowed: (fact) => {
        const connection = connectionOf(fact)
        if (connection === null) return
        for (const [id, revision] of Object.entries(fact.data.rooms)) {
          const room = roomOf(id)
          if (room !== null) stay.run(connection, room, fact.position, revision as number)
        }
      },
      HistoryRead: (fact) => {
        const [connection, room] = [connectionOf(fact), roomOf(fact.data.room)]
        if (connection !== null && room !== null) showed(fact, connection, room, { ...fact.data, revision: null })
      },
      Delivered: (fact) => {
        const connection = connectionOf(fact)
        if (connection === null) return
        for (const [id, revision] of Object.entries(fact.data.rooms)) {
          const room = roomOf(id)
          if (room === null) continue
          deliver.run(connection, room, fact.position, revision as number, fact.metadata.at)
          deliverLate.run({ connection, room, revision: revision as number })
        }
      },
      RoomLeft: (fact) => {
        const [connection, room] = [connectionOf(fact), roomOf(fact.data.room)]
        if (connection !== null && room !== null) leave.run(fact.position, fact.metadata.at, connection, room)
      },
      ConnectionClosed: (fact) => {
        const connection = connectionOf(fact)
        if (connection !== null) close.run(fact.position, fact.metadata.at, connection)
      },
      ConnectionsForgotten: (fact) => {
        for (const id of fact.data.ids) {
          const connection = placeOf(connectionAt.get(id))
          if (connection !== null) for (const deletion of forget) deletion.run(connection)
        }
        unknown.run(fact.data.before)
      },
    }
  },
}

/** Whom a dialect sends a posted message: everybody who hears the room but a connection, or an account. */
export interface Reach {
  readonly exceptConnection: string | null
  readonly exceptUser: string | null
}

export interface Witness {
  readonly connection: string
  readonly dialect: string
  readonly user: { readonly id: string; readonly number: number; readonly username: string } | null
  readonly how: 'live' | 'history'
  /**
   * of a maybe: still open; ended or left before it was noted; in an answer of which nothing is noted; or in one that may
   * have left it out
   */
  readonly why: 'open' | 'ended' | 'left' | 'answered' | 'removed-then' | null
  /** of the fact that tells: Delivered, or the history; of a maybe by being there: where it came to hear the room */
  readonly position: number
  /** ms since 1970; null: nothing tells when */
  readonly at: number | null
}

export interface HandedArgs {
  readonly room: string
  readonly id: number
  readonly revision: number
  readonly position: number
  /** ms since 1970 */
  readonly at: number
  /** dialect → whom it sends a posted message; one that is not named sends none */
  readonly reach: Readonly<Record<string, readonly Reach[]>>
}

export interface Handed {
  readonly sure: readonly Witness[]
  readonly maybe: readonly Witness[]
  /** were there, and their protocol sends them no frame of it: its author's */
  readonly untold: readonly Witness[]
  /** ms since 1970: connections that closed before are forgotten; null: none is */
  readonly unknownBefore: number | null
}

interface Found {
  readonly id: string
  readonly dialect: string
  readonly userId: string | null
  readonly number: number
  readonly username: string
  readonly position: number
}

interface StayRow extends Found {
  readonly ended: number | null
  readonly closed: number | null
  readonly cause: string | null
  readonly delivered: number | null
  readonly delivered_at: number | null
}

interface HistoryRow extends Found {
  readonly at: number
  readonly revision: number | null
  readonly closed: number | null
  readonly delivered: number | null
  readonly count: number
  readonly first_id: number
  readonly last_id: number
}

const WHOSE = `c.id, c.dialect, u.user as userId, u.number, u.username`
const JOINED = `join connections c on c.opened_position = e.connection
  left join users u on u.user = c.user and u.to_position is null`

/**
 * Whoever is put out still hears the room until that is acknowledged, and a log may acknowledge two streams in either order.
 * Where a connection closed the record says how long at most: its account went offline after the acknowledgement.
 */
const LINGER_MS = 1_000
/** of those who have gone last, as many are looked at */
const LINGERING = 500

/**
 * Who was there when the message was posted, or had just gone. A Delivered at or above its revision tells that the network
 * took it, unless a later stay began between: what that one was handed says nothing of this.
 */
const STAYED = `
  select ${WHOSE}, e.position, e.ended, c.closed_position as closed, c.cause, d.position as delivered, d.at as delivered_at
  from (
    select * from stays where room = :room and after < :revision and ended is null
    union all select * from stays where room = :room and after < :revision and ended > :position
    union all select * from stays where room = :room and after < :revision and ended <= :position and late >= :revision
    union all select * from (
      select * from stays where room = :room and ended <= :position order by ended desc limit ${LINGERING}
    ) gone where after < :revision and coalesce(late, -1) < :revision and (
      ended_at > :at - ${LINGER_MS}
      or exists (
        select 1 from connections c join online o on o.user = c.user and o.connection = c.id
        where c.opened_position = gone.connection and c.closed_position = gone.ended
          and (o.to_position is null or o.to_position > :position)))
  ) e ${JOINED}
  left join deliveries d on d.connection = e.connection and d.room = e.room and d.position = (
    select f.position from deliveries f
    where f.connection = e.connection and f.room = e.room and f.revision >= :revision and f.position > e.position
      and not exists (
        select 1 from stays n where n.connection = e.connection and n.room = e.room
          and n.position > e.position and n.position < f.position and n.after >= :revision and n.after < f.revision)
    order by f.position limit 1)`

/**
 * Whose history spans it. It is noted before it leaves; a Delivered at or above the revision that a room was entered at tells
 * that it did, and was taken. Of what was asked for later nothing tells that.
 */
const SHOWN = `
  select ${WHOSE}, e.position, e.at, e.count, e.first_id, e.last_id, e.revision, c.closed_position as closed, (
    select f.position from deliveries f
    where f.connection = e.connection and f.room = e.room and f.revision >= e.revision and f.position > e.position
    limit 1) as delivered
  from histories e ${JOINED} where e.room = :room and e.last_id >= :id and e.first_id <= :id`

export const handedTo = (db: DatabaseSync, { room, id, revision, position, at: said, reach }: HandedArgs): Handed => {
  const { before = null } = (db.prepare('select before from unknown_before').get() ?? {}) as { before?: number }
  const place = db.prepare(ROOM_AT).get(room) as { place: number } | undefined
  const sure = new Map<string, Witness>()
  const maybe = new Map<string, Witness>()
  const untold = new Map<string, Witness>()
  const note = (into: Map<string, Witness>, row: Found, seen: Pick<Witness, 'how' | 'why' | 'position' | 'at'>) => {
    const { id: connection, dialect, userId, number, username } = row
    const known = into.get(connection)
    if (known && known.position <= seen.position) return
    into.set(connection, {
      connection,
      dialect,
      user: userId === null ? null : { id: userId, number, username },
      ...seen,
    })
  }
  const bound = { room: place?.place ?? -1 }
  for (const found of db.prepare(STAYED).all({ ...bound, revision, position, at: said }) as unknown as StayRow[]) {
    const reached = reach[found.dialect]
    if (!reached) continue
    const hears = reached.some((one) => one.exceptConnection !== found.id && one.exceptUser !== (found.userId ?? ''))
    const { delivered, delivered_at: at, ended, closed, cause } = found
    // It hung up: there was nothing left to hand anything to.
    if (ended !== null && ended <= position && delivered === null && ended === closed && cause === 'client') continue
    const why = ended === null ? 'open' : ended === closed ? 'ended' : 'left'
    if (!hears) note(untold, found, { how: 'live', why: null, position: found.position, at: null })
    else if (delivered !== null) note(sure, found, { how: 'live', why: null, position: delivered, at })
    else note(maybe, found, { how: 'live', why, position: found.position, at: null })
  }
  const leftOut = leavesOut(db, room, id)
  for (const found of db.prepare(SHOWN).all({ ...bound, id }) as unknown as HistoryRow[]) {
    const verdict = leftOut(found)
    const { position: shown, at, revision: entered, delivered, closed } = found
    const seen = { how: 'history', position: shown, at } as const
    if (verdict === 'yes') continue
    if (verdict === 'maybe') note(maybe, found, { ...seen, why: 'removed-then' })
    else if (delivered !== null) note(sure, found, { ...seen, why: null })
    else note(maybe, found, { ...seen, why: entered === null ? 'answered' : closed === null ? 'open' : 'ended' })
  }
  const sorted = (some: Map<string, Witness>, unless: readonly Map<string, Witness>[] = []) =>
    [...some.values()]
      .filter(({ connection }) => !unless.some((better) => better.has(connection)))
      .sort((one, other) => one.position - other.position)
  return {
    sure: sorted(sure),
    maybe: sorted(maybe, [sure]),
    untold: sorted(untold, [sure, maybe]),
    unknownBefore: before,
  }
}

/**
 * Did a history that spans the message leave it out? A page has every message between its ends but those that were removed
 * then; whether what it has agrees with the record is counted, since a page is read a moment before it is noted.
 */
const leavesOut = (db: DatabaseSync, room: string, id: number) => {
  const removals = db
    .prepare('select from_position as since, to_position as until from removals where room = ? and id = ?')
    .all(room, id) as unknown as { since: number; until: number | null }[]
  const count = db.prepare('select count(*) as n from messages where room = ? and id between ? and ?')
  const hidden = db.prepare(
    `select count(*) as n from messages m join removals d on d.room = m.room and d.id = m.id
     where m.room = ? and m.id between ? and ? and d.from_position < ? and (d.to_position is null or d.to_position > ?)`,
  )
  return ({ first_id: first, last_id: last, count: shown, position }: HistoryRow): 'no' | 'yes' | 'maybe' => {
    if (!removals.some(({ since }) => since < position)) return 'no'
    const { n: all } = count.get(room, first, last) as { n: number }
    if (shown === all) return 'no'
    const { n: away } = hidden.get(room, first, last, position, position) as { n: number }
    if (shown !== all - away) return 'maybe'
    const isAway = removals.some(({ since, until }) => since < position && (until === null || until > position))
    return isAway ? 'yes' : 'no'
  }
}
