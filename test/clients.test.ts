// Every generation of the socket.io client, over every transport it has, through sign-in, talk and leaving.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRoom, runServer, type TestServer } from './running-server.ts'

const run = promisify(execFile)
const generations = ['sio1.3', 'sio1.7', 'sio2.5', 'sio3.1', 'socket.io-client']
const text = 'Привет, мир 👋'

let server: TestServer
beforeAll(async () => {
  server = await runServer()
  await openRoom(server, 'moneypot:18')
})
afterAll(() => server.stop())

describe.each(generations)('%s', (generation) => {
  it.each(['polling', 'websocket', 'polling,websocket'])(
    'signs in, speaks, hears and leaves over %s',
    async (transports) => {
      const name = `${generation.replaceAll('.', '_')}-${transports.replace(',', '-')}`.slice(0, 32)
      const { account, token } = await server.account(name)
      const script = join(import.meta.dirname, 'old-client.ts')
      const args = [script, generation, transports, server.url, server.identity.hashToken(token), text]
      const { stdout } = await run(process.execPath, args)
      const user = { id: account.number, uname: name, role: 'member' }
      const { auth, answer, heard } = JSON.parse(stdout)
      expect(auth[0]).toBeNull()
      expect(auth[1].user).toEqual(user)
      expect(auth[1].room.users).toEqual({ [name]: user })
      expect(answer).toEqual([])
      expect(heard).toEqual([{ id: expect.any(Number), user: { uname: name, role: 'member' }, text }])
      const present = async () =>
        (await server.readModels.query('presence.open', {}, { atLeast: await server.log.head() })).result
      await expect.poll(present, { timeout: 5_000 }).toEqual([])
      expect(server.faults).toEqual([])
    },
  )
})
