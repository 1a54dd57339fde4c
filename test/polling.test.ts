// What is told over polling, and while polling becomes a WebSocket: all of it, once, in order, in few answers; also to
// whoever comes in the midst of it.

import { io } from 'socket.io-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openRoom, runServer, type TestServer } from './running-server.ts'

let server: TestServer
let token: string
beforeAll(async () => {
  server = await runServer()
  await openRoom(server, 'moneypot:18')
  token = (await server.account('ann')).token
})
afterAll(() => server.stop())

const COUNT = 300

it.each([['polling'], ['polling', 'websocket']])(
  '%s %s: a storm of messages arrives whole and in order',
  async (...transports) => {
    const heard: string[] = []
    const storm = Array.from({ length: COUNT }, (_, number) => `${transports} ${number} é`)
    const open = () => io(server.url, { transports, forceNew: true, reconnection: false })
    const reader = open()
    const writer = io(server.url, { transports: ['websocket'], forceNew: true, reconnection: false })
    try {
      reader.on('new_message', ({ text }) => heard.push(text))
      const hashed = server.identity.hashToken(token)
      await new Promise((resolve) => writer.emit('auth', { app_id: 18, hashed_token: hashed }, resolve))
      await new Promise((resolve) => reader.emit('auth', { app_id: 18 }, resolve))
      for (const [at, text] of storm.entries()) {
        writer.emit('new_message', text)
        if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(COUNT)
      expect(heard).toEqual(storm)
      expect(server.faults).toEqual([])
    } finally {
      reader.disconnect()
      writer.disconnect()
    }
  },
)

it('whoever comes in the midst of a storm has each message once, from the last 250 or live', async () => {
  await openRoom(server, 'moneypot:19')
  const storm = Array.from({ length: COUNT }, (_, number) => `${number}`)
  const open = (transports: string[]) => io(server.url, { transports, forceNew: true, reconnection: false })
  const writer = open(['websocket'])
  const auth = { app_id: 19, hashed_token: server.identity.hashToken(token) }
  await new Promise((resolve) => writer.emit('auth', auth, resolve))
  const readers = [['websocket'], ['polling'], ['polling', 'websocket']].flatMap((transports) =>
    Array.from({ length: 8 }, () => ({ socket: open(transports), history: [] as string[], heard: [] as string[] })),
  )
  try {
    for (const { socket, heard } of readers) socket.on('new_message', ({ text }) => heard.push(text))
    const coming = [...readers]
    for (const [at, text] of storm.entries()) {
      writer.emit('new_message', text)
      if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      const reader = at % 12 === 0 ? coming.shift() : undefined
      reader?.socket.emit(
        'auth',
        { app_id: 19 },
        (_error: unknown, { room }: { room: { history: { text: string }[] } }) =>
          reader.history.push(...room.history.map(({ text }) => text)),
      )
    }
    for (const { history, heard } of readers) {
      await expect.poll(() => heard.at(-1) ?? history.at(-1), { timeout: 10_000 }).toBe(storm.at(-1))
      expect(history).toHaveLength(Math.min(250, COUNT - heard.length))
      expect([...history, ...heard]).toEqual(storm.slice(-history.length - heard.length))
    }
    const late = open(['websocket'])
    readers.push({ socket: late, history: [], heard: [] })
    const { room } = await new Promise<{ room: { history: { text: string }[] } }>((resolve) =>
      late.emit('auth', { app_id: 19 }, (_error: unknown, data: never) => resolve(data)),
    )
    expect(room.history.map(({ text }) => text)).toEqual(storm.slice(-250))
    expect(server.faults).toEqual([])
  } finally {
    writer.disconnect()
    for (const { socket } of readers) socket.disconnect()
  }
})
