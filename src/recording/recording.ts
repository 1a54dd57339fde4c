// A conversation as it happens, as the lines of a dialogue that can be played again. It hears what sessions hear and
// say, of connections opened since it began, and what is asked over REST; it holds nothing up and changes nothing.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host } from '../actors/host.ts'
import type { Account, Identity } from '../actors/identity.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { Rooms } from '../actors/rooms.ts'
import type { Closing, FrameIn, FrameOut } from '../dialects/dialect.ts'
import type { Session } from '../transports/session.ts'
import type { Tap } from '../transports/surroundings.ts'
import { type Asked, aboutOf, askedStep } from './asked.ts'
import { Cast } from './cast.ts'
import { sentFrame, toldFrame } from './frames.ts'
import type { Known } from './placeholders.ts'
import { partsOf, Secrets, within } from './secrets.ts'

/** Lines that may wait for a slow reader; then the recording ends. */
const MAX_WAITING = 20_000
/** Lines that a connection may say before it is known whether it is recorded. Who signs in does it earlier. */
const MAX_HELD = 200
const CLOCK_STEP_MS = 100

export interface RecordingOptions {
  readonly host: Host
  readonly identity: Identity
  readonly rooms: Rooms
  /** the setting; empty: none */
  readonly adminToken: string
  /** of this dialect only */
  readonly dialect: string | null
  /** of this account's connections only */
  readonly user: string | null
  /** of connections that come to hear this room only: its id */
  readonly room: string | null
  /** a line of the dialogue, or a new cast to replace the one before */
  write(line: object): void
  /** too much waits */
  overflow(): void
}

interface Recorded {
  readonly who: string
  /** null: not known yet, and its lines wait */
  chosen: boolean | null
  held: (() => Promise<void>)[]
}

const letters = (index: number): string =>
  String.fromCharCode(65 + (index % 26)) + (index < 26 ? '' : Math.floor(index / 26))

export class Recording implements Tap {
  readonly #options: RecordingOptions
  readonly #cast = new Cast()
  readonly #connections = new Map<string, Recorded>()
  readonly #secrets: Secrets
  /** what waits for an answer: how a connection signed in, how a request ended; null: it never will be known */
  readonly #unanswered = new Map<object | string, (answer: never) => void>()
  readonly #messages = new Map<number, string>()
  /** requests under way → the name of the message that each posted */
  readonly #asked = new Map<string, string | null>()
  readonly #startedAt: number
  readonly #unhear: () => void
  #advanced = 0
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  #ended = false

