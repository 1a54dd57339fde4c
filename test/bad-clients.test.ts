// What clients do too much, too fast or too slowly to a running server over socket.io: what the offender gets, what the record
// says, and that others notice nothing. Rows 17, 19, 21, 31 and 32 of the catalogue of bad input.

import { connect as connectTcp } from 'node:net'
import { io, type Socket } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { openRoom, runServer, type TestServer } from './running-server.ts'

let server: TestServer
let sockets: Socket[]
beforeEach(async () => {
  sockets = []
  server = await runServer({ maxConnections: 300 })
  await openRoom(server, 'moneypot:18')
})
afterEach(async () => {
  for (const socket of sockets) socket.disconnect()
  expect(server.faults).toEqual([])
  await server.stop()
})

const connected = async (): Promise<Socket> => {
  const socket = io(server.url, { transports: ['websocket'], forceNew: true, reconnection: false })
  sockets.push(socket)
  await new Promise<void>((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('connect_error', reject)
  })
  return socket
}

const asked = (socket: Socket, event: string, ...args: unknown[]): Promise<unknown[]> =>
  new Promise((resolve) => socket.emit(event, ...args, (...answer: unknown[]) => resolve(answer)))

const entered = async (name: string): Promise<Socket> => {
  const { token } = await server.account(name)
  const socket = await connected()
  const [error] = await asked(socket, 'auth', { app_id: 18, hashed_token: server.identity.hashToken(token) })
  expect(error).toBeNull()
  return socket
}

const disconnected = (socket: Socket): Promise<string> => new Promise((resolve) => socket.on('disconnect', resolve))

const facts = async (type: string) => {
  const found: Record<string, unknown>[] = []
  for await (const fact of server.log.readAll({ filter: { types: [type] } })) found.push(JSON.parse(fact.data))
  return found
}

/** Somebody who was there all along still talks and is heard. */
const unharmed = async (witness: Socket): Promise<void> => {
  expect(await asked(witness, 'new_message', 'still here')).toEqual([])
}

/** An engine.io websocket without its client library, signed in as nobody. */
const raw = async (): Promise<WebSocket> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  await new Promise((resolve) => socket.once('message', resolve))
  socket.send('40')
  await new Promise((resolve) => socket.once('message', resolve))
  return socket
}

const closed = (socket: WebSocket): Promise<unknown> => new Promise((resolve) => socket.on('close', resolve))

