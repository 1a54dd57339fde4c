// A client's requests as commands to actors and questions to read models, and the answers to them. Rights are the
// charts' to judge; what is added here is who asks, from which connection, and whether the account is over its rate.

import { isOpenToAll } from '../actors/alias.ts'
import type { ConnectionContext } from '../actors/connection/connection.context.ts'
import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Submitted } from '../actors/host.ts'
import { type Done, type Outcome, type Refused, refused } from '../actors/outcome.ts'
import { inForce, type RoomContext } from '../actors/room/room.context.ts'
import { type Asker, type RoomFact, roomStream } from '../actors/room/room.facts.ts'
import { userStream } from '../actors/user/user.facts.ts'
import { type MessageView, type Request, type RoomName, TOLD_NOTHING, type Told } from '../dialects/dialect.ts'
import type { Place } from './places.ts'
import type { Session } from './session.ts'

type Of<Kind extends Request['do']> = Extract<Request, { do: Kind }>
type Answered = { readonly outcome: Outcome; readonly told?: Partial<Told> }

interface Speaker {
  readonly stream: string
  readonly fields: {
    readonly by: string
    readonly connection: string
    readonly asker: Asker
    readonly overRate: boolean
  }
}

export class Commands {
  readonly #session: Session
  /** the state of this connection's chart that permitted a command last */
  #permitting: object | null = null

  constructor(session: Session) {
    this.#session = session
  }

  /** A room this connection hears is known at once, so that messages need not wait for each other. */
  post(request: Of<'post'>): Promise<Answered> {
    const place = this.#session.places.named(request.room)
    if (place?.parent === null || !this.#session.account) return this.#post(request, place)
    return this.#placeOf(request.room).then((found) =>
      'ok' in found ? { outcome: found } : this.#post(request, found),
    )
  }

