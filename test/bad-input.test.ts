// Values that are well formed and odd, given to a running server by each protocol and over REST: kept as what they are, or
// refused by rule, and never the end of a room or of the process. Rows 5 to 8 and 15 of the catalogue of bad input.
//
// Where each row of the catalogue is done to a running server:
//
//   1–4      bad-frames: every WebSocket; bad-packets: socket.io's own packets
//   5        here, in text and names; dialogues: NUL in moneypot/bad-messages, drivers/bad-messages
//   6–8      bad-frames, bad-packets; here, in what is kept and over REST; src/dialects/dialects.test.ts
//   9, 10    bad-packets
//   11       bad-frames, bad-packets; dialogues: refusals and bad-* of each protocol, ayaka/dropped-frames
//   12       bad-frames, bad-packets; dialogues: refusals of native, maint, plic, ayaka
//   13, 14   bad-upgrades
//   15       here
//   16       slow-handshake.long; whoever never signs in: dialogues, refusals of each protocol
//   17       bad-sessions, bad-clients, ayaka-gateway
//   18       bad-sessions
//   19       reconnect-storm.long: 10,000 clients; bad-sessions, bad-clients: handshakes without number, coming and going
//   20       dialogues: moneypot/two-sockets-one-person, together/one-person-many-protocols
//   21       bad-sessions, bad-clients, bad-packets; bad-acts: bounded in every protocol; plic/new-device-and-shutdown
//   22       bad-sessions; dialogues: ayaka/put-out, maint/moderation
//   23       bad-sessions: a PLIC socket outlives its token (docs/protocols/plic.md)
//   24       bad-sessions; dialogues: plic/refusals
//   25, 26   dialogues: refusals and bad-* of each protocol
//   27       dialogues: native/banned-resumes
//   28       simulation: mutes race with messages, and a replay decides the same
//   29, 30   simulation; dialogues: drivers/stamps, plic/send-and-receive, maint/token-send-receive, native/talk
//   31, 32   bad-clients, bad-acts
//   33       rooms-without-number.long: 50,000 rooms; bad-sessions; src/actors/connection/connection.test.ts
//   34       bad-upgrades
//   35       bad-sessions

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { JsonWebTokens } from '../src/json-web-tokens.ts'
import { WallClock } from '../src/wall-clock.ts'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { frame, RawWebSocket, text } from './raw-websocket.ts'
import { JWT, runServer, type TestServer } from './running-server.ts'
import { startProcess } from './server-process.ts'
import { Witness } from './witness.ts'

const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket'
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

const NEW = '3f0c1f6e-8a54-4c7e-9a53-0d5d0c1f2a11'

let server: TestServer
let witness: Witness
let ann: Awaited<ReturnType<TestServer['account']>>
let jwt: string
beforeAll(async () => {
  const clock = new WallClock()
  const verifier = new JsonWebTokens(clock, { ...JWT, jwksUrl: '' })
  server = await runServer({ pingIntervalMs: 0, clock, foreignTokens: { verifier, provision: true } })
  ann = await server.account('ann')
  jwt = (await jsonWebTokens(ann.account.id, Date.now())).jwt ?? ''
  const aliases = ['moneypot:18', 'drivers:49', 'plic:7', 'ayaka:12', 'maint:1', 'native:1']
  witness = await Witness.in(server, aliases, [ann.account.id])
})
afterEach(() => witness.unharmed())
afterAll(async () => {
  witness.leave()
  await server.stop()
})

const asOwner = () => ({ authorization: `Bearer ${server.ownerTokenText}` })

/** A body may be the text of JSON that nothing here would write. */
const post = (path: string, body: unknown, headers: Record<string, string> = asOwner()) =>
  asking(server.url + path, 'POST', headers, body)

const messages = async (): Promise<{ id: number; text: string }[]> => {
  const answer = await fetch(`${server.url}/api/v1/rooms/native:1/messages?limit=50`, { headers: asOwner() })
  return ((await answer.json()) as { items: { id: number; text: string }[] }).items
}

const posted = async (): Promise<{ text: string; extra: unknown }[]> => {
  const found: { text: string; extra: unknown }[] = []
  for await (const { data } of server.log.readAll({ filter: { types: ['MessagePosted'] } }))
    found.push(JSON.parse(data))
  return found
}

/** Frames of JSON, as the texts of a WebSocket's messages. */
const webSocket = async (path: string, ...opening: readonly string[]): Promise<(frame: string) => void> => {
  const socket = await RawWebSocket.connect(server.url, path)
  if (path === SOCKET_IO) {
    socket.send(text('40'))
    await expect.poll(() => socket.heard.at(-1)).toContain('40{')
  }
  socket.send(...opening.map(text))
  return (given) => socket.send(text(given))
}

