// Plays a conversation from a text file against a running server, over real sockets by the protocol's real client.
//
// A .dialogue file: a line `# purpose`, a line `{"cast": …}`, then one step a line, as docs/protocols/ shows them.
// `"$x"` captures on first use and must be equal later; `"$int"`, `"$iso"`, `"$str"`, `"$any"` match by type; of the
// cast `"$bob.number"`, `"$bob.hash"`, `"$bob.id"`. For each participant every frame of the kinds (event names) that
// the dialogue shows to it is listed, in order; frames of other kinds may come between.

import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { io, type Socket } from 'socket.io-client'
import type { AccountRole, MemberRole } from '../src/actors/fact.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Cast {
  /** username → account role; absent from it: nobody */
  readonly users?: Readonly<Record<string, AccountRole>>
  readonly rooms: Readonly<Record<string, Readonly<Record<string, MemberRole>>>>
  readonly rate?: string
}

interface Step {
  readonly who: string
  readonly dir: 'C>S' | 'S>C' | 'close' | 'silence' | 'advance' | 'http' | 'connect'
  readonly ev?: readonly unknown[]
  readonly ack?: string
  readonly args?: readonly unknown[]
  readonly disconnect?: string
  readonly ms?: number
  readonly as?: string
  readonly req?: readonly [string, string, unknown?]
  readonly status?: number
  readonly body?: unknown
}

const WAIT_MS = 5_000

interface Participant {
  readonly socket: Socket
  readonly kinds: ReadonlySet<string>
  readonly frames: unknown[][]
  readonly acks: Map<string, unknown[]>
  disconnected: string | null
  wake: () => void
}

export const parseDialogue = (file: string): { purpose: string; cast: Cast; steps: Step[] } => {
  const [first = '', ...lines] = readFileSync(file, 'utf8').split('\n')
  if (!first.startsWith('# ')) throw new Error(`${file}: the first line is its purpose: # …`)
  const [head, ...steps] = lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => JSON.parse(line))
  return { purpose: first.slice(2), cast: head.cast, steps }
}

export const playDialogue = async (file: string, transports: readonly string[]): Promise<void> => {
  const { cast, steps } = parseDialogue(file)
  const clock = new VirtualClock()
  const rate = cast.rate === undefined ? ('off' as const) : { capacity: Number(cast.rate.split('/')[0]), perSecond: 2 }
  const server = await runServer({ clock, rate })
  const player = new Player(server, clock, transports, steps)
  try {
    await player.prepare(cast)
    for (const [index, step] of steps.entries()) {
      await player.play(step).catch((error: Error) => {
        throw new Error(`step ${index + 1} ${JSON.stringify(step)}\n${error.message}`)
      })
    }
    await player.nothingUnread()
    if (server.faults.length > 0) throw new Error(`faults: ${server.faults.join('\n')}`)
  } finally {
    player.leave()
    await server.stop()
  }
}

class Player {
  readonly #server: TestServer
  readonly #clock: VirtualClock
  readonly #transports: readonly string[]
  readonly #steps: readonly Step[]
  readonly #people = new Map<string, Participant>()
  readonly #values = new Map<string, unknown>()
  readonly #tokens = new Map<string, string>()

  constructor(server: TestServer, clock: VirtualClock, transports: readonly string[], steps: readonly Step[]) {
    this.#server = server
    this.#clock = clock
    this.#transports = transports
    this.#steps = steps
  }

  async prepare({ users = {}, rooms }: Cast): Promise<void> {
    const accounts = new Map<string, Awaited<ReturnType<TestServer['account']>>['account']>()
    this.#tokens.set('owner', this.#server.ownerTokenText)
    for (const [username, role] of Object.entries(users)) {
      const { account, token } = await this.#server.account(username, role)
      accounts.set(username, account)
      this.#tokens.set(username, token)
      this.#values.set(`$${username}.number`, account.number)
      this.#values.set(`$${username}.id`, account.id)
      this.#values.set(`$${username}.hash`, this.#server.identity.hashToken(token))
    }
    for (const [alias, members] of Object.entries(rooms)) {
      const listed = Object.entries(members).map(([username, role]) => ({
        account: accounts.get(username) as never,
        role,
      }))
      const opened = await this.#server.rooms.open({ name: alias, aliases: [alias], members: listed, asker: null })
      if (!opened.ok) throw new Error(opened.refusal.code)
      this.#values.set(`$${alias}`, opened.room.id)
    }
  }

  async play(step: Step): Promise<void> {
    if (step.dir === 'advance') {
      await this.#settle()
      this.#clock.advance(step.ms ?? 0)
      return
    }
    if (step.dir === 'http') return this.#http(step)
    const participant = await this.#participant(step.who)
    switch (step.dir) {
      case 'connect':
        return
      case 'C>S':
        return this.#send(participant, step)
      case 'close':
        participant.socket.disconnect()
        return
      case 'silence':
        return this.#silence(participant)
      case 'S>C':
        return this.#expect(participant, step)
    }
  }

