// Generations of the socket.io client that speak drivers.uz, and send everything before they have connected.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRoom, runServer, type TestServer } from './running-server.ts'

const run = promisify(execFile)
const text = 'Салом, ҳайдовчилар 👋'

let server: TestServer
beforeAll(async () => {
  server = await runServer()
})
afterAll(() => server.stop())

describe.each(['sio1.3', 'sio1.7', 'socket.io-client'])('%s', (generation) => {
  it.each(['polling', 'websocket'])('signs in, sends and hears its echo over %s', async (transport) => {
    const username = `${generation.replaceAll('.', '_')}-${transport}`
    const { account, token } = await server.account(username)
    await openRoom(server, `drivers:${100 + account.number}`, [{ account, role: 'member' }])
    const topic = 100 + account.number
    const script = join(import.meta.dirname, 'old-drivers-client.ts')
    const args = [script, generation, transport, server.url, token, String(topic), text]
    const { stdout } = await run(process.execPath, args)
    const data = {
      id: expect.any(Number),
      stamp_id: 's1',
      topic_id: topic,
      owner: { id: account.number, username },
      reply_to: null,
      body: text,
      attrs: { text },
      sent_at: expect.any(Number),
      has_media: false,
    }
    expect(JSON.parse(stdout)).toEqual([
      { status: 'ok' },
      { event_type: 'sent', data },
      { user_id: account.number, topic_id: topic },
    ])
    expect(server.faults).toEqual([])
  })
})