  async #post(request: Of<'post'>, place: Place | null): Promise<Answered> {
    const { host } = this.#session.around
    const { text, kind = 'text', clientRef, extra = null, fault } = request
    // Only a reply waits here; what follows it waits for it (see Requests), so that no message overtakes another.
    const replyTo = request.replyTo ? await this.#known(place, request.replyTo) : null
    const speaker = this.#speaker(place)
    if ('ok' in speaker) return { outcome: speaker }
    const outcome = await host.send(speaker.stream, {
      type: 'message.post',
      ...speaker.fields,
      text,
      kind,
      clientRef,
      replyTo,
      extra,
      entered: place?.entered ?? false,
      robotsWrite: this.#session.dialect.profile.robots === 'everywhere',
      ...(fault ? { fault } : {}),
    })
    if (outcome.ok) this.#stopTyping(place as Place)
    const repeated = outcome.ok && outcome.facts.length === 0 ? outcome.values.messageId : undefined
    const { room } = place as Place
    const told = this.#roomOf(place)
    if (outcome.ok && typeof repeated === 'number') {
      return { outcome, told: { ...told, message: await this.#message(room, repeated, outcome) } }
    }
    const unheard = outcome.ok && this.#session.places.get(room) === null
    return { outcome, told: { ...told, message: unheard ? postedIn(outcome) : null } }
  }

  async moderate(request: Of<'mute'> | Of<'unmute'>): Promise<Answered> {
    const { identity, host } = this.#session.around
    const { name } = request
    // A mute may precede the account; that the log is away is the room's to say.
    const user = name === '' ? null : ((await identity.byName(name).catch(() => null))?.id ?? null)
    const place = await this.#placeOf(request.room)
    if ('ok' in place) return { outcome: place }
    const speaker = this.#speaker(place)
    if ('ok' in speaker) return { outcome: speaker }
    const fault = request.fault ? { fault: request.fault } : {}
    if (request.do === 'unmute') {
      const lifting = { type: 'mute.lift', name, user } as const
      return { outcome: await host.send(speaker.stream, { ...speaker.fields, ...lifting, ...fault }) }
    }
    const { seconds, reason = null } = request
    const muting = { type: 'mute.set', name, user, seconds, reason } as const
    return { outcome: await host.send(speaker.stream, { ...speaker.fields, ...muting, ...fault }) }
  }

  async change(request: Of<'edit'> | Of<'remove'> | Of<'restore'>): Promise<Answered> {
    const { host } = this.#session.around
    const place = await this.#placeOf(request.room)
    if ('ok' in place) return { outcome: place }
    const speaker = this.#speaker(place, request.do === 'edit' ? 'messages' : 'acts')
    if ('ok' in speaker) return { outcome: speaker }
    const { stream, fields } = speaker
    const { message: id } = request
    switch (request.do) {
      case 'edit': {
        const { text, fault } = request
        const editing = { type: 'message.edit', id, text, ...(fault ? { fault } : {}) } as const
        return { outcome: await host.send(stream, { ...fields, ...editing }) }
      }
      case 'remove':
        return { outcome: await host.send(stream, { ...fields, type: 'message.remove', id, reason: request.reason }) }
      case 'restore':
        return { outcome: await host.send(stream, { ...fields, type: 'message.restore', id }) }
    }
  }

  async read({ room, message }: Of<'read'>): Promise<Answered> {
    const { places } = this.#session
    const place = places.named(room)
    if (!place) return { outcome: refused('not-present') }
    return { outcome: await this.#act({ type: 'read.mark', room: place.room, upTo: message }) }
  }

  /** A status is a wish to be heard, and so counts against the account's rate. */
  async status({ status }: Of<'status'>): Promise<Answered> {
    const { around, account, id } = this.#session
    if (!account) return { outcome: refused('user-required') }
    if (around.rates.overRate(account)) return { outcome: refused('rate-limited') }
    const setting = { type: 'status.set', status, by: account.id, connection: id } as const
    return { outcome: await around.host.send(userStream(account.id), setting) }
  }

  async typing({ room, on, named = false }: Of<'typing'>): Promise<Answered> {
    const { places, record, around, account } = this.#session
    const place = places.named(room)
    if (!account) return { outcome: refused('user-required') }
    if (!place) return { outcome: refused('not-present') }
    if (!around.typing) return { outcome: { ok: true, facts: [], revision: 0, values: {} } }
    // What stops was started: it is bounded by that.
    const outcome = on
      ? await this.#act({ type: 'typing.start', room: place.room, named })
      : await record.command({ type: 'typing.stop', room: place.room, cause: 'client' })
    return { outcome }
  }

  /** Takes an act of the account's for what would be stored, and for nothing else. */
  async #act(command: Submitted): Promise<Outcome> {
    const { record } = this.#session
    const asked = record.ask({ ...command, overRate: true } as Submitted)
    if (asked && (asked.ok || asked.refusal.code !== 'rate-limited')) return asked
    return record.command({ ...command, overRate: this.#session.isOverActs() } as Submitted)
  }

  /** What was handed out is on record before it leaves. */
  async history({ room: name, before, after = null, limit }: Of<'history'>): Promise<Answered> {
    const { around, record } = this.#session
    const place = await this.#placeOf(name)
    if ('ok' in place) return { outcome: place }
    if (!(await this.#mayRead(place))) return { outcome: refused('not-a-member') }
    const { room } = place
    const reading = { type: 'history.note', room, count: 0, firstId: null, lastId: null } as const
    const asked = record.ask({ ...reading, overRate: this.#session.isOverActs() })
    if (asked && !asked.ok) return { outcome: asked }
    const { revision } = await around.host.load(roomStream(room))
    const bounds = { ...(before === null ? {} : { before }), ...(after === null ? {} : { after }) }
    const args = { room, limit: limit + 1, upTo: revision, ...bounds }
    const { result } = await around.readModels.query('room.messages', args, {
      atLeast: { stream: roomStream(room), revision },
    })
    const more = result.length > limit
    const shown = after === null ? result.slice(-limit) : result.slice(0, limit)
    const [firstId, lastId] = [shown.at(0)?.id ?? null, shown.at(-1)?.id ?? null]
    const outcome = await record.command({ type: 'history.note', room, count: shown.length, firstId, lastId })
    return { outcome, told: { ...this.#roomOf(place), history: shown as unknown as MessageView[], more } }
  }

  /** What it hears, belongs to, or anybody may read. @throws LogUnavailable */
  async #mayRead({ room }: Place): Promise<boolean> {
    const { places, account, around } = this.#session
    if (places.get(room) || account?.role === 'admin') return true
    const found = await around.rooms.byId(room)
    return found !== null && (isOpenToAll(found) || (await around.rooms.roleOf(found, account?.id ?? '')) !== null)
  }

  /** The room by the name its client gave it, heard or not. @throws LogUnavailable */
  async #placeOf(name: RoomName | null): Promise<Place | Refused> {
    const { places, around, account } = this.#session
    const known = places.named(name)
    if (known?.parent === null) return known
    if (known?.parent) {
      await around.host.load(roomStream(known.parent))
      return known
    }
    if (!account) return refused('user-required')
    const found = name === null ? null : await around.rooms.resolve(name)
    if (!found) return refused('unknown-room', { room: name })
    if (found.parent) await around.host.load(roomStream(found.parent))
    return { room: found.id, parent: found.parent, entered: false }
  }

  /** What every command to the room carries, once this connection's own chart permits one; else the refusal. */
  #speaker(place: Place | null, counted: 'messages' | 'acts' = 'messages'): Refused | Speaker {
    const session = this.#session
    const { host, rates } = session.around
    const { account } = session
    if (!account || !place) return refused('user-required')
    const isAct = counted === 'acts'
    const own = host.peek(connectionStream(session.id))
    // Asked once for each state of its chart, and not for each message: a sixth of the time on the main thread.
    if (isAct || !own || own.quarantined || own.snapshot !== this.#permitting) {
      const overRate = isAct && session.isOverActs()
      const permitted = host.ask(connectionStream(session.id), {
        type: 'command.permit',
        command: 'message.post',
        overRate,
      })
      if (permitted && !permitted.ok) return permitted
      this.#permitting = own?.snapshot ?? null
    }
    const parent = place.parent && (host.peek(roomStream(place.parent))?.snapshot.context as RoomContext | undefined)
    const banned = parent ? inForce(parent.bans.get(account.id), host.clock.now()) : false
    const spaceRole = parent && !banned ? parent.members.get(account.id) : undefined
    const asker = { ...session.asker(account), ...(spaceRole ? { spaceRole } : {}) }
    const fields = { by: account.id, connection: session.id, asker, overRate: !isAct && rates.overRate(account) }
    return { stream: roomStream(place.room), fields }
  }

  #stopTyping({ room }: Place): void {
    const { around, record, id } = this.#session
    const own = around.host.peek(connectionStream(id))?.snapshot.context as ConnectionContext | undefined
    if (own?.typing.has(room)) void record.command({ type: 'typing.stop', room, cause: 'message' })
  }

  #roomOf(place: Place | null): Pick<Told, 'room'> {
    const actor = place && this.#session.around.host.peek(roomStream(place.room))
    return { room: actor ? (actor.snapshot.context as RoomContext) : TOLD_NOTHING.room }
  }

  /** What answers a message that is not in this room answers none. */
  async #known(place: Place | null, id: number): Promise<number | null> {
    if (!place) return null
    const actor = await this.#session.around.host.load(roomStream(place.room))
    return (await this.#message(place.room, id, actor)) ? id : null
  }

  async #message(room: string, id: number, { revision }: { revision: number }): Promise<MessageView | null> {
    const atLeast = { stream: roomStream(room), revision }
    const { result } = await this.#session.around.readModels.query('room.message', { room, id }, { atLeast })
    return result as unknown as MessageView | null
  }
}

/** The message as whoever listens sees it. */
const postedIn = ({ facts }: Done): MessageView | null => {
  const posted = (facts as readonly RoomFact[]).find(({ type }) => type === 'MessagePosted')
  if (posted?.type !== 'MessagePosted') return null
  const { clientRef: ref, ...said } = posted.data
  return { ...said, ref, at: posted.metadata.at, edited: false }
}
