// Every role against every act, on a running server; docs/roles.md is the same table. UPDATE_ROLES=1 prints it anew.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MemberRole } from '../src/actors/fact.ts'
import type { Account } from '../src/actors/identity.ts'
import { asking } from './asking.ts'
import { ACTS, type Act, ROLES, type Role, rolesPage } from './roles.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Person {
  readonly account: Account
  readonly token: string
}

let server: TestServer
let space: { id: string }
let made = 0
/** who stays the same through every try */
const cast = new Map<string, Person>()

const ask = (method: string, path: string, body?: unknown, token: string | null = server.ownerTokenText) =>
  asking(`${server.url}/api/v1${path}`, method, token === null ? {} : { authorization: `Bearer ${token}` }, body)

const must = async (...asked: Parameters<typeof ask>) => {
  const { status, body } = await ask(...asked)
  expect(status, `${asked[0]} ${asked[1]} ${JSON.stringify(body)}`).toBeLessThan(300)
  return body
}

const SPACE_ROLES: Readonly<Record<string, MemberRole>> = {
  'space member': 'member',
  'space mod': 'mod',
  'space owner': 'owner',
}
const ROOM_ROLES: readonly Role[] = ['member', 'mod', 'owner']

beforeAll(async () => {
  server = await runServer({ clock: new VirtualClock() })
  for (const name of ['member2', 'mod2', 'stranger2', 'banned', 'outcast']) cast.set(name, await server.account(name))
  for (const role of Object.keys(SPACE_ROLES)) cast.set(role, await server.account(role.replace(' ', '-')))
  const members = Object.entries(SPACE_ROLES).map(([role, as]) => ({ user: cast.get(role)?.account.id, role: as }))
  space = await must('POST', '/rooms', { name: 'space', kind: 'space', members })
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
})

/** Somebody of this role, new where the act may change who they are. */
const whoIs = async (role: Role): Promise<Person | null> => {
  if (role === 'anonymous') return null
  const known = cast.get(role)
  if (known) return known
  if (role === 'guest') {
    const { token, ...account } = await must('POST', '/guests', { username: `guest${++made}` }, null)
    return { account, token }
  }
  return server.account(`someone${++made}`, role === 'admin' || role === 'robot' ? role : 'member')
}

/** Puts an act to the server, about a room of its own; what must be there for it is there. */
const tried = async ({ asks, body }: Act, role: Role) => {
  const self = await whoIs(role)
  const name = `room${++made}`
  const inRoom = ROOM_ROLES.includes(role) ? [{ user: self?.account.id, role }] : []
  const members = [...inRoom, '@member2', { user: '@mod2', role: 'mod' }]
  const { id: room } = await must('POST', '/rooms', { name, parent: space.id, members })
  const { id: open } = await must('POST', '/rooms', { name, aliases: [`moneypot:${1_000 + made}`] })
  const say = (where: string, token: string | undefined) =>
    must('POST', `/rooms/${where}/messages`, { text: 'said' }, token).then(({ id }) => id as number)
  const message = asks.includes('{message}') && (await say(room, cast.get('member2')?.token))
  const removed = asks.includes('{removed}') && (await say(room, cast.get('member2')?.token))
  if (removed) await must('DELETE', `/rooms/${room}/messages/${removed}`)
  const own = asks.includes('{own}') && (await ownMessage(room, self, role))
  if (asks.includes('@muted')) await must('POST', `/rooms/${room}/mutes`, { user: '@muted' })
  if (asks.includes('@banned')) await must('POST', `/rooms/${room}/bans`, { user: '@banned' })
  if (asks.includes('@outcast')) await must('POST', '/users/@outcast/bans')
  const token = asks.includes('{token}') && (await must('POST', '/users/@member2/tokens')).id
  const ownToken = asks.includes('{ownToken}') && self && (await must('POST', `/users/${self.account.id}/tokens`)).id
  // Whoever writes over REST has a connection on the record.
  const connectionOf = async ({ account, token }: Person) => {
    await must('POST', `/users/${account.id}/tokens`, {}, token)
    return (await must('GET', `/connections?user=${account.id}&limit=1`)).items[0].id as string
  }
  const connection = asks.includes('{connection}') && (await connectionOf(cast.get('member2') as Person))
  const ownConnection = asks.includes('{ownConnection}') && self && (await connectionOf(self))
  const code = asks.includes('{code}') && (await must('POST', `/rooms/${room}/invites`)).code
  const fill = (text: string) =>
    Object.entries({
      room,
      open,
      message,
      removed,
      own,
      token,
      ownToken,
      code,
      connection,
      ownConnection,
      new: `new${made}`,
    })
      .reduce((filled, [key, value]) => filled.replaceAll(`{${key}}`, String(value)), text)
      .replaceAll('@self', self?.account.id ?? '@nobody')
  const [method = '', path = ''] = fill(asks).split(' ')
  const answer = await ask(method, path, body && JSON.parse(fill(JSON.stringify(body))), self?.token ?? null)
  // What a try may have changed of those who go on is put back.
  if (asks.includes('@stranger2')) await ask('DELETE', '/users/@stranger2/bans')
  if (answer.status < 300 && asks.startsWith('PATCH /users/@stranger2'))
    await must('PATCH', `/users/${cast.get('stranger2')?.account.id}`, { username: 'stranger2', role: 'member' })
  return { ...answer, self }
}

