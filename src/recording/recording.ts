// A conversation as it happens, as the lines of a dialogue that can be played again. It hears what sessions hear and
// say, of connections opened since it began, and what is asked over REST; it holds nothing up and changes nothing.

import type { Host } from '../actors/host.ts'
import type { Identity } from '../actors/identity.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import { roomStream } from '../actors/room/room.facts.ts'
import type { Closing, FrameIn, FrameOut } from '../dialects/dialect.ts'
import type { Session } from '../transports/session.ts'
import type { Tap } from '../transports/surroundings.ts'
import { Cast } from './cast.ts'
import { sent, told, within } from './placeholders.ts'

/** Lines that may wait for a slow reader; then the recording ends. */
const MAX_WAITING = 20_000
/** Credentials that nobody has, in the form of those that they stand for. */
const WRONG = { token: '0'.repeat(32), hashedToken: '0'.repeat(64), jwt: 'no-such-token' }
const CLOCK_STEP_MS = 100

export interface RecordingOptions {
  readonly host: Host
  readonly identity: Identity
  /** of this dialect only */
  readonly dialect: string | null
  /** of this account's connections only */
  readonly user: string | null
  /** a line of the dialogue, or a new cast to replace the one before */
  write(line: object): void
  /** too much waits */
  overflow(): void
}

export interface Asked {
  readonly method: string
  readonly url: string
  readonly body: unknown
  /** as it was sent: `Bearer <token>`, or a bare token */
  readonly authorization: string | null
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
  readonly #secrets = new Map<string, string>()
  readonly #messages = new Map<number, string>()
  readonly #startedAt: number
  readonly #unhear: () => void
  #advanced = 0
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  #ended = false

