// The Ayaka gateway where a dialogue does not reach: limits of the transport, its options, the zlib stream byte by byte.

import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { constants, createInflate, inflateSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { roomStream } from '../src/actors/room/room.facts.ts'
import { LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { runServer, type TestServer, type TestServerOptions } from './running-server.ts'

let server: TestServer
const sockets: WebSocket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  expect(server.faults).toEqual([])
  await server.stop()
})

interface Account {
  readonly account: Awaited<ReturnType<TestServer['account']>>['account']
  readonly token: string
}

/** A guild of ann and bob with one channel, 12. */
const running = async (options: TestServerOptions = {}): Promise<{ ann: Account; bob: Account }> => {
  server = await runServer({ pingIntervalMs: 0, ...options })
  const ann = await server.account('ann')
  const bob = await server.account('bob')
  const members = [
    { account: ann.account, role: 'owner' as const },
    { account: bob.account, role: 'member' as const },
  ]
  const space = await server.rooms.open({ name: 'g', kind: 'space', aliases: ['ayaka:3'], members, asker: null })
  if (!space.ok) throw new Error(space.refusal.code)
  await server.rooms.open({ name: 'c', parent: space.room.id, aliases: ['ayaka:12'], asker: null })
  return { ann, bob }
}

const opened = async (options: WebSocket.ClientOptions = {}): Promise<WebSocket> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ayaka`, options)
  sockets.push(socket)
  await once(socket, 'open')
  return socket
}

/** What a socket is sent, from now on. */
const heardBy = (socket: WebSocket): Buffer[] => {
  const heard: Buffer[] = []
  socket.on('message', (data: Buffer) => heard.push(data))
  return heard
}

const closed = async (socket: WebSocket): Promise<[number, string]> => {
  const [code, reason] = await once(socket, 'close')
  return [code, String(reason)]
}

const identified = async (token: string, more: object = {}) => {
  const socket = await opened()
  const heard = heardBy(socket)
  socket.send(JSON.stringify({ session_id: token, ...more }))
  await expect.poll(() => heard.length).toBeGreaterThanOrEqual(3)
  return { socket, heard }
}

const say = async (token: string, content: string) => {
  const response = await fetch(`${server.url}/v3/channels/12/messages/create`, {
    method: 'POST',
    headers: { authorization: token, 'content-type': 'application/json' },
    body: JSON.stringify({ content }),
  })
  expect(response.status).toBe(201)
}

/** A text that compresses badly, another each time. */
const noise = (seed: number): string => {
  let state = seed + 1
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return String.fromCharCode(0x4e00 + ((state >>> 16) % 20_000))
  }
  return Array.from({ length: 5_000 }, next).join('')
}

const kinds = (heard: readonly Buffer[]): string[] => heard.map((data) => JSON.parse(String(data)).t)

describe('its ends', () => {
  it('is 4003 when there are as many connections as may be', async () => {
    await running({ maxConnections: 1 })
    await opened()
    expect(await closed(await opened())).toEqual([4003, 'Too much users on WebSocket'])
  })

  it('is 1011 for a peer that answers no ping', async () => {
    // Both ends are in this process: long enough for it to stand still in between.
    const { ann, bob } = await running({ pingIntervalMs: 500 })
    const well = await identified(bob.token)
    const deaf = await opened({ autoPong: false })
    const end = closed(deaf)
    deaf.send(JSON.stringify({ session_id: ann.token }))
    expect(await end).toEqual([1011, 'keepalive ping timeout'])
    expect(well.socket.readyState).toBe(WebSocket.OPEN)
  })

  it('is 1013 for a slow reader, in either encoding', async () => {
    const { ann, bob } = await running()
    for (const encoding of ['json', 'zlib']) {
      const { socket } = await identified(bob.token, { encoding })
      socket.pause()
      // What a socket's buffers on the way hold comes on top of what may wait here.
      for (let sent = 0; server.sessions.size > 0 && sent < 2_000; sent++) await say(ann.token, noise(sent))
      expect(server.sessions.size).toBe(0)
      socket.resume()
      expect(await closed(socket)).toEqual([1013, 'too slow a reader'])
    }
  }, 30_000)
})

describe('a sign-in that cannot be decided', () => {
  it('ends the connection, which may come back: no frame could say so', async () => {
    let away = false
    const log = new MemoryLog({
      beforeAppend: async (stream) => {
        if (away && stream.startsWith('user-')) throw new LogUnavailable(`${stream} is out of reach`, 'no')
      },
    })
    const { ann } = await running({ log })
    away = true
    const socket = await opened()
    const end = closed(socket)
    socket.send(JSON.stringify({ session_id: ann.token }))
    expect(await end).toEqual([1011, 'internal error'])
    away = false
    await expect
      .poll(async () => {
        const again = await opened()
        const heard = heardBy(again)
        again.send(JSON.stringify({ session_id: ann.token }))
        await Promise.race([once(again, 'close'), once(again, 'message')])
        return heard.length > 0
      })
      .toBe(true)
  })
})

describe('its options', () => {
  it('may leave MESSAGE_CREATE out', async () => {
    const { ann, bob } = await running({ dialects: { plicAfkSeconds: 0, ayakaMessageCreate: false } })
    const { heard } = await identified(bob.token)
    await say(ann.token, 'hello')
    await expect.poll(() => kinds(heard)).toEqual(['HELLO', 'READY', 'GUILD_INIT', 'NOTIFICATION'])
  })
})

describe('the zlib stream', () => {
  it('is one stream a connection, each message a whole payload, each flushed', async () => {
    const { ann, bob } = await running()
    const first = await identified(bob.token, { encoding: 'zlib' })
    const plain = await identified(bob.token)
    for (const text of ['one', 'two '.repeat(1_200), 'три 👋']) await say(ann.token, text)
    const second = await identified(bob.token, { encoding: 'zlib' })
    await say(ann.token, 'last')
    await expect.poll(() => first.heard.length).toBe(3 + 4 * 2)
    await expect.poll(() => second.heard.length).toBe(3 + 2)
    for (const { heard } of [first, second]) {
      expect([...(heard[0] as Buffer).subarray(0, 2)]).toEqual([0x78, 0x9c])
      for (const message of heard) expect([...message.subarray(-4)]).toEqual([0, 0, 0xff, 0xff])
    }
    // One inflater, fed message by message, gives one payload a message.
    const inflate = createInflate()
    const texts: unknown[] = []
    for (const message of first.heard) {
      inflate.write(message)
      const [text] = await once(inflate, 'data')
      texts.push(JSON.parse(String(text)))
    }
    const after = (heard: readonly Buffer[]) => heard.slice(3).map((data) => JSON.parse(String(data)))
    expect(texts.slice(3)).toEqual(after(plain.heard))
    const whole = inflateSync(Buffer.concat(second.heard), { finishFlush: constants.Z_SYNC_FLUSH })
    expect(String(whole)).toContain('"content":"last"')
  })

  it('leaves a turn as one write a socket', async () => {
    const { bob } = await running()
    const { port } = new URL(server.url)
    const raw = connectTcp(Number(port), '127.0.0.1')
    const chunks: Buffer[] = []
    raw.on('data', (chunk) => chunks.push(chunk))
    raw.write(
      'GET /ayaka HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    await expect.poll(() => chunks.length).toBe(1)
    const identify = Buffer.from(JSON.stringify({ session_id: bob.token, encoding: 'zlib' }))
    // A client's frame is masked; with zeros it reads as it is.
    raw.write(Buffer.concat([Buffer.from([0x81, 0x80 | identify.length, 0, 0, 0, 0]), identify]))
    await expect.poll(() => chunks.length).toBeGreaterThanOrEqual(2)
    const opcodes: number[] = []
    const written = chunks[1] as Buffer
    for (let at = 0; at < written.length; ) {
      opcodes.push(written[at] as number)
      const short = (written[at + 1] as number) & 0x7f
      at += short < 126 ? 2 + short : 4 + written.readUInt16BE(at + 2)
    }
    expect(opcodes).toEqual([0x82, 0x82, 0x82])
    raw.destroy()
  })
})

describe('whoever is put out and comes back at once', () => {
  it('is told both, and hears of the guild exactly when in it', async () => {
    const { ann, bob } = await running()
    const space = await server.rooms.byAlias('ayaka:3')
    const stream = roomStream(space?.id ?? '')
    const user = bob.account.id
    // Sent in one turn they are one append: what the first leads to has not begun when the next has happened.
    const remove = () => server.host.send(stream, { type: 'member.remove', asker: null, user })
    const add = () => server.host.send(stream, { type: 'member.add', asker: null, user, role: 'member' })
    const { socket, heard } = await identified(bob.token)
    const isHeard = async (text: string): Promise<boolean> => {
      for (let round = 0; round < 3; round++) {
        await server.settled()
        await new Promise((resolve) => setImmediate(resolve))
      }
      const before = heard.length
      await say(ann.token, text)
      socket.ping()
      await once(socket, 'pong')
      return kinds(heard.slice(before)).includes('MESSAGE_CREATE')
    }
    const guilds = () => kinds(heard).filter((t) => t.startsWith('GUILD_'))
    for (let round = 1; round <= 3; round++) {
      await Promise.all([remove(), add()])
      await expect.poll(() => guilds().length).toBe(1 + 2 * round)
      expect(guilds().slice(-2)).toEqual(['GUILD_DELETE', 'GUILD_JOIN'])
      expect(await isHeard(`back ${round}`)).toBe(true)
    }
    await Promise.all([remove(), add(), remove()])
    await expect.poll(() => guilds().at(-1)).toBe('GUILD_DELETE')
    expect(await isHeard('gone')).toBe(false)
    await Promise.all([add(), remove(), add()])
    await expect.poll(() => guilds().at(-1)).toBe('GUILD_JOIN')
    expect(await isHeard('here')).toBe(true)
  })
})

describe('the seam', () => {
  it('between GUILD_INIT and what is live loses nothing and doubles nothing', async () => {
    const { ann, bob } = await running()
    const saying = Promise.all(Array.from({ length: 40 }, (_, n) => say(ann.token, `m${n}`)))
    const people = await Promise.all(Array.from({ length: 8 }, () => identified(bob.token)))
    await saying
    await say(ann.token, 'the end')
    const said = (heard: readonly Buffer[]): string[] =>
      heard.map((data) => JSON.parse(String(data))).flatMap(({ t, d }) => (t === 'MESSAGE_CREATE' ? [d.content] : []))
    const stored = await fetch(`${server.url}/api/v1/rooms/ayaka:12/messages?limit=100`, {
      headers: { authorization: `Bearer ${ann.token}` },
    })
    const { items } = (await stored.json()) as { items: { text: string }[] }
    const all = items.map(({ text }) => text)
    expect(all).toHaveLength(41)
    for (const { heard } of people) {
      await expect.poll(() => said(heard).at(-1)).toBe('the end')
      const own = said(heard)
      expect(own).toEqual(all.slice(all.length - own.length))
      expect(kinds(heard).slice(0, 3)).toEqual(['HELLO', 'READY', 'GUILD_INIT'])
    }
  })
})