/** A room that is not open to all does not exist for whoever does not belong there; what only admins may names none. */
const isHidden = ({ asks, may }: Act, role: Role): boolean =>
  asks.includes('{room}') && may.join() !== 'admin' && ['guest', 'stranger', 'robot'].includes(role)

/** Codes of the refusals on the record of this account. */
const refusedTo = async (self: Person | null): Promise<unknown[]> => {
  const codes: unknown[] = []
  for await (const { data, metadata } of server.log.readAll({ from: 0, filter: { types: ['CommandRefused'] } }))
    if (JSON.parse(metadata).by === self?.account.id) codes.push(JSON.parse(data).code)
  return codes
}

/** Whoever may not write there wrote while they belonged to it, and does no more. */
const ownMessage = async (room: string, self: Person | null, role: Role): Promise<number> => {
  if (!self) return 1
  const writes = !['guest', 'stranger', 'robot'].includes(role)
  if (!writes) await must('PUT', `/rooms/${room}/members/${self.account.id}`)
  const { id } = await must('POST', `/rooms/${room}/messages`, { text: 'mine' }, self.token)
  if (!writes) await must('DELETE', `/rooms/${room}/members/${self.account.id}`)
  return id
}

describe.each(Object.entries(ACTS))('%s', (_, acts) => {
  it.each(acts.map((act) => [act.says, act] as const))('%s', async (_says, act) => {
    const could: Role[] = []
    for (const role of ROLES) {
      const { status, body, self } = await tried(act, role)
      if (status < 300) could.push(role)
      // Refused for who they are, and for nothing else; whoever may see the room has that on record.
      else if (role === 'anonymous') expect([role, status, body.code]).toEqual([role, 401, 'user-required'])
      else if (act.asks.includes('{connection}'))
        expect([role, status, body.code]).toEqual([role, 404, 'unknown-connection'])
      else if (isHidden(act, role)) expect([role, status, body.code]).toEqual([role, 404, 'unknown-room'])
      else {
        expect([role, status, body.code]).toEqual([role, 403, expect.toBeOneOf(['not-authorized', 'not-a-member'])])
        expect(await refusedTo(self), `on record: ${role}`).toContain(body.code)
      }
    }
    expect(could).toEqual(act.may)
  })
})

it('has every operation that the API describes', async () => {
  const { paths } = await must('GET', '/openapi.json')
  const described = Object.entries(paths as Record<string, Record<string, object>>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      pattern: new RegExp(
        `^${method.toUpperCase()} ${path.replace('/api/v1', '').replace(/\{\w+\}/g, '[^/?]+')}(\\?.*)?$`,
      ),
    })),
  )
  const asked = Object.values(ACTS).flatMap((acts) => acts.map(({ asks }) => asks))
  const missing = described.filter(({ pattern }) => !asked.some((asks) => pattern.test(asks))).map(({ name }) => name)
  // Guests have a setting of their own (rest.test.ts), and a recording has no end (recording.test.ts).
  expect(missing).toEqual(['GET /api/v1/recording', 'POST /api/v1/guests'])
})

it('is the page of roles', () => {
  const file = join(import.meta.dirname, '../docs/roles.md')
  if (process.env.UPDATE_ROLES) writeFileSync(file, rolesPage())
  expect(readFileSync(file, 'utf8'), 'UPDATE_ROLES=1 npx vitest run test/roles.test.ts').toBe(rolesPage())
})