/** What says a text as Ann, in each protocol. */
const speakers: Readonly<Record<string, () => Promise<(said: string) => unknown>>> = {
  native: async () => {
    const send = await webSocket('/native', JSON.stringify({ do: 'sign-in', token: ann.token }))
    return (said) => send(JSON.stringify({ do: 'post', room: 'native:1', text: said }))
  },
  maint: async () => {
    const send = await webSocket('/maint', JSON.stringify({ fulfill: `Bot ${ann.token}` }))
    return (said) => send(JSON.stringify({ send: { room: 1, text: said } }))
  },
  plic: async () => {
    const send = await webSocket(`/plic?token=${jwt}`)
    let sent = 0
    return (said) => {
      const data = { room_id: 7, message: said, message_temp_id: `t${sent++}` }
      send(JSON.stringify({ type: 'SendMessage', data }))
    }
  },
  ayaka: async () => (said) => post('/v3/channels/12/messages/create', { content: said }, { authorization: ann.token }),
  moneypot: async () => {
    const auth = { app_id: 18, hashed_token: server.identity.hashToken(ann.token) }
    const send = await webSocket(SOCKET_IO, `420${JSON.stringify(['auth', auth])}`)
    return (said) => send(`42${JSON.stringify(['new_message', said])}`)
  },
  drivers: async () => {
    const send = await webSocket(SOCKET_IO, `42${JSON.stringify(['signin_request', { token: ann.token }])}`)
    return (said) => send(`42${JSON.stringify(['message_events', { topic_id: 49, body: said }])}`)
  },
}

const ODD = [
  '\u202egnp.exe\u202c',
  '\ud800 alone, and \ud83d\ude00 whole',
  `a${'\u0301'.repeat(340)}`,
  'zero\u200bwidth\ufeff!',
  '\u001b[31mred\u0007\u009b1m',
  'two\r\nlines\u2028and three',
  '<script>alert(1)</script>',
  '{"do":"ping"}',
  '__proto__',
]

describe('text that looks like something else', () => {
  it.each(Object.keys(speakers))('is the same on the wire, in the log and over REST, when said in %s', async (name) => {
    const say = await speakers[name]?.()
    const known = witness.room.messages.length
    for (const each of ODD) await say?.(each)
    // Half of a surrogate pair is no text: it stands as U+FFFD, and everywhere the same.
    const kept = ODD.map((each) => each.toWellFormed())
    await expect.poll(() => witness.room.messages.slice(known).map((message) => message.text)).toEqual(kept)
    await expect.poll(async () => (await messages()).slice(-ODD.length).map((item) => item.text)).toEqual(kept)
    expect((await posted()).slice(-ODD.length).map((fact) => fact.text)).toEqual(kept)
  })

  it('of a hundred thousand combining marks is too much for a frame, and of five thousand for a text', async () => {
    const before = (await posted()).length
    for (const marks of [5_000, 100_000]) {
      const said = `a${'\u0301'.repeat(marks)}`
      const answer = await post('/v3/channels/12/messages/create', { content: said }, { authorization: ann.token })
      expect(answer.status).toBe(marks === 5_000 ? 400 : 413)
    }
    expect((await posted()).length).toBe(before)
  })
})

describe('a name', () => {
  const odd = ['a\u202eb', 'a\u0000b', 'a\nb', '\u001b[31ma', 'a\u200bb', '\ud800', 'a b', '<b>', '\u0301\u0301', '']

  it.each(odd)('%j is nobody’s', async (username) => {
    expect(await post('/api/v1/users', { username })).toMatchObject({ status: 400 })
  })

  it.each(['\u043ewner', 'ow\u0301ner', 'OWNER', '0wner', 'o.w_n-er', '\uff4fwner'])(
    '%j, which looks like one of staff, is taken',
    async (username) => {
      expect(await post('/api/v1/users', { username })).toMatchObject({ status: 409, body: { code: 'name-taken' } })
    },
  )

  it('from another party’s token that could be nobody’s is made of the account’s id', async () => {
    const token = await new SignJWT({ user_metadata: { username: 'ann\u202e\n\u001b[31m' } })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(NEW)
      .setAudience(JWT.audience)
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(JWT.secret))
    const answer = await fetch(`${server.url}/rooms`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(200)
    expect(await server.identity.byId(NEW)).toMatchObject({ username: `user-${NEW.slice(0, 8)}` })
  })

  it('of a room is data, and comes back as it was given', async () => {
    const name = 'two\nlines \u001b[31mred <img src=x onerror=alert(1)>'
    const made = await post('/api/v1/rooms', { name })
    expect(made).toMatchObject({ status: 201, body: { name } })
  })
})

