// A whole world in one thread under virtual time, from a seed: rooms, users and connections on the memory log, while
// the process dies, acknowledgements get lost and read models do not answer, at any await. Sessions, hub, dialect, host, policies, recovery and
// read models are the real ones; only the sockets, the clock, chance and the log's troubles are simulated.

import type { Summary } from '../src/actors/actor.ts'
import { bear, readNameKey } from '../src/actors/birth.ts'
import { Claims } from '../src/actors/claims.ts'
import { Deadlines } from '../src/actors/deadlines.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type HostStore } from '../src/actors/host.ts'
import { type Account, Identity } from '../src/actors/identity.ts'
import { Policies } from '../src/actors/policies.ts'
import { type Clock, pause } from '../src/actors/ports.ts'
import { RateLimits } from '../src/actors/rate.ts'
import { closeLeftOpen } from '../src/actors/recovery.ts'
import { roomStream } from '../src/actors/room/room.facts.ts'
import { Rooms } from '../src/actors/rooms.ts'
import type { FrameOut, MessageView } from '../src/dialects/dialect.ts'
import { drivers } from '../src/dialects/drivers.ts'
import { moneypot } from '../src/dialects/moneypot.ts'
import { type EventLog, LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { LocalReadModels } from '../src/projections/read-models.ts'
import { Hub } from '../src/transports/hub.ts'
import type { Session } from '../src/transports/session.ts'
import { Sessions } from '../src/transports/sessions.ts'
import type { Batch, Socket } from '../src/transports/transport.ts'
import { MEMBER_DIALECTS, Members } from './members.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const ROOMS = ['moneypot:1', 'moneypot:2', 'moneypot:3'] as const
/** what drivers.uz clients call the first room: everybody with a name is a member there */
const TOPIC = 'drivers:1'
const NAMES = ['ann', 'bob', 'cyd', 'dan', 'eve'] as const

/** What a client saw of one visit. */
export class Client implements Socket {
  readonly transport = 'simulated'
  readonly address = 'simulated'
  readonly id: string
  readonly name: string | null
  readonly alias: string
  session: Session | null = null
  /** of drivers.uz, which shows the whole of a message that was removed */
  get isDriver(): boolean {
    return this.alias === TOPIC
  }
  open = true
  /** message ids of the snapshot, then of live frames, in the order they came */
  readonly seen: number[] = []
  snapshot: number | null = null
  /** texts whose callback came without an error, in that order */
  readonly acknowledged: string[] = []
  readonly #asked = new Map<number, (args: readonly unknown[]) => void>()
  readonly #onFrame: (client: Client, frame: FrameOut) => void
  #acks = 0

  constructor(id: string, name: string | null, alias: string, onFrame: (client: Client, frame: FrameOut) => void) {
    this.id = id
    this.name = name
    this.alias = alias
    this.#onFrame = onFrame
  }

  emit(event: string, args: readonly unknown[], answered: (args: readonly unknown[]) => void): void {
    const ack = this.#acks++
    this.#asked.set(ack, answered)
    this.session?.receive({ event, args, ack })
  }

  /** Where there is no callback, or nobody waits for it. */
  tell(event: string, data: object): void {
    this.session?.receive({ event, args: [data], ack: null })
  }

  write(batches: readonly Batch[]): number {
    if (!this.open) return 0
    for (const frame of batches.flatMap((batch) => batch.frames)) {
      this.#onFrame(this, frame)
      if ('ack' in frame) this.#asked.get(frame.ack)?.(frame.args)
    }
    return 0
  }

  bufferedBytes(): number {
    return 0
  }

  close(): void {
    this.open = false
  }
}

/** As in a thread of their own: they answer after a while, and are further by then than they were asked to be. */
const distant = (readModels: LocalReadModels, own: EventLog, clock: Clock, chance: SeededChance): LocalReadModels => {
  const query: LocalReadModels['query'] = async (name, args, options) => {
    await pause(clock, Math.floor(chance.fraction() * 3))
    return readModels.query(name, args, { ...options, atLeast: await own.head() })
  }
  return Object.assign(Object.create(readModels) as LocalReadModels, { query })
}

/** One life of the process: dead, nothing of it goes on. */
class Life {
  dead = false
  readonly host: Host
  readonly sessions: Sessions
  readonly identity: Identity
  readonly rooms: Rooms
  readonly readModels: LocalReadModels

  private constructor(host: Host, sessions: Sessions, identity: Identity, rooms: Rooms, readModels: LocalReadModels) {
    this.host = host
    this.sessions = sessions
    this.identity = identity
    this.rooms = rooms
    this.readModels = readModels
  }

  static async begin(world: World, log: EventLog, incarnation: number): Promise<Life | null> {
    const mortal = { dead: false }
    const clock = mortalClock(world.clock, mortal)
    const { chance } = world
    const onFault = (where: string, error: unknown) => {
      // That the log or the read models could not answer in time is trouble, not a fault.
      if (!mortal.dead && !(error instanceof LogUnavailable))
        world.faults.push(`${where}: ${(error as Error).stack ?? error}`)
    }
    const own = mortalLog(log, mortal, world)
    world.kill = () => {
      mortal.dead = true
    }
    const readModels = await LocalReadModels.open(own, (ms, run) => {
      clock.at(clock.now() + ms, run)
    })
    const answer = readModels.query.bind(readModels)
    readModels.query = (async (...asked: Parameters<typeof answer>) => {
      await world.hold(asked[0], clock)
      return answer(...asked)
    }) as typeof answer
    const store: HostStore = {
      summary: async (stream, source) =>
        (await readModels.query('summary.get', { stream, source })).result as Summary | null,
      keepSummary: (stream, source, summary) => {
        readModels.query('summary.put', { stream, source, revision: summary.revision, state: summary }).catch(() => {})
      },
      message: async (stream, revision, id) => {
        const room = stream.slice('room-'.length)
        const { result } = await readModels.query('room.message', { room, id }, { atLeast: { stream, revision } })
        if (!result) return null
        const { author, text, removed } = result
        return { id, revision: result.revision, author: author.id, text, removed: removed !== null }
      },
    }
    const host = new Host({
      log: own,
      codec: new FactCodec(),
      clock,
      chance,
      node: 'main',
      definitions,
      store,
      summaryFrom: 3,
      onFault,
    })
    host.onAcknowledged(() => readModels.poke())
    await host.start()
    const claims = new Claims(host.ledger, clock, await readNameKey(host.ledger, 'k'.repeat(32), chance))
    const [identity, rooms] = [new Identity(host, claims), new Rooms(host, claims)]
    const policies = new Policies(host, onFault)
    const atLeast = await own.head()
    await closeLeftOpen(host, {
      connections: (await readModels.query('connections.open', {}, { atLeast })).result,
      presences: (await readModels.query('presence.open', {})).result,
      online: (await readModels.query('online.open', {})).result,
    })
    await policies.settled()
    await bear(identity, rooms, 'o'.repeat(32))
    for (const name of NAMES) {
      if (!(await identity.byName(name))) {
        const token = tokenOf(name)
        await identity.register({
          username: name,
          role: name === 'ann' ? 'admin' : 'member',
          guest: false,
          asker: null,
          token,
        })
      }
    }
    for (const alias of ROOMS) {
      if (await rooms.byAlias(alias)) continue
      const members: { account: Account; role: 'member' }[] = []
      if (alias === ROOMS[0])
        for (const name of NAMES) members.push({ account: (await identity.byName(name)) as Account, role: 'member' })
      const aliases = alias === ROOMS[0] ? [alias, TOPIC] : [alias]
      await rooms.open({ name: alias, aliases, members, asker: null })
    }
    const dueBefore = async (before: number) => {
      const atLeast = await own.head()
      return (await readModels.query('deadlines.due', { before, limit: 1_000 }, { atLeast })).result
    }
    await new Deadlines(host, dueBefore, onFault).start()
    const rates = new RateLimits('off', clock)
    const hub = new Hub(
      host,
      async (room, id, revision) => {
        const atLeast = { stream: `room-${room}`, revision }
        return (await readModels.query('room.message', { room, id }, { atLeast })).result as MessageView | null
      },
      (name) => identity.byName(name),
      onFault,
    )
    const sessions = new Sessions({
      host,
      identity,
      rooms,
      rates,
      acts: rates,
      readModels: distant(readModels, own, clock, chance),
      hub,
      node: 'main',
      incarnation: `life ${incarnation}`,
      dialects: [moneypot, drivers, ...MEMBER_DIALECTS],
      maxConnections: 1_000,
      typing: true,
      head: () => own.head(),
      epoch: 'world',
      onFault,
    })
    await world.members.begin({ host, identity, rooms, policies, sessions })
    return mortal.dead ? null : Object.assign(new Life(host, sessions, identity, rooms, readModels), { mortal })
  }
}

/** The message that a frame says was posted. */
const messageIn = (frame: FrameOut): { id: number } | null => {
  if (!('event' in frame)) return null
  if (frame.event === 'new_message') return frame.args[0] as { id: number }
  const { event_type, data } = (frame.args[0] ?? {}) as { event_type?: string; data?: { id: number } }
  return frame.event === 'message_events' && event_type === 'sent' && data ? data : null
}

const tokenOf = (name: string): string => name.padEnd(32, '0')

/** One of its own each time: what waits for a shared promise for ever is never given back. */
const never = () => new Promise<never>(() => {})

const mortalClock = (clock: Clock, mortal: { dead: boolean }): Clock => ({
  now: () => clock.now(),
  at: (due, run) => clock.at(due, () => !mortal.dead && run()),
  soon: (run) => clock.soon(() => !mortal.dead && run()),
})

/** The log as one life sees it: what it asks may be lost on the way there or back, and the dead hear nothing. */
const mortalLog = (log: EventLog, mortal: { dead: boolean }, world: World): EventLog => {
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (mortal.dead) return never()
    const result = await work()
    return mortal.dead ? never() : result
  }
  async function* iterate<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of items) {
      world.mayDie(0.001)
      if (mortal.dead) await never()
      yield item
    }
  }
  return {
    deleteStreams: (streams) => alive(() => log.deleteStreams(streams)),
    append: (stream, facts, expected) =>
      alive(async () => {
        world.trouble('before')
        if (mortal.dead) return never()
        const appended = await log.append(stream, facts, expected)
        world.trouble('after')
        return appended
      }),
    readStream: (stream, options) => iterate(log.readStream(stream, options)),
    readAll: (options) => iterate(log.readAll(options)),
    subscribe: (options) => iterate(log.subscribe(options)),
    head: () => alive(() => log.head()),
    epoch: () => alive(() => log.epoch()),
    close: () => log.close(),
  }
}

