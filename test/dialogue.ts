// Plays a conversation from a text file against a running server, over real sockets by the protocol's real client.
//
// A .dialogue file: a line `# purpose`, a line `{"cast": …}`, then one step a line, as docs/protocols/ shows them. For
// each participant every frame of the kinds (event name, `t` or `type`) that the dialogue shows to it is listed, in
// order; frames of other kinds may come between. Values are in dialogue-values.ts; of the cast there are
// `"$bob.number"`, `"$bob.id"`, `"$bob.token"`, `"$bob.hash"` (in capitals `"$bob.HASH"`), his JSON Web Tokens (test/json-web-tokens.ts), and
// `"$moneypot:18"` for a room's id.

import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { AccountRole, MemberRole } from '../src/actors/fact.ts'
import type { Account } from '../src/actors/identity.ts'
import { type Clients, IoParticipant, kindOf, type Participant, WsParticipant } from './dialogue-people.ts'
import { Values } from './dialogue-values.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer, type TestServerOptions } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Cast {
  /** username → account role; absent from it: nobody */
  readonly users?: Readonly<Record<string, AccountRole>>
  /** aliases, separated by blanks → username → role; an alias `space` makes it one, `in:<alias>` puts it into one */
  readonly rooms?: Readonly<Record<string, Readonly<Record<string, MemberRole>>>>
  /** names of rooms, by their first alias */
  readonly names?: Readonly<Record<string, string>>
  readonly rate?: string
  /**
   * As recorded, where people did something at once: whoever acts waits until what others did before is done, and the
   * order of what one hears is that of its kind.
   */
  readonly paced?: boolean
}

export interface Step {
  readonly who: string
  readonly dir: 'C>S' | 'S>C' | 'close' | 'silence' | 'advance' | 'http' | 'connect' | 'open' | 'stop'
  readonly ev?: readonly unknown[]
  readonly ack?: string
  /** given to the client before it has connected */
  readonly early?: boolean
  readonly args?: readonly unknown[]
  readonly disconnect?: string
  readonly url?: string
  /** kinds that it listens for beside those shown to it, so that silence says something of them */
  readonly hears?: readonly string[]
  readonly msg?: unknown
  readonly text?: string
  /** hex */
  readonly binary?: string
  readonly zframe?: unknown
  readonly close?: number
  readonly reason?: string
  readonly ms?: number
  readonly as?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly req?: readonly [string, string, unknown?]
  readonly status?: number
  readonly body?: unknown
}

const ACTS: ReadonlySet<Step['dir']> = new Set(['C>S', 'close', 'http', 'connect', 'open'])

export const parseDialogue = (file: string): { purpose: string; cast: Cast; steps: Step[] } => {
  const [first = '', ...lines] = readFileSync(file, 'utf8').split('\n')
  if (!first.startsWith('# ')) throw new Error(`${file}: the first line is its purpose: # …`)
  const [head, ...steps] = lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => JSON.parse(line))
  return { purpose: first.slice(2), cast: head.cast, steps }
}

export const playDialogue = async (file: string, clients: Clients, options: TestServerOptions = {}): Promise<void> => {
  const { cast, steps } = parseDialogue(file)
  const clock = new VirtualClock()
  const rate = cast.rate === undefined ? ('off' as const) : { capacity: Number(cast.rate.split('/')[0]), perSecond: 2 }
  const server = await runServer({ clock, rate, ...options })
  const player = new Player(server, clock, clients, steps, cast.paced ?? false)
  try {
    await player.prepare(cast)
    for (const [index, step] of steps.entries()) {
      await player.play(step).catch((error: Error) => {
        throw new Error(`step ${index + 1} ${JSON.stringify(step)}\n${error.message}`)
      })
    }
    await player.nothingUnread()
    player.leave()
    if (!steps.some(({ dir }) => dir === 'stop')) await nobodyPresent(server)
    if (server.faults.length > 0) throw new Error(`faults: ${server.faults.join('\n')}`)
  } finally {
    player.leave()
    await server.stop()
  }
}

/** Each client's way of leaving is seen by the server, over each transport. */
const nobodyPresent = async (server: TestServer): Promise<void> => {
  const present = async () =>
    (await server.readModels.query('presence.open', {}, { atLeast: await server.log.head() })).result
  await expect.poll(present, { interval: 1, timeout: 5_000 }).toEqual([])
}