  constructor(options: RecordingOptions) {
    this.#options = options
    this.#startedAt = options.host.clock.now()
    this.#unhear = options.host.onAcknowledged(({ kind, facts }) => {
      if (this.#ended || kind !== 'room') return
      for (const { type, data } of facts) {
        if (type === 'MessagePosted') this.#messages.set((data as { id: number }).id, `$m${this.#messages.size + 1}`)
      }
    })
  }

  /** Resolves when what was heard so far is written. */
  end(): Promise<void> {
    this.#ended = true
    this.#unhear()
    return this.#last
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
    const credential = decoded.is === 'request' && 'credential' in decoded.request ? decoded.request.credential : null
    this.#of(session.id, async () => {
      if (credential) await this.#learn(credential)
      if ('query' in frame) {
        const token = frame.query.get('token')
        const query = token === null ? '' : `?token=${within(this.#secrets.get(token) ?? '')}`
        this.#line({ who, dir: 'open', url: `${dialect.path}${query}` })
      } else this.#line({ who, dir: 'C>S', ...this.#sentFrame(frame) })
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
        this.#line({ who: connection.who, dir: 'S>C', ...this.#toldFrame(frame, session.zlib) })
    })
    this.#choose(session, connection)
  }

  left({ id }: Session): void {
    const { who } = this.#connections.get(id) ?? {}
    if (who !== undefined) this.#of(id, async () => this.#line({ who, dir: 'close' }))
  }

  closed({ id, spoken: dialect }: Session, { frames, how, code, reason }: Closing): void {
    const { who } = this.#connections.get(id) ?? {}
    if (who === undefined) return
    this.#of(id, async () => {
      for (const frame of frames) this.#line({ who, dir: 'S>C', ...this.#toldFrame(frame, false) })
      const end =
        dialect?.path != null
          ? { close: code, ...(reason === null ? {} : { reason }) }
          : { disconnect: how === 'disconnect' ? 'io server disconnect' : 'transport close' }
      this.#line({ who, dir: 'S>C', ...end })
    })
  }

  // --- what is asked over REST ---

  /** Returns what takes the answer's status: later lines wait for it. */
  asked({ method, url, body, authorization }: Asked): (status: number) => void {
    let answered: (status: number) => void = () => {}
    const status = new Promise<number>((resolve) => {
      answered = resolve
    })
    this.#add(async () => {
      const token = authorization?.replace(/^Bearer /, '') ?? null
      if (token !== null) await this.#learn({ token })
      const own = (body as { token?: unknown } | null)?.token
      if (typeof own === 'string') await this.#learn({ token: own })
      for (const name of `${url} ${JSON.stringify(body ?? null)}`.matchAll(/@([^/?"\s]+)/g))
        await this.#meetNamed(decodeURIComponent(name[1] as string))
      const placeholder = token === null ? null : (this.#secrets.get(token) ?? WRONG.token)
      const as =
        authorization?.startsWith('Bearer ') && placeholder?.endsWith('.token')
          ? placeholder.slice(1, -'.token'.length)
          : null
      const who = as === null ? {} : { as }
      const headers = as === null && placeholder !== null ? { headers: { authorization: placeholder } } : {}
      const request = [method, this.#path(url), ...(body == null ? [] : [sent(body, this.#known)])]
      this.#line({ who: 'rest', dir: 'http', ...who, ...headers, req: request, status: await status })
    })
    return answered
  }

  #path(url: string): string {
    return url
      .split('/')
      .map((part, at, parts) => {
        const id =
          this.#cast.ids.get(part) ?? (parts[at - 1] === 'messages' ? this.#messages.get(Number(part)) : undefined)
        return id === undefined ? part : within(id)
      })
      .join('/')
  }

  // --- lines ---

  get #known() {
    return { secrets: this.#secrets, ids: this.#cast.ids, messages: this.#messages, people: this.#cast.people }
  }

  #sentFrame(frame: Exclude<FrameIn, { query: unknown }>): object {
    if ('event' in frame) {
      const ev = [frame.event, ...(sent(frame.args, this.#known) as unknown[])]
      return { ev, ...(frame.ack === null ? {} : { ack: `${frame.ack}` }) }
    }
    if (frame.text === null) return { binary: '00' }
    try {
      return { msg: sent(JSON.parse(frame.text), this.#known) }
    } catch {
      return { text: frame.text }
    }
  }

  #toldFrame(frame: FrameOut, zlib: boolean): object {
    if ('event' in frame) return { ev: [frame.event, ...(told(frame.args, this.#known) as unknown[])] }
    if ('ack' in frame) return { ack: `${frame.ack}`, args: told(frame.args, this.#known) }
    return { [zlib ? 'zframe' : 'msg']: told(frame.json, this.#known) }
  }

  /** Whose credential it is, which the record says in its place. */
  async #learn(credential: { token: string } | { hashedToken: string } | { jwt: string }): Promise<void> {
    const { identity } = this.#options
    const [kind, text] = Object.entries(credential)[0] as ['token' | 'hashedToken' | 'jwt', string]
    if (text === '' || this.#secrets.has(text)) return
    const known =
      kind === 'jwt'
        ? await identity.byForeignToken(text)
        : await identity.byToken(kind === 'token' ? identity.hashToken(text) : text)
    if (!known || typeof known === 'string') {
      this.#secrets.set(text, WRONG[kind])
      return
    }
    this.#meet(known.account)
    const form = { token: 'token', hashedToken: 'hash', jwt: 'jwt' }[kind]
    this.#secrets.set(text, `$${known.account.username}.${form}`)
  }

  async #meetNamed(name: string): Promise<void> {
    const account = await this.#options.identity.byName(name)
    if (account) this.#meet(account)
  }

  #meet(account: Parameters<Cast['meet']>[0]): void {
    if (this.#cast.meet(account)) this.#options.write(this.#cast.line())
  }

  async #see(id: string): Promise<void> {
    if (this.#cast.ids.has(id)) return
    const { snapshot } = await this.#options.host.load(roomStream(id))
    const room = snapshot.context as RoomContext
    if (room.parent !== null) await this.#see(room.parent)
    if (this.#cast.see(room)) this.#options.write(this.#cast.line())
  }

  /** Time that ends mutes and the like has passed by now: never less than it really was. */
  #line(step: object): void {
    const passed = this.#options.host.clock.now() - this.#startedAt - this.#advanced
    if (passed >= CLOCK_STEP_MS) {
      const ms = Math.ceil(passed / CLOCK_STEP_MS) * CLOCK_STEP_MS
      this.#advanced += ms
      this.#options.write({ who: 'clock', dir: 'advance', ms })
    }
    this.#options.write(step)
  }

  // --- which connections, and in which order ---

  #choose(session: Session, connection: Recorded): void {
    if (connection.chosen !== null) return
    const { dialect, user } = this.#options
    if (dialect !== null && session.spoken && session.spoken.name !== dialect) connection.chosen = false
    else if (user !== null && session.account) connection.chosen = session.account.username === user
    else if (user === null && session.spoken) connection.chosen = true
    if (connection.chosen === null) return
    for (const line of connection.held.splice(0)) if (connection.chosen) this.#add(line)
  }

  #of(id: string, line: () => Promise<void>): void {
    const connection = this.#connections.get(id)
    if (connection?.chosen) this.#add(line)
    else if (connection?.chosen === null) connection.held.push(line)
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
      .catch(() => this.#options.write({ comment: 'a line is missing here: it could not be looked up' }))
      .finally(() => {
        this.#waiting--
      })
  }
}
