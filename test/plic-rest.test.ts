// The REST that PLIC's app calls, in the protocol's own form and in the app's, with JSON Web Tokens.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let server: TestServer
let clock: VirtualClock
const ids: Record<string, string> = {}
const tokens: Record<string, Record<string, string>> = {}
beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ storage: 'sqlite', clock })
  for (const name of ['ann', 'bob', 'cyd']) {
    const { account } = await server.account(name)
    ids[name] = account.id
    tokens[name] = await jsonWebTokens(account.id, clock.now())
  }
})
afterAll(() => server.stop())

/** With the JSON content type, body or none, as the app does. */
const ask = async (who: string, method: string, path: string, body?: unknown, kind = 'jwt') => {
  const headers = {
    authorization: `Bearer ${tokens[who]?.[kind]}`,
    'content-type': 'application/json',
    'x-request-id': 'r',
  }
  const { status, body: answer } = await asking(server.url + path, method, headers, body)
  return { status, body: answer }
}

const made = async (who: string, ...others: string[]): Promise<number> =>
  (await ask(who, 'POST', '/rooms', { users: others.map((name) => ids[name]), apartment_id: null })).body.data

describe('PLIC rooms', () => {
  it('are made, listed and shown, in both forms', async () => {
    const { status, body } = await ask('ann', 'POST', '/chat/rooms', {
      users: [ids.ann, ids.bob],
      apartment_id: 'apt-7',
    })
    expect({ status, body }).toEqual({ status: 201, body: { error_message: null, data: expect.any(Number) } })
    const room_id = body.data
    const room = {
      room_id,
      participants_id: [ids.ann, ids.bob],
      apartment_id: 'apt-7',
      is_owner: true,
      created_at: expect.stringMatching(/Z$/),
      last_message: null,
    }
    expect((await ask('ann', 'GET', '/rooms')).body).toEqual({ error_message: null, data: [room] })
    expect((await ask('ann', 'GET', '/chat/rooms')).body).toEqual([room])
    expect((await ask('bob', 'GET', '/chat/rooms')).body).toEqual([{ ...room, is_owner: false }])
    expect((await ask('cyd', 'GET', '/chat/rooms')).body).toEqual([])
    const posted = await ask('bob', 'POST', `/api/v1/rooms/plic:${room_id}/messages`, { text: 'hello' })
    expect(posted.status).toBe(201)
    const said = {
      id: posted.body.id,
      room_id,
      message: 'hello',
      sender_id: ids.bob,
      created_at: expect.stringMatching(/Z$/),
    }
    expect((await ask('ann', 'GET', '/chat/rooms')).body[0].last_message).toEqual(said)
    for (const path of ['/rooms', '/chat/rooms']) {
      expect((await ask('bob', 'GET', `${path}/${room_id}`)).body).toEqual({
        room_id,
        apartment_id: 'apt-7',
        created_at: room.created_at,
        owner_id: ids.ann,
        participants_id: [ids.ann, ids.bob],
        messages: [said],
      })
    }
    clock.advance(1_000)
    const newer = await made('ann', 'bob')
    expect((await ask('ann', 'GET', '/chat/rooms')).body.map((each: typeof room) => each.room_id)).toEqual([
      newer,
      room_id,
    ])
  })

  it('change hands, lose and gain participants, and end with the last one', async () => {
    const room_id = await made('ann', 'bob')
    const put = (who: string, users_to_add: string[], users_to_remove: string[]) =>
      ask(who, 'PUT', '/rooms', {
        room_id,
        users_to_add: users_to_add.map((name) => ids[name]),
        users_to_remove: users_to_remove.map((name) => ids[name]),
      })
    const shown = async (who: string) => (await ask(who, 'GET', `/rooms/${room_id}`)).body
    expect((await put('bob', ['cyd'], [])).status).toBe(404)
    expect((await put('bob', [], ['ann'])).status).toBe(404)
    expect((await put('ann', ['cyd'], [])).body).toEqual({ error_message: null, data: null })
    expect((await shown('cyd')).participants_id).toEqual([ids.ann, ids.bob, ids.cyd])
    await put('ann', [], ['ann'])
    expect((await ask('ann', 'GET', `/rooms/${room_id}`)).status).toBe(404)
    expect(await shown('bob')).toMatchObject({ owner_id: ids.bob, participants_id: [ids.bob, ids.cyd] })
    expect((await put('cyd', [], ['cyd'])).status).toBe(200)
    expect((await put('bob', [], ['bob'])).status).toBe(200)
    expect((await ask('bob', 'GET', `/rooms/${room_id}`)).status).toBe(404)

    const both = await made('ann', 'bob')
    const gone = { room_id: both, users_to_add: [], users_to_remove: [ids.bob, ids.ann] }
    expect((await ask('ann', 'PUT', '/chat/rooms', gone)).status).toBe(200)
    expect(
      (await ask('ann', 'GET', '/rooms')).body.data.map((each: { room_id: number }) => each.room_id),
    ).not.toContain(both)

    const deleted = await made('ann', 'bob')
    expect((await ask('bob', 'DELETE', `/rooms/${deleted}`)).status).toBe(404)
    expect((await ask('ann', 'DELETE', `/rooms/${deleted}`)).body).toEqual({ error_message: null, data: null })
    expect((await ask('ann', 'GET', `/rooms/${deleted}`)).status).toBe(404)
    expect(server.faults).toEqual([])
  })
})

