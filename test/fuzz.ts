// Random and mutated frames thrown at a running server, from a seed. Whatever they are, the server stays up, others go on
// talking, nothing faults, and the log holds what it should: whole streams, and of strangers nothing but refusals.

import { expect } from 'vitest'
import WebSocket from 'ws'
import { heapBytes } from './heap.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer } from './running-server.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface Fuzzed {
  readonly dialect: string
  readonly path: string
  /** what a client of it sends, of every kind; `<token>` stands for a real one */
  readonly frames: readonly unknown[]
  /** how a frame is wrapped for the wire */
  wire(frame: unknown): string
  /** what a client says first, on the wire */
  readonly opening: readonly string[]
}

const raw = (frame: unknown): string => JSON.stringify(frame)

const socketIo = (frame: unknown): string => `42${Array.isArray(frame) && frame.length > 2 ? frame[2] : 1}${raw(frame)}`

export const fuzzed: readonly Fuzzed[] = [
  {
    dialect: 'maint',
    path: '/maint',
    opening: [],
    wire: raw,
    frames: [
      { fulfill: 'Bot <token>' },
      { send: { room: 1, text: 'hi', nonce: 'n1' } },
      { typing: { room: 1 } },
      { history: { room: 1, before: 5, limit: 50 } },
      { ping: 7 },
    ],
  },
  {
    dialect: 'native',
    path: '/native',
    opening: [],
    wire: raw,
    frames: [
      { do: 'sign-in', ref: 1, token: '<token>' },
      { do: 'join', ref: 2, room: 'maint:1', since: { epoch: 'memory', revision: 1 } },
      { do: 'post', ref: 3, room: 'maint:1', text: 'hi', id: 'x', replyTo: 1 },
      { do: 'edit', ref: 4, room: 'maint:1', message: 1, text: 'ho' },
      { do: 'remove', room: 'maint:1', message: 1, reason: 'why' },
      { do: 'restore', room: 'maint:1', message: 1 },
      { do: 'history', room: 'maint:1', before: 3, after: 1, limit: 10 },
      { do: 'mute', room: 'maint:1', user: 'bob', seconds: 5 },
      { do: 'typing', room: 'maint:1', on: true },
      { do: 'read', room: 'maint:1', message: 1 },
      { do: 'leave', room: 'maint:1' },
    ],
  },
  {
    dialect: 'moneypot',
    path: '/socket.io/?EIO=4&transport=websocket',
    opening: ['40'],
    wire: socketIo,
    frames: [
      ['auth', { app_id: 1, hashed_token: '<hash>' }],
      ['new_message', 'hi'],
      ['new_message', '/mute bob 5'],
      ['new_message', '/unmute bob'],
      ['new_message', { text: 'hi' }, 5],
    ],
  },
  {
    dialect: 'drivers',
    path: '/socket.io/?EIO=4&transport=websocket',
    opening: ['40'],
    wire: socketIo,
    frames: [
      ['signin_request', { token: '<token>' }],
      ['message_events', { topic_id: 1, body: 'hi', stamp_id: 's', reply_to: 1, attrs: { a: [1] }, has_media: true }],
      ['message_events', { topic_id: '1', body: { any: 'json' } }],
      ['typing_event', { topic_id: 1, user_id: 1 }],
      ['join_topic', { topic_id: 1 }],
      ['leave_topic', { topic_id: 1 }],
    ],
  },
  {
    // Its query is the sign-in; every malformed frame ends the socket.
    dialect: 'plic',
    path: '/plic?token=<jwt>',
    opening: [],
    wire: raw,
    frames: [{ type: 'SendMessage', data: { room_id: 1, message: 'hi', message_temp_id: 't' } }],
  },
  {
    dialect: 'ayaka',
    path: '/ayaka',
    opening: [],
    wire: raw,
    frames: [
      { session_id: '<token>', encoding: 'zlib', presences: true },
      { session_id: '<token>', encoding: 'json', presences: false },
      { t: 'HEARTBEAT', s: 's' },
      { t: 'PRESENCE', type: 1, description: 'hi', emoji: 5, embed: { name: 'n', description: 'd', banner_url: 'u' } },
      { t: 'DISPATCH' },
    ],
  },
]

const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  2 ** 53,
  '',
  '\0',
  '\ud800',
  [],
  {},
  'x'.repeat(6_000),
  [[[]]],
  'Bot ',
]

type Secrets = Readonly<Record<string, string>>

const filled = (text: string, secrets: Secrets): string =>
  text.replace(/<(\w+)>/g, (all, name: string) => secrets[name] ?? all)

class Mutator {
  readonly #chance: SeededChance
  constructor(seed: number) {
    this.#chance = new SeededChance(seed, new VirtualClock())
  }

  pick<T>(from: readonly T[]): T {
    return this.#chance.pick(from)
  }

  below(n: number): number {
    return this.#chance.below(n)
  }

  /** A value with one thing in it replaced, dropped, added or renamed. */
  value(given: unknown): unknown {
    if (this.below(4) === 0 || typeof given !== 'object' || given === null) return this.pick(ODD)
    if (Array.isArray(given)) {
      const at = this.below(given.length + 1)
      return given.toSpliced(at, this.below(2), this.below(2) === 0 ? this.pick(ODD) : this.value(given[at]))
    }
    const entries = Object.entries(given)
    const at = this.below(entries.length)
    const [key, inner] = entries[at] ?? ['x', 1]
    const kinds = [
      () => [key, this.value(inner)],
      () => [this.pick(['__proto__', 'constructor', 'toString', `${key} `, '']), inner],
      () => null,
    ] as const
    const changed = this.pick(kinds)()
    return Object.fromEntries([
      ...entries.filter((_, index) => index !== at),
      ...(changed ? [changed as [string, unknown]] : []),
    ])
  }

