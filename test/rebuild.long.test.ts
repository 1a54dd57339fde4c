// Read models made anew: what else happens then, and what must not. Rows 60, 62, 63 and 68 of the catalogue of bad input.

import { copyFileSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { OperatedServer } from './operated-server.ts'

let server: OperatedServer
beforeEach(() => {
  server = new OperatedServer()
})
afterEach(() => server.remove())

const MALFORMED = '{"id":99,"author":"my secret"'

it('go on being replaced after kill -9 in the middle', async () => {
  await server.start()
  await server.say('before')
  await server.stop()
  server.fill(300_000)
  server.madeByOthers('room-history', 'fold')
  let position = 0
  for (let round = 0; round < 3; round++) {
    await server.start()
    const { building } = await server.ready()
    expect(building.position).toBeGreaterThanOrEqual(position)
    await expect.poll(async () => (await server.ready()).building?.position).toBeGreaterThan(position + 1_000)
    position = (await server.ready()).building.position
    expect(await server.said()).toEqual(['before'])
    await server.kill()
  }
  await server.start()
  await server.built()
  expect(await server.said()).toEqual(['before'])
  await server.stop()
  const live = server.rows()
  await rebuild(server.directory)
  expect(server.rows()).toBe(live)
})

it('that a start needs hold it up until new ones are there', async () => {
  await server.start()
  await server.say('before')
  await server.stop()
  server.madeByOthers('people', 'tables', 'alter table users rename column username to nick')
  await server.start()
  expect(await server.said()).toEqual(['before'])
  expect((await server.ready()).problems).toEqual([])
})

it('a fact that cannot be folded ends a start that has nothing else to answer from, with what to do; a mended fold clears it', async () => {
  await server.start()
  await server.say('one')
  await server.stop()
  copyFileSync(join(server.directory, 'log.db'), join(server.directory, 'whole.db'))
  const position = server.spoil('MessagePosted', MALFORMED)
  rmSync(join(server.directory, 'read.db'))
  await expect(server.start()).rejects.toThrow(
    `room-history cannot fold MessagePosted at position ${position}: not JSON; --rebuild-poison park`,
  )
  await server.start(['--rebuild-poison', 'park'])
  expect(await server.ready()).toMatchObject({ ready: true, parked: 1 })
  await server.stop()
  // As if the fold could now read it: the fact is whole, and the definition another.
  copyFileSync(join(server.directory, 'whole.db'), join(server.directory, 'log.db'))
  server.madeByOthers('room-history', 'fold')
  await server.start()
  await server.built()
  expect(await server.ready()).toMatchObject({ ready: true, parked: 0, problems: [] })
  expect(await server.said()).toEqual(['one'])
})

it('positions that the log does not have are passed over, and nothing else is', async () => {
  await server.start()
  for (const text of ['one', 'two', 'three']) await server.say(text)
  await server.stop()
  server.fill(5)
  server.onFile('log.db', (db) => {
    db.exec("update facts set position = position + 1000 where id like 'filled-%'")
    db.exec("delete from facts where id in ('filled-1', 'filled-2')")
  })
  await server.start()
  expect(await server.ready()).toMatchObject({ ready: true, lag: 0, problems: [] })
  await server.say('four')
  expect(await server.said()).toEqual(['one', 'two', 'three', 'four'])
  expect((await server.call('POST', '/api/v1/read-models/rebuild')).status).toBe(202)
  await server.built()
  expect(await server.said()).toEqual(['one', 'two', 'three', 'four'])
  await server.stop()
  expect(
    server.onFile('read.db', (db) => db.prepare("select name from mutes where room = 'filled' order by name").all()),
  ).toEqual(['n0', 'n3', 'n4'].map((name) => ({ name })))
})

it('that nothing can answer in place of hold a start up, which says how far they are', async () => {
  await server.start()
  await server.say('before')
  await server.stop()
  server.fill(300_000)
  rmSync(join(server.directory, 'read.db'))
  const told: string[] = []
  let door: string | undefined
  const heard = (printed: string) => {
    door ??= /not ready yet: (\S+)\/readyz/.exec(printed)?.[1]
  }
  let started = false
  const starting = server.start([], {}, heard).then(() => {
    started = true
  })
  await expect.poll(() => door, { timeout: 15_000 }).toBeDefined()
  while (!started) {
    const ready = await fetch(`${door}/readyz`).catch(() => null)
    const body = (await ready?.json().catch(() => null)) as { problems: string[] } | null
    if (ready?.status === 503) told.push(...(body?.problems ?? []))
  }
  await starting
  expect(server.url).toBe(door)
  const places = told.flatMap((problem) => /^read models are being made anew: (\d+) of \d+$/.exec(problem)?.[1] ?? [])
  expect(places.length).toBeGreaterThan(2)
  expect(places.map(Number)).toEqual(places.map(Number).toSorted((a, b) => a - b))
  expect(await server.said()).toEqual(['before'])
})

it('making read models anew does nothing but that: no fact is appended, and nobody is told anything', async () => {
  const posted: string[] = []
  const backend = createServer((request, response) => {
    request.on('data', (text) => posted.push(String(text))).on('end', () => response.end())
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  const { port } = backend.address() as AddressInfo
  const webhook = ['--webhook-url', `http://127.0.0.1:${port}/`, '--webhook-secret', 'a-secret-long-enough']
  await server.start(webhook)
  await server.say('one')
  expect((await server.call('POST', '/api/v1/rooms/moneypot:2/mutes', { user: '@ana', seconds: 1 })).status).toBe(201)
  await expect.poll(() => posted.join('').match(/MuteExpired/g)?.length, { timeout: 10_000 }).toBe(1)
  await server.stop()
  const log = readFileSync(join(server.directory, 'log.db'))
  const told = posted.length
  rmSync(join(server.directory, 'read.db'))
  await rebuild(server.directory)
  expect(readFileSync(join(server.directory, 'log.db')).equals(log)).toBe(true)
  await server.start(webhook)
  const types = async () =>
    (await server.call('GET', '/api/v1/facts?limit=500')).body.items.map(({ type }: { type: string }) => type)
  const before = await types()
  expect((await server.call('POST', '/api/v1/read-models/rebuild')).status).toBe(202)
  await server.built()
  expect(await types()).toEqual(before)
  expect(before.filter((type: string) => ['MessagePosted', 'MuteExpired'].includes(type))).toHaveLength(2)
  expect(posted.slice(told).join('')).not.toMatch(/MessagePosted|MuteExpired/)
  await server.stop()
  backend.close()
})
