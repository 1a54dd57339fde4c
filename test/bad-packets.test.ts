// What no client library would send over socket.io: packets that break its protocol, or the limits, or JSON. The offender's
// transport is closed or its event is refused in its dialect's words, nothing is stored, and others notice nothing.
// Rows 1 to 12 and 21 of the catalogue of bad input; frames below the packets are in bad-frames.

import { beforeAll, describe, expect, it } from 'vitest'
import { heapBytes } from './heap.ts'
import { RawWebSocket, text } from './raw-websocket.ts'
import { runServer, type TestServer } from './running-server.ts'
import { metric, Witness, witnessed } from './witness.ts'

const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket'
const CAP = 64 * 1024

let server: TestServer
let witness: Witness
let token: string
beforeAll(async () => {
  server = await runServer({ pingIntervalMs: 0 })
  token = (await server.account('ali')).token
  witness = await Witness.in(server, ['moneypot:18', 'drivers:49'])
})
witnessed(() => witness)

/** Connected to the namespace, and nobody yet. */
const connected = async (): Promise<RawWebSocket> => {
  const socket = await RawWebSocket.connect(server.url, WEBSOCKET)
  socket.send(text('40'))
  await expect.poll(() => socket.heard.at(-1)).toContain('40{')
  return socket
}

const packets = (...given: readonly string[]): Buffer[] => given.map(text)
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('a packet closes the transport, and is counted, when it', () => {
  it.each([
    ['is none', 'garbage'],
    ['is empty', ''],
    ['is of no type', '49["x"]'],
    ['is no JSON', '42["auth",'],
    ['is no list', '42{"auth":1}'],
    ['names no event', '42[]'],
    ['has an object for a name', '42[{"toString":1}]'],
    ['is named as the library names its own', '42["disconnecting",{}]'],
    ['announces an attachment', '451-["auth",{"_placeholder":true,"num":0}]'],
    ['announces a million attachments', '451000000-["auth",{"_placeholder":true,"num":0}]'],
    ['answers with an attachment', '461-1[{"_placeholder":true,"num":0}]'],
    ['connects with what is no object', '40[1]'],
  ])('%s', async (_what, packet) => {
    const socket = await connected()
    socket.send(text(packet))
    // Not a code of ours: the close that a socket.io client hears as `transport close`.
    expect(await socket.closed).toBe(1005)
    await expect.poll(() => metric(server, 'hansard_sockets_total{what="closed_protocol-error"}')).toBe(1)
  })

  it('announces attachments again and again, which leaves nothing in memory', async () => {
    const round = async () => {
      const sockets = await Promise.all(Array.from({ length: 20 }, connected))
      for (const socket of sockets) socket.send(text('451000000-["auth",{"_placeholder":true,"num":0}]'))
      for (const socket of sockets) expect(await socket.closed).toBe(1005)
    }
    for (let at = 0; at < 3; at++) await round()
    const before = heapBytes()
    for (let at = 0; at < 15; at++) await round()
    await expect.poll(() => server.sessions.size).toBe(1)
    expect(heapBytes() - before).toBeLessThan(10_000_000)
  })

  it('is larger than may be', async () => {
    const socket = await connected()
    socket.send(...packets(`42["new_message","${'x'.repeat(CAP)}"]`))
    expect(await socket.closed).toBe(1009)
  })

  it('connects twice, before it is answered: a transport has one session', async () => {
    const socket = await RawWebSocket.connect(server.url, WEBSOCKET)
    socket.send(...packets(...Array<string>(50).fill('40')))
    await socket.closed
    await expect.poll(() => Object.fromEntries(server.sessions.counters)).toMatchObject({ 'closed_protocol-error': 1 })
    expect(server.sessions.counters.get('opened')).toBe(1)
  })
})

describe('an event that is nobody’s is ignored, and counted, when it is', () => {
  it.each(['__proto__', 'constructor', 'toString', 'connection', 'auth2', ''])('named %j', async (event) => {
    const socket = await connected()
    socket.send(...packets(`42${JSON.stringify([event, { app_id: 18 }])}`))
    await expect.poll(() => metric(server, 'hansard_sockets_total{what="frames_ignored"}')).toBe(1)
    socket.end()
  })

  it('a number', async () => {
    const socket = await connected()
    socket.send(...packets('42[5,{}]'))
    await expect.poll(() => server.sessions.counters.get('frames_ignored')).toBe(1)
    socket.end()
  })

  it('for another namespace', async () => {
    const socket = await connected()
    socket.send(...packets('40/__proto__,'))
    await expect.poll(() => socket.heard.at(-1)).toBe('44/__proto__,{"message":"Invalid namespace"}')
    socket.end()
  })
})