describe('what is wrong', () => {
  it('is told as the app understands it', async () => {
    const fail = (status: number, text: string, more = {}) => ({
      status,
      body: { error_message: text, data: null, ...more },
    })
    expect(await ask('ann', 'GET', '/rooms', undefined, 'expired')).toEqual(fail(401, 'token is expired'))
    for (const kind of ['forged', 'elsewhere', 'unsigned', 'none']) {
      expect(await ask('ann', 'GET', '/rooms', undefined, kind), kind).toEqual(fail(401, 'invalid token'))
    }
    expect((await fetch(`${server.url}/rooms`)).status).toBe(401)
    const bans = (method: string) =>
      asking(`${server.url}/api/v1/users/${ids.cyd}/bans`, method, { authorization: `Bearer ${server.ownerTokenText}` })
    await bans('POST')
    expect(await ask('cyd', 'GET', '/rooms')).toEqual(fail(401, 'invalid token'))
    await bans('DELETE')
    expect((await ask('cyd', 'GET', '/rooms')).status).toBe(200)
    const app = (text: string) => ({ message: text })
    expect(await ask('ann', 'GET', '/chat/rooms/999')).toEqual(fail(404, 'room not found', app('room not found')))
    expect(await ask('cyd', 'DELETE', '/rooms/999')).toEqual(fail(404, 'room not found'))
    for (const body of [{ users: [] }, { users: ['nobody'] }, { users: 5 }, {}, [], null]) {
      expect(await ask('ann', 'POST', '/rooms', body), JSON.stringify(body)).toEqual(fail(400, 'bad request'))
    }
    const broken = await fetch(`${server.url}/rooms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokens.ann?.jwt}`, 'content-type': 'application/json' },
      body: '{"users":',
    })
    expect(broken.status).toBe(400)
  })

  it('is never a profile', async () => {
    const bob = { id: ids.bob, firstname: 'bob', lastname: '', birthdate: '2000-01-01' }
    expect(await ask('ann', 'GET', `/user/?id=${ids.bob}`)).toEqual({ status: 200, body: bob })
    expect((await ask('bob', 'GET', '/user/check')).body).toEqual(bob)
    expect((await ask('ann', 'GET', '/user/?id=nobody')).body).toMatchObject({ message: 'user not found' })
  })
})

describe('an account that another party vouches for', () => {
  it('is made by its first valid token where that is allowed, and nowhere else', async () => {
    const user = '7b0e5c52-4a0f-4f0e-8f6a-0d5d0c1f2a11'
    tokens.stranger = await jsonWebTokens(user, clock.now())
    expect((await ask('stranger', 'GET', '/rooms')).status).toBe(401)
    await server.stop()
    const open = await runServer({ clock })
    await open.stop()
    const { JsonWebTokens } = await import('../src/json-web-tokens.ts')
    const { JWT } = await import('./running-server.ts')
    const verifier = new JsonWebTokens(clock, { ...JWT, jwksUrl: '' })
    server = await runServer({ clock, foreignTokens: { verifier, provision: true } })
    expect((await ask('stranger', 'GET', '/rooms')).body).toEqual({ error_message: null, data: [] })
    expect(await server.identity.byId(user)).toMatchObject({ username: 'from-the-token', role: 'member' })
    expect((await ask('stranger', 'GET', '/api/v1/rooms')).status).toBe(200)
  })
})
