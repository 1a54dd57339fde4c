// Sessions that come, stay or go as they should not, in every protocol: peers that are silent, tokens that are over, rooms
// without number, claims about the future. Rows 17 to 19, 21 to 24, 33 and 35 of the catalogue of bad input.

import { SignJWT } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryLog } from '../src/log/memory.ts'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { RawWebSocket, text } from './raw-websocket.ts'
import { JWT, runServer, type TestServer, type TestServerOptions } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'
import { metric, Witness } from './witness.ts'

const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket'
const ALIASES = ['native:1', 'maint:1', 'plic:7', 'ayaka:12', 'moneypot:18', 'drivers:49']

let server: TestServer
let witness: Witness
let ann: Awaited<ReturnType<TestServer['account']>>
let jwt: string
const running = async (options: TestServerOptions = {}) => {
  server = await runServer({ pingIntervalMs: 0, ...options })
  ann = await server.account('ann')
  jwt = (await jsonWebTokens(ann.account.id, options.clock?.now() ?? Date.now())).jwt ?? ''
  witness = await Witness.in(server, ALIASES, [ann.account.id])
}
afterEach(async () => {
  await witness.unharmed()
  witness.leave()
  await server.stop()
})

/** Signs in as Ann with what her client would send first, and has heard something back where the protocol answers. */
const signingIn = {
  native: () => opened('/native', { do: 'sign-in', token: ann.token }),
  maint: () => opened('/maint', { fulfill: `Bot ${ann.token}` }),
  plic: () => opened(`/plic?token=${jwt}`),
  ayaka: () => opened('/ayaka', { session_id: ann.token }),
  moneypot: async () => {
    const socket = await connected()
    const auth = { app_id: 18, hashed_token: server.identity.hashToken(ann.token) }
    socket.send(text(`420${JSON.stringify(['auth', auth])}`))
    return socket
  },
  drivers: async () => {
    const socket = await connected()
    socket.send(text(`42${JSON.stringify(['signin_request', { token: ann.token }])}`))
    return socket
  },
}
const protocols = Object.keys(signingIn) as (keyof typeof signingIn)[]

const opened = async (path: string, first?: object): Promise<RawWebSocket> => {
  const socket = await RawWebSocket.connect(server.url, path)
  if (first) socket.send(text(JSON.stringify(first)))
  return socket
}

const connected = async (): Promise<RawWebSocket> => {
  const socket = await opened(SOCKET_IO)
  socket.send(text('40'))
  await expect.poll(() => socket.heard.at(-1)).toContain('40{')
  return socket
}

const facts = async (type: string) => {
  const found: { stream: string; data: Record<string, unknown>; at: number; by: string | null }[] = []
  for await (const { stream, data, metadata } of server.log.readAll({ filter: { types: [type] } })) {
    const { at, by } = JSON.parse(metadata) as { at: number; by: string | null }
    found.push({ stream, data: JSON.parse(data), at, by })
  }
  return found
}

/** What was under way has happened. */
const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Accounts that are in a room, or online, or have a connection, as the read models say. */
const whoIsThere = async () => {
  await server.settled()
  const atLeast = await server.log.head()
  const present = (await server.readModels.query('presence.open', {}, { atLeast })).result
  const online = (await server.readModels.query('online.open', {})).result
  const open = (await server.readModels.query('connections.open', {})).result
  return [present.length, online.length, open.length, server.sessions.size]
}
const ONLY_THE_WITNESS = [1, 1, 1, 1]

describe('a peer that answers no ping', () => {
  // Row 18. Heartbeats run on real time: the witness, who answers, has as long as each of them.
  it('is closed with its protocol’s code, and leaves nobody behind', async () => {
    await running({ pingIntervalMs: 300 })
    const ends = protocols.map(async (name) => [name, await (await signingIn[name]()).closed])
    const codes = Object.fromEntries(await Promise.all(ends))
    expect(codes).toEqual({ native: 4104, maint: 4409, plic: 4009, ayaka: 1011, moneypot: 1005, drivers: 1005 })
    await expect.poll(whoIsThere).toEqual(ONLY_THE_WITNESS)
  })
})