  constructor(options: RecordingOptions) {
    this.#options = options
    this.#startedAt = options.host.clock.now()
    this.#secrets = new Secrets(options.identity, options.adminToken, (account) => this.#meet(account))
    this.#unhear = options.host.onAcknowledged(({ kind, stream, facts }) => {
      if (this.#ended) return
      for (const { type, data, metadata } of facts) {
        if (type === 'MessagePosted') this.#name((data as { id: number }).id, metadata.$correlationId)
        if (kind !== 'connection') continue
        const { user } = data as { user?: { id: string } | null }
        if (type === 'AuthSucceeded') this.#answer(stream, user?.id ?? null)
        if (type === 'AuthFailed') this.#answer(stream, null)
      }
    })
  }

  /** Resolves when what was heard so far is written. */
  end(): Promise<void> {
    this.#ended = true
    this.#unhear()
    for (const question of this.#unanswered.keys()) this.#answer(question, null)
    return this.#last
  }

  #name(message: number, request: string): void {
    const name = `$m${this.#messages.size + 1}`
    this.#messages.set(message, name)
    if (this.#asked.has(request)) this.#asked.set(request, name)
  }

  #ask<T>(question: object | string): Promise<T | null> {
    return new Promise((resolve) => {
      this.#unanswered.set(question, resolve)
    })
  }

  #answer(question: object | string, answer: unknown): void {
    this.#unanswered.get(question)?.(answer as never)
    this.#unanswered.delete(question)
  }

  // --- what sessions hear and say ---

  opened({ id, spoken: dialect }: Session): void {
    const who = letters(this.#connections.size)
    this.#connections.set(id, { who, chosen: null, held: [] })
    // One whose address is read says so itself, right after this.
    if (dialect === null) this.#of(id, async () => this.#line({ who, dir: 'connect' }))
    else if (!dialect.readsAddress) this.#of(id, async () => this.#line({ who, dir: 'open', url: dialect.path }))
  }

  heard(session: Session, frame: FrameIn): void {
    const connection = this.#connections.get(session.id)
    if (!connection) return
    const { who } = connection
    const { spoken: dialect } = session
    if (!dialect) return
    const decoded = dialect.decode(frame, 'connected', session.id)
    const given = decoded.is === 'request' && 'credential' in decoded.request ? decoded.request.credential : null
    const { text: credential, form } = given ? partsOf(given) : { text: null, form: null }
    // Its account may be made by that very sign-in; it is not for us to look for it, which might make it too.
    const signedIn = form === 'jwt' ? this.#ask<string>(connectionStream(session.id)) : null
    this.#of(session.id, async () => {
      const user = await signedIn
      const account = user && (await this.#options.identity.byId(user))
      if (account && credential) this.#secrets.is(credential, account, 'jwt')
      if ('query' in frame) {
        const token = frame.query.get('token')
        const query = token === null ? '' : `?token=${within(this.#secrets.of(token))}`
        this.#line({ who, dir: 'open', url: `${dialect.path}${query}` })
      } else this.#line({ who, dir: 'C>S', ...(await sentFrame(frame, { ...this.#known, credential })) })
    })
    this.#choose(session, connection)
  }

  told(session: Session, frames: readonly FrameOut[]): void {
    const connection = this.#connections.get(session.id)
    if (!connection) return
    const rooms = session.places.rooms()
    this.#of(session.id, async () => {
      if (session.account) this.#meet(session.account)
      for (const room of rooms) await this.#see(room)
      for (const frame of frames)
        this.#line({ who: connection.who, dir: 'S>C', ...(await toldFrame(frame, this.#known, session.zlib)) })
    })
    this.#choose(session, connection)
  }

  left({ id }: Session): void {
    const { who } = this.#connections.get(id) ?? {}
    if (who !== undefined) this.#of(id, async () => this.#line({ who, dir: 'close' }))
    this.#gone(id)
  }

  closed({ id, spoken: dialect }: Session, { frames, how, code, reason }: Closing): void {
    const { who } = this.#connections.get(id) ?? {}
    if (who === undefined) return
    this.#of(id, async () => {
      for (const frame of frames) this.#line({ who, dir: 'S>C', ...(await toldFrame(frame, this.#known, false)) })
      const end =
        dialect?.path != null
          ? { close: code, ...(reason === null ? {} : { reason }) }
          : { disconnect: how === 'disconnect' ? 'io server disconnect' : 'transport close' }
      this.#line({ who, dir: 'S>C', ...end })
    })
    this.#gone(id)
  }

  #gone(id: string): void {
    this.#answer(connectionStream(id), null)
    // Its name stays taken, for whoever comes after it.
    const connection = this.#connections.get(id)
    if (connection?.chosen === null) connection.chosen = false
    if (connection) connection.held = []
  }

  // --- what is asked over REST ---

  /** Returns what takes the answer's status: later lines wait for it. */
  asked(asked: Asked): (status: number) => void {
    const { identity, rooms } = this.#options
    const answered = this.#ask<number>(asked)
    this.#asked.set(asked.id, null)
    // As they are now: what is asked may change them.
    const about = aboutOf(asked, identity, rooms)
    const seen = about.then(async (found) => {
      const contexts = []
      for (const room of found.rooms.values()) contexts.push(...(await this.#load(room)))
      return contexts
    })
    // Both are heard of below, and not before it is their turn.
    seen.catch(() => {})
    this.#add(async () => {
      const status = await answered
      const message = this.#asked.get(asked.id) ?? null
      this.#asked.delete(asked.id)
      const found = await about
      for (const room of await seen) this.#seen(room)
      for (const account of found.users.values()) this.#meet(account)
      await this.#secrets.learn([asked.url, asked.body, asked.authorization])
      const bearer = await this.#bearerOf(asked.authorization)
      if (status === null) this.#comment(`a request that was not answered: ${asked.method}`)
      else this.#line(askedStep(asked, { status, message }, found, this.#known, bearer))
    })
    return (status) => this.#answer(asked, status)
  }

  /** Whom a Bearer token names: ours, or another party's. */
  async #bearerOf(authorization: string | null): Promise<string | null> {
    const [, token] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? []
    if (token === undefined) return null
    if (token.includes('.')) {
      const known = await this.#options.identity.byForeignToken(token, false)
      if (typeof known !== 'string') this.#secrets.is(token, known.account, 'jwt')
    }
    const [, name] = /^\$(.+)\.(?:token|jwt)$/.exec(this.#secrets.of(token)) ?? []
    return name ?? null
  }

  // --- lines ---

  get #known(): Known {
    return { secrets: this.#secrets, ids: this.#cast.ids, messages: this.#messages, people: this.#cast.people }
  }

  #meet(account: Account): void {
    if (this.#cast.meet(account)) this.#write(this.#cast.line())
  }

  /** A room as it is now, behind the space that it is in. */
  async #load(id: string): Promise<RoomContext[]> {
    const { snapshot } = await this.#options.host.load(roomStream(id))
    const room = snapshot.context as RoomContext
    return room.parent === null ? [room] : [...(await this.#load(room.parent)), room]
  }

  async #see(id: string): Promise<void> {
    if (!this.#cast.ids.has(id)) for (const room of await this.#load(id)) this.#seen(room)
  }

  #seen(room: RoomContext): void {
    if (this.#cast.see(room)) this.#write(this.#cast.line())
  }

  /** Time that ends mutes and the like has passed by now: never less than it really was. */
  #line(step: object): void {
    const passed = this.#options.host.clock.now() - this.#startedAt - this.#advanced
    if (passed >= CLOCK_STEP_MS) {
      const ms = Math.ceil(passed / CLOCK_STEP_MS) * CLOCK_STEP_MS
      this.#advanced += ms
      this.#write({ who: 'clock', dir: 'advance', ms })
    }
    this.#write(step)
  }

  #comment(comment: string): void {
    this.#write({ comment })
  }

  #write(line: object): void {
    this.#options.write(this.#secrets.swept(line))
  }

  // --- which connections, and in which order ---

  #choose(session: Session, connection: Recorded): void {
    if (connection.chosen !== null) return
    const { dialect, user, room } = this.#options
    const { spoken, account, places } = session
    // null: it may still come to be so
    const verdicts = [
      dialect === null || !spoken ? spoken !== null || null : spoken.name === dialect,
      user === null || (account && account.username === user),
      room === null || places.rooms().includes(room) || null,
    ]
    if (verdicts.includes(false)) connection.chosen = false
    else if (!verdicts.includes(null)) connection.chosen = true
    if (connection.chosen === null) return
    for (const line of connection.held.splice(0)) if (connection.chosen) this.#add(line)
  }

  #of(id: string, line: () => Promise<void>): void {
    const connection = this.#connections.get(id)
    if (connection?.chosen) this.#add(line)
    else if (connection?.chosen === null && connection.held.push(line) > MAX_HELD) {
      connection.chosen = false
      connection.held = []
    }
  }

  #add(line: () => Promise<void>): void {
    if (this.#ended) return
    if (++this.#waiting > MAX_WAITING) {
      this.#options.overflow()
      return
    }
    this.#last = this.#last
      .then(line)
      // What could not be looked up is missing from the record; the conversation goes on.
      .catch(() => this.#comment('a line is missing here: it could not be looked up'))
      .finally(() => {
        this.#waiting--
      })
  }
}
