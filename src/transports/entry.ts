// Signing in and entering a room: the steps span three streams, each appended before the next rests on it.
//
//   user CameOnline → connection AuthSucceeded → room PresenceEntered → connection RoomEntered
//
// The seam between history and live: once the room has acknowledged the entry, this connection begins to listen and
// its live facts are held back; in the same turn the room's state is taken at its revision r. The snapshot is that
// state and the messages up to r; then what was held back, all above r, is released. Nothing is lost or doubled.
// When the socket goes away between the steps, what was appended is undone here: the close that went before could
// not know of it.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Person } from '../actors/fact.ts'
import type { Account } from '../actors/identity.ts'
import { type Done, type Outcome, type Refused, refused } from '../actors/outcome.ts'
import { personIn, type RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { Request } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import type { Session } from './session.ts'

type Enter = Extract<Request, { do: 'enter' }>

const entered: Done = { ok: true, facts: [], revision: 0, values: {} }

export const enter = async (session: Session, request: Enter, ack: number | null): Promise<Outcome> => {
  try {
    const { identity, rooms } = session.around
    const room = await rooms.byAlias(request.alias)
    if (!room) return refused('unknown-room', { alias: request.alias })
    const known = request.token === null ? null : await identity.byToken(request.token)
    return known ? await enterAs(session, ack, room, known.account, known.token) : await read(session, ack, room)
  } catch (error) {
    if (error instanceof LogUnavailable) return refused('unavailable')
    throw error
  }
}

/** An anonymous reader does not enter: it is in no list and leaves no presence. */
const read = async (session: Session, ack: number | null, room: RoomRef): Promise<Outcome> => {
  const signed = await session.command({ type: 'auth.succeed', user: null, token: null })
  return signed.ok && !session.ended ? welcome(session, ack, room, null) : signed
}

const enterAs = async (
  session: Session,
  ack: number | null,
  room: RoomRef,
  account: Account,
  token: string,
): Promise<Outcome> => {
  const { host, node } = session.around
  const attached = await host.send(userStream(account.id), {
    type: 'connection.attach',
    by: account.id,
    connection: session.id,
    attaching: session.id,
    node,
    token,
  })
  if (!attached.ok)
    return attached.refusal.code === 'token-revoked' ? read(session, ack, room) : shutOut(session, attached)
  session.account = account
  const outcome = await sign(session, ack, room, account, token)
  if (!outcome.ok || session.ended) await undo(session, room, account)
  if (!outcome.ok) session.account = null
  return outcome
}

const sign = async (
  session: Session,
  ack: number | null,
  room: RoomRef,
  account: Account,
  token: string,
): Promise<Outcome> => {
  const { host, node } = session.around
  const { id, number, username, role } = account
  const signed = await session.command({ type: 'auth.succeed', user: { id, number, username, role }, token })
  if (!signed.ok || session.ended) return signed
  const asker = { id, number, username, account: role }
  const present = await host.send(roomStream(room.id), {
    type: 'presence.enter',
    by: id,
    connection: session.id,
    asker,
    node,
  })
  if (!present.ok) return shutOut(session, present)
  if (session.ended) return present
  return welcome(session, ack, room, account)
}

/** Banned here or everywhere: the connection's own chart closes it, which tells the client. */
const shutOut = async (session: Session, outcome: Refused): Promise<Outcome> => {
  if (outcome.refusal.code !== 'banned') return outcome
  await session.refusals.note('room.enter', outcome.refusal)
  await session.command({ type: 'auth.fail', code: 'banned', final: true, closeCode: null, reason: null })
  return outcome
}

const welcome = async (
  session: Session,
  ack: number | null,
  room: RoomRef,
  account: Account | null,
): Promise<Outcome> => {
  const { host, hub, readModels } = session.around
  const stream = roomStream(room.id)
  const actor = await host.load(stream)
  // One turn: from here on facts are held back, and this is the state they follow.
  session.room = room.id
  hub.join(room.id, session)
  const { revision } = actor
  const context = actor.snapshot.context as RoomContext
  const limit = session.dialect.profile.history
  const { result: history } = await readModels.query(
    'room.messages',
    { room: room.id, limit, upTo: revision },
    { atLeast: { stream, revision } },
  )
  const summary = { count: history.length, firstId: history.at(0)?.id ?? null, lastId: history.at(-1)?.id ?? null }
  const noted = await session.command({ type: 'room.enter', room: room.id, revision, history: summary })
  if (!noted.ok || session.ended) {
    hub.leave(room.id, session)
    return noted
  }
  const user: Person | null = account && personIn(context, { ...account, account: account.role })
  const messages = history.map(({ author, ...message }) => ({ ...message, author: author as Person }))
  session.send(session.dialect.welcome(ack, { user, room: context, history: messages }))
  hub.release(room.id, session)
  session.watchActivity()
  return entered
}

const undo = async (session: Session, room: RoomRef, account: Account): Promise<void> => {
  const { host } = session.around
  const cause = 'closed'
  await host.send(roomStream(room.id), { type: 'presence.leave', by: 'system', leaving: session.id, cause })
  await host.send(userStream(account.id), { type: 'connection.detach', by: 'system', detaching: session.id })
  host.release(connectionStream(session.id))
}