export class World {
  readonly clock = new VirtualClock(queueMicrotask)
  readonly chance: SeededChance
  readonly log = new MemoryLog({ epoch: 'world' })
  readonly clients: Client[] = []
  readonly members: Members
  readonly faults: string[] = []
  readonly broken: string[] = []
  /** room alias and text of every acknowledged message, in the order of acknowledgements */
  kill: () => void = () => {}
  calm = true
  deaths = 0
  losses = 0
  /** questions to the read models */
  unanswered = 0
  life: Life | null = null
  #lives = 0
  #texts = 0

  constructor(seed: number) {
    this.chance = new SeededChance(seed, this.clock)
    this.members = new Members(this.chance, tokenOf)
  }

  /** At each step of a read: sometimes the process dies. */
  mayDie(chance: number): void {
    if (this.calm || this.chance.fraction() >= chance) return
    this.deaths++
    this.kill()
  }

  /** At each question to the read models: sometimes they are behind for a while, sometimes for too long. */
  async hold(question: string, clock: Clock): Promise<void> {
    if (this.calm) return
    const often = question === 'room.message' ? 5 : 1
    const luck = this.chance.fraction()
    if (luck < 0.03 * often) {
      this.unanswered++
      throw new LogUnavailable('the read models are behind', 'no')
    }
    if (luck < 0.06 * often) await pause(clock, this.chance.below(2_000))
  }

