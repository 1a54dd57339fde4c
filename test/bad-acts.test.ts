// Clients that would have facts stored without end: by talking, coming and going, entering and leaving, typing, marking as
// read, asking for history, trying tokens, and over REST. Each is bounded by a rate of the account's, refused in its
// protocol's own form, and the refusals are counted. Rows 21, 31 and 32 of the catalogue of bad input.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { RawWebSocket, text } from './raw-websocket.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'
import { Witness } from './witness.ts'

const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket'
const BURST = 20
/** of messages */
const RATE = 30
/** tries of each kind: far more than may be */
const TRIES = 100

let clock: VirtualClock
let server: TestServer
let witness: Witness
let ann: Awaited<ReturnType<TestServer['account']>>
let jwt: string
let sockets: RawWebSocket[]
beforeEach(async () => {
  sockets = []
  clock = new VirtualClock()
  server = await runServer({
    clock,
    pingIntervalMs: 0,
    actRate: { capacity: BURST, perSecond: 1 },
    rate: { capacity: RATE, perSecond: 1 },
  })
  ann = await server.account('ann')
  jwt = (await jsonWebTokens(ann.account.id, clock.now())).jwt ?? ''
  const aliases = ['native:1', 'maint:1', 'plic:7', 'moneypot:18', 'drivers:49']
  witness = await Witness.in(server, aliases, [ann.account.id])
})
afterEach(async () => {
  await witness.unharmed()
  witness.leave()
  for (const socket of sockets) socket.end()
  await server.stop()
})

const opened = async (path: string, ...frames: readonly string[]): Promise<RawWebSocket> => {
  const socket = await RawWebSocket.connect(server.url, path)
  sockets.push(socket)
  if (path === SOCKET_IO) {
    socket.send(text('40'))
    await expect.poll(() => socket.heard.at(-1)).toContain('40{')
  }
  socket.send(...frames.map(text))
  return socket
}
const native = (...commands: readonly object[]) =>
  opened('/native', ...commands.map((command) => JSON.stringify(command)))
const authAsAnn = (): string =>
  `420${JSON.stringify(['auth', { app_id: 18, hashed_token: server.identity.hashToken(ann.token) }])}`
const event = (...given: readonly unknown[]): string => `42${JSON.stringify(given)}`

const many = (socket: RawWebSocket, frames: (at: number) => readonly string[], times = TRIES): void => {
  for (let at = 0; at < times; at++) socket.send(...frames(at).map(text))
}

const facts = async (type: string): Promise<Record<string, unknown>[]> => {
  const found: Record<string, unknown>[] = []
  for await (const { data, metadata } of server.log.readAll({ filter: { types: [type] } }))
    if ((JSON.parse(metadata) as { by: string | null }).by !== witness.user) found.push(JSON.parse(data))
  return found
}
const refusals = async () =>
  (await facts('CommandRefused')).map(({ command, code, count }) => ({ command, code, count }))

/** Everything sent so far on a native connection has been dealt with. */
const answered = async (socket: RawWebSocket): Promise<void> => {
  socket.send(text('{"do":"leave","room":"nowhere","ref":"last"}'))
  await expect.poll(() => socket.heard.find((heard) => heard.includes('"last"')), { timeout: 5_000 }).toBeDefined()
}

/** How a text is said as Ann, and what says that it was too much. */
const floods = {
  native: [
    () => native({ do: 'sign-in', token: ann.token }),
    (at: number) => JSON.stringify({ do: 'post', ref: 1, room: 'native:1', text: `spam ${at}` }),
    '"code":"rate-limited"',
  ],
  maint: [
    () => opened('/maint', JSON.stringify({ fulfill: `Bot ${ann.token}` })),
    (at: number) => JSON.stringify({ send: { room: 1, text: `spam ${at}` } }),
    '"code":"rate_limited"',
  ],
  plic: [
    () => opened(`/plic?token=${jwt}`),
    (at: number) =>
      JSON.stringify({ type: 'SendMessage', data: { room_id: 7, message: 'spam', message_temp_id: `t${at}` } }),
    '"reason":"rate_limited"',
  ],
  moneypot: [
    () => opened(SOCKET_IO, authAsAnn()),
    (at: number) => `42${at}${JSON.stringify(['new_message', `spam ${at}`])}`,
    '["RATE_LIMITED"]',
  ],
  drivers: [
    () => opened(SOCKET_IO, event('signin_request', { token: ann.token })),
    (at: number) => event('message_events', { topic_id: 49, body: `spam ${at}` }),
    '"reason":"rate_limited"',
  ],
} as const