  #send({ socket, acks }: Participant, { ev = [], ack }: Step): void {
    const args = ev.map((arg) => this.#filled(arg)) as [string, ...unknown[]]
    if (ack === undefined) {
      socket.emit(...args)
      return
    }
    socket.emit(...args, (...answer: unknown[]) => {
      acks.set(ack, answer)
      for (const { wake } of this.#people.values()) wake()
    })
  }

  async #expect(participant: Participant, step: Step): Promise<void> {
    if (step.disconnect !== undefined) {
      await this.#until(participant, () => participant.disconnected !== null, 'a disconnect')
      this.#match(step.disconnect, participant.disconnected)
      return
    }
    if (step.ack !== undefined) {
      const { ack } = step
      await this.#until(participant, () => participant.acks.has(ack), `ack ${ack}`)
      this.#match(step.args, participant.acks.get(ack))
      return
    }
    await this.#until(participant, () => participant.frames.length > 0, 'a frame')
    this.#match(step.ev, participant.frames.shift())
  }

  /** Nothing is under way in the server any more, and what it sent has arrived. */
  async #settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.#server.settled()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Nothing came before a frame that this socket asked for afterwards. */
  async #silence(participant: Participant): Promise<void> {
    await this.#settle()
    const { frames, socket } = participant
    const before = [...frames]
    await new Promise<void>((resolve) => socket.emit('new_message', 0, () => resolve()))
    frames.length = 0
    if (before.length > 0) throw new Error(`expected silence, got ${JSON.stringify(before)}`)
  }

  async #http({ as, req = ['GET', '/'], status, body }: Step): Promise<void> {
    const [method, path, sent] = req
    const token = as === undefined ? undefined : this.#tokens.get(as)
    const response = await fetch(`${this.#server.url}${this.#filled(path)}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(sent === undefined ? {} : { body: JSON.stringify(this.#filled(sent)) }),
    })
    const text = await response.text()
    if (response.status !== status) throw new Error(`status ${response.status}: ${text}`)
    if (body !== undefined) this.#match(body, JSON.parse(text))
  }

  async nothingUnread(): Promise<void> {
    await this.#settle()
    for (const [who, { frames }] of this.#people) {
      if (frames.length > 0) throw new Error(`${who} heard more: ${JSON.stringify(frames)}`)
    }
  }

  leave(): void {
    for (const { socket } of this.#people.values()) socket.disconnect()
  }

  async #participant(who: string): Promise<Participant> {
    const known = this.#people.get(who)
    if (known) return known
    const socket = io(this.#server.url, { transports: [...this.#transports], forceNew: true, reconnection: false })
    const kinds = new Set(
      this.#steps.flatMap((step) => (step.who === who && step.dir === 'S>C' && step.ev ? [step.ev[0]] : [])),
    )
    const participant: Participant = {
      socket,
      kinds: kinds as Set<string>,
      frames: [],
      acks: new Map(),
      disconnected: null,
      wake: () => {},
    }
    this.#people.set(who, participant)
    socket.onAny((...frame: unknown[]) => {
      if (participant.kinds.has(frame[0] as string)) participant.frames.push(frame)
      participant.wake()
    })
    socket.on('disconnect', (reason) => {
      participant.disconnected = reason
      participant.wake()
    })
    await new Promise<void>((resolve, reject) => {
      socket.on('connect', resolve)
      socket.on('connect_error', reject)
    })
    return participant
  }

  #until(participant: Participant, holds: () => boolean, what: string): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => reject(new Error(`${what} did not come`)), WAIT_MS)
      participant.wake = () => {
        if (!holds()) return
        clearTimeout(timeout)
        participant.wake = () => {}
        resolve()
      }
    })
  }

  #filled(value: unknown): unknown {
    if (typeof value === 'string') {
      if (this.#values.has(value)) return this.#values.get(value)
      return value.replace(/\$\{([^}]+)\}/g, (_all, name: string) =>
        encodeURIComponent(String(this.#values.get(`$${name}`))),
      )
    }
    if (Array.isArray(value)) return value.map((item) => this.#filled(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#filled(item)]))
  }

  #match(expected: unknown, actual: unknown): void {
    if (!this.#matches(expected, actual)) {
      throw new Error(`expected ${JSON.stringify(this.#filled(expected))}\n     got ${JSON.stringify(actual)}`)
    }
  }

  #matches(expected: unknown, actual: unknown): boolean {
    if (typeof expected === 'string' && expected.startsWith('$')) {
      if (expected === '$any') return actual !== undefined
      if (expected === '$int') return Number.isInteger(actual)
      if (expected === '$str') return typeof actual === 'string'
      if (expected === '$iso') return typeof actual === 'string' && new Date(actual).toISOString() === actual
      if (this.#values.has(expected)) return isDeepStrictEqual(this.#values.get(expected), actual)
      this.#values.set(expected, actual)
      return actual !== undefined
    }
    if (Array.isArray(expected)) {
      return (
        Array.isArray(actual) &&
        actual.length === expected.length &&
        expected.every((item, at) => this.#matches(item, actual[at]))
      )
    }
    if (typeof expected !== 'object' || expected === null) return expected === actual
    if (typeof actual !== 'object' || actual === null) return false
    const keys = Object.keys(expected)
    // `"$more": true` lets an answer have keys that the dialogue does not show.
    const open = keys.includes('$more')
    const shown = keys.filter((key) => key !== '$more')
    return (
      (open || Object.keys(actual).length === shown.length) &&
      shown.every((key) =>
        this.#matches((expected as Record<string, unknown>)[key], (actual as Record<string, unknown>)[key]),
      )
    )
  }
}