describe('a peer that reads no more', () => {
  it('is closed alone, with its protocol’s code, and the cause is on record', async () => {
    await running()
    const codes = { native: 4102, maint: 4409, plic: 4009 }
    const slow = await Promise.all([signingIn.native(), signingIn.maint(), signingIn.plic()])
    const [native] = slow
    native?.send(text(JSON.stringify({ do: 'join', room: witness.room.id })))
    await expect.poll(() => native?.heard.at(-1)).toContain('"joined"')
    await expect.poll(async () => (await facts('AuthSucceeded')).length).toBe(4)
    for (const socket of slow) socket.pause()
    // What the buffers on the way hold comes on top of what may wait here.
    for (let said = 0; server.sessions.size > 1 && said < 2_000; said += 20)
      await Promise.all(Array.from({ length: 20 }, () => witness.room.post('語'.repeat(5_000))))
    expect(server.sessions.size).toBe(1)
    for (const socket of slow) socket.resume()
    expect(await Promise.all(slow.map(({ closed }) => closed))).toEqual(Object.values(codes))
    const slowConsumers = Array(3).fill({ cause: 'slow-consumer', late: true })
    await expect
      .poll(async () => (await facts('ConnectionClosed')).map(({ data: { cause, late } }) => ({ cause, late })))
      .toEqual(slowConsumers)
  })
})

describe('silence', () => {
  it('of whoever has not said a word on the address of all protocols ends after a minute', async () => {
    const clock = new VirtualClock()
    await running({ clock })
    const [silent, unknown, begun] = [await connected(), await connected(), await connected()]
    unknown.send(text('42["no_such_event"]'))
    begun.send(text('42["auth",18]'))
    await expect.poll(() => begun.heard.at(-1)).toContain('client_error')
    clock.advance(1_000)
    await expect.poll(async () => (await facts('ConnectionOpened')).length).toBe(4)
    clock.advance(58_999)
    await turns()
    expect(server.sessions.size).toBe(4)
    clock.advance(1)
    // socket.io's DISCONNECT, whose client does not come back by itself
    await expect.poll(() => [silent, unknown].map(({ heard }) => heard.at(-1))).toEqual(['41', '41'])
    expect(server.sessions.size).toBe(2)
    expect((await facts('ConnectionClosed')).map(({ data }) => data.cause)).toEqual(['auth-timeout', 'auth-timeout'])
    begun.end()
    await expect.poll(whoIsThere).toEqual(ONLY_THE_WITNESS)
  })

  it('is on record once it has lasted, with when it began, and so is its end; what is over is silent for nobody', async () => {
    const clock = new VirtualClock()
    const minutes = (count: number) => clock.advance(count * 60_000)
    await running({ clock })
    const socket = await signingIn.moneypot()
    await expect.poll(() => socket.heard.at(-1)).toContain('430[null')
    const say = async (ref: number) => {
      socket.send(text(`42${ref}["new_message","x"]`))
      await expect.poll(() => socket.heard.at(-1)).toBe(`43${ref}[]`)
    }
    const noted = async (type: string) => {
      await turns()
      return (await facts(type)).filter(({ by }) => by === ann.account.id)
    }
    minutes(4)
    await say(1)
    const since = clock.now()
    minutes(4)
    expect(await noted('WentIdle')).toEqual([])
    minutes(1)
    await expect.poll(() => noted('WentIdle')).toMatchObject([{ data: { since }, at: since + 5 * 60_000 }])
    minutes(30)
    await say(2)
    await expect.poll(() => noted('BecameActive')).toMatchObject([{ at: clock.now() }])
    socket.end()
    await expect.poll(whoIsThere).toEqual(ONLY_THE_WITNESS)
    minutes(10)
    expect(await noted('WentIdle')).toHaveLength(1)
    const [{ stream } = { stream: '' }] = await noted('WentIdle')
    expect(server.host.peek(stream)).toBeNull()
  })
})

