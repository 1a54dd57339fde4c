// What drivers.uz clients are told while the log cannot be reached: only that, and what they sent may be sent again.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import type { Step } from './dialogue.ts'
import { IoParticipant } from './dialogue-people.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

let server: TestServer
let token: string
let number: number
let reachable = true
beforeAll(async () => {
  const log = new MemoryLog({
    beforeAppend: async (stream) => {
      if (!reachable) throw new LogUnavailable(`${stream} is out of reach`, 'no')
    },
  })
  server = await runServer({ log })
  const ali = await server.account('Ali')
  token = ali.token
  number = ali.account.number
  await openRoom(server, 'drivers:49', [{ account: ali.account, role: 'member' }])
})
afterAll(async () => {
  reachable = true
  await server.stop()
})

const kinds = new Set(['signin_response', 'message_events', 'join_topic'])

it('is an internal error, of a message, a sign-in, a visit and a request', async () => {
  const ali = await IoParticipant.connect(server.url, kinds)
  const told = async (...ev: unknown[]) => {
    ali.send({ ev } as unknown as Step)
    await ali.until(() => ali.frames.length > 0, 'an answer')
    return ali.frames.shift()
  }
  const message = { topic_id: 49, body: 'hello', stamp_id: 's' }
  const fail = { status: 'fail', data: 'internal error' }
  expect(await told('signin_request', { token })).toEqual(['signin_response', { status: 'ok' }])
  reachable = false
  expect(await told('message_events', message)).toEqual([
    'message_events',
    { event_type: 'fail', data: { stamp_id: 's', topic_id: 49, reason: 'internal error' } },
  ])
  const form = JSON.stringify({ user_id: number, avatar: 'x', token })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${server.url}/update_avatar`, { method: 'POST', headers, body: form })
  expect([answer.status, await answer.json()]).toEqual([500, fail])
  const other = await IoParticipant.connect(server.url, kinds)
  other.send({ ev: ['signin_request', { token }] } as unknown as Step)
  await other.until(() => other.frames.length > 0 || other.ended !== null, 'an answer')
  expect(other.frames).toEqual([['signin_response', fail]])
  reachable = true
  expect(await told('message_events', message)).toMatchObject([
    'message_events',
    { event_type: 'sent', data: { stamp_id: 's', body: 'hello' } },
  ])
  ali.leave()
  other.leave()
})