describe('a flood of messages', () => {
  it.each(Object.keys(floods) as (keyof typeof floods)[])(
    'in %s is refused beyond the rate, and counted',
    async (name) => {
      const [come, say, told] = floods[name]
      const socket = await come()
      await expect.poll(async () => (await facts('AuthSucceeded')).length, { interval: 5 }).toBe(1)
      const before = (await facts('MessagePosted')).length
      socket.send(...Array.from({ length: 900 }, (_, at) => text(say(at))))
      const refused = () => socket.heard.filter((heard) => heard.includes(told)).length
      await expect.poll(refused, { timeout: 10_000, interval: 20 }).toBe(900 - RATE)
      expect((await facts('MessagePosted')).length - before).toBe(RATE)
      clock.advance(1_000)
      const count = async () => (await refusals()).map(({ count: repeats }) => repeats as number)
      await expect.poll(async () => (await count()).reduce((sum, each) => sum + each, 0)).toBe(900 - RATE)
      expect(await count()).toHaveLength(2)
    },
  )
})

describe('a socket that says nothing', () => {
  const beginnings = async () => (await facts('ConnectionOpened')).length

  it('has its beginning on record after a second; one that went before is counted, with all of its minute', async () => {
    const before = await beginnings()
    const two = [await native(), await native()]
    await expect.poll(() => server.sessions.size).toBe(3)
    for (const socket of two) socket.end()
    await expect.poll(() => server.sessions.size).toBe(1)
    clock.advance(999)
    await native()
    clock.advance(999)
    expect(await beginnings()).toBe(before)
    clock.advance(1)
    await expect.poll(beginnings).toBe(before + 1)
    expect(await facts('ConnectionsTurnedAway')).toEqual([])
    clock.advance(60_000 - 1_999)
    await expect
      .poll(() => facts('ConnectionsTurnedAway'))
      .toEqual([{ since: expect.any(Number), counts: { client: 2 } }])
  })

  it('has it with its first frame, if that comes earlier', async () => {
    const before = await beginnings()
    await native({ do: 'nonsense' })
    await expect.poll(beginnings).toBe(before + 1)
  })
})

describe('requests of one account', () => {
  it('share a connection, which ends after a quarter of an hour without one', async () => {
    const say = () =>
      asking(
        `${server.url}/api/v1/rooms/moneypot:18/messages`,
        'POST',
        { authorization: `Bearer ${ann.token}` },
        { text: 'x' },
      )
    const opened = async () => (await facts('ConnectionOpened')).filter(({ dialect }) => dialect === 'rest').length
    const ended = async () => (await facts('ConnectionClosed')).filter(({ cause }) => cause === 'afk').length
    const before = await opened()
    await say()
    clock.advance(14 * 60_000)
    await say()
    clock.advance(15 * 60_000 - 1)
    await say()
    expect([await opened(), await ended()]).toEqual([before + 1, 0])
    clock.advance(15 * 60_000)
    await expect.poll(ended).toBe(1)
    await say()
    expect(await opened()).toBe(before + 2)
  })
})

