// What clients of each protocol are told while the log cannot be reached: only that, and what they sent may be sent again.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Fact } from '../src/actors/fact.ts'
import type { Done } from '../src/actors/outcome.ts'
import type { RoomRef } from '../src/actors/rooms.ts'
import { LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import type { Step } from './dialogue.ts'
import { IoParticipant } from './dialogue-people.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { RawWebSocket, text } from './raw-websocket.ts'
import { runServer, type TestServer } from './running-server.ts'

let server: TestServer
let token: string
let jwt: string
let number: number
let reachable = true
beforeAll(async () => {
  const log = new MemoryLog({
    beforeAppend: async (stream) => {
      if (!reachable) throw new LogUnavailable(`${stream} is out of reach`, 'no')
    },
  })
  server = await runServer({ log })
  const ali = await server.account('Ali')
  token = ali.token
  number = ali.account.number
  jwt = (await jsonWebTokens(ali.account.id, Date.now())).jwt ?? ''
  const aliases = ['drivers:49', 'moneypot:18', 'maint:1', 'plic:7', 'native:1', 'ayaka:12']
  const members = [{ account: ali.account, role: 'member' as const }]
  expect((await server.rooms.open({ name: 'r', aliases, members, asker: null })).ok).toBe(true)
})
beforeEach(() => {
  reachable = true
})
afterAll(async () => {
  reachable = true
  await server.stop()
})

const kinds = new Set(['signin_response', 'message_events', 'join_topic'])

it('is an internal error in drivers.uz, of a message, a sign-in, a visit and a request', async () => {
  const ali = await IoParticipant.connect(server.url, kinds)
  const told = async (...ev: unknown[]) => {
    ali.send({ ev } as unknown as Step)
    await ali.until(() => ali.frames.length > 0, 'an answer')
    return ali.frames.shift()
  }
  const message = { topic_id: 49, body: 'hello', stamp_id: 's' }
  const fail = { status: 'fail', data: 'internal error' }
  expect(await told('signin_request', { token })).toEqual(['signin_response', { status: 'ok' }])
  reachable = false
  expect(await told('message_events', message)).toEqual([
    'message_events',
    { event_type: 'fail', data: { stamp_id: 's', topic_id: 49, reason: 'internal error' } },
  ])
  const form = JSON.stringify({ user_id: number, avatar: 'x', token })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${server.url}/update_avatar`, { method: 'POST', headers, body: form })
  expect([answer.status, await answer.json()]).toEqual([500, fail])
  const other = await IoParticipant.connect(server.url, kinds)
  other.send({ ev: ['signin_request', { token }] } as unknown as Step)
  await other.until(() => other.frames.length > 0 || other.ended !== null, 'an answer')
  expect(other.frames).toEqual([['signin_response', fail]])
  reachable = true
  expect(await told('message_events', message)).toMatchObject([
    'message_events',
    { event_type: 'sent', data: { stamp_id: 's', body: 'hello' } },
  ])
  ali.leave()
  other.leave()
})

const opened = async (path: string, first?: object): Promise<RawWebSocket> => {
  const socket = await RawWebSocket.connect(server.url, path)
  if (first) socket.send(text(JSON.stringify(first)))
  return socket
}

/** A message said while the log is away, what its sender is told, and how the same message fares later. */
const triedTwice = async (socket: RawWebSocket, frame: object, away: string, stored: string): Promise<void> => {
  reachable = false
  socket.send(text(JSON.stringify(frame)))
  await expect.poll(() => socket.heard.at(-1), { timeout: 10_000 }).toContain(away)
  reachable = true
  socket.send(text(JSON.stringify(frame)))
  await expect.poll(() => socket.heard.at(-1), { timeout: 10_000 }).toContain(stored)
  socket.end()
}

it('is INTERNAL_ERROR in Moneypot, of a message and of an auth', async () => {
  const hashed_token = server.identity.hashToken(token)
  const connected = async () => {
    const socket = await opened('/socket.io/?EIO=4&transport=websocket')
    socket.send(text('40'))
    await expect.poll(() => socket.heard.at(-1)).toContain('40{')
    return socket
  }
  const auth = text(`420${JSON.stringify(['auth', { app_id: 18, hashed_token }])}`)
  const message = text('421["new_message","hello"]')
  const [ali, other] = [await connected(), await connected()]
  ali.send(auth)
  await expect.poll(() => ali.heard.at(-1)).toContain('430[null,{"user":')
  reachable = false
  ali.send(message)
  await expect.poll(() => ali.heard.at(-1)).toBe('431["INTERNAL_ERROR"]')
  other.send(auth)
  await expect.poll(() => other.heard.at(-1)).toBe('430["INTERNAL_ERROR"]')
  reachable = true
  ali.send(message)
  await expect.poll(() => ali.heard.at(-1)).toBe('431[]')
  other.send(auth)
  await expect.poll(() => other.heard.at(-1)).toContain('430[null,{"user":')
  ali.end()
  other.end()
})

it('is internal_error in Maint, with the nonce', async () => {
  const socket = await opened('/maint', { fulfill: `Bot ${token}` })
  await expect.poll(() => socket.heard.at(-1)).toContain('"t":2')
  const frame = { send: { room: 1, text: 'hello', nonce: 'n' } }
  await triedTwice(socket, frame, '"nonce":"n"}}', '{"t":4,"d":{"nonce":"n"')
  expect(socket.heard.at(-2)).toContain('"code":"internal_error"')
})

it('is a confirmation in PLIC, and 4006 for whoever comes then, whose app returns by itself', async () => {
  const socket = await opened(`/plic?token=${jwt}`)
  // No frame tells of a sign-in: a message does.
  const first = { type: 'SendMessage', data: { room_id: 7, message: 'first', message_temp_id: 'first' } }
  socket.send(text(JSON.stringify(first)))
  await expect.poll(() => socket.heard.at(-1)).toContain('"confirmed":true')
  const data = { room_id: 7, message: 'hello', message_temp_id: 't' }
  reachable = false
  const other = await opened(`/plic?token=${jwt}`)
  expect(await other.closed).toBe(4006)
  expect(other.heard.at(-1)).toContain('"code":4006')
  await triedTwice(socket, { type: 'SendMessage', data }, '"reason":"server error"', '"confirmed":true')
})

it('ends whom a frame of theirs would end, in PLIC', async () => {
  const socket = await opened(`/plic?token=${jwt}`)
  socket.send(
    text(JSON.stringify({ type: 'SendMessage', data: { room_id: 7, message: 'x', message_temp_id: 'ends' } })),
  )
  await expect.poll(() => socket.heard.at(-1)).toContain('"confirmed":true')
  reachable = false
  socket.send(text('no JSON'))
  expect(await socket.closed).toBe(4010)
})

it('is unavailable in native, and may be tried again', async () => {
  const socket = await opened('/native', { do: 'sign-in', token })
  socket.send(text(JSON.stringify({ do: 'join', room: 'native:1' })))
  await expect.poll(() => socket.heard.at(-1)).toContain('"joined"')
  const frame = { do: 'post', ref: 1, room: 'native:1', text: 'hello', id: 'of native' }
  await triedTwice(socket, frame, '"code":"unavailable"', '{"is":"done","ref":1')
  expect(socket.heard.some((heard) => heard.includes('"retryable":true'))).toBe(true)
})

it('is 503 of a request that is refused and cannot be put on record, and a refusal on record once it can', async () => {
  const { token: eve } = await server.account('Eve')
  const ask = () => fetch(`${server.url}/api/v1/facts`, { headers: { authorization: `Bearer ${eve}` } })
  reachable = false
  expect((await ask()).status).toBe(503)
  const metrics = await fetch(`${server.url}/metrics`)
  expect([metrics.status, await metrics.text()]).toEqual([200, expect.stringContaining('hansard_log_storing 0')])
  reachable = true
  await expect.poll(async () => (await ask()).status, { timeout: 5_000 }).toBe(403)
  const opened: string[] = []
  const refused: string[] = []
  for await (const { stream, type } of server.log.readAll({ from: 0 })) {
    if (type === 'ConnectionOpened') opened.push(stream)
    if (type === 'CommandRefused') refused.push(stream)
  }
  expect(opened).toContain(refused.at(-1))
})

it('is 503 over Ayaka’s REST', async () => {
  const say = async () => {
    const headers = { authorization: token, 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: '{"content":"hello"}' }
    return (await fetch(`${server.url}/v3/channels/12/messages/create`, init)).status
  }
  reachable = false
  expect(await say()).toBe(503)
  reachable = true
  expect(await say()).toBe(201)
})

/** What the read models are asked under these names is answered so; null: as ever. */
const asking = (names: readonly string[], answer: () => Promise<never> | null) => {
  const { readModels } = server
  const query = readModels.query.bind(readModels)
  readModels.query = ((...asked: Parameters<typeof query>) =>
    (names.includes(asked[0]) ? answer() : null) ?? query(...asked)) as typeof readModels.query
  return () => {
    readModels.query = query
  }
}
const behind = () => new LogUnavailable('the read models are behind', 'no')

it('is unavailable in native for what needs the read models while those are away, and the connection stays', async () => {
  const socket = await opened('/native', { do: 'sign-in', token })
  socket.send(text(JSON.stringify({ do: 'join', room: 'native:1' })))
  await expect.poll(() => socket.heard.at(-1)).toContain('"joined"')
  const answered = (ref: number) => socket.heard.findLast((heard) => JSON.parse(heard).ref === ref)
  socket.send(text(JSON.stringify({ do: 'post', ref: 11, room: 'native:1', text: 'a slip', id: 'y' })))
  await expect.poll(() => answered(11)).toContain('"is":"done"')
  const { message } = JSON.parse(answered(11) as string)
  const requests = [
    { do: 'history', ref: 12, room: 'native:1' },
    { do: 'edit', ref: 13, room: 'native:1', message, text: 'x' },
    { do: 'remove', ref: 14, room: 'native:1', message },
  ]
  const told = async (expected: RegExp) => {
    for (const request of requests) {
      socket.send(text(JSON.stringify(request)))
      await expect.poll(() => answered(request.ref)).toMatch(expected)
    }
  }
  const back = asking(['room.messages', 'room.message'], () => Promise.reject(behind()))
  await told(/"code":"unavailable"/)
  back()
  await told(/"is":"(done|history)"/)
  socket.end()
  expect(server.faults).toEqual([])
})

it('ends, to come back, whoever cannot be told what a message shows; others in the room hear on, and the record claims no more', async () => {
  const { account: bea, token: hers } = await server.account('Bea')
  const { id: room } = (await server.rooms.byAlias('native:1')) as RoomRef
  const stream = `room-${room}`
  await server.host.send(stream, { type: 'member.add', asker: null, user: bea.id, role: 'member' })
  const reader = await opened('/native', { do: 'sign-in', token: hers })
  reader.send(text(JSON.stringify({ do: 'join', room: 'native:1' })))
  await expect.poll(() => reader.heard.at(-1)).toContain('"joined"')
  const driver = await IoParticipant.connect(server.url, kinds)
  driver.send({ ev: ['signin_request', { token: hers }] } as unknown as Step)
  await driver.until(() => driver.frames.length > 0, 'an answer')
  const asker = { id: bea.id, number: bea.number, username: bea.username, account: 'member' } as const
  const said = { kind: 'text', clientRef: null, replyTo: null, extra: null, entered: false } as const
  const post = (words: string) => server.host.send(stream, { type: 'message.post', asker, text: words, ...said })
  const [first] = ((await post('one')) as Done).facts
  await driver.until(() => JSON.stringify(driver.frames).includes('"one"'), 'the first message')
  // The command's own row comes; the one to tell of it does not.
  let [asked, refuse] = [0, () => {}]
  const held = () => new Promise<never>((_, reject) => (refuse = () => reject(behind())))
  const back = asking(['room.message'], () => (asked++ === 0 ? null : held()))
  const { id } = (first as Fact).data as { id: number }
  await Promise.all([server.host.send(stream, { type: 'message.remove', asker, id, reason: null }), post('two')])
  await expect.poll(() => reader.heard.at(-1)).toContain('"two"')
  expect(reader.heard.at(-2)).toContain('"removed"')
  expect(driver.ended).toBeNull()
  back()
  refuse()
  await driver.until(() => driver.ended !== null, 'the end')
  // What a client comes back from by itself; 'io server disconnect' it does not.
  expect(driver.ended?.reason).toBe('transport close')
  expect(JSON.stringify(driver.frames)).not.toContain('"two"')
  await expect
    .poll(async () => {
      const ended: unknown[] = []
      for await (const { type, data } of server.log.readAll({}))
        if (type === 'Delivered' || type === 'ConnectionClosed') ended.push(JSON.parse(data))
      return ended.slice(-2)
    })
    .toMatchObject([{ rooms: { [room]: first?.revision } }, { cause: 'server-error' }])
  expect(server.faults.splice(0)).toMatchObject([expect.stringContaining('the read models are behind')])
  reader.end()
})