  /** What goes on the wire: sometimes whole, mostly mutated, sometimes no JSON at all. */
  frame({ frames, wire }: Fuzzed, secrets: Secrets): string | Buffer {
    const given = this.pick(frames)
    const kind = this.below(10)
    const text = (value: unknown) => filled(wire(value), secrets)
    if (kind < 2) return text(given)
    if (kind < 8) return text(this.value(given))
    if (kind === 8) {
      const whole = text(given)
      return (
        whole.slice(0, this.below(whole.length)) +
        this.pick(['', '}', '"', '\\', '\u0000', '9'.repeat(400), '['.repeat(3_000)])
      )
    }
    return Buffer.from(Array.from({ length: this.below(40) }, () => this.below(256)))
  }
}

/** Most is what the log in memory grows by, and its rows: some 400. */
const MAX_GROWTH_BYTES_A_FRAME = 1_500

export const fuzz = async (subject: Fuzzed, count: number, seed: number): Promise<void> => {
  const mutator = new Mutator(seed)
  const server = await runServer({ pingIntervalMs: 0 })
  try {
    const bob = await server.account('bob')
    const witness = await server.account('witness')
    const members = [bob.account, witness.account].map((account) => ({ account, role: 'member' as const }))
    const guild = await server.rooms.open({ name: 'g', kind: 'space', aliases: ['ayaka:3'], members, asker: null })
    const opened = await server.rooms.open({
      name: 'r',
      aliases: ['maint:1', 'moneypot:1', 'drivers:1', 'plic:1', 'ayaka:12'],
      parent: guild.ok ? guild.room.id : null,
      members,
      asker: null,
    })
    expect(opened.ok).toBe(true)
    const { jwt = '' } = await jsonWebTokens(bob.account.id, Date.now())
    const secrets: Secrets = { token: bob.token, hash: server.identity.hashToken(bob.token), jwt }
    const before = heapBytes()
    for (let sent = 0; sent < count; ) {
      const socket = await connected(server, { ...subject, path: filled(subject.path, secrets) })
      // Some clients sign in properly and go wrong later.
      if (mutator.below(3) > 0 && subject.frames[0]) {
        socket.send(filled(subject.wire(subject.frames[0]), secrets))
      }
      for (let frame = mutator.below(60); frame > 0 && socket.readyState === WebSocket.OPEN; frame--, sent++) {
        socket.send(mutator.frame(subject, secrets))
        // A packet that breaks socket.io takes those along that came with it: each comes by itself.
        if (frame % 20 === 0 || subject.opening.length > 0) await new Promise((resolve) => setImmediate(resolve))
      }
      sent++
      await ended(socket)
    }
    await stillTalks(server, witness.token)
    await server.settled()
    expect(server.faults, `seed ${seed}`).toEqual([])
    expect(heapBytes() - before, `seed ${seed}`).toBeLessThan(20_000_000 + count * MAX_GROWTH_BYTES_A_FRAME)
    // Most connections lived long enough to be on record.
    expect(await wholeLog(server)).toBeGreaterThan(count / 100)
    expect(server.sessions.size).toBe(0)
  } finally {
    await server.stop()
  }
}

const connected = async (server: TestServer, { path, opening }: Fuzzed): Promise<WebSocket> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`)
  socket.on('error', () => {})
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  // What comes before the answer to socket.io's connect ends the transport, unread.
  for (const text of opening) {
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (data) => String(data).startsWith('40{') && resolve())
    })
    socket.send(text)
    await answered
  }
  return socket
}

/** Everything sent was taken in: the close handshake comes after it. */
const ended = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.readyState === WebSocket.CLOSED) return resolve()
    socket.once('close', () => resolve())
    socket.close()
  })

const stillTalks = async (server: TestServer, token: string): Promise<void> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/maint`)
  const heard: { t: number; d: { nonce?: string } }[] = []
  socket.on('message', (data) => heard.push(JSON.parse(String(data))))
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ fulfill: `Bot ${token}` }))
  socket.send(JSON.stringify({ send: { room: 1, text: 'still here', nonce: 'w' } }))
  await expect.poll(() => heard.find(({ t, d }) => t === 4 && d.nonce === 'w'), { timeout: 5_000 }).toBeDefined()
  await ended(socket)
  await expect.poll(() => server.sessions.size, { timeout: 5_000 }).toBe(0)
}

/** Streams are whole, and every connection that opened has closed. Returns how many did. */
const wholeLog = async (server: TestServer): Promise<number> => {
  let opened = 0
  const open = async (): Promise<string[]> => {
    const revisions = new Map<string, number>()
    const connections = new Set<string>()
    opened = 0
    for await (const { stream, revision, type, data } of server.log.readAll()) {
      expect(revision).toBe((revisions.get(stream) ?? -1) + 1)
      revisions.set(stream, revision)
      JSON.parse(data)
      if (type === 'ConnectionOpened') {
        opened++
        connections.add(stream)
      }
      if (type === 'ConnectionClosed') connections.delete(stream)
    }
    return [...connections]
  }
  // The last ones may be under way.
  await expect.poll(open, { timeout: 5_000 }).toEqual([])
  return opened
}