describe('Moneypot', () => {
  const NO_OBJECT = '["client_error","must send data object with `auth` event"]'
  const NO_NUMBER = '["client_error","must send app_id integer with `auth` event"]'
  const NO_CALLBACK = '["client_error","must provide callback to `auth` event"]'

  it.each([
    ['a payload nested as deep as may be', `420["auth",${nested(30_000)}]`, NO_OBJECT],
    ['a number that no app has', '420["auth",{"app_id":9007199254740993}]', NO_NUMBER],
    ['a number beyond all numbers', '420["auth",{"app_id":1e400}]', NO_NUMBER],
    ['the number of a prototype', '420["auth",{"__proto__":{"app_id":18}}]', NO_NUMBER],
    ['a callback whose number is rounded', '429007199254740993["auth",{"app_id":18}]', NO_CALLBACK],
    ['a callback of sixty thousand digits', `42${'9'.repeat(60_000)}["auth",{"app_id":18}]`, NO_CALLBACK],
  ])('refuses %s, and goes on', async (_what, packet, told) => {
    const socket = await connected()
    socket.send(text(packet))
    await expect.poll(() => socket.heard.at(-1)).toBe(`42${told}`)
    expect(server.sessions.refusals.get('malformed')).toBe(1)
    socket.send(...packets('421["auth",{"app_id":18,"app_id":18,"__proto__":{"hashed_token":"x"},"constructor":1}]'))
    await expect.poll(() => socket.heard.at(-1)).toContain('431[null,{"room":{')
    expect(({} as { hashed_token?: string }).hashed_token).toBeUndefined()
    socket.end()
  })

  it('refuses a message nested too deep to be measured, also behind an auth that is being decided', async () => {
    const socket = await connected()
    socket.send(...packets('420["auth",{"app_id":18}]', `421["new_message",${nested(30_000)}]`))
    await expect.poll(() => socket.heard.at(-1)).toBe('431["USER_REQUIRED"]')
    socket.end()
  })
})

describe('drivers.uz', () => {
  const unsent = (topic: number | null, reason: string) =>
    `42${JSON.stringify(['message_events', { event_type: 'fail', data: { stamp_id: null, topic_id: topic, reason } }])}`

  it.each([
    ['a payload nested as deep as may be', nested(30_000), unsent(null, 'bad_request')],
    ['a topic beyond all numbers', '{"topic_id":1e400,"body":"x"}', unsent(null, 'topic_id not given')],
    ['a topic that is no safe integer', '{"topic_id":9007199254740993,"body":"x"}', unsent(null, 'topic_id not given')],
    ['the topic of a prototype', '{"__proto__":{"topic_id":49},"body":"x"}', unsent(null, 'topic_id not given')],
    ['a body nested too deep', `{"topic_id":49,"body":${nested(30_000)}}`, unsent(49, 'bad_request')],
    ['attrs nested too deep', `{"topic_id":49,"body":"x","attrs":${nested(30_000)}}`, unsent(49, 'attrs too big')],
  ])('refuses %s, and goes on', async (_what, payload, told) => {
    const socket = await connected()
    socket.send(...packets(`42["signin_request",{"token":"${token}"}]`, `42["message_events",${payload}]`))
    await expect.poll(() => socket.heard.at(-1)).toBe(told)
    expect(server.sessions.refusals.get('malformed')).toBe(1)
    socket.send(...packets(`42["signin_request",{"token":"${token}"}]`))
    await expect.poll(() => socket.heard.at(-1)).toBe('42["signin_response",{"status":"ok"}]')
    socket.end()
  })
})

describe.each([3, 4])('over polling of Engine.IO %i', (eio) => {
  const poll = (sid: string, init: RequestInit = {}) =>
    fetch(`${server.url}/socket.io/?EIO=${eio}&transport=polling${sid}`, init)

  it.each([
    ['what is no payload', 'garbage'],
    ['nothing', ''],
    ['a length beyond what is there', '999999999999:4'],
    ['a negative length', '-5:41'],
    ['what is no base64', '4:b4!!'],
    ['nothing but separators', '\x1e'.repeat(60_000)],
  ])('a payload of %s closes the transport', async (_what, body) => {
    const shaken = await (await poll('')).text()
    const sid = `&sid=${/"sid":"([^"]+)"/.exec(shaken)?.[1]}`
    const headers = { 'content-type': 'text/plain;charset=UTF-8' }
    if (eio === 4) await poll(sid, { method: 'POST', headers, body: '40' })
    await poll(sid, { method: 'POST', headers, body })
    await expect.poll(() => server.sessions.counters.get('closed_protocol-error')).toBe(1)
    await poll(sid)
    expect(server.sessions.size).toBe(1)
  })
})
