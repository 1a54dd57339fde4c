// Read models made anew: what else happens then, and what must not. Rows 61, 63, 65 and 68 of the catalogue of bad input.

import { readFileSync, rmSync } from 'node:fs'
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
