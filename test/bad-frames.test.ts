// Frames that break RFC 6455, or the limits, or JSON, on every WebSocket: the offender is closed with the code, nothing is
// stored, and others notice nothing. Rows 1 to 8 and 12 of the catalogue of bad input.

import { beforeAll, describe, expect, it } from 'vitest'
import { heapBytes } from './heap.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { frame, RawWebSocket, text } from './raw-websocket.ts'
import { runServer, type TestServer } from './running-server.ts'
import { metric, Witness, witnessed } from './witness.ts'

const GIB = 2 ** 30
const CAP = 64 * 1024

let server: TestServer
let witness: Witness
let token: string
let jwt: string
beforeAll(async () => {
  server = await runServer({ pingIntervalMs: 0 })
  const bob = await server.account('bob', 'robot')
  token = bob.token
  jwt = (await jsonWebTokens(bob.account.id, Date.now())).jwt ?? ''
  const aliases = ['native:1', 'maint:1', 'plic:7', 'moneypot:18', 'drivers:49']
  witness = await Witness.in(server, aliases, [bob.account.id])
})
witnessed(() => witness)

/** path, and what its client says first */
const dialects = {
  native: ['/native', () => [text(JSON.stringify({ do: 'sign-in', token }))]],
  maint: ['/maint', () => [text(JSON.stringify({ fulfill: `Bot ${token}` }))]],
  plic: ['/plic?token=', () => []],
  ayaka: ['/ayaka', () => [text(JSON.stringify({ session_id: token }))]],
  'socket.io': ['/socket.io/?EIO=4&transport=websocket', () => [text('40')]],
} as const

const offender = async (name: keyof typeof dialects): Promise<RawWebSocket> => {
  const [path, opening] = dialects[name]
  const socket = await RawWebSocket.connect(server.url, name === 'plic' ? path + jwt : path)
  socket.send(...opening())
  if (name === 'socket.io') await expect.poll(() => socket.heard.at(-1)).toContain('40{')
  return socket
}

