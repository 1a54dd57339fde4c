// A whole world in one thread under virtual time, from a seed: rooms, users and connections on the memory log, while
// the process dies and acknowledgements get lost at any await. Sessions, hub, dialect, host, policies, recovery and
// read models are the real ones; only the sockets, the clock, chance and the log's troubles are simulated.

import type { Summary } from '../src/actors/actor.ts'
import { bear, readNameKey } from '../src/actors/birth.ts'
import { Claims } from '../src/actors/claims.ts'
import { Deadlines } from '../src/actors/deadlines.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type HostStore } from '../src/actors/host.ts'
import { Identity } from '../src/actors/identity.ts'
import { Policies } from '../src/actors/policies.ts'
import type { Clock } from '../src/actors/ports.ts'
import { RateLimits } from '../src/actors/rate.ts'
import { closeLeftOpen } from '../src/actors/recovery.ts'
import { Rooms } from '../src/actors/rooms.ts'
import type { FrameOut, MessageView } from '../src/dialects/dialect.ts'
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
const NAMES = ['ann', 'bob', 'cyd', 'dan', 'eve'] as const

/** What a client saw of one visit. */
export class Client implements Socket {
  readonly transport = 'simulated'
  readonly address = 'simulated'
  readonly id: string
  readonly name: string | null
  readonly alias: string
  session: Session | null = null
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

/** One life of the process: dead, nothing of it goes on. */
class Life {
  dead = false
  readonly host: Host
  readonly sessions: Sessions
  readonly identity: Identity
  readonly readModels: LocalReadModels

  private constructor(host: Host, sessions: Sessions, identity: Identity, readModels: LocalReadModels) {
    this.host = host
    this.sessions = sessions
    this.identity = identity
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
    const store: HostStore = {
      summary: async (stream, source) =>
        (await readModels.query('summary.get', { stream, source })).result as Summary | null,
      keepSummary: (stream, source, summary) => {
        void readModels.query('summary.put', { stream, source, revision: summary.revision, state: summary })
      },
      message: async () => null,
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
    for (const alias of ROOMS) {
      if (!(await rooms.byAlias(alias))) await rooms.open({ name: alias, aliases: [alias], asker: null })
    }
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
      readModels,
      hub,
      node: 'main',
      incarnation: `life ${incarnation}`,
      dialects: [moneypot, ...MEMBER_DIALECTS],
      maxConnections: 1_000,
      typing: true,
      head: () => own.head(),
      epoch: 'world',
      onFault,
    })
    await world.members.begin({ host, identity, rooms, policies, sessions })
    return mortal.dead ? null : Object.assign(new Life(host, sessions, identity, readModels), { mortal })
  }
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
    else if (luck < 0.85) this.#moderate(this.chance.pick(open))
    else if (luck < 0.97) this.#leave(this.chance.pick(open))
    else void this.#ban()
  }

  #connect(): void {
    const name = this.chance.fraction() < 0.15 ? null : this.chance.pick(NAMES)
    const client = new Client(this.chance.uuid(), name, this.chance.pick(ROOMS), (who, frame) =>
      this.#heard(who, frame),
    )
    const { life } = this
    if (!life) return
    client.session = life.sessions.open(client)
    this.clients.push(client)
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
    client.emit('new_message', [text], ([error]) => {
      if (error === undefined) client.acknowledged.push(text)
    })
  }

  #moderate(client: Client): void {
    const target = this.chance.pick(NAMES)
    const text = this.chance.fraction() < 0.7 ? `/mute ${target} ${1 + this.chance.below(3)}` : `/unmute ${target}`
    client.emit('new_message', [text], () => {})
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
    if (!('event' in frame) || frame.event !== 'new_message') return
    const [message] = frame.args as [{ id: number; text: string }]
    const last = client.seen.at(-1) ?? 0
    if (message.id <= last) this.broken.push(`${client.id} heard message ${message.id} after ${last}`)
    client.seen.push(message.id)
    this.told.push(message.id)
  }

  readonly told: number[] = []

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