describe('in native, whoever', () => {
  const signIn = () => ({ do: 'sign-in', token: ann.token })

  it('enters and leaves without end is refused, counted, and may go on later', async () => {
    const socket = await native(signIn())
    many(socket, () => ['{"do":"join","room":"native:1","ref":"in"}', '{"do":"leave","room":"native:1","ref":"out"}'])
    await answered(socket)
    const stored = (await facts('PresenceEntered')).length
    // Signing in was the first act.
    expect(stored).toBe(BURST - 1)
    expect((await facts('RoomEntered')).length).toBe(stored)
    expect((await facts('PresenceLeft')).length).toBe(stored)
    const refused = socket.heard
      .map((heard) => JSON.parse(heard))
      .filter(({ ref, is }) => ref === 'in' && is === 'refused')
    expect(refused).toHaveLength(TRIES - stored)
    expect(refused[0]).toMatchObject({ code: 'rate-limited', retryable: true })
    clock.advance(1_000)
    await expect.poll(refusals).toEqual(
      expect.arrayContaining([
        { command: 'room.enter', code: 'rate-limited', count: 1 },
        { command: 'room.enter', code: 'rate-limited', count: TRIES - stored - 1 },
      ]),
    )
    socket.send(text('{"do":"join","room":"native:1","ref":"again"}'))
    await expect.poll(() => socket.heard.at(-1)).toContain('"is":"joined","ref":"again"')
  })

  it('starts and stops typing at once is told once a second in a room', async () => {
    const socket = await native(signIn(), { do: 'join', room: 'native:1' })
    many(socket, () => ['{"do":"typing","room":"native:1","on":true}', '{"do":"typing","room":"native:1","on":false}'])
    await answered(socket)
    expect((await facts('TypingStarted')).length).toBe(1)
    clock.advance(1_000)
    socket.send(text('{"do":"typing","room":"native:1","on":true}'))
    await expect.poll(async () => (await facts('TypingStarted')).length).toBe(2)
    expect(await facts('CommandRefused')).toEqual([expect.objectContaining({ command: 'room.leave' })])
  })

  it('types in one room after the other is bounded, too', async () => {
    const rooms = Array.from({ length: 12 }, (_, at) => `native:${100 + at}`)
    for (const alias of rooms) await openRoom(server, alias, [{ account: ann.account, role: 'member' }])
    const socket = await native(signIn(), ...rooms.map((room) => ({ do: 'join', room })))
    many(socket, (at) => [JSON.stringify({ do: 'typing', room: rooms[at % rooms.length], on: true, ref: 't' })])
    await answered(socket)
    expect((await facts('TypingStarted')).length).toBe(BURST - 1 - rooms.length)
    expect(socket.heard.filter((heard) => heard.includes('"rate-limited"')).length).toBeGreaterThan(0)
  })

  it.each([
    ['marks ever more as read', 'ReadMarked', (at: number) => ({ do: 'read', room: 'native:1', message: at + 1 })],
    ['asks for history without end', 'HistoryRead', () => ({ do: 'history', room: 'native:1' })],
  ])('%s is refused', async (_what, type, frame) => {
    const socket = await native(signIn(), { do: 'join', room: 'native:1' })
    many(socket, (at) => [JSON.stringify({ ...frame(at), ref: 'x' })])
    // What holds no others back may be answered after what came later.
    const refused = () => socket.heard.map((heard) => JSON.parse(heard)).filter(({ code }) => code === 'rate-limited')
    await expect.poll(() => refused().length, { timeout: 5_000 }).toBe(TRIES - BURST + 2)
    expect(refused().every(({ ref }) => ref === 'x')).toBe(true)
    await answered(socket)
    expect((await facts(type)).length).toBe(BURST - 2)
  })

  it('removes and restores one message without end is refused', async () => {
    const { account, token } = await server.account('olga')
    await openRoom(server, 'native:2', [{ account, role: 'owner' }])
    const socket = await native({ do: 'sign-in', token }, { do: 'join', room: 'native:2' })
    socket.send(text('{"do":"post","room":"native:2","text":"hi","ref":"p"}'))
    await expect.poll(() => socket.heard.at(-1)).toContain('"ref":"p"')
    const { message } = JSON.parse(socket.heard.at(-1) ?? '{}') as { message: number }
    many(socket, (at) => [JSON.stringify({ do: at % 2 ? 'restore' : 'remove', room: 'native:2', message })])
    await answered(socket)
    expect((await facts('MessageRemoved')).length + (await facts('MessageRestored')).length).toBe(BURST - 2)
  })

  it('reads without an account has a bound of its own', async () => {
    const socket = await native({ do: 'sign-in', token: null })
    many(socket, () => ['{"do":"join","room":"moneypot:18","ref":"in"}', '{"do":"leave","room":"moneypot:18"}'])
    await answered(socket)
    expect((await facts('RoomEntered')).length).toBe(BURST - 1)
  })
})

