// The same suite through KurrentDB's client, in a process of its own: the generated code of the two clients meets in one
// global `proto`, where whichever is loaded last puts its classes in the place of the other's.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KurrentDBClient } from '@kurrent/kurrentdb-client'
import { expect, it, vi } from 'vitest'
import { type Envelope, LogUnavailable } from '../src/log/event-log.ts'
import { EventStoreLog } from '../src/log/eventstore.ts'
import { connect } from '../src/log/eventstore-client.ts'
import { keepsTheContract } from './event-log.contract.ts'
import { EventStoreServer } from './eventstore-server.ts'
import { Patience } from './patience.ts'
import { OWNER_TOKEN, startProcess } from './server-process.ts'

/** Its bridge waits so long before it looks at the server for the second time, which is when it begins: 500 ms by default. */
const addressOf = (server: EventStoreServer): string => server.addressWith('&discoveryInterval=10')

keepsTheContract('KurrentDB', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  return { log: await EventStoreLog.open(addressOf(server)), remove: () => server.stop() }
})

const fact = (id: number): Envelope => ({
  id: `00000000-0000-7000-8000-${String(id).padStart(12, '0')}`,
  type: 'Noted',
  v: 1,
  data: '{}',
  metadata: '{}',
})

// Its reads go another way than the other client's (a native bridge), so they have outages of their own.
it('comes back after an outage, and knows what was in doubt', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  const patience = new Patience()
  const log = await EventStoreLog.open(addressOf(server), { timers: patience, againMs: 10 })
  const following = log.subscribe({ from: 0 })[Symbol.asyncIterator]()
  expect((await following.next()).value).toEqual({ caughtUp: 0 })
  server.appendFaults.push('lost after')
  await expect(log.append('room-1', [fact(1)], 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
  server.stop()
  await expect(log.head()).rejects.toThrow(LogUnavailable)
  await expect(log.append('room-2', [fact(2)], 'no-stream')).rejects.toMatchObject({ stored: 'no' })
  await server.start()
  await expect.poll(() => log.head().catch(() => null), { timeout: 10_000 }).toBeGreaterThan(0)
  await expect
    .poll(() => log.append('room-1', [fact(1)], 'no-stream').catch(() => null), { timeout: 10_000 })
    .toEqual({ firstRevision: 0, lastRevision: 0 })
  expect((await following.next()).value).toMatchObject({ stream: 'room-1', revision: 0 })
  server.silent = true
  const { read } = server.calls
  const unanswered = expect(log.head()).rejects.toThrow(LogUnavailable)
  await expect.poll(() => server.calls.read).toBe(read + 1)
  patience.end()
  await unanswered
  await log.close()
  server.stop()
})

it('asks for no more of the log than its head or a page, and what is left unread holds up no later call', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  const log = await EventStoreLog.open(addressOf(server))
  const facts = Array.from({ length: 200 }, (_, n) => fact(100 + n))
  await log.append('room-1', facts, 'no-stream')
  const before = server.eventsRead
  for (let n = 0; n < 10; n++) expect(await log.head()).toBeGreaterThan(0)
  expect(server.eventsRead - before).toBeLessThan(300)

  let last = 199
  for (let n = 0; n < 9; n++) {
    const more = Array.from({ length: 200 }, (_, m) => fact(1_000 + 200 * n + m))
    last = (await log.append('room-1', more, last)).lastRevision
  }
  // Readers that have enough.
  for await (const { revision } of log.readStream('room-1')) if (revision === 1) break
  for await (const { revision } of log.readAll()) if (revision === 1) break
  expect(server.mostAsked).toBeLessThanOrEqual(200)
  // And those that want it all, page after page.
  const revisions: number[][] = [[], [], []]
  for await (const { revision } of log.readStream('room-1')) revisions[0]?.push(revision)
  for await (const { revision } of log.readAll()) revisions[1]?.push(revision)
  for await (const { revision } of log.readStream('room-1', { direction: 'backwards' })) revisions[2]?.unshift(revision)
  const every = Array.from({ length: 2_000 }, (_, revision) => revision)
  expect(revisions).toEqual([every, every, every])
  await log.close()
  server.stop()
})

it('readers that leave early, or wait, hold up no later call', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  const log = await EventStoreLog.open(addressOf(server))
  const data = JSON.stringify('x'.repeat(20_000))
  for (let n = 0; n < 20; n++) {
    const facts = Array.from({ length: 20 }, (_, m) => ({ ...fact(1 + 20 * n + m), data }))
    await log.append('room-1', facts, n === 0 ? 'no-stream' : 20 * n - 1)
  }
  for (let n = 0; n < 5; n++) {
    for await (const _ of log.readStream('room-1')) break
    for await (const _ of log.readAll()) break
  }
  const waiting = Array.from({ length: 5 }, () => log.readStream('room-1')[Symbol.asyncIterator]())
  for (const reader of waiting) await reader.next()
  expect(await log.head()).toBeGreaterThan(0)
  for (const reader of waiting) {
    let read = 1
    while (!(await reader.next()).done) read++
    expect(read).toBe(400)
  }
  await log.close()
  server.stop()
})

it('a warning of an option that is none shows no password', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const { disconnect } = await connect('kurrentdb://admin:opensesame@127.0.0.1:1?tls=false&surprise=1')
  await disconnect()
  const warned = warn.mock.calls.flat().join()
  warn.mockRestore()
  expect(warned).toContain('surprise')
  expect(warned).not.toContain('opensesame')
})

it('a node runs on it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hansard-kurrentdb-'))
  const server = await EventStoreServer.start('kurrentdb')
  const node = await startProcess(directory, ['--log', addressOf(server)])
  const headers = { authorization: `Bearer ${OWNER_TOKEN}`, 'content-type': 'application/json' }
  const messages = `${node.url}/api/v1/rooms/moneypot:2/messages`
  const said = await fetch(messages, { method: 'POST', headers, body: '{"text":"hello"}' })
  expect(said.status).toBe(201)
  expect(await (await fetch(messages, { headers })).json()).toMatchObject({ items: [{ text: 'hello' }] })
  expect(await node.stop()).toBe(0)
  server.stop()
  await rm(directory, { recursive: true, force: true })
})

it('has the epoch that an operator gives it after a restore, as docs/operations.md says', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  const before = await EventStoreLog.open(addressOf(server))
  const first = await before.epoch()
  await before.close()
  const client = KurrentDBClient.connectionString(server.address)
  // By plain append: the server in memory answers no batches.
  Object.assign(client, { supports: async () => false })
  await client.setStreamMetadata('log', { hansardEpoch: 'another' })
  await client.dispose()
  const after = await EventStoreLog.open(addressOf(server))
  expect([first, await after.epoch()]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), 'another'])
  await after.close()
  server.stop()
})
