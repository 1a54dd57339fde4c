// Rooms that are their members' own, in a simulated world, and who is in them: clients that enter (native) and clients that
// follow what they belong to (Ayaka), while people are taken out, put out, banned and taken in again. Whoever belongs to
// a room no more hears it no more, once everything that follows from that has been done.

import { isOpenToAll } from '../src/actors/alias.ts'
import type { ConnectionContext } from '../src/actors/connection/connection.context.ts'
import type { Host } from '../src/actors/host.ts'
import type { Identity } from '../src/actors/identity.ts'
import type { Policies } from '../src/actors/policies.ts'
import { inForce, type RoomContext } from '../src/actors/room/room.context.ts'
import { roomStream } from '../src/actors/room/room.facts.ts'
import type { Rooms } from '../src/actors/rooms.ts'
import { ayakaWith } from '../src/dialects/ayaka.ts'
import { native } from '../src/dialects/native/native.ts'
import type { Session } from '../src/transports/session.ts'
import type { Sessions } from '../src/transports/sessions.ts'
import type { Batch, Socket } from '../src/transports/transport.ts'
import type { SeededChance } from './seeded-chance.ts'

export const MEMBER_DIALECTS = [native, ayakaWith({ messageCreate: true })]

const SPACE = 'ayaka:1'
const CHANNEL = 'native:2'
const OWN = 'native:1'
const PLACES = [SPACE, CHANNEL, OWN] as const
const NAMES = ['bob', 'cyd', 'dan'] as const
const SAID = /said in (\S+) (\d+)/

/** What of a life these rooms need. */
interface Around {
  readonly host: Host
  readonly identity: Identity
  readonly rooms: Rooms
  readonly policies: Policies
  readonly sessions: Sessions
}

class Member implements Socket {
  readonly transport = 'simulated'
  readonly address = 'simulated'
  readonly id: string
  session: Session | null = null
  open = true
  /** rooms that it may not hear since everything was last at rest */
  readonly shut = new Set<string>()
  readonly #heard: (room: string) => void

  constructor(id: string, heard: (member: Member, room: string) => void) {
    this.id = id
    this.#heard = (room) => heard(this, room)
  }

