// What is told over polling, and while polling becomes a WebSocket: all of it, once, in order, in few answers; also to
// whoever comes in the midst of it.

import { io } from 'socket.io-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryLog } from '../src/log/memory.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

let server: TestServer
let token: string
/** the log takes what goes to rooms only after so many turns of the event loop */
let turns = 0
beforeAll(async () => {
  const beforeAppend = async (stream: string) => {
    for (let turn = 0; stream.startsWith('room-') && turn < turns; turn++) await new Promise(setImmediate)
  }
  server = await runServer({ log: new MemoryLog({ beforeAppend }) })
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

it('more messages at once than a room’s queue holds are each stored and answered, again and again', async () => {
  const writer = io(server.url, { transports: ['websocket'], forceNew: true, reconnection: false })
  try {
    const hashed_token = server.identity.hashToken(token)
    await new Promise((resolve) => writer.emit('auth', { app_id: 18, hashed_token }, resolve))
    const say = () => new Promise((resolve) => writer.emit('new_message', 'x'.repeat(120), resolve))
    for (let round = 0; round < 2; round++) {
      expect(new Set(await Promise.all(Array.from({ length: 1_400 }, say)))).toEqual(new Set([undefined]))
    }
  } finally {
    turns = 0
    writer.disconnect()
  }
})

it('whoever comes in the midst of a storm has each message once, from the last 250 or live', async () => {
  // Read models in a thread of their own are further than a room was when somebody entered it.
  const stormy = await runServer({ storage: 'sqlite' })
  const { token: storming } = await stormy.account('ann')
  await openRoom(stormy, 'moneypot:19')
  const storm = Array.from({ length: COUNT }, (_, number) => `${number}`)
  const open = (transports: string[]) => io(stormy.url, { transports, forceNew: true, reconnection: false })
  const writer = open(['websocket'])
  const auth = { app_id: 19, hashed_token: stormy.identity.hashToken(storming) }
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
    expect(stormy.faults).toEqual([])
  } finally {
    writer.disconnect()
    for (const { socket } of readers) socket.disconnect()
    await stormy.stop()
  }
})