describe('in drivers.uz, whoever', () => {
  it('joins and leaves a topic without end is refused in its words', async () => {
    await openRoom(server, 'drivers:50')
    const { token } = await server.account('ali', 'member')
    const socket = await opened(SOCKET_IO, event('signin_request', { token }))
    many(socket, () => [event('join_topic', { topic_id: 50 }), event('leave_topic', { topic_id: 50 })])
    const limited = '42["join_topic",{"status":"fail","data":"rate_limited"}]'
    await expect.poll(() => socket.heard.filter((heard) => heard === limited).length).toBeGreaterThan(0)
    expect((await facts('RoomEntered')).length).toBeLessThan(BURST)
  })

  it('types in every topic at once is dropped beyond its rate', async () => {
    const topics = Array.from({ length: 40 }, (_, at) => 100 + at)
    for (const topic of topics) await openRoom(server, `drivers:${topic}`, [{ account: ann.account, role: 'member' }])
    const socket = await opened(SOCKET_IO, event('signin_request', { token: ann.token }))
    await expect.poll(() => socket.heard.at(-1)).toContain('"ok"')
    for (let round = 0; round < 5; round++)
      socket.send(...topics.map((topic) => text(event('typing_event', { topic_id: topic, user_id: 1 }))))
    socket.send(text(event('join_topic', { topic_id: 9_999 })))
    await expect.poll(() => socket.heard.at(-1)).toContain('topic not found')
    expect((await facts('TypingStarted')).length).toBe(BURST - 1)
  })

  it('tries tokens without end is refused, and each try is no fact', async () => {
    const socket = await opened(SOCKET_IO)
    many(socket, (at) => [event('signin_request', { token: `wrong-${at}` })])
    const told = (words: string) => socket.heard.filter((heard) => heard.includes(words)).length
    await expect.poll(() => told('invalid token') + told('rate_limited'), { timeout: 5_000 }).toBe(TRIES)
    expect(told('invalid token')).toBe(BURST)
    expect((await facts('AuthFailed')).length).toBe(BURST)
    expect((await facts('CommandRefused')).length).toBeLessThan(5)
  })
})

describe('in Maint, a bot that types', () => {
  it('in all its rooms at once is told so beyond its rate', async () => {
    const { account, token } = await server.account('bot', 'member')
    const rooms = Array.from({ length: 30 }, (_, at) => 200 + at)
    for (const room of rooms) await openRoom(server, `maint:${room}`, [{ account, role: 'member' }])
    const socket = await opened('/maint', JSON.stringify({ fulfill: `Bot ${token}` }))
    await expect.poll(() => socket.heard.at(-1)).toContain('"t":2')
    // What entering its rooms cost has to come back first.
    clock.advance(15_000)
    const before = (await facts('TypingStarted')).length
    socket.send(...rooms.map((room) => text(JSON.stringify({ typing: { room } }))), text('{"ping":1}'))
    await expect.poll(() => socket.heard.some((heard) => heard.includes('rate_limited'))).toBe(true)
    expect((await facts('TypingStarted')).length - before).toBe(10)
  })
})

/** What its client sends first, what says that it comes too often, and how often it may: entering a room counts, too. */
const comings = {
  native: [() => native({ do: 'sign-in', token: ann.token, ref: 1 }), '"code":"rate-limited"', BURST],
  maint: [() => opened('/maint', JSON.stringify({ fulfill: `Bot ${ann.token}` })), '"code":"rate_limited"', BURST / 2],
  plic: [() => opened(`/plic?token=${jwt}`), '"code":4006', BURST],
  ayaka: [() => opened('/ayaka', JSON.stringify({ session_id: ann.token })), 1008, BURST],
  moneypot: [() => opened(SOCKET_IO, authAsAnn()), '430["INTERNAL_ERROR"]', BURST],
  drivers: [() => opened(SOCKET_IO, event('signin_request', { token: ann.token })), '"data":"rate_limited"', BURST],
} as const

describe('coming and going without end', () => {
  it.each(Object.keys(comings) as (keyof typeof comings)[])('is bounded in %s', async (name) => {
    const [come, told, most] = comings[name]
    const online = async () => (await facts('CameOnline')).length
    for (let at = 0; at < most; at++) {
      const socket = await come()
      await expect.poll(async () => (await facts('AuthSucceeded')).length, { interval: 5 }).toBe(at + 1)
      socket.end()
    }
    for (let at = 0; at < 3; at++) {
      const socket = await come()
      if (typeof told === 'number') expect(await socket.closed).toBe(told)
      else await expect.poll(() => socket.heard.some((heard) => heard.includes(told)), { interval: 5 }).toBe(true)
    }
    expect(await online()).toBe(most)
    expect((await refusals()).filter(({ code }) => code === 'rate-limited')).toHaveLength(3)
    clock.advance(1_000)
    await come()
    await expect.poll(online).toBe(most + 1)
  })
})

