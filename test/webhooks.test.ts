// Outgoing webhooks against a backend that fails, comes back, and checks every signature.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { signature, webhookStream } from '../src/api/webhooks.ts'
import { runServer, type TestServer } from './running-server.ts'
import { startProcess } from './server-process.ts'
import { VirtualClock } from './virtual-clock.ts'

const secret = 'a secret of sixteen and more'
const types = ['MessagePosted', 'UserBanned']

let directory: string
let backend: Server
let url: string
/** what the backend answers; a status each time, then 204 */
let answers: number[]
let posts: { events: { type: string; data: { text?: string } }[]; signed: boolean }[]
let server: TestServer | null
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-webhook-'))
  answers = []
  posts = []
  backend = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const given = String(request.headers['x-hansard-signature'])
      const [, seconds] = /^t=(\d+),/.exec(given) ?? []
      posts.push({ ...JSON.parse(body), signed: given === signature(secret, Number(seconds), body) })
      response.statusCode = answers.shift() ?? 204
      response.end()
    })
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/hook`
})
afterEach(async () => {
  await server?.stop()
  backend.closeAllConnections()
  backend.close()
  await rm(directory, { recursive: true, force: true })
})

const start = async (warnings: string[] = []) => {
  const webhook = { url, secret, types }
  server = await runServer({ storage: 'sqlite', directory, webhook, onWarning: (text) => warnings.push(text) })
  return server
}

const say = async ({ url: api, ownerTokenText }: TestServer, text: string) => {
  const response = await fetch(`${api}/api/v1/rooms/moneypot:2/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ownerTokenText}`, 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  })
  expect(response.status).toBe(201)
}

const texts = () => posts.flatMap(({ events }) => events.map(({ data }) => data.text))

describe('a webhook', () => {
  it('that was delivered up to a place that is none ends the start, with what to do', async () => {
    const first = await runServer({ storage: 'sqlite', directory })
    const upTo = (await first.log.head()) + 1_000
    await first.host.ledger.append(webhookStream(url), () => ({ type: 'WebhookDelivered', data: { upTo } }))
    await first.stop()
    const flags = ['--webhook-url', url, '--webhook-secret', 'sixteen-or-more-of-them']
    await expect(startProcess(directory, flags)).rejects.toThrow(
      new RegExp(`ended with 2:[^]*position ${upTo} is no place in this log; another HANSARD_WEBHOOK_URL`),
    )
    url += '?2'
    await say(await start(), 'from now on')
    await expect.poll(texts).toEqual(['from now on'])
  })

  it('tells of chosen facts in their order, signed, and of nothing before it was set', async () => {
    const first = await runServer({ storage: 'sqlite', directory })
    await say(first, 'before')
    await first.stop()
    const running = await start()
    for (const text of ['one', 'two', 'three']) await say(running, text)
    await running.account('mallory')
    await running.host.send(`user-${(await running.identity.byName('mallory'))?.id}`, {
      type: 'user.ban',
      asker: null,
      seconds: null,
      reason: 'spam',
    })
    await expect
      .poll(() => posts.flatMap(({ events }) => events.map(({ type }) => type)), { timeout: 5_000 })
      .toEqual(['MessagePosted', 'MessagePosted', 'MessagePosted', 'UserBanned'])
    expect(texts().slice(0, 3)).toEqual(['one', 'two', 'three'])
    expect(posts.every(({ signed }) => signed)).toBe(true)
  })

  it('with nothing to tell waits, and leaves nothing behind for it', async () => {
    const warnings: string[] = []
    const listen = ({ message }: Error) => warnings.push(message)
    process.on('warning', listen)
    const clock = new VirtualClock()
    server = await runServer({ clock, webhook: { url, secret, types } })
    for (let waited = 0; waited < 40; waited++) {
      clock.advance(50)
      await setImmediate()
    }
    process.off('warning', listen)
    // Node tells of more than ten listeners on one signal.
    expect(warnings).toEqual([])
  })

  it('posts again what was not confirmed, also after a restart, and then goes on', async () => {
    answers = [500, 503]
    const warnings: string[] = []
    const running = await start(warnings)
    await say(running, 'one')
    await expect.poll(() => posts.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3)
    expect(texts().slice(0, 3)).toEqual(['one', 'one', 'one'])
    expect(warnings).toEqual([expect.stringContaining('answered 500')])
    backend.close()
    backend.closeAllConnections()
    await say(running, 'two')
    await running.stop()
    posts = []
    await new Promise<void>((resolve) => backend.listen(Number(new URL(url).port), '127.0.0.1', resolve))
    await say(await start(), 'three')
    await expect.poll(texts, { timeout: 5_000 }).toEqual(['two', 'three'])
  })
})
