// How a connection comes to be somebody somewhere: signing in, and entering or following rooms, in the order in which
// each append rests on the one before (sign-in.ts, entry.ts). What fails on the way is taken back and told.

import { isOpenToAll } from '../actors/alias.ts'
import type { Fact } from '../actors/fact.ts'
import { type Outcome, refused } from '../actors/outcome.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { RoomRef } from '../actors/rooms.ts'
import type { Request, RoomName, RoomView, Standing, Welcome } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import type { Answers } from './answers.ts'
import { type Entered, Entry, follow, goOffline } from './entry.ts'
import type { Session } from './session.ts'
import { bearingOf, NOTHING_NEW, SignIn } from './sign-in.ts'

type Of<Kind extends Request['do']> = Extract<Request, { do: Kind }>

/** Rooms of its own that a connection enters together: what waits for one sync of the log. */
const ENTERED_AT_ONCE = 64

const NOTHING_ENTERED = { history: [], missed: null, readUpTo: null }

export class Arrival {
  readonly #session: Session
  readonly #answers: Answers

  constructor(session: Session, answers: Answers) {
    this.#session = session
    this.#answers = answers
  }

  /** Never rejects: what fails is told as unavailable. Returns how far the connection is then. */
  async run(request: Of<'sign-in'> | Of<'enter'>, ack: number | null): Promise<Standing> {
    const session = this.#session
    if (session.account && request.do === 'sign-in') return this.#again(request, session.account.id, ack)
    const signIn = new SignIn(session)
    const entries: Entry[] = []
    const outcome = await this.#safely(async () => {
      const room = request.do === 'enter' ? await this.#named(request.room) : null
      if (request.do === 'enter' && !room) return refused('unknown-room', { room: request.room })
      if (room && (await this.#isArchived(room))) return refused('room-archived')
      const signed = await signIn.run(request.credential)
      if (!signed.ok || session.ended) return signed
      if (request.do === 'sign-in') {
        if (request.fault) {
          await session.end('protocol-error', request.fault)
          return refused('malformed')
        }
        session.serve(request.options ?? {})
      }
      return room
        ? this.#enterOne(request as Of<'enter'>, room, signIn, entries, ack)
        : this.#enterAll(request, entries, ack)
    })
    if (!outcome.ok && !session.ended) await this.#answers.answer(request, outcome, ack)
    if (!outcome.ok && session.dialect.profile.endsUnanswered) {
      session.abort(outcome.refusal.code === 'rate-limited' ? 'flood' : 'server-error')
    }
    if (!outcome.ok || session.ended) {
      for (const entry of entries) await entry.undo()
      for (const room of session.places.rooms()) session.forget(room)
      session.account = null
      if (signIn.user) await goOffline(session, signIn.user)
      return 'connected'
    }
    session.record.watchActivity(session.dialect.profile.idleAfterMs)
    return 'ready'
  }

