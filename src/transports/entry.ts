// Signing in and entering a room: the steps span three streams, each appended before the next rests on it.
//
//   user CameOnline → connection AuthSucceeded → room PresenceEntered → connection RoomEntered
//
// The seam between history and live: once the room has acknowledged the entry, this connection begins to listen and
// its live facts are held back; in the same turn the room's state is taken at its revision r. The snapshot is that
// state and the messages up to r; then what was held back, all above r, is released. Nothing is lost or doubled.
//
// A socket that goes away between the steps leaves nobody behind: the close that went before could not know of what
// was appended here, so `undo` takes it back, also where an append whose answer never came may stand in the log.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { ConnectionContext } from '../actors/connection/connection.machine.ts'
import type { Person } from '../actors/fact.ts'
import type { Submitted } from '../actors/host.ts'
import type { Account } from '../actors/identity.ts'
import { type Done, type Outcome, type Refused, refused } from '../actors/outcome.ts'
import { personIn, type RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { Request, SnapshotMessage } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import type { Session } from './session.ts'
import { untilStored } from './until-stored.ts'

const ENTERED: Done = { ok: true, facts: [], revision: 0, values: {} }

export class Entry {
  readonly #session: Session
  readonly #request: Extract<Request, { do: 'enter' }>
  readonly #ack: number | null
  /** who may be online by now, and where */
  #user: string | null = null
  #room: string | null = null

  constructor(session: Session, request: Extract<Request, { do: 'enter' }>, ack: number | null) {
    this.#session = session
    this.#request = request
    this.#ack = ack
  }

  /** Never rejects: what fails is told as unavailable. */
  async run(): Promise<Outcome> {
    const { identity, rooms, onFault } = this.#session.around
    const { alias, token } = this.#request
    try {
      const room = await rooms.byAlias(alias)
      if (!room) return refused('unknown-room', { alias })
      const known = token === null ? null : await identity.byToken(token)
      return known ? await this.#enterAs(room, known.account, known.token) : await this.#readOnly(room)
    } catch (error) {
      if (!isAway(error)) onFault(`entry of connection ${this.#session.id}`, error)
      return refused('unavailable')
    }
  }

  /** Takes back what was appended, or may have been. */
  async undo(): Promise<void> {
    const session = this.#session
    const { host, hub, stopping } = session.around
    if (session.room) hub.leave(session.room, session)
    session.room = null
    session.account = null
    const carry = (stream: string, command: Submitted) =>
      untilStored(host, stopping, stream, { by: 'system', connection: session.id, ...command })
    const leaving = session.id
    if (this.#room) await carry(roomStream(this.#room), { type: 'presence.leave', leaving, cause: 'closed' })
    if (this.#user) await carry(userStream(this.#user), { type: 'connection.detach', detaching: leaving })
  }

  /** An anonymous reader does not enter: it is in no list and leaves no presence. */
  async #readOnly(room: RoomRef): Promise<Outcome> {
    const signed = await this.#sign(null, null)
    return signed.ok && !this.#session.ended ? this.#welcome(room, null) : signed
  }

  async #enterAs(room: RoomRef, account: Account, token: string): Promise<Outcome> {
    const session = this.#session
    const { host, node } = session.around
    const { id, number, username, role } = account
    const from = { by: id, connection: session.id }
    this.#user = id
    const attach = { type: 'connection.attach', attaching: session.id, node, token } as const
    const attached = await host.send(userStream(id), { ...from, ...attach })
    if (!attached.ok) {
      if (attached.refusal.code !== 'token-revoked') return this.#shutOut(attached)
      this.#user = null
      return this.#readOnly(room)
    }
    session.account = account
    const signed = await this.#sign({ id, number, username, role }, token)
    if (!signed.ok || session.ended) return signed
    this.#room = room.id
    const asker = { id, number, username, account: role }
    const present = await host.send(roomStream(room.id), { type: 'presence.enter', ...from, asker, node })
    if (!present.ok) return this.#shutOut(present)
    return session.ended ? present : this.#welcome(room, account)
  }

  /** An entry that failed further on may be tried again: who it is stands on the record by then. */
  async #sign(user: Person | null, token: string | null): Promise<Outcome> {
    const { record, around, id } = this.#session
    const signed = await record.command({ type: 'auth.succeed', user, token })
    if (signed.ok || signed.refusal.code !== 'already-exists') return signed
    const known = around.host.peek(connectionStream(id))?.snapshot.context as ConnectionContext
    return known.token === token && known.user?.id === user?.id ? ENTERED : signed
  }

  /** Banned here or everywhere: the connection's own chart closes it, which tells the client. */
  async #shutOut(outcome: Refused): Promise<Outcome> {
    const { record } = this.#session
    if (outcome.refusal.code !== 'banned') return outcome
    await record.refusals.note('room.enter', outcome.refusal)
    await record.command({ type: 'auth.fail', code: 'banned', final: true, closeCode: null, reason: null })
    return outcome
  }

  async #welcome(room: RoomRef, account: Account | null): Promise<Outcome> {
    const session = this.#session
    const { host, hub } = session.around
    const actor = await host.load(roomStream(room.id))
    if (session.ended) return ENTERED
    // One turn: from here on facts are held back, and this is the state they follow.
    session.room = room.id
    hub.join(room.id, session)
    const { revision } = actor
    const context = actor.snapshot.context as RoomContext
    const messages = await this.#history(room.id, revision)
    const history = { count: messages.length, firstId: messages.at(0)?.id ?? null, lastId: messages.at(-1)?.id ?? null }
    const noted = await session.record.command({ type: 'room.enter', room: room.id, revision, history })
    if (!noted.ok || session.ended) return noted
    const user = account && personIn(context, { ...account, account: account.role })
    session.send(session.dialect.welcome(this.#ack, { user, room: context, history: messages }))
    hub.release(room.id, session)
    session.record.watchActivity(session.dialect.profile.idleAfterMs)
    return ENTERED
  }

  async #history(room: string, revision: number): Promise<SnapshotMessage[]> {
    const { readModels } = this.#session.around
    const limit = this.#session.dialect.profile.history
    const atLeast = { stream: roomStream(room), revision }
    const { result } = await readModels.query('room.messages', { room, limit, upTo: revision }, { atLeast })
    return result.map(({ author, ...message }) => ({ ...message, author: author as Person }))
  }
}

/** The log or the read models cannot answer now. The latter's error comes from another thread, and is known by name. */
const isAway = (error: unknown): boolean =>
  error instanceof LogUnavailable || (error as Error).name === 'ReadModelsBehind'
