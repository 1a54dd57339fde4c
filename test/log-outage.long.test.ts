// A node whose log is on a server, through the outages of that server: as an operator starts it, and as clients meet it.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { EventStoreServer } from './eventstore-server.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

let directory: string
let store: EventStoreServer
let node: ServerProcess | null = null
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-outage-'))
  store = await EventStoreServer.start('esdb')
})
afterEach(async () => {
  await node?.kill()
  node = null
  store.stop()
  await rm(directory, { recursive: true, force: true })
})

const start = async (
  flags: readonly string[] = [],
  heard: (printed: string) => void = () => {},
): Promise<ServerProcess> => {
  node = await startProcess(directory, ['--log', store.address, ...flags], { heard })
  return node
}

const MESSAGES = '/api/v1/rooms/moneypot:2/messages'
const call = async (path: string, body?: object) => {
  const headers = { authorization: `Bearer ${OWNER_TOKEN}`, ...(body ? { 'content-type': 'application/json' } : {}) }
  const method = body ? 'POST' : 'GET'
  const answer = await fetch(`${node?.url}${path}`, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const say = (text: string) => call(MESSAGES, { text, ref: text })
const said = async () => {
  const { status, body } = await call(MESSAGES)
  return [status, (body.items as { text: string }[] | undefined)?.map(({ text }) => text)]
}
const ready = async () => (await call('/readyz')).status
const stored = (type: string) => store.store.all.filter((event) => event.type === type)

it('starts on an empty log there, and again on what it wrote', async () => {
  await start()
  expect(node?.output()).toContain('the log            esdb://127.0.0.1')
  expect((await say('hello')).status).toBe(201)
  expect(await said()).toEqual([200, ['hello']])
  expect(await node?.stop()).toBe(0)
  await start()
  expect(await said()).toEqual([200, ['hello']])
  expect(stored('LogBorn')).toHaveLength(1)
})

it('is degraded while the log is away: refuses what would be written, reads on, says so, and comes back', async () => {
  await start()
  expect((await say('before')).status).toBe(201)
  expect(await ready()).toBe(200)
  store.stop()
  await expect.poll(ready, { timeout: 10_000 }).toBe(503)
  const refused = await say('while away')
  expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
  expect(await said()).toEqual([200, ['before']])
  expect((await call('/readyz')).body).toMatchObject({
    ready: false,
    problems: expect.arrayContaining([expect.stringMatching(/cannot be reached/)]),
  })
  expect((await fetch(`${node?.url}/healthz`)).status).toBe(200)
  await store.start()
  await expect.poll(ready, { timeout: 15_000 }).toBe(200)
  expect((await say('after')).status).toBe(201)
  const [, texts] = await said()
  expect(texts).toEqual(expect.arrayContaining(['before', 'after']))
  expect(stored('LogReturned').length).toBeGreaterThan(0)
})

it('is not degraded by a reader that goes on from a place that is none: it is told so', async () => {
  await start()
  expect((await say('one')).status).toBe(201)
  const { position } = (await call('/api/v1/facts?limit=1')).body as { position: string }
  const inARecord = position.replace(/[0-9]+$/, (last) => String(Number(last) - 1))
  for (const query of ['', '&type=MessagePosted']) {
    const refused = await call(`/api/v1/facts?from=${inARecord}${query}`)
    expect([refused.status, refused.body.detail]).toEqual([400, expect.stringMatching(/^from: .* no place/)])
    expect([await ready(), (await say(`after ${query}`)).status]).toEqual([200, 201])
  }
})

it('makes read models anew whose checkpoint is no place in the log', async () => {
  await start()
  expect((await say('one')).status).toBe(201)
  expect(await node?.stop()).toBe(0)
  const readModels = new DatabaseSync(join(directory, 'read.db'))
  readModels.exec('update meta set checkpoint = checkpoint - 1; delete from messages')
  readModels.close()
  await start()
  expect(await said()).toEqual([200, ['one']])
  expect(await ready()).toBe(200)
})

it('stores a message once whose acknowledgement was lost with the server', async () => {
  await start()
  expect((await say('one')).status).toBe(201)
  store.appendFaults.push('lost after', 'lost before')
  expect((await say('two')).status).toBe(201)
  expect(await said()).toEqual([200, ['one', 'two']])
  // Longer than a client is kept waiting: it is refused, and finds its message by its reference when it tries again.
  store.appendFaults.push('never answered')
  expect((await say('three')).status).toBe(503)
  expect((await say('three')).status).toBe(201)
  expect(await said()).toEqual([200, ['one', 'two', 'three']])
  expect(stored('MessagePosted')).toHaveLength(3)
})

it('decides again what somebody else’s fact in the same stream came before', async () => {
  await start()
  expect((await say('one')).status).toBe(201)
  const [stream, events] = [...store.store.streams].find(([name]) => name.startsWith('room-')) ?? ['', []]
  const last = events.at(-1) as (typeof events)[number]
  const data = { user: null, name: 'ana', by: null, reason: null, until: null, seconds: null }
  const muted = { id: crypto.randomUUID(), type: 'UserMuted', contentType: 'application/json', metadata: last.metadata }
  store.store.append(stream, [{ ...muted, data: Buffer.from(JSON.stringify(data)) }], events.length - 1)
  expect((await say('two')).status).toBe(201)
  expect(await said()).toEqual([200, ['one', 'two']])
  expect(events.map(({ type }) => type).slice(-2)).toEqual(['UserMuted', 'MessagePosted'])
  const mutes = (await call('/api/v1/rooms/moneypot:2/mutes')).body.items as { user: { username: string } }[]
  expect(mutes.map(({ user }) => user.username)).toEqual(['ana'])
})

it('goes on telling a backend after its subscriptions ended without a word', async () => {
  const posted: string[] = []
  const backend = createServer((request, response) => {
    request.on('data', (text) => posted.push(String(text))).on('end', () => response.end())
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  const { port } = backend.address() as AddressInfo
  await start(['--webhook-url', `http://127.0.0.1:${port}/`, '--webhook-secret', 'a-secret-long-enough'])
  expect((await say('one')).status).toBe(201)
  await expect.poll(() => posted.join(''), { timeout: 10_000 }).toContain('one')
  store.dropSubscriptions('ended')
  expect((await say('two')).status).toBe(201)
  await expect.poll(() => posted.join(''), { timeout: 15_000 }).toContain('two')
  backend.close()
})

it('waits for a log that is not there yet', async () => {
  store.stop()
  let door: string | undefined
  const starting = start([], (printed) => {
    door ??= /not ready yet: (\S+)\/readyz/.exec(printed)?.[1]
  })
  await expect.poll(() => door, { timeout: 15_000 }).toBeDefined()
  const waiting = await fetch(`${door}/readyz`)
  expect([waiting.status, await waiting.json()]).toEqual([
    503,
    expect.objectContaining({
      ready: false,
      problems: [expect.stringContaining('waiting for the log at esdb://127.0.0.1')],
    }),
  ])
  expect((await fetch(`${door}/healthz`)).status).toBe(200)
  await store.start()
  await starting
  expect(node?.url).toBe(door)
  expect(await ready()).toBe(200)
})