  write(batches: readonly Batch[]): number {
    for (const frame of this.open ? batches.flatMap((batch) => batch.frames) : []) {
      const told = 'json' in frame ? (frame.json as { is?: string; t?: string }) : {}
      const room = SAID.exec(JSON.stringify(told))?.[1]
      if (room && (told.is === 'posted' || told.t === 'MESSAGE_CREATE')) this.#heard(room)
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

export class Members {
  readonly broken: string[] = []
  /** how often somebody who was connected was found with a room shut to them */
  shut = 0
  #around: Around | null = null
  #members: Member[] = []
  #said = 0
  readonly #ids = new Map<string, string>()
  readonly #chance: SeededChance
  readonly #tokenOf: (name: string) => string

  constructor(chance: SeededChance, tokenOf: (name: string) => string) {
    this.#chance = chance
    this.#tokenOf = tokenOf
  }

  /** A life begins: whoever was connected is not. @throws LogUnavailable */
  async begin(around: Around): Promise<void> {
    const { rooms, identity } = around
    this.#members = []
    this.#around = around
    const found = await Promise.all(NAMES.map((name) => identity.byName(name)))
    const members = found.flatMap((account) => (account ? [{ account, role: 'member' as const }] : []))
    const opened = async (alias: string, more: Partial<Parameters<Rooms['open']>[0]>) =>
      (await rooms.byAlias(alias)) ?? (await rooms.open({ name: alias, aliases: [alias], asker: null, ...more }))
    await opened(SPACE, { kind: 'space', members })
    const parent = (await rooms.byAlias(SPACE))?.id ?? null
    await opened(CHANNEL, { aliases: [CHANNEL, 'ayaka:2'], parent })
    await opened(OWN, { members })
    for (const alias of PLACES) this.#ids.set(alias, (await rooms.byAlias(alias))?.id ?? '')
  }

  /** Known from the beginning on: whoever asks a life that dies waits for ever. */
  #room(alias: string): string {
    return this.#ids.get(alias) as string
  }

  act(): void {
    const luck = this.#chance.fraction()
    const open = this.#members.filter(({ open, session }) => open && session && !session.ended)
    if (open.length < 2 || luck < 0.3) this.#connect(this.#chance.pick(NAMES))
    else if (luck < 0.45) void this.#say(this.#chance.pick([CHANNEL, OWN]))
    else if (luck < 0.9) void this.#order(this.#chance.pick(PLACES), this.#chance.pick(NAMES))
    else this.#chance.pick(open).session?.closed()
  }

  #connect(name: string): void {
    const dialect = this.#chance.pick(MEMBER_DIALECTS)
    const member = new Member(this.#chance.uuid(), (who, room) => this.#heard(who, room))
    member.session = this.#around?.sessions.open(member, dialect) ?? null
    this.#members.push(member)
    const token = this.#tokenOf(name)
    const frames =
      dialect === native
        ? [{ do: 'sign-in', ref: 1, token }, ...[CHANNEL, OWN].map((room) => ({ do: 'join', ref: room, room }))]
        : [{ session_id: token }]
    for (const frame of frames) member.session?.receive({ text: JSON.stringify(frame) })
  }

  async #say(alias: string): Promise<void> {
    const { host, identity } = this.#around as Around
    const id = this.#room(alias)
    const ann = await identity.byName('ann')
    if (!ann) return
    const asker = { id: ann.id, number: ann.number, username: ann.username, account: ann.role }
    const text = `said in ${id} ${this.#said++}`
    const rest = { kind: 'text', clientRef: null, replyTo: null, extra: null, entered: false } as const
    await host.send(roomStream(id), { type: 'message.post', asker, by: ann.id, text, ...rest })
  }

  async #order(alias: string, name: string): Promise<void> {
    const { host, identity } = this.#around as Around
    const stream = roomStream(this.#room(alias))
    const user = (await identity.byName(name))?.id
    if (!user) return
    const acts = [
      { type: 'member.add', role: 'member' },
      { type: 'member.add', role: 'member' },
      { type: 'member.remove' },
      { type: 'member.kick', reason: null },
      { type: 'member.ban', seconds: 20, reason: null },
    ] as const
    await host.send(stream, { ...this.#chance.pick(acts), asker: null, user })
  }

  /** As the acknowledged rooms say. */
  #mayHear(user: string, room: string): boolean {
    const { host } = this.#around as Around
    const of = (id: string) => host.peek(roomStream(id))?.snapshot.context as RoomContext | undefined
    const context = of(room)
    if (!context || isOpenToAll(context)) return true
    for (const place of context.parent === null ? [context] : [context, of(context.parent)]) {
      if (!place) return true
      if (inForce(place.bans.get(user), host.clock.now())) return false
      if (place.members.has(user)) return true
    }
    return false
  }

  #heard(member: Member, room: string): void {
    const account = member.session?.account
    if (!account || account.role === 'admin' || !member.shut.has(room)) return
    if (!this.#mayHear(account.id, room)) this.broken.push(`${member.id} of ${account.username} heard ${room}`)
  }

  /** Everything that was to be done has been: nobody is where they do not belong. */
  async rested(): Promise<void> {
    const around = this.#around
    if (!around) return
    let done = false
    void around.policies.settled().then(() => {
      done = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    if (!done || around !== this.#around) return
    for (const { id, session, shut, open } of this.#members) {
      const actor = around.host.peek(`connection-${id}`)
      // What it asked itself may be under way yet.
      if (
        !open ||
        !session?.account ||
        session.ended ||
        session.requests.busy ||
        !actor?.resting(around.host.clock.now())
      )
        continue
      const { account } = session
      const { rooms, followed } = actor.snapshot.context as ConnectionContext
      shut.clear()
      for (const alias of PLACES) {
        const room = this.#room(alias)
        if (account.role === 'admin' || this.#mayHear(account.id, room)) continue
        shut.add(room)
        this.shut++
        if (rooms.has(room) || followed.has(room) || session.places.get(room))
          this.broken.push(`${id} of ${account.username} is in ${alias}, where they do not belong`)
      }
    }
  }
}