class Player {
  readonly #server: TestServer
  readonly #clock: VirtualClock
  readonly #clients: Clients
  readonly #steps: readonly Step[]
  readonly #people = new Map<string, Participant>()
  readonly #values = new Values()
  readonly #tokens = new Map<string, string>()
  readonly #paced: boolean
  /** who acted last */
  #last: string | null = null

  constructor(server: TestServer, clock: VirtualClock, clients: Clients, steps: readonly Step[], paced: boolean) {
    this.#paced = paced
    this.#server = server
    this.#clock = clock
    this.#clients = clients
    this.#steps = steps
  }

  async prepare({ users = {}, rooms = {}, names = {} }: Cast): Promise<void> {
    const accounts = new Map<string, Account>()
    const meet = async (username: string, token: string, { id, number, role }: Account) => {
      accounts.set(username, { id, number, username, role })
      this.#tokens.set(username, token)
      this.#values.set(`${username}.number`, number)
      this.#values.set(`${username}.id`, id)
      this.#values.set(`${username}.token`, token)
      const hash = this.#server.identity.hashToken(token)
      this.#values.set(`${username}.hash`, hash)
      this.#values.set(`${username}.HASH`, hash.toUpperCase())
      for (const [kind, jwt] of Object.entries(await jsonWebTokens(id, this.#clock.now()))) {
        this.#values.set(`${username}.${kind}`, jwt)
      }
    }
    const owner = await this.#server.identity.byNumber(1)
    if (owner) await meet('owner', this.#server.ownerTokenText, owner)
    for (const [username, role] of Object.entries(users)) {
      const { account, token } = await this.#server.account(username, role)
      await meet(username, token, account)
    }
    for (const [given, members] of Object.entries(rooms)) {
      const words = given.split(' ')
      const aliases = words.filter((word) => word !== 'space' && !word.startsWith('in:'))
      const space = words.find((word) => word.startsWith('in:'))?.slice('in:'.length)
      const parent = space === undefined ? null : (this.#values.filled(`$${space}`) as string)
      const listed = Object.entries(members).map(([username, role]) => ({
        account: accounts.get(username) as never,
        role,
      }))
      const [first = ''] = aliases
      const kind = words.includes('space') ? 'space' : 'room'
      const name = names[first] ?? first
      await this.#makeWay(aliases, owner)
      const opened = await this.#server.rooms.open({ name, kind, parent, aliases, members: listed, asker: null })
      if (!opened.ok) throw new Error(opened.refusal.code)
      for (const alias of aliases) this.#values.set(alias, opened.room.id)
    }
  }

  /** A new server has a lobby of its own; a cast may have one at the same alias, as it was when it was recorded. */
  async #makeWay(aliases: readonly string[], owner: Account | null): Promise<void> {
    for (const alias of aliases) {
      const own = await this.#server.rooms.byAlias(alias)
      if (own?.name !== 'lobby' || !owner) continue
      await this.#server.rooms.change(own, { aliases: [] }, { ...owner, account: owner.role })
    }
  }

  async play(step: Step): Promise<void> {
    if (this.#paced && ACTS.has(step.dir)) {
      if (this.#last !== null && this.#last !== step.who) await this.#settle()
      this.#last = step.who
    }
    switch (step.dir) {
      case 'advance':
        await this.#settle()
        this.#clock.advance(step.ms ?? 0)
        return
      case 'stop':
        await this.#server.stop()
        return
      case 'http':
        return this.#http(step)
      case 'open': {
        const url = `${this.#server.url.replace('http', 'ws')}${this.#values.filled(step.url)}`
        this.#people.set(
          step.who,
          await WsParticipant.connect(url, this.#kindsOf(step.who, step.hears), this.#clients.webSocket),
        )
        return
      }
    }
    const participant = await this.#participant(step)
    switch (step.dir) {
      case 'connect':
        return
      case 'C>S':
        return participant.send(this.#values.filled(step) as Step)
      case 'close':
        return this.#paced ? this.#leaveTogether(step) : participant.leave()
      case 'silence':
        return this.#silence(participant)
      case 'S>C':
        return this.#expect(participant, step)
    }
  }

  /** Who went at once may not have heard of the others' going. */
  async #leaveTogether(first: Step): Promise<void> {
    const rest = this.#steps.slice(this.#steps.indexOf(first))
    const until = rest.findIndex(({ dir }) => dir !== 'close' && dir !== 'advance')
    const going = new Set(rest.slice(0, until < 0 ? rest.length : until).map(({ who }) => who))
    await this.#settle()
    const { size } = this.#server.sessions
    const here = [...this.#people].filter(([who, { ended }]) => going.has(who) && ended === null)
    for (const [who, participant] of here) {
      this.#allRead(who, participant)
      participant.leave()
    }
    await expect.poll(() => this.#server.sessions.size, { interval: 1 }).toBe(size - here.length)
    for (const [, { frames }] of here) frames.length = 0
  }

  async #expect(participant: Participant, step: Step): Promise<void> {
    if (step.disconnect !== undefined || step.close !== undefined) {
      await participant.until(() => participant.ended !== null, 'the end')
      if (participant.frames.length > 0) throw new Error(`heard before: ${JSON.stringify(participant.frames)}`)
      if (step.close !== undefined) this.#values.match(step.close, participant.ended?.code)
      const reason = step.disconnect ?? step.reason
      if (reason !== undefined) this.#values.match(reason, participant.ended?.reason)
      return
    }
    if (step.ack !== undefined) {
      const { ack } = step
      await participant.until(() => participant.acks.has(ack), `ack ${ack}`)
      this.#values.match(step.args, participant.acks.get(ack))
      return
    }
    const expected = step.ev ?? step.msg ?? step.zframe
    const { frames } = participant
    // Commits that held what several people did are other ones now, and an answer follows what its commit told.
    const next = () => (this.#paced ? frames.findIndex((frame) => kindOf(frame) === kindOf(expected)) : 0)
    await participant.until(() => next() >= 0 && frames.length > 0, 'a frame')
    const [heard] = frames.splice(next(), 1)
    this.#values.match(expected, heard)
  }

  /** What was sent is in the server, nothing is under way there any more, and what it wrote has arrived. */
  async #settle(): Promise<void> {
    await this.#barrier()
    for (let round = 0; round < 3 || this.#server.sessions.busy > 0; round++) {
      await this.#server.settled()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await this.#barrier()
  }

  async #barrier(): Promise<void> {
    await Promise.all([...this.#people.values()].map((participant) => participant.barrier()))
  }

  async #silence({ frames }: Participant): Promise<void> {
    await this.#settle()
    if (frames.length > 0) throw new Error(`expected silence, got ${JSON.stringify(frames)}`)
  }

  async #http({ as, headers, req = ['GET', '/'], status, body }: Step): Promise<void> {
    const [method, path, sent] = req
    const token = as === undefined ? undefined : this.#tokens.get(as)
    const response = await fetch(`${this.#server.url}${this.#values.filled(path)}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.#values.filled(headers ?? {}) as Record<string, string>),
      },
      ...(sent === undefined ? {} : { body: JSON.stringify(this.#values.filled(sent)) }),
    })
    const text = await response.text()
    if (response.status !== status) throw new Error(`status ${response.status}: ${text}`)
    if (body !== undefined) this.#values.match(body, JSON.parse(text))
  }

  async nothingUnread(): Promise<void> {
    await this.#settle()
    for (const [who, participant] of this.#people) this.#allRead(who, participant)
  }

  #allRead(who: string, { frames }: Participant): void {
    if (frames.length > 0) throw new Error(`${who} heard more: ${JSON.stringify(frames)}`)
  }

  leave(): void {
    for (const participant of this.#people.values()) participant.leave()
  }

  #kindsOf(who: string, more: readonly string[] = []): Set<string> {
    const shown = this.#steps.filter((step) => step.who === who && step.dir === 'S>C')
    const kinds = shown.flatMap(({ ev, msg, zframe }) => ((ev ?? msg ?? zframe) ? [kindOf(ev ?? msg ?? zframe)] : []))
    return new Set([...kinds, ...more])
  }

  async #participant({ who, early = false }: Step): Promise<Participant> {
    const known = this.#people.get(who)
    const participant = known ?? new IoParticipant(this.#server.url, this.#kindsOf(who), this.#clients)
    this.#people.set(who, participant)
    if (!early) await participant.connected
    return participant
  }
}