describe('clients', () => {
  it('that flood get refusals, which the record counts instead of listing', async () => {
    await server.stop()
    server = await runServer({ rate: { capacity: 20, perSecond: 2 } })
    await openRoom(server, 'moneypot:18')
    const witness = await entered('ann')
    const flooder = await entered('bob')
    expect(await asked(flooder, 'new_message', '')).toEqual(['INVALID_TEXT'])
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, index) => asked(flooder, 'new_message', `spam ${index}`)),
    )
    const stored = answers.filter(([error]) => error === undefined).length
    expect(stored).toBeGreaterThanOrEqual(19)
    expect(stored).toBeLessThan(30)
    expect(answers.filter(([error]) => error === 'RATE_LIMITED')).toHaveLength(150 - stored)
    await unharmed(witness)
    flooder.disconnect()
    await expect
      .poll(async () => (await facts('CommandRefused')).reduce((sum, { count }) => sum + (count as number), 0))
      .toBe(151 - stored)
    const counts = (await facts('CommandRefused')).map(({ count }) => count)
    expect(counts.length).toBeLessThan(10)
    expect(counts).not.toContain(0)
  })

  it('that start and stop typing as fast as they can are told and recorded once a second', async () => {
    const { account, token } = await server.account('tim')
    await openRoom(server, 'maint:1', [{ account, role: 'member' }])
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/maint`)
    const heard: string[] = []
    socket.on('message', (data) => heard.push(String(data)))
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(JSON.stringify({ fulfill: `Bot ${token}` }))
    await expect.poll(() => heard.at(-1)).toContain('"t":2')
    for (let sent = 0; sent < 200; sent++) socket.send('{"typing":{"room":1}}')
    socket.send('{"ping":1}')
    await expect.poll(() => heard.at(-1), { timeout: 5_000 }).toContain('"t":8')
    await server.settled()
    expect((await facts('TypingStarted')).length).toBeLessThan(5)
    socket.close()
    await new Promise((resolve) => socket.once('close', resolve))
  })

  it.each([
    ['characters', 999, `"${'x'.repeat(300)}"`],
    ['messages', 1_100, '"x"'],
    ['of what nests too deep to be measured', 4, '['.repeat(30_000) + ']'.repeat(30_000)],
  ])('that send more %s than may wait behind auth are closed as a flood', async (_what, count, text) => {
    const witness = await entered('ann')
    const offender = await raw()
    const gone = closed(offender)
    offender.send('420["auth",{"app_id":18}]')
    for (let frame = 1; frame <= count; frame++) offender.send(`42${frame}["new_message",${text}]`)
    await gone
    await unharmed(witness)
    expect(await facts('ConnectionClosed')).toMatchObject([{ cause: 'flood', late: true }])
  })

  it('that do not read are closed alone, with the cause on record', async () => {
    const witness = await entered('ann')
    const { hostname, port } = new URL(server.url)
    const slow = connectTcp(Number(port), hostname)
    slow.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    const send = (text: string) => {
      const payload = Buffer.from(text)
      slow.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]))
    }
    let read = ''
    slow.on('data', (chunk) => {
      read += chunk.toString('latin1')
    })
    await expect.poll(() => read).toContain('0{"sid"')
    send('40')
    await expect.poll(() => read).toContain('40{"sid"')
    send('420["auth",{"app_id":18}]')
    await expect.poll(() => read).toContain('430[')
    slow.pause()
    const text = 'x'.repeat(350)
    for (let round = 0; round < 60 && (await facts('ConnectionClosed')).length === 0; round++) {
      await Promise.all(Array.from({ length: 400 }, () => asked(witness, 'new_message', text)))
    }
    expect(await facts('ConnectionClosed')).toMatchObject([{ cause: 'slow-consumer', late: true }])
    slow.destroy()
    await unharmed(witness)
  })

  it('that come and go in a storm leave nobody behind', async () => {
    const { token } = await server.account('bob')
    const auth = { app_id: 18, hashed_token: server.identity.hashToken(token) }
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const socket = await connected()
        if (index % 3 === 0) socket.emit('auth', auth, () => {})
        else if (index % 3 === 1) await asked(socket, 'auth', auth)
        socket.disconnect()
      }),
    )
    const left = async () => {
      await server.settled()
      const atLeast = await server.log.head()
      const present = (await server.readModels.query('presence.open', {}, { atLeast })).result
      const online = (await server.readModels.query('online.open', {})).result
      const open = (await server.readModels.query('connections.open', {})).result
      return present.length + online.length + open.length + server.sessions.size
    }
    await expect.poll(left, { timeout: 5_000 }).toBe(0)
  })

  it('beyond the limit of connections are turned away, and counted', async () => {
    await server.stop()
    server = await runServer({ maxConnections: 2 })
    await openRoom(server, 'moneypot:18')
    const witness = await entered('ann')
    await connected()
    const third = await connected()
    expect(await disconnected(third)).toBe('transport close')
    expect(server.sessions.counters.get('turned_away')).toBe(1)
    await unharmed(witness)
    const counted = (async () => {
      for await (const item of server.log.subscribe({ from: 0, filter: { types: ['ConnectionsTurnedAway'] } }))
        if (!('caughtUp' in item)) return JSON.parse(item.data).counts
    })()
    await server.stop()
    expect(await counted).toEqual({ flood: 1 })
  })
})