describe('going while it comes', () => {
  // What was appended before it went nobody could know of who ended it: it is taken back (transports/entry.ts).
  it.each([
    ['moneypot', ['CameOnline', 'AuthSucceeded', 'PresenceEntered', 'RoomEntered']],
    ['maint', ['CameOnline', 'AuthSucceeded', 'PresenceEntered', 'RoomEntered']],
    ['native', ['CameOnline', 'AuthSucceeded', 'PresenceEntered', 'RoomEntered']],
    ['drivers', ['CameOnline', 'AuthSucceeded', 'RoomsFollowed']],
    ['plic', ['CameOnline', 'AuthSucceeded', 'RoomsFollowed']],
    ['ayaka', ['CameOnline', 'AuthSucceeded', 'RoomsFollowed']],
  ] as const)('leaves nobody behind in %s, whatever is being stored then', async (name, types) => {
    let held: { readonly type: string; readonly until: Promise<void> } | null = null
    let waits = false
    const log = new MemoryLog({
      beforeAppend: async (_stream, stored) => {
        if (!held || stored.every(({ type }) => type !== held?.type)) return
        waits = true
        await held.until
      },
    })
    await running({ log })
    for (const type of types) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = { type, until: promise }
      waits = false
      const socket = await signingIn[name]()
      if (name === 'native') socket.send(text(JSON.stringify({ do: 'join', room: witness.room.id })))
      await expect.poll(() => waits, { interval: 1 }).toBe(true)
      socket.end()
      await expect.poll(() => server.sessions.size, { interval: 1 }).toBe(1)
      await turns()
      held = null
      resolve()
      await expect.poll(whoIsThere, { interval: 1 }).toEqual(ONLY_THE_WITNESS)
    }
  })
})

describe('coming and going', () => {
  it('begins with the connection: nothing that its client did stands in the log before that', async () => {
    const log = new MemoryLog({
      beforeAppend: async (stream) => {
        if (stream.startsWith('connection-')) await turns()
      },
    })
    await running({ log })
    const sockets = await Promise.all(protocols.map((name) => signingIn[name]()))
    await expect.poll(async () => (await facts('AuthSucceeded')).length).toBe(protocols.length + 1)
    const begun = new Set<string>()
    for await (const { type, stream, metadata } of log.readAll({})) {
      const { connection } = JSON.parse(metadata) as { connection: string | null }
      if (type === 'ConnectionOpened') begun.add(stream)
      else if (connection !== null) expect(begun, type).toContain(`connection-${connection}`)
    }
    for (const socket of sockets) socket.end()
    await expect.poll(whoIsThere).toEqual(ONLY_THE_WITNESS)
  })

  it('as fast as it can leaves nobody behind, in any protocol', async () => {
    await running()
    await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const socket = await (signingIn[protocols[at % protocols.length] ?? 'native']?.() as Promise<RawWebSocket>)
        socket.end()
      }),
    )
    await expect.poll(whoIsThere, { timeout: 5_000 }).toEqual(ONLY_THE_WITNESS)
  })

  it('on ever newer devices leaves the newest, where a protocol has one socket an account', async () => {
    await running()
    const sockets = await Promise.all(Array.from({ length: 20 }, () => signingIn.plic()))
    await expect.poll(() => server.sessions.size).toBe(2)
    const said = sockets.map(({ heard }) => heard.at(-1)).filter((heard) => heard?.includes('"code":4008'))
    expect(said).toHaveLength(19)
    for (const socket of sockets) socket.end()
  })

  it('with handshakes that never become a session is bounded, and counted', async () => {
    await running()
    const shake = async () => (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)).status
    const statuses: number[] = []
    for (let sent = 0; sent < 1_010; sent += 101) {
      statuses.push(...(await Promise.all(Array.from({ length: 101 }, shake))))
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(1_001)
    expect(statuses.at(-1)).toBe(403)
    expect(await metric(server, 'hansard_sockets_total{what="turned_away"}')).toBeGreaterThan(0)
  })
})

