// Blocking rules set through REST: who may, what is refused, where they hold, and that they outlive a restart.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

let directory: string
let server: TestServer
const tokens: Record<string, string> = {}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-rules-'))
  server = await runServer({ storage: 'sqlite', directory })
  const people = await Promise.all(['olga', 'mona', 'bob'].map((name) => server.account(name)))
  const [olga, mona, bob] = people.map(({ account, token }) => {
    tokens[account.username] = token
    return account
  })
  if (!olga || !mona || !bob) throw new Error('three accounts')
  const members = [
    { account: olga, role: 'owner' },
    { account: mona, role: 'mod' },
    { account: bob, role: 'member' },
  ] as const
  for (const alias of ['native:1', 'native:2']) await openRoom(server, alias, members)
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

const ask = async (who: string, method: string, path: string, body?: unknown) => {
  const headers = { authorization: `Bearer ${who === 'admin' ? server.ownerTokenText : tokens[who]}` }
  const { status, body: answer } = await asking(`${server.url}/api/v1${path}`, method, headers, body)
  return { status, body: answer }
}
const says = (who: string, room: number, text: string) =>
  ask(who, 'POST', `/rooms/native:${room}/messages`, { text }).then(({ status, body }) => [status, body.code])
const spam = { name: 'no spam', text: 'spam' }
const scams = { name: 'no scams', text: 'free money' }

it('a room’s are set by its owner and by admins, read by its staff; those for all by admins', async () => {
  const path = '/rooms/native:1/rules'
  expect((await ask('bob', 'PUT', path, { rules: [spam] })).status).toBe(403)
  expect((await ask('mona', 'PUT', path, { rules: [spam] })).status).toBe(403)
  expect((await ask('olga', 'PUT', '/rules', { rules: [spam] })).status).toBe(403)
  expect((await ask('olga', 'GET', '/rules')).status).toBe(403)
  expect((await ask('bob', 'GET', path)).status).toBe(403)
  expect(await ask('mona', 'GET', path)).toMatchObject({ status: 200, body: { version: 0, rules: [] } })
  expect(await ask('olga', 'PUT', path, { rules: [spam] })).toEqual({
    status: 200,
    body: { version: 1, rules: [spam] },
  })
  expect((await ask('admin', 'PUT', '/rules', { rules: [scams] })).body).toEqual({ version: 1, rules: [scams] })
})

it('say what is wrong with them', async () => {
  for (const rules of [[{ name: 'x', text: 'a*b' }], [{ name: '', text: 'x' }], [spam, spam], 'spam', [{ name: 'x' }]])
    expect(await ask('admin', 'PUT', '/rules', { rules })).toMatchObject({ status: 400, body: { code: 'malformed' } })
  expect((await ask('admin', 'GET', '/rules')).body.version).toBe(1)
})

it('block in their room, or in all', async () => {
  expect(await says('bob', 1, 'spam, eggs')).toEqual([403, 'blocked'])
  expect(await says('bob', 2, 'spam, eggs')).toEqual([201, undefined])
  expect(await says('bob', 2, 'Free\nmoney!')).toEqual([403, 'blocked'])
  expect(await says('mona', 2, 'somebody offers free money')).toEqual([201, undefined])
})

it('hold for edits', async () => {
  const { body } = await ask('bob', 'POST', '/rooms/native:1/messages', { text: 'eggs' })
  const edited = await ask('bob', 'PATCH', `/rooms/native:1/messages/${body.id}`, { text: 'spam' })
  expect(edited).toMatchObject({
    status: 403,
    body: { code: 'blocked', values: { rule: 'no spam', version: 1, scope: 'room' } },
  })
})

it('count a version with each change, stand in the record, and outlive a restart', async () => {
  const path = '/rooms/native:1/rules'
  expect((await ask('olga', 'PUT', path, { rules: [spam] })).body.version).toBe(1)
  expect((await ask('olga', 'PUT', path, { rules: [spam, scams] })).body.version).toBe(2)
  await server.stop()
  server = await runServer({ storage: 'sqlite', directory })
  expect((await ask('mona', 'GET', path)).body).toMatchObject({ version: 2, rules: [spam, scams] })
  expect(await says('bob', 1, 'spam')).toEqual([403, 'blocked'])
  expect(await says('bob', 2, 'free money')).toEqual([403, 'blocked'])
  const facts = await ask('admin', 'GET', '/facts?type=RoomRulesSet,RulesSet')
  expect(
    facts.body.items.map(({ type, data }: { type: string; data: { version: number } }) => [type, data.version]),
  ).toEqual([
    ['RoomRulesSet', 1],
    ['RulesSet', 1],
    ['RoomRulesSet', 2],
  ])
  expect(server.faults).toEqual([])
})
