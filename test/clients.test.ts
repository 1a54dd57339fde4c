// Every generation of the socket.io client, over every transport it has, through sign-in, talk and leaving.

import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRoom, runServer, type TestServer } from './running-server.ts'

interface Client {
  on(event: string, heard: (...args: never[]) => void): void
  emit(event: string, ...args: unknown[]): void
  disconnect(): void
}

const require = createRequire(import.meta.url)
const generations = ['sio1.3', 'sio1.7', 'sio2.5', 'sio3.1', 'socket.io-client']
const transports = [['polling'], ['websocket'], ['polling', 'websocket']]

let server: TestServer
beforeAll(async () => {
  server = await runServer()
  await openRoom(server, 'moneypot:18')
})
afterAll(() => server.stop())

describe.each(generations)('%s', (generation) => {
  it.each(transports)('signs in, speaks, hears and leaves over %s', async (...over) => {
    const name = `${generation.replaceAll('.', '_')}-${over.join('-')}`.slice(0, 32)
    const { token } = await server.account(name)
    const connect = require(generation) as (url: string, options: object) => Client
    const socket = connect(server.url, { transports: over, forceNew: true, reconnection: false })
    const heard: unknown[] = []
    socket.on('new_message', (message: never) => heard.push(message))
    await new Promise<void>((resolve) => socket.on('connect', () => resolve()))
    const auth = { app_id: 18, hashed_token: server.identity.hashToken(token) }
    const [error, data] = await new Promise<[unknown, { user: { uname: string }; room: { users: object } }]>((resolve) =>
      socket.emit('auth', auth, (...args: [never, never]) => resolve(args)),
    )
    expect(error).toBeNull()
    expect(data.user.uname).toBe(name)
    expect(Object.keys(data.room.users)).toEqual([name])
    const text = 'Привет, мир 👋'
    const answer = await new Promise<unknown[]>((resolve) => socket.emit('new_message', text, (...args: unknown[]) => resolve(args)))
    expect(answer).toEqual([])
    expect(heard).toMatchObject([{ user: { uname: name, role: 'member' }, text }])
    socket.disconnect()
    await expect.poll(async () => (await server.readModels.query('presence.open', {}, { atLeast: await server.log.head() })).result).toEqual([])
    expect(server.faults).toEqual([])
  })
})