describe('what is kept beside a text', () => {
  const beyond = '{"a":1e400,"b":-0,"c":"\\ud800","__proto__":{"d":1}}'
  const kept = { a: null, b: 0, c: '\ud800', ['__proto__']: { d: 1 } }

  it('in drivers.uz reads as JSON says it: no number beyond all numbers, and no prototype', async () => {
    const send = await webSocket(SOCKET_IO, `42${JSON.stringify(['signin_request', { token: ann.token }])}`)
    send(`42["message_events",{"topic_id":49,"body":"with attrs","attrs":${beyond}}]`)
    await expect.poll(async () => (await posted()).at(-1)?.text).toBe('with attrs')
    expect((await posted()).at(-1)?.extra).toEqual({ drivers: { attrs: kept, hasMedia: false } })
  })

  it('in Ayaka, too', async () => {
    const headers = { authorization: ann.token }
    const path = '/v3/channels/12/messages/create'
    const made = await post(path, '{"content":"x","embeds":[{"a":1e400,"b":-0}]}', headers)
    expect(made).toMatchObject({ status: 201, body: { embeds: [{ a: null, b: 0 }] } })
    expect(await post(path, '{"content":"x","embeds":[{"__proto__":{"d":1}}]}', headers)).toMatchObject({ status: 400 })
    expect(await post(path, `{"content":"x","embeds":[{"a":${nested(8_000)}}]}`, headers)).toMatchObject({
      status: 400,
    })
  })

  it('with a room of PLIC, too', async () => {
    const headers = { authorization: `Bearer ${jwt}` }
    const wanted = (apartment: string) => `{"users":["${ann.account.id}"],"apartment_id":${apartment}}`
    expect(await post('/rooms', wanted('1e400'), headers)).toMatchObject({ status: 201 })
    expect(await post('/rooms', wanted(nested(8_000)), headers)).toMatchObject({ status: 400 })
    const answer = await fetch(`${server.url}/chat/rooms`, { headers })
    expect(await answer.json()).toEqual(expect.arrayContaining([expect.objectContaining({ apartment_id: null })]))
  })
})

describe('a body over REST', () => {
  it.each([
    ['nested as deep as it may be long', `{"name":${nested(30_000)}}`, 400],
    ['with a prototype', '{"name":"x","__proto__":{"admin":true}}', 400],
    ['with a constructor’s prototype', '{"name":"x","constructor":{"prototype":{"admin":true}}}', 400],
    ['with a number beyond all numbers', '{"name":"x","members":[1e400]}', 400],
    ['that is no JSON', '{"name":NaN}', 400],
    ['larger than may be', `{"name":"${'x'.repeat(70_000)}"}`, 413],
  ])('%s is refused', async (_what, body, status) => {
    expect(await post('/api/v1/rooms', body)).toMatchObject({ status })
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('with a key twice has the last', async () => {
    expect(await post('/api/v1/rooms', '{"name":"first","name":"last"}')).toMatchObject({ body: { name: 'last' } })
  })
})

describe('a process', () => {
  it('outlives what once ended it, and prints nothing of what strangers say', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hansard-'))
    const flags = ['--jwt-secret', JWT.secret, '--jwks-url', 'http://127.0.0.1:1/keys', '--max-connections', '1']
    const own = await startProcess(directory, flags)
    const printed = own.output()
    // Tokens of two kinds are looked at, one after the other.
    for (const token of Object.values(await jsonWebTokens(NEW, Date.now()))) {
      const headers = { authorization: `Bearer ${token}`, 'user-agent': '\u009b31m<script>' }
      expect((await fetch(`${own.url}/rooms`, { headers })).status).toBe(401)
    }
    const packet = `421["new_message",${nested(30_000)}]`
    const only = await RawWebSocket.connect(own.url, SOCKET_IO)
    only.send(text('40'))
    await expect.poll(() => only.heard.at(-1)).toContain('40{')
    only.send(text('420["auth",{"app_id":2}]'), text(packet))
    await expect.poll(() => only.heard.at(-1)).toBe('431["USER_REQUIRED"]')
    const turnedAway = await RawWebSocket.connect(own.url, '/native', frame(0x83, 'x'))
    expect(await turnedAway.closed).toBe(1013)
    expect((await fetch(`${own.url}/healthz`)).status).toBe(200)
    expect(own.output()).toBe(printed)
    only.end()
    expect(await own.stop()).toBe(0)
    await rm(directory, { recursive: true })
  })
})