describe('whom their own chart ends', () => {
  it('have on record what they were handed and how often they were refused', async () => {
    await running()
    const socket = await signingIn.moneypot()
    await expect.poll(() => socket.heard.at(-1)).toContain('430[null')
    await witness.room.post('the last they heard')
    await expect.poll(() => socket.heard.at(-1)).toContain('the last they heard')
    const revision = (await server.host.load(`room-${witness.room.id}`)).revision
    socket.send(...Array.from({ length: 3 }, (_, at) => text(`42${at + 1}["new_message",""]`)))
    await expect.poll(() => socket.heard.at(-1)).toBe('433["INVALID_TEXT"]')
    const authorization = `Bearer ${server.ownerTokenText}`
    await asking(`${server.url}/api/v1/users/@ann/bans`, 'POST', { authorization }, {})
    await socket.closed
    await expect
      .poll(async () =>
        (await facts('Delivered')).filter(({ by }) => by === ann.account.id).map(({ data }) => data.rooms),
      )
      .toEqual([{ [witness.room.id]: revision }])
    await expect
      .poll(async () => (await facts('CommandRefused')).reduce((sum, { data }) => sum + (data.count as number), 0))
      .toBe(3)
  })
})

describe('a token', () => {
  it('that was revoked lets nobody in again, which is on record', async () => {
    await running()
    const tokens = `${server.url}/api/v1/users/@ann/tokens`
    const headers = { authorization: `Bearer ${server.ownerTokenText}` }
    const { items } = (await (await fetch(tokens, { headers })).json()) as { items: { id: string }[] }
    await fetch(`${tokens}/${items[0]?.id}`, { method: 'DELETE', headers })
    const [native, maint, ayaka] = [await signingIn.native(), await signingIn.maint(), await signingIn.ayaka()]
    expect([await native.closed, await maint.closed, await ayaka.closed]).toEqual([4301, 4401, 4002])
    const drivers = await signingIn.drivers()
    await expect.poll(() => drivers.heard.at(-1)).toBe('42["signin_response",{"status":"fail","data":"invalid token"}]')
    const moneypot = await signingIn.moneypot()
    await expect.poll(() => moneypot.heard.at(-1)).toContain('430[null,{"room":{')
    expect((await facts('AuthFailed')).map(({ data }) => data.code)).toEqual(Array(4).fill('unknown-token'))
    drivers.end()
    moneypot.end()
  })

  it('of another party that is not valid yet, or not ours, is refused and never stored', async () => {
    await running()
    const seconds = Math.floor(Date.now() / 1_000)
    const from = (notBefore: number) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(ann.account.id)
        .setAudience(JWT.audience)
        .setNotBefore(notBefore)
        .setExpirationTime(seconds + 3_600)
        .sign(new TextEncoder().encode(JWT.secret))
    const { jwt: good = '', ...bad } = await jsonWebTokens(ann.account.id, Date.now())
    const all = [...Object.values(bad), await from(seconds + 120), 'a.b.c', `${good}x`]
    for (const token of all) expect(await (await opened(`/plic?token=${token}`)).closed).toBe(4002)
    expect((await facts('AuthFailed')).map(({ data }) => data)).toEqual(all.map(() => ({ code: 'unknown-token' })))
    // Clocks may differ by a minute.
    const early = await opened(`/plic?token=${await from(seconds + 30)}`)
    await expect.poll(() => server.sessions.size).toBe(2)
    await expect.poll(async () => (await facts('AuthSucceeded')).at(-1)?.by).toBe(ann.account.id)
    for await (const { data, metadata } of server.log.readAll({}))
      for (const token of [...all, good]) expect(data + metadata).not.toContain(token)
    early.end()
  })

  it('of another party that ends during a session does not end it: PLIC’s app renews it over REST only', async () => {
    const clock = new VirtualClock()
    await running({ clock })
    const socket = await signingIn.plic()
    await expect.poll(() => server.sessions.size).toBe(2)
    await expect.poll(async () => (await facts('AuthSucceeded')).length).toBe(2)
    clock.advance(2 * 3_600_000)
    const data = { room_id: 7, message: 'later', message_temp_id: 't' }
    socket.send(text(JSON.stringify({ type: 'SendMessage', data })))
    await expect.poll(() => socket.heard.at(-1)).toContain('"confirmed":true')
    expect(await (await signingIn.plic()).closed).toBe(4002)
    const answer = await fetch(`${server.url}/rooms`, { headers: { authorization: `Bearer ${jwt}` } })
    expect([answer.status, await answer.json()]).toEqual([401, { error_message: 'token is expired', data: null }])
    socket.end()
  })
})