const lengthOnly = (bytes: number): Buffer => {
  const head = Buffer.from([0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64BE(BigInt(bytes), 2)
  return head
}

describe.each(Object.keys(dialects) as (keyof typeof dialects)[])('on %s', (name) => {
  it.each([
    ['one byte over the cap', 1009, () => [text('x'.repeat(CAP + 1))]],
    ['of a gigabyte, announced', 1009, () => [lengthOnly(GIB)]],
    ['in more fragments than may be', 1008, () => [frame(0x01, 'x'), ...Array(20_000).fill(frame(0x00))]],
    ['compressed, where that was not agreed', 1002, () => [frame(0xc1, 'x')]],
    ['of invalid UTF-8', 1007, () => [frame(0x81, Buffer.from([0xff, 0xfe]))]],
    ['of a reserved kind', 1002, () => [frame(0x83, 'x')]],
    ['not masked', 1002, () => [Buffer.from([0x81, 0x01, 0x78])]],
    ['that continues nothing', 1002, () => [frame(0x80, 'x')]],
    ['a ping of more than 125 bytes', 1002, () => [frame(0x89, 'x'.repeat(126))]],
  ])('a frame %s is closed with %i', async (_what, code, frames) => {
    const socket = await offender(name)
    socket.send(...frames())
    expect(await socket.closed).toBe(code)
    await expect.poll(() => metric(server, 'hansard_sockets_total{what="closed_protocol-error"}')).toBe(1)
  })
})

describe.each(Object.keys(dialects) as (keyof typeof dialects)[])('on %s', (name) => {
  it('more pings at once than there may be answers under way end the connection', async () => {
    const socket = await offender(name)
    socket.send(...Array<Buffer>(1_000).fill(frame(0x89)))
    expect(await socket.closed).toBe(1006)
    const cause = name === 'socket.io' ? 'client' : 'flood'
    await expect.poll(() => metric(server, `hansard_sockets_total{what="closed_${cause}"}`)).toBe(1)
  })

  it('whoever is turned away may send what it likes', async () => {
    const full = await runServer({ maxConnections: 0 })
    const [path] = dialects[name]
    // The frame is there before the answer to the handshake is.
    const socket = await RawWebSocket.connect(full.url, path, frame(0x83, 'x'))
    await socket.closed
    expect((await fetch(`${full.url}/healthz`)).status).toBe(200)
    expect(full.faults).toEqual([])
    await full.stop()
  })
})

describe('what is broken again and again', () => {
  it('leaves nothing in memory: a million fragments in fifty frames, a gigabyte announced fifty times', async () => {
    const fragments = [frame(0x01, 'x'), ...Array<Buffer>(20_000).fill(frame(0x00))]
    const round = async () => {
      for (const name of ['native', 'socket.io'] as const) {
        const [first, second] = [await offender(name), await offender(name)]
        first.send(...fragments)
        second.send(lengthOnly(GIB))
        expect([await first.closed, await second.closed]).toEqual([1008, 1009])
      }
    }
    // What is kept once for all is there after the first rounds.
    for (let at = 0; at < 5; at++) await round()
    const before = heapBytes()
    for (let at = 0; at < 25; at++) await round()
    await expect.poll(() => server.sessions.size).toBe(1)
    expect(heapBytes() - before).toBeLessThan(10_000_000)
  })
})

const deep = (open: string, close: string) => open.repeat(CAP / 2 - 100) + close.repeat(CAP / 2 - 100)

describe('JSON that is none, or more than it seems', () => {
  it.each([
    ['nested as deep as a frame may hold', deep('[', ']')],
    ['an object nested so', `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`],
    ['a number beyond all numbers', '{"do":"history","ref":1,"room":"native:1","before":1e400}'],
    ['an id that is no safe integer', '{"do":"history","ref":1,"room":"native:1","before":9007199254740993}'],
    ['NaN', '{"do":"history","ref":1,"room":"native:1","before":NaN}'],
    ['a prototype', '{"do":"ping","ref":1,"__proto__":{"admin":true}}'],
    ['a constructor', '{"do":"constructor","ref":1}'],
  ])('is refused by native, which goes on: %s', async (_what, payload) => {
    const socket = await offender('native')
    socket.send(text(payload), text('{"do":"ping","ref":"after"}'))
    await expect.poll(() => socket.heard.at(-1)).toBe('{"is":"done","ref":"after"}')
    expect(JSON.parse(socket.heard.at(-2) ?? '')).toMatchObject({ is: 'refused', code: 'malformed' })
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
    socket.end()
  })

  it.each([
    ['not_json', deep('[', ']')],
    ['bad_request', '{"send":{"room":1e400,"text":"x"}}'],
    ['bad_request', '{"send":{"room":9007199254740993,"text":"x"}}'],
    ['bad_request', '{"send":{"room":1,"text":"x","nonce":{}}}'],
    ['unknown_command', '{"__proto__":{"room":1}}'],
    ['unknown_command', '{"constructor":{"room":1}}'],
  ])('is %s to Maint, which goes on', async (code, payload) => {
    const socket = await offender('maint')
    socket.send(text(payload), text('{"ping":7}'))
    const errors = () => socket.heard.map((heard) => JSON.parse(heard)).filter(({ t }) => t === 9)
    await expect.poll(errors).toMatchObject([{ d: { code } }])
    socket.end()
  })

  it.each([
    ['nested as deep as a frame may hold', deep('[', ']')],
    [
      'a room beyond all numbers',
      '{"type":"SendMessage","data":{"room_id":1e400,"message":"x","message_temp_id":"t"}}',
    ],
    [
      'an id that is no safe integer',
      '{"type":"SendMessage","data":{"room_id":9007199254740993,"message":"x","message_temp_id":"t"}}',
    ],
    ['a type named as a prototype is', '{"type":"__proto__","data":{}}'],
  ])('closes PLIC with 4010: %s', async (_what, payload) => {
    const socket = await offender('plic')
    socket.send(text(payload))
    expect(await socket.closed).toBe(4010)
  })

  it('closes Ayaka with 4002', async () => {
    const socket = await offender('ayaka')
    socket.send(text(deep('[', ']')))
    expect(await socket.closed).toBe(4002)
  })

  it('has the last of two values of one key, and zero without a sign', async () => {
    const socket = await offender('native')
    socket.send(text('{"do":"join","do":"ping","ref":"first","ref":-0}'))
    await expect.poll(() => socket.heard.at(-1)).toBe('{"is":"done","ref":0}')
    socket.end()
  })
})

describe('refusals', () => {
  it('of words that are new each time are counted together, and none is long', async () => {
    const socket = await offender('maint')
    await expect.poll(() => socket.heard.at(-1)).toContain('"t":2')
    const told = () => socket.heard.filter((heard) => heard.includes('"t":9')).length
    for (let sent = 0; sent < 200; sent += 20) {
      for (let at = sent; at < sent + 20; at++) socket.send(text(JSON.stringify({ [`${at}${'x'.repeat(2_000)}`]: {} })))
      await expect.poll(told, { interval: 5 }).toBe(sent + 20)
    }
    socket.end()
    await expect.poll(() => server.sessions.size).toBe(1)
    await server.settled()
    const byConnection = new Map<string, number[]>()
    for await (const { stream, data } of server.log.readAll({ filter: { types: ['CommandRefused'] } })) {
      expect(data.length).toBeLessThan(500)
      byConnection.set(stream, [...(byConnection.get(stream) ?? []), JSON.parse(data).count])
    }
    const counts = [...byConnection.values()].at(-1) ?? []
    expect(counts.length).toBeLessThan(30)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(200)
  })
})
