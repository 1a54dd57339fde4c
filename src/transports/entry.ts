// Coming to hear a room, by entering it or, as a member, by following it.
//
//   entering    room PresenceEntered → connection RoomEntered
//   following   connection RoomsFollowed, which lists up to 500 rooms; no room hears of it
//
// The seam between history and live: once the room has acknowledged the entry, this connection begins to listen and
// its live facts are held back; in the same turn the room's state is taken at its revision r. The snapshot is that
// state and the messages up to r; then what was held back, all above r, is released. Nothing is lost or doubled.
//
// A socket that goes away between the steps leaves nobody behind: the close that went before could not know of what
// was appended here, so `undo` takes it back, also where an append whose answer never came may stand in the log.

import { isOpenToAll } from '../actors/alias.ts'
import type { Fact } from '../actors/fact.ts'
import type { Submitted } from '../actors/host.ts'
import { type Outcome, refused } from '../actors/outcome.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { MessageView, RoomName, RoomView } from '../dialects/dialect.ts'
import type { Session } from './session.ts'
import { NOTHING_NEW } from './sign-in.ts'
import { untilStored } from './until-stored.ts'

/** Rooms in one RoomsFollowed. */
const MAX_FOLLOWED_AT_ONCE = 500

export interface Entered {
  readonly view: RoomView
  readonly history: readonly MessageView[]
  /** what a resuming connection missed; null: it gets the history instead */
  readonly missed: readonly Fact[] | null
  readonly readUpTo: number | null
}

/** Where a resuming connection was. */
interface Since {
  readonly epoch: string
  readonly revision: number
}

/** Facts that may be caught up on; whoever missed more gets a fresh snapshot. */
const MAX_MISSED = 1_000

export class Entry {
  readonly #session: Session
  readonly #room: RoomRef
  readonly #terms: { readonly own?: true; readonly overRate?: boolean }
  /** its presence may stand in the room by now */
  #present = false

  /** `own`: it belongs to the account, and no client asked for it. `overRate`: the verdict where one did. */
  constructor(session: Session, room: RoomRef, terms: { readonly own?: true; readonly overRate?: boolean } = {}) {
    this.#session = session
    this.#room = room
    this.#terms = terms
  }

