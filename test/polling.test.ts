// What is told over polling, and while polling becomes a WebSocket: all of it, once, in order, in few answers.

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