  /** Signing in once more: as whoever it is, or refused. What it has stays. */
  async #again(request: Of<'sign-in'>, user: string, ack: number | null): Promise<Standing> {
    const session = this.#session
    const outcome = await this.#safely(async () => {
      const known = request.credential && (await bearingOf(session, request.credential))
      if (!known) return refused('unknown-token')
      return known.account.id === user ? NOTHING_NEW : refused('already-exists')
    })
    if (session.ended) return 'ready'
    if (outcome.ok) this.#welcome(request, [], NOTHING_ENTERED, ack)
    else await this.#answers.answer(request, outcome, ack)
    return 'ready'
  }

  /** A room that may be entered; a space is not. */
  async #named(name: RoomName): Promise<RoomRef | null> {
    const room = await this.#session.around.rooms.resolve(name)
    return room?.kind === 'room' ? room : null
  }

  async #isArchived({ id }: RoomRef): Promise<boolean> {
    const { snapshot } = await this.#session.around.host.load(roomStream(id))
    return snapshot.value === 'archived'
  }

  async #enterOne(
    request: Of<'enter'>,
    room: RoomRef,
    signIn: SignIn,
    entries: Entry[],
    ack: number | null,
  ): Promise<Outcome> {
    const entry = new Entry(this.#session, room)
    entries.push(entry)
    const entered = await entry.run(request.room)
    if ('ok' in entered) return entered.ok ? entered : signIn.shutOut(entered)
    this.#welcome(request, [entered.view], entered, ack)
    return NOTHING_NEW
  }

  /** The rooms that the account belongs to and the dialect shows. */
  async #enterAll(request: Of<'sign-in'> | Of<'enter'>, entries: Entry[], ack: number | null): Promise<Outcome> {
    const session = this.#session
    const { rooms: which } = session.dialect.profile
    const views: RoomView[] = []
    if (which !== 'asked-for' && session.account) {
      const rooms = await this.#ownRooms(session.account.id)
      if (which === 'followed-at-sign-in') {
        const followed = await follow(session, rooms)
        if (!followed.outcome.ok) return followed.outcome
        views.push(...followed.views.filter(({ room }) => session.places.get(room.room)))
      } else {
        // Each is stored for itself, which the next sign-in has to wait for.
        session.around.acts.charge(session.account, rooms.length)
        for (let from = 0; from < rooms.length; from += ENTERED_AT_ONCE) {
          if (session.ended) return NOTHING_NEW
          const entered = await Promise.all(
            rooms.slice(from, from + ENTERED_AT_ONCE).map((room) => this.#enterOwn(room, entries)),
          )
          for (const each of entered) {
            if (each === null) continue
            if ('ok' in each) return each
            views.push(each.view)
          }
        }
      }
    }
    this.#welcome(request, views, NOTHING_ENTERED, ack)
    return NOTHING_NEW
  }

  /** null: put out of it; the others are open. */
  async #enterOwn(room: RoomRef, entries: Entry[]): Promise<Outcome | Entered | null> {
    const entry = new Entry(this.#session, room, { own: true })
    entries.push(entry)
    const entered = await entry.run(room.id)
    if (!('ok' in entered) || entered.ok || !['banned', 'not-a-member'].includes(entered.refusal.code)) return entered
    await entry.undo()
    return null
  }

  #welcome(
    request: Request,
    rooms: readonly RoomView[],
    { history, missed, readUpTo }: Omit<Entered, 'view'>,
    ack: number | null,
  ): void {
    const session = this.#session
    const { account, dialect, around } = session
    const user = account && { id: account.id, number: account.number, username: account.username }
    const { epoch, hub } = around
    const role = account?.role ?? null
    const welcome: Welcome = { connection: session.id, epoch, user, account: role, rooms, history, missed, readUpTo }
    session.send(dialect.welcome(request, welcome, ack))
    const [entered] = rooms
    if (history.length > 0 && entered) session.reached(entered.room.room, entered.revision)
    if (missed?.length && entered) hub.catchUp(entered.room.room, session, missed)
    for (const { room } of rooms) hub.release(room.room, session)
  }

  async #ownRooms(user: string): Promise<RoomRef[]> {
    const { readModels, rooms, head } = this.#session.around
    const { name } = this.#session.dialect
    const all = this.#session.isEverywhere
    const { result } = await readModels.query('rooms.of', { user, dialect: name, all }, { atLeast: await head() })
    const found: RoomRef[] = []
    for (const id of result) {
      const room = await rooms.byId(id)
      // A ban that ended by its time a moment ago, or one set just now: the room itself says who belongs to it.
      if (room && (all || (await rooms.roleOf(room, user)) !== null)) found.push(room)
    }
    return found
  }

  /** Does it hear this room whether it enters it or not? */
  async #belongs({ id, user }: { readonly id: string; readonly user: string }): Promise<boolean> {
    const { around, dialect, isEverywhere } = this.#session
    if (dialect.profile.rooms !== 'followed-at-sign-in') return false
    const room = await around.rooms.byId(id)
    return room !== null && (isEverywhere || (await around.rooms.roleOf(room, user)) !== null)
  }

  async join(request: Of<'join'>, ack: number | null): Promise<void> {
    const session = this.#session
    let entry: Entry | null = null
    const outcome = await this.#safely(async () => {
      const room = await this.#named(request.room)
      if (!room) return refused('unknown-room', { room: request.room })
      if (!session.account && !isOpenToAll(room)) return refused('user-required')
      if (await this.#isArchived(room)) return refused('room-archived')
      const place = session.places.get(room.id)
      // A member who follows the room hears it already.
      if (place && (place.entered || session.dialect.profile.rooms === 'followed-at-sign-in')) return NOTHING_NEW
      entry = new Entry(session, room, { overRate: session.isOverActs() })
      const entered = await entry.run(request.room, request.since)
      if ('ok' in entered) return entered
      this.#welcome(request, [entered.view], entered, ack)
      return null
    })
    if (outcome === null) return
    if (!outcome.ok || session.ended) await (entry as Entry | null)?.undo()
    if (!session.ended) await this.#answers.answer(request, outcome, ack)
  }

  /** A room that the account became a member of, if the dialect shows it. */
  async follow(id: string, because: Fact): Promise<void> {
    const session = this.#session
    const { hub } = session.around
    const room = await session.around.rooms.byId(id)
    if (!room || !session.account || session.ended || !this.#shows(room) || session.places.get(id)) return
    const first = await follow(session, [room])
    const [view] = first.views
    const within = first.outcome.ok && room.kind === 'space' ? await this.#channelsOf(id) : []
    const { outcome, views } = first.outcome.ok && within.length > 0 ? await follow(session, within) : first
    if (!outcome.ok || !view) {
      for (const { id: left } of [room, ...within]) session.forget(left)
      return
    }
    // Put out again meanwhile: there is nothing to tell.
    const isHeard = ({ room: { room: heard } }: RoomView) => session.places.get(heard) !== null
    if (!isHeard(view)) return
    const channels = (within.length > 0 ? views : []).filter(isHeard)
    const { id: connection, account } = session
    const told = { connection, user: account.id, room: view, channels, space: hub.spaceOf(view.room), because }
    session.send(session.dialect.followed?.(told) ?? [])
    for (const { room: heard } of [view, ...channels]) hub.release(heard.room, session)
  }

  #shows({ aliases }: RoomRef): boolean {
    return aliases.some((alias) => alias.startsWith(`${this.#session.dialect.name}:`))
  }

  async #channelsOf(space: string): Promise<RoomRef[]> {
    const { account, places } = this.#session
    const own = account ? await this.#ownRooms(account.id) : []
    return own.filter(({ id, parent }) => parent === space && !places.get(id))
  }

  async leave(request: Of<'leave'>, ack: number | null): Promise<void> {
    const session = this.#session
    const place = session.places.named(request.room)
    const outcome = await this.#safely(async () => {
      if (!place) return refused('not-present')
      const { host } = session.around
      const user = session.account?.id ?? null
      const stays = user !== null && (await this.#belongs({ id: place.room, user }))
      if (stays && !place.entered) return NOTHING_NEW
      const from = { by: user, connection: session.id }
      const leaving = { type: 'presence.leave', leaving: session.id, cause: 'left' } as const
      const left = place.entered ? await host.send(roomStream(place.room), { ...from, ...leaving }) : NOTHING_NEW
      if (!left.ok) return left
      // The fact tells this session too, which forgets the room then.
      const { revision } = await host.load(roomStream(place.room))
      const gone = session.record.command({ type: 'room.leave', room: place.room })
      if (!stays) return gone
      // It became a member meanwhile and goes on hearing: submitted together, so one append, and nothing is missed.
      return session.record.command({ type: 'rooms.follow', rooms: { [place.room]: revision } })
    })
    await this.#answers.answer(request, outcome, ack)
  }

  async #safely<T extends Outcome | null>(work: () => Promise<T>): Promise<T | Outcome> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LogUnavailable))
        this.#session.around.onFault(`entry of connection ${this.#session.id}`, error)
      return refused('unavailable')
    }
  }
}