  /** At each append: sometimes the answer is lost, sometimes the process dies. */
  trouble(when: 'before' | 'after'): void {
    if (this.calm) return
    const luck = this.chance.fraction()
    if (luck < 0.01) {
      this.deaths++
      this.kill()
    } else if (luck < 0.04) {
      this.losses++
      throw new LogUnavailable(`lost ${when} storing`, 'unknown')
    }
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await this.#live()
      this.#act()
      // Sometimes let everything come to rest, sometimes go on in the middle of it.
      if (this.chance.fraction() < 0.6) await this.#rest()
      else for (let turn = this.chance.below(30); turn > 0; turn--) await Promise.resolve()
      if (this.chance.fraction() < 0.3) this.clock.advance(this.chance.below(20_000))
    }
    this.calm = true
    await this.#rest()
    this.kill()
    await this.#live()
    await this.#rest()
    // Long enough for every mute and ban to end, in steps that let sleeping actors be woken in time.
    for (let step = 0; step < 20; step++) {
      this.clock.advance(15_000)
      await this.#rest()
    }
  }

  /** The process lives: starts again after a death, if need be several times. */
  async #live(): Promise<void> {
    while (this.life === null || (this.life as unknown as { mortal: { dead: boolean } }).mortal.dead) {
      for (const client of this.clients) client.open = false
      this.life?.readModels.generations.halt()
      // A start is not troubled here: what it does, it does again at the next.
      const { calm } = this
      this.calm = true
      this.life = await Life.begin(this, this.log, this.#lives++)
      this.calm = calm
      if (this.#lives === 1) this.calm = false
    }
  }

  /** Microtasks to the end, and short pauses (retries) with them. */
  async #rest(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.clock.next() > this.clock.now() + 3_000) break
      this.clock.advance(Math.max(0, this.clock.next() - this.clock.now()))
    }
    await this.members.rested()
  }

  #act(): void {
    const open = this.clients.filter(({ open, session }) => open && session && !session.ended)
    const luck = this.chance.fraction()
    if (this.chance.fraction() < 0.3) this.members.act()
    else if (open.length < 2 || luck < 0.25) this.#connect()
    else if (luck < 0.75) this.#speak(this.chance.pick(open))
    else if (luck < 0.8) this.#moderate(this.chance.pick(open))
    else if (luck < 0.9) void this.#change()
    else if (luck < 0.97) this.#leave(this.chance.pick(open))
    else void this.#ban()
  }

  #connect(): void {
    const name = this.chance.fraction() < 0.15 ? null : this.chance.pick(NAMES)
    const alias = name !== null && this.chance.fraction() < 0.3 ? TOPIC : this.chance.pick(ROOMS)
    const client = new Client(this.chance.uuid(), name, alias, (who, frame) => this.#heard(who, frame))
    const { life } = this
    if (!life) return
    client.session = life.sessions.open(client)
    this.clients.push(client)
    if (name !== null && client.isDriver) {
      client.snapshot = 0
      client.tell('signin_request', { token: tokenOf(name) })
      return
    }
    const token = name === null ? {} : { hashed_token: life.identity.hashToken(tokenOf(name)) }
    client.emit('auth', [{ app_id: Number(client.alias.split(':')[1]), ...token }], ([error, data]) => {
      if (error !== null) return
      const { history } = (data as { room: { history: { id: number }[] } }).room
      client.snapshot = history.at(-1)?.id ?? 0
      client.seen.push(...history.map(({ id }) => id))
      if (history.length === 0) client.seen.length = 0
    })
  }

  #speak(client: Client): void {
    const text = `${client.id.slice(-6)} ${this.#texts++}`
    if (client.isDriver) {
      client.tell('message_events', { topic_id: 1, body: text })
      return
    }
    client.emit('new_message', [text], ([error]) => {
      if (error === undefined) client.acknowledged.push(text)
    })
  }

  #moderate(client: Client): void {
    const target = this.chance.pick(NAMES)
    const text = this.chance.fraction() < 0.7 ? `/mute ${target} ${1 + this.chance.below(3)}` : `/unmute ${target}`
    client.emit('new_message', [text], () => {})
  }

  /** Messages of the topic are taken down, shown again and edited, now and then together, and something is said beside it. */
  async #change(): Promise<void> {
    const { life } = this
    const room = await life?.rooms.byAlias(TOPIC)
    const ann = await life?.identity.byName('ann')
    if (!life || !room || !ann || this.inTopic.length === 0) return
    const asker = { id: ann.id, number: ann.number, username: ann.username, account: ann.role }
    for (let acts = 1 + this.chance.below(2); acts > 0; acts--) {
      const id = this.chance.pick(this.inTopic.slice(-3))
      const luck = this.chance.fraction()
      void life.host.send(
        roomStream(room.id),
        luck < 0.5
          ? { type: 'message.remove', asker, id, reason: null }
          : luck < 0.8
            ? { type: 'message.restore', asker, id }
            : { type: 'message.edit', asker, id, text: `edited ${this.#texts++}` },
      )
    }
    const said = { kind: 'text', clientRef: null, replyTo: null, extra: null, entered: false } as const
    void life.host.send(roomStream(room.id), { type: 'message.post', asker, text: `beside ${this.#texts++}`, ...said })
  }

  #leave(client: Client): void {
    client.open = false
    client.session?.closed()
  }

  async #ban(): Promise<void> {
    const { life } = this
    const account = await life?.identity.byName(this.chance.pick(NAMES.slice(1)))
    if (!life || !account) return
    await life.host.send(`user-${account.id}`, { type: 'user.ban', asker: null, seconds: 30, reason: null })
  }

  /** Nothing leaves before it is durable: whatever a frame tells of stands in the log now. */
  #heard(client: Client, frame: FrameOut): void {
    const message = messageIn(frame)
    if (message === null) return
    if (client.isDriver) this.inTopic.push(message.id)
    const last = client.seen.at(-1) ?? 0
    if (message.id <= last) this.broken.push(`${client.id} heard message ${message.id} after ${last}`)
    client.seen.push(message.id)
    this.told.push(message.id)
  }

  readonly told: number[] = []
  /** those of the topic that one of its clients was told */
  readonly inTopic: number[] = []

  /** Gives back what the last life holds. */
  end(): void {
    this.kill()
    this.life?.readModels.generations.halt()
  }

  async facts(): Promise<Recorded[]> {
    const facts: Recorded[] = []
    for await (const fact of this.log.readAll()) facts.push(fact)
    return facts
  }
}