describe('rooms without number', () => {
  /** With Ann in each, where they are of a protocol that has members. */
  const rooms = async (count: number, dialects = ['moneypot']) => {
    const members = dialects.includes('moneypot') ? [] : [{ account: ann.account, role: 'member' as const }]
    const aliases = (at: number) => dialects.map((dialect) => `${dialect}:${1_000 + at}`)
    const open = (at: number) => server.rooms.open({ name: `r${at}`, aliases: aliases(at), members, asker: null })
    for (let at = 0; at < count; at += 60) await Promise.all(Array.from({ length: 60 }, (_, more) => open(at + more)))
  }
  const joinAll = async (socket: RawWebSocket, names: readonly string[]) => {
    for (let at = 0; at < names.length; at += 100) {
      socket.send(...names.slice(at, at + 100).map((room) => text(JSON.stringify({ do: 'join', ref: room, room }))))
      const last = names[Math.min(at + 100, names.length) - 1]
      await expect.poll(() => socket.heard.at(-1), { interval: 5 }).toContain(`"ref":"${last}"`)
    }
  }

  it('are refused beyond a thousand, before anybody sees them entered; none stays in memory for a name', async () => {
    await running()
    await rooms(1_020)
    const socket = await signingIn.native()
    await joinAll(
      socket,
      Array.from({ length: 1_003 }, (_, at) => `moneypot:${1_000 + at}`),
    )
    const refused = socket.heard.slice(-3).map((heard) => JSON.parse(heard))
    for (const each of refused) expect(each).toMatchObject({ is: 'refused', code: 'too-many-rooms', retryable: false })
    expect((await facts('PresenceEntered')).filter(({ by }) => by === ann.account.id)).toHaveLength(1_000)
    expect(server.sessions.refusals.get('too-many-rooms')).toBe(3)
    const { actors } = server.host.counts()
    await joinAll(
      socket,
      Array.from({ length: 2_000 }, (_, at) => (at % 2 ? `no-such-${at}` : `moneypot:${90_000 + at}`)),
    )
    expect(server.host.counts().actors).toBe(actors)
    socket.end()
    await expect.poll(whoIsThere, { timeout: 5_000 }).toEqual(ONLY_THE_WITNESS)
  })

  it('of its own are open to whoever belongs to them, also beyond a thousand', async () => {
    await running()
    await rooms(1_200, ['maint', 'drivers', 'plic'])
    // Maint enters each; the others follow, up to 500 in a fact.
    const maint = await signingIn.maint()
    await expect.poll(() => maint.heard.at(-1), { timeout: 10_000 }).toContain('"t":2')
    const { d } = JSON.parse(maint.heard.at(-1) ?? '{}') as { d: { rooms: { id: number }[] } }
    expect(d.rooms.map(({ id }) => id)).toEqual([1, ...Array.from({ length: 1_200 }, (_, at) => 1_000 + at)])
    const drivers = await signingIn.drivers()
    await expect.poll(() => drivers.heard.at(-1), { timeout: 10_000 }).toContain('"status":"ok"')
    drivers.send(text(`42${JSON.stringify(['message_events', { topic_id: 2_199, body: 'to the last' }])}`))
    await expect.poll(() => maint.heard.at(-1)).toContain('to the last')
    expect((await facts('RoomsFollowed')).map(({ data }) => Object.keys(data.rooms as object).length)).toEqual([
      500, 500, 201,
    ])
    for (const socket of [maint, drivers]) socket.end()
    await expect.poll(whoIsThere, { timeout: 10_000 }).toEqual(ONLY_THE_WITNESS)
  })

  it('leave memory once nobody is in them', async () => {
    const clock = new VirtualClock()
    await running({ clock })
    await rooms(60)
    const socket = await signingIn.native()
    await joinAll(
      socket,
      Array.from({ length: 60 }, (_, at) => `moneypot:${1_000 + at}`),
    )
    expect(server.host.counts().actors).toBeGreaterThan(60)
    socket.end()
    await expect.poll(whoIsThere).toEqual(ONLY_THE_WITNESS)
    clock.advance(5 * 60_000)
    expect(server.host.counts().actors).toBeLessThan(10)
  })
})