describe('over REST', () => {
  const api = (method: string, path: string, body?: unknown, token = ann.token) =>
    asking(server.url + path, method, { authorization: `Bearer ${token}` }, body)

  it('what is stored at an account’s asking is bounded, whatever it is', async () => {
    const { account, token } = await server.account('olga')
    const room = await openRoom(server, 'native:3', [{ account, role: 'owner' }])
    const base = `/api/v1/rooms/${room.id}`
    const asks: readonly (() => Promise<{ status: number }>)[] = [
      () => api('PATCH', base, { name: `n${Math.floor(clock.now())}` }, token),
      () => api('POST', `${base}/invites`, undefined, token),
      () => api('PUT', `${base}/members/@ann`, {}, token),
      () => api('DELETE', `${base}/members/@ann`, undefined, token),
      () => api('POST', `${base}/mutes`, { user: '@ann', seconds: 5 }, token),
      () => api('POST', `${base}/bans`, { user: '@ann', seconds: 5 }, token),
      () => api('PUT', `${base}/rules`, { rules: [] }, token),
      () => api('POST', `/api/v1/users/@olga/tokens`, undefined, token),
      () => api('PATCH', `/api/v1/users/@olga`, { username: 'olga' }, token),
    ]
    for (let at = 0; at < BURST; at++) expect((await asks[at % asks.length]?.())?.status).toBeLessThan(300)
    for (const ask of asks) expect(await ask()).toMatchObject({ status: 429, body: { code: 'rate-limited' } })
    const stored = await server.log.head()
    for (const ask of asks) expect((await ask()).status).toBe(429)
    expect(await server.log.head()).toBe(stored)
    clock.advance(2_000)
    expect((await api('POST', `${base}/invites`, undefined, token)).status).toBe(201)
  })

  it('a space is archived with all of its rooms as one act', async () => {
    const { account, token } = await server.account('olga')
    const members = [{ account, role: 'owner' as const }]
    const space = await server.rooms.open({ name: 's', kind: 'space', members, asker: null })
    if (!space.ok) throw new Error(space.refusal.code)
    for (let at = 0; at < BURST + 5; at++)
      await server.rooms.open({ name: `c${at}`, parent: space.room.id, asker: null })
    expect((await api('DELETE', `/api/v1/rooms/${space.room.id}`, undefined, token)).status).toBe(204)
    expect(await facts('RoomArchived')).toHaveLength(BURST + 6)
  })

  it('subscribing and unsubscribing in drivers.uz is, in its words', async () => {
    const space = await server.rooms.open({ name: 's', kind: 'space', aliases: ['drivers:900'], asker: null })
    if (!space.ok) throw new Error(space.refusal.code)
    await server.rooms.open({ name: 't', aliases: ['drivers:901'], parent: space.room.id, asker: null })
    const ask = (what: string) => api('POST', `/rooms/900/topics/901/${what}`, { user_id: ann.account.number })
    const answers = []
    for (let at = 0; at < BURST + 2; at++) answers.push(await ask(at % 2 ? 'unsubscribe' : 'subscribe'))
    expect(answers.slice(0, BURST).every(({ body }) => body.status === 'ok')).toBe(true)
    expect(answers.at(-1)?.body).toEqual({ status: 'fail', detail: 'rate_limited' })
  })

  it('rooms of PLIC and topics of drivers.uz count as messages do', async () => {
    const strict = await runServer({ rate: { capacity: 2, perSecond: 1 }, clock })
    const { account, token } = await strict.account('ann')
    const other = await strict.account('bob')
    await strict.rooms.open({ name: 's', kind: 'space', aliases: ['drivers:900'], asker: null })
    const make = (path: string, body: object) =>
      asking(strict.url + path, 'POST', { authorization: `Bearer ${token}` }, body)
    expect(await make('/rooms', { users: [other.account.id] })).toMatchObject({ status: 201 })
    const topic = { user_id: account.number, title: 't' }
    expect((await make('/rooms/900', topic)).body).toMatchObject({ status: 'ok' })
    expect((await make('/rooms/900', topic)).body).toEqual({ status: 'fail', detail: 'rate_limited' })
    expect(await make('/rooms', { users: [other.account.id] })).toMatchObject({
      status: 429,
      body: { error_message: 'too many requests' },
    })
    await strict.stop()
  })
})