  /** An anonymous reader is in no list and leaves no presence. @throws LogUnavailable */
  async run(name: RoomName, since: Since | null = null): Promise<Outcome | Entered> {
    const session = this.#session
    const { host, hub, node } = session.around
    const { id: room, parent } = this.#room
    const nothingShown = { count: 0, firstId: null, lastId: null }
    // Whether it may have one room more is the connection's to say, and before others see it come and go.
    const asked = session.record.ask({ type: 'room.enter', room, revision: 0, history: nothingShown, ...this.#terms })
    if (asked && !asked.ok) return asked
    if (session.account) {
      this.#present = true
      const spaceRole = await session.around.rooms.spaceRoleOf(this.#room, session.account.id)
      const asker = { ...session.asker(session.account), ...(spaceRole ? { spaceRole } : {}) }
      const from = { by: session.account.id, connection: session.id }
      const present = await host.send(roomStream(room), { type: 'presence.enter', ...from, asker, node })
      if (!present.ok) return present
    }
    const actor = await host.load(roomStream(room))
    if (session.ended) return NOTHING_NEW
    // One turn: from here on facts are held back, and this is the state they follow.
    const { revision } = actor
    session.places.add({ room, parent, entered: session.account !== null }, [name, ...this.#room.aliases])
    hub.join(room, session, revision)
    const view = hub.view(room)
    const missed = since ? await missedSince(session, room, since, revision) : null
    const history = missed ? [] : await messagesUpTo(session, room, revision)
    const readUpTo = await readIn(session, room)
    const shown = { count: history.length, firstId: history.at(0)?.id ?? null, lastId: history.at(-1)?.id ?? null }
    const { own = false } = this.#terms
    const resumed = since && missed ? { resumedFrom: since.revision } : {}
    const noted = await session.record.command({ type: 'room.enter', room, revision, history: shown, own, ...resumed })
    if (!noted.ok) return noted
    if (await this.#stays()) return { view, history, missed, readUpTo }
    await session.record.command({ type: 'room.leave', room })
    return refused('not-a-member')
  }

  /** Not put out while that was being recorded, which the policy on it could not know of. @throws LogUnavailable */
  async #stays(): Promise<boolean> {
    const { account, id, around } = this.#session
    if (account === null) return true
    const { connections, aliases } = await around.host.loadContext<RoomContext>(roomStream(this.#room.id))
    if (!connections.has(id)) return false
    return (
      account.role === 'admin' ||
      isOpenToAll({ aliases }) ||
      (await around.rooms.roleOf(this.#room, account.id)) !== null
    )
  }

  /** Takes back what was appended, or may have been. */
  async undo(): Promise<void> {
    const session = this.#session
    session.forget(this.#room.id)
    if (!this.#present) return
    await carryBack(session, roomStream(this.#room.id), {
      type: 'presence.leave',
      leaving: session.id,
      cause: 'closed',
    })
  }
}

/**
 * Follows these rooms from their revisions of now. Whoever was put out of one while that was being recorded, which
 * the policy on it could not know of, leaves it again. @throws LogUnavailable
 */
export const follow = async (
  session: Session,
  rooms: readonly RoomRef[],
): Promise<{ readonly outcome: Outcome; readonly views: RoomView[] }> => {
  const { hub } = session.around
  const views: RoomView[] = []
  for (let from = 0; from < rooms.length; from += MAX_FOLLOWED_AT_ONCE) {
    const some = rooms.slice(from, from + MAX_FOLLOWED_AT_ONCE)
    await Promise.all(some.map(({ id }) => hub.meet(id, true)))
    if (session.ended) return { outcome: refused('unavailable'), views }
    const revisions: Record<string, number> = {}
    const found = new Map<RoomRef, RoomView>()
    for (const ref of some) {
      const { id: room, parent, aliases } = ref
      const view = hub.view(room)
      found.set(ref, view)
      revisions[room] = view.revision
      session.places.add({ room, parent, entered: false }, aliases)
      hub.join(room, session, view.revision)
    }
    const outcome = await session.record.command({ type: 'rooms.follow', rooms: revisions })
    if (!outcome.ok) return { outcome, views }
    for (const [room, view] of found) {
      if (await belongs(session, room)) views.push(view)
      else await session.record.command({ type: 'room.leave', room: room.id })
    }
  }
  return { outcome: NOTHING_NEW, views }
}

const belongs = async ({ around, user, isEverywhere }: Session, room: RoomRef): Promise<boolean> =>
  isEverywhere || (user !== null && (await around.rooms.roleOf(room, user)) !== null)

/** Takes back that the account came online here. */
export const goOffline = (session: Session, user: string): Promise<void> =>
  carryBack(session, userStream(user), { type: 'connection.detach', detaching: session.id })

const carryBack = async (session: Session, stream: string, command: Submitted): Promise<void> => {
  const { host, stopping } = session.around
  await untilStored(host, stopping, stream, { by: 'system', connection: session.id, ...command })
}

const readIn = async ({ around, user, dialect }: Session, room: string): Promise<number | null> => {
  if (user === null || !dialect.profile.tellsReads) return null
  const { result } = await around.readModels.query('reads.of', { room, user }, { atLeast: await around.head() })
  return result
}

/** null: of another log, from the future, or too many: a hole would not be seen, so a snapshot must do. */
const missedSince = async (
  { around }: Session,
  room: string,
  { epoch, revision }: Since,
  upTo: number,
): Promise<Fact[] | null> => {
  if (epoch !== around.epoch || revision > upTo || upTo - revision > MAX_MISSED) return null
  const missed: Fact[] = []
  if (revision === upTo) return missed
  for await (const fact of around.host.facts(roomStream(room), revision + 1, upTo - revision)) missed.push(fact)
  return missed
}

const messagesUpTo = async (session: Session, room: string, revision: number): Promise<MessageView[]> => {
  const limit = session.dialect.profile.history
  if (limit === 0) return []
  const atLeast = { stream: roomStream(room), revision }
  const { result } = await session.around.readModels.query(
    'room.messages',
    { room, limit, upTo: revision },
    { atLeast },
  )
  return result as unknown as MessageView[]
}