describe('a claim about order or time', () => {
  it('is nobody’s to make: the server’s own stands', async () => {
    const clock = new VirtualClock()
    await running({ clock })
    const claims = { id: 999_999, seq: 999_999, at: 9_000_000_000_000, sent_at: 9_000_000_000_000, revision: 999_999 }
    const [maint, plic, drivers] = [await signingIn.maint(), await signingIn.plic(), await signingIn.drivers()]
    await expect.poll(() => drivers.heard.at(-1)).toContain('"ok"')
    await expect.poll(() => maint.heard.at(-1)).toContain('"t":2')
    const start = clock.now()
    maint.send(text(JSON.stringify({ send: { room: 1, text: 'one', ...claims } })))
    const data = { room_id: 7, message: 'two', message_temp_id: 't', created_at: '2099-01-01T00:00:00Z', ...claims }
    await expect.poll(() => maint.heard.at(-1)).toContain('"t":4')
    plic.send(text(JSON.stringify({ type: 'SendMessage', data })))
    await expect.poll(() => plic.heard.at(-1)).toContain('"confirmed":true')
    drivers.send(text(`42${JSON.stringify(['message_events', { topic_id: 49, body: 'three', ...claims }])}`))
    await expect.poll(async () => (await facts('MessagePosted')).length).toBe(3)
    const posted = await facts('MessagePosted')
    expect(posted.map(({ data }) => [data.text, data.id])).toEqual([
      ['one', 1],
      ['two', 2],
      ['three', 3],
    ])
    for (const { at } of posted) expect(at).toBe(start)
    for (const socket of [maint, plic, drivers]) socket.end()
  })

  it('is refused in native; resuming from the future brings a fresh snapshot', async () => {
    await running()
    const socket = await signingIn.native()
    const room = witness.room.id
    socket.send(text(JSON.stringify({ do: 'post', ref: 1, room, text: 'x', at: 9_000_000_000_000 })))
    await expect.poll(() => socket.heard.at(-1)).toContain('"values":{"field":"at"}')
    const { epoch } = JSON.parse(socket.heard.find((heard) => heard.includes('"signed-in"')) ?? '{}')
    const since = { epoch, revision: 999_999 }
    socket.send(text(JSON.stringify({ do: 'join', ref: 2, room, since })))
    await expect.poll(() => socket.heard.find((heard) => heard.includes('"joined"'))).toContain('"tooFarBehind":true')
    socket.end()
  })
})
