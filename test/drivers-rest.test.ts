// The REST of drivers.uz's clients, over HTTP against a running node on the embedded log.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IoParticipant } from './dialogue-people.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let server: TestServer
let clock: VirtualClock
let sardor: Person
let ali: Person
let robot: Person
let admin: Person

interface Person {
  readonly id: number
  readonly token: string
}

beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ storage: 'sqlite', clock })
  const made = async (username: string, role: 'member' | 'robot' | 'admin' = 'member') => {
    const { account, token } = await server.account(username, role)
    return { id: account.number, token }
  }
  sardor = await made('Sardor')
  ali = await made('Ali')
  robot = await made('VTRobot', 'robot')
  admin = await made('boss', 'admin')
  const owner = await server.identity.byName('VTRobot')
  const space = await server.rooms.open({
    name: 'Talk',
    kind: 'space',
    aliases: ['drivers:1001'],
    members: owner ? [{ account: owner, role: 'owner' }] : [],
    extra: { drivers: { description: 'of everything' } },
    asker: null,
  })
  if (!space.ok) throw new Error(space.refusal.code)
})
afterAll(() => server.stop())

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is what is looked at
  readonly body: any
}

const ask = async (
  method: string,
  path: string,
  body?: Record<string, unknown> | string,
  headers: Record<string, string> = {},
  at: TestServer = server,
): Promise<Answer> => {
  const response = await fetch(`${at.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}

/** As this account, speaking for itself. */
const as = async (person: Person, path: string, body: Record<string, unknown> = {}) => {
  const { status, body: answer } = await ask(
    'POST',
    path,
    { user_id: person.id, ...body },
    { authorization: person.token },
  )
  expect(status).toBe(200)
  return answer
}

const post = async (alias: string, text: string, person: Person) => {
  const headers = { authorization: `Bearer ${person.token}` }
  const { status, body } = await ask('POST', `/api/v1/rooms/${alias}/messages`, { text }, headers)
  expect(status).toBe(201)
  return body.id as number
}

const topicIn = async (title: string) => (await as(sardor, '/rooms/1001', { title, body: 'text' })).data.id as number

const fails = (detail: string) => ({ status: 'fail', detail })
const OK = { status: 'ok' }

describe('signing up', () => {
  const form = { username: 'Timur', phone_number: '998901234567', gcm_token: 'g', device_type: 'android' }

  it('makes an account whose token signs in, from JSON or a form', async () => {
    const { status, body } = await ask('POST', '/sign_up', form)
    expect(status).toBe(200)
    expect(body).toEqual({ user_id: expect.any(Number), token: expect.stringMatching(/^[0-9a-f]{32}$/) })
    const known = await server.identity.byToken(server.identity.hashToken(body.token))
    expect(known?.account).toMatchObject({ username: 'Timur', number: body.user_id, role: 'member' })

    const urlencoded = new URLSearchParams({ ...form, username: 'Olim', phone_number: '998900000000' }).toString()
    const second = await ask('POST', '/signup', urlencoded, { 'content-type': 'application/x-www-form-urlencoded' })
    expect(second.body).toEqual({ user_id: expect.any(Number), token: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect((await ask('POST', '/check_username', { username: 'oLIM' })).body).toEqual({ exists: true })
    expect((await ask('POST', '/check_username', { username: 'nobody' })).body).toEqual({ exists: false })
    expect((await ask('POST', '/check_phone_number', { phone_number: '998900000000' })).body).toEqual({ exists: true })
    expect((await ask('POST', '/check_phone_number', { phone_number: '1' })).body).toEqual({ exists: false })
  })

  it.each([
    [{}, 'username not given'],
    [{ username: 'x' }, 'phone_number not given'],
    [{ username: 'x', phone_number: 5 }, 'phone_number not given'],
    [{ username: 'x', phone_number: '5' }, 'gcm_token not given'],
    [{ username: 'x', phone_number: '5', gcm_token: 'g', device_type: ' ' }, 'device_type not given'],
    [{ ...form, username: 'x'.repeat(17) }, 'username too long'],
    [{ ...form, username: 'y', phone_number: '1'.repeat(16) }, 'phone_number too long'],
    [{ ...form, username: 'y', phone_number: '7', device_type: '123456789' }, 'device_type too long'],
    [{ ...form, username: 'not a name', phone_number: '7' }, 'username not valid'],
    [{ ...form, username: 'TIMUR', phone_number: '7' }, 'username already taken'],
    [{ ...form, username: 'other' }, 'phone_number already registered'],
  ])('of %j fails: %s', async (given, detail) => {
    expect(await ask('POST', '/sign_up', given)).toEqual({ status: 200, body: fails(detail) })
  })

  it('leaves a name and a number free that it did not take', async () => {
    const both = await Promise.all([
      ask('POST', '/sign_up', { ...form, username: 'first', phone_number: '42' }),
      ask('POST', '/sign_up', { ...form, username: 'second', phone_number: '42' }),
    ])
    expect(both.filter(({ body }) => body.token)).toHaveLength(1)
    expect(both.map(({ body }) => body.detail)).toContain('phone_number already registered')
    const free = both[0]?.body.token ? 'second' : 'first'
    expect((await ask('POST', '/sign_up', { ...form, username: free, phone_number: '43' })).body.token).toBeDefined()
  })

  it('answers what cannot be read with 400, and get_token with nothing', async () => {
    expect(await ask('POST', '/sign_up', '{"username":')).toEqual({ status: 400, body: fails('bad request') })
    expect(await ask('POST', '/sign_up', 'x', { 'content-type': 'text/csv' })).toEqual({
      status: 400,
      body: fails('bad request'),
    })
    expect((await ask('POST', '/sign_up', '[]')).body).toEqual(fails('username not given'))
    expect((await ask('POST', '/get_token', { phone_number: '998901234567' })).body).toEqual(fails('not-authenticated'))
    expect((await ask('GET', '/status')).body).toEqual({ status: 'live' })
  })

  it('gives a token to whoever names a phone, when the operator wants the original’s ways', async () => {
    const open = await runServer({ driversSignupExisting: 'return' })
    try {
      const signUp = (body: Record<string, unknown>) => ask('POST', '/sign_up', body, {}, open)
      const { body: first } = await signUp(form)
      const { body: again } = await signUp({ ...form, username: 'whatever' })
      expect(again.user_id).toBe(first.user_id)
      const { body } = await ask('POST', '/get_token', { phone_number: form.phone_number, gcm_token: 'new' }, {}, open)
      expect(body).toMatchObject({ id: first.user_id, username: 'Timur' })
      for (const token of [first.token, again.token, body.token])
        expect((await open.identity.byToken(open.identity.hashToken(token)))?.account.number).toBe(first.user_id)
      expect((await ask('POST', '/get_token', { phone_number: '0' }, {}, open)).body).toEqual(
        fails('phone_number not registered'),
      )
      for (let count = 0; count < 100; count++) expect((await signUp(form)).body.token).toBeDefined()
    } finally {
      await open.stop()
    }
  })
})

describe('who may ask', () => {
  it('is whoever brings a token: bare in the header, in the body, or in the query', async () => {
    const path = '/user_info'
    const form = { user_id: sardor.id }
    expect(await ask('POST', path, form)).toEqual({ status: 200, body: fails('not-authenticated') })
    expect((await ask('POST', path, form, { authorization: 'f'.repeat(32) })).body).toEqual(fails('not-authenticated'))
    expect((await ask('POST', path, form, { authorization: sardor.token })).body.id).toBe(sardor.id)
    expect((await ask('POST', path, { ...form, token: sardor.token })).body.id).toBe(sardor.id)
    expect((await ask('POST', `${path}?token=${sardor.token}`, form)).body.id).toBe(sardor.id)
  })

  it('and speaks for itself, unless it is an admin', async () => {
    expect(await as(ali, '/user_info', { user_id: sardor.id })).toEqual(fails('not-authenticated'))
    expect(await as(ali, '/user_info', { user_id: 'x' })).toEqual(fails('user_id not given'))
    expect((await as(admin, '/user_info', { user_id: String(sardor.id) })).id).toBe(sardor.id)
    expect(await as(admin, '/user_info', { user_id: 999_999 })).toEqual(fails('user not found'))
  })

  it('of GET /rooms, which another protocol serves too, by its bare token', async () => {
    const data = [
      {
        id: 1001,
        subject: 'Talk',
        description: 'of everything',
        owner: { id: robot.id, username: 'VTRobot' },
        created_at: expect.any(Number),
      },
    ]
    expect((await ask('GET', '/rooms', undefined, { authorization: sardor.token })).body).toEqual({ ...OK, data })
    expect((await ask('GET', `/rooms?token=${sardor.token}`)).body).toEqual({ ...OK, data })
    expect((await ask('GET', '/rooms', undefined, { authorization: 'f'.repeat(32) })).body).toEqual(
      fails('not-authenticated'),
    )
    // A Bearer, or nothing, is the other protocol's.
    const bearer = { authorization: `Bearer ${sardor.token}` }
    expect((await ask('GET', '/rooms', undefined, bearer)).body).toEqual({ error_message: null, data: [] })
    expect((await ask('GET', '/rooms')).body).toEqual({ error_message: 'invalid token', data: null })
  })
})

describe('accounts', () => {
  it('are told about, renamed, pictured, banned and let back', async () => {
    const { body } = await ask('POST', '/sign_up', {
      username: 'Dilshod',
      phone_number: '555',
      gcm_token: 'g',
      device_type: 'ios',
    })
    const dilshod = { id: body.user_id, token: body.token }
    const info = {
      id: dilshod.id,
      username: 'Dilshod',
      phone_number: '555',
      roles: null,
      vt: null,
      profile: null,
      joined: clock.now(),
      modified: clock.now(),
    }
    expect(await as(dilshod, '/user_info')).toEqual(info)
    clock.advance(1_000)
    expect(await as(dilshod, '/update_username', { username: 'Sardor' })).toEqual(fails('username already taken'))
    expect(await as(dilshod, '/update_username', { username: 'Dilshodjon' })).toEqual(OK)
    expect(await as(dilshod, '/update_avatar', {})).toEqual(fails('avatar not given'))
    expect(await as(dilshod, '/update_avatar', { avatar: 'http://x/1.png' })).toEqual(OK)
    expect(await as(dilshod, '/user_info')).toEqual({
      ...info,
      username: 'Dilshodjon',
      profile: { avatar: 'http://x/1.png' },
      modified: info.joined + 1_000,
    })
    expect((await as(admin, '/user_info')).roles).toEqual({ admin: true })

    expect(await as(ali, '/ban_user', { user_id: dilshod.id })).toEqual(fails('not-authenticated'))
    expect(await as(ali, '/ban_user')).toEqual(fails('not-authorized'))
    expect(await as(admin, '/ban_user', { user_id: dilshod.id, reason: 'spam' })).toEqual(OK)
    expect(await as(dilshod, '/user_info')).toEqual(fails('banned'))
    expect(await as(admin, '/unban_user', { user_id: dilshod.id })).toEqual(OK)
    expect(await as(admin, '/unban_user', { user_id: dilshod.id })).toEqual(OK)
    expect((await as(dilshod, '/user_info')).id).toBe(dilshod.id)
  })
})

describe('topics', () => {
  it('are made with a title, and listed with their last message', async () => {
    const attrs = { colour: 'red' }
    const created = await as(sardor, '/rooms/1001', { title: ' Garage ', body: 'about cars', attrs })
    expect(created).toEqual({
      ...OK,
      data: {
        id: expect.any(Number),
        title: 'Garage',
        body: 'about cars',
        parent_room: 1001,
        archived: false,
        owner: sardor.id,
        attrs,
        created_at: clock.now(),
        subscribed: false,
      },
    })
    const { id } = created.data
    const empty = { id: null, body: null, sent_at: null, owner: null }
    const shown = {
      id,
      title: 'Garage',
      body: 'about cars',
      parent_room: 1001,
      closed: false,
      subscribed: false,
      owner: { id: sardor.id, username: 'Sardor' },
      attrs,
      created_at: clock.now(),
      closed_at: null,
      last_message: empty,
    }
    expect(await as(ali, '/rooms/1001/topics')).toEqual({ ...OK, data: [shown] })

    expect(await as(ali, `/rooms/1001/topics/${id}/subscribe`)).toEqual(OK)
    expect(await as(ali, `/rooms/1001/topics/${id}/subscribe`)).toEqual(OK)
    const said = await post(`drivers:${id}`, '😀'.repeat(60), ali)
    await as(robot, `/rooms/1001/topics/${id}/subscribe`)
    await post(`drivers:${id}`, 'beep', robot)
    expect((await as(ali, '/rooms/1001/topics')).data).toEqual([
      {
        ...shown,
        subscribed: true,
        last_message: {
          id: said,
          body: '😀'.repeat(50),
          sent_at: clock.now(),
          owner: { id: ali.id, username: 'Ali' },
        },
      },
    ])
    const headers = { authorization: ali.token }
    expect((await ask('GET', `/rooms/1001/topics/${id}/members`, undefined, headers)).body).toEqual([
      { member: { id: ali.id, username: 'Ali', last_seen: 0 }, roles: null, profile: null, vt: null },
      { member: { id: robot.id, username: 'VTRobot', last_seen: 0 }, roles: { robot: true }, profile: null, vt: null },
    ])
    expect(await as(ali, `/rooms/1001/topics/${id}/unsubscribe`)).toEqual(OK)
    expect(await as(ali, `/rooms/1001/topics/${id}/unsubscribe`)).toEqual(OK)
    expect((await as(ali, '/rooms/1001/topics')).data[0].subscribed).toBe(false)
  })

  it('say of their members when each was seen last', async () => {
    const id = await topicIn('seen')
    await as(ali, `/rooms/1001/topics/${id}/subscribe`)
    const socket = await IoParticipant.connect(server.url, new Set(['signin_response']))
    socket.send({ who: 'A', dir: 'C>S', ev: ['signin_request', { token: ali.token }] })
    await socket.until(() => socket.frames.length > 0, 'an answer')
    clock.advance(5_000)
    socket.leave()
    const seen = async () => {
      const headers = { authorization: ali.token }
      const { body } = await ask('GET', `/rooms/1001/topics/${id}/members`, undefined, headers)
      return body[0].member.last_seen
    }
    await expect.poll(seen, { timeout: 5_000 }).toBe(clock.now())
  })

  it('are refused in words', async () => {
    expect(await as(sardor, '/rooms/1001', { body: 'x' })).toEqual(fails('title not given'))
    expect(await as(sardor, '/rooms/1001', { title: 'x'.repeat(33) })).toEqual(fails('title too long'))
    expect(await as(sardor, '/rooms/1001', { title: 'x', body: 'x'.repeat(5_001) })).toEqual(fails('body too long'))
    expect(await as(sardor, '/rooms/1001', { title: 'x', attrs: 'x'.repeat(5_000) })).toEqual(fails('attrs too big'))
    expect(await as(sardor, '/rooms/77', { title: 'x' })).toEqual(fails('room not found'))
    expect(await as(sardor, '/rooms/77/topics')).toEqual(fails('room not found'))
    expect(await as(sardor, '/rooms/1001/topics/99/subscribe')).toEqual(fails('topic not found'))
    expect(await as(sardor, '/rooms/1001/topics/1001/subscribe')).toEqual(fails('topic not found'))
    expect(await as(sardor, '/rooms/1001/topics/x/close')).toEqual(fails('topic not found'))
    const elsewhere = await topicIn('elsewhere')
    expect(await as(sardor, `/rooms/77/topics/${elsewhere}/close`)).toEqual(fails('topic not found'))
  })

  it('are read forwards and backwards, and counted without robots', async () => {
    const id = await topicIn('read')
    await as(ali, `/rooms/1001/topics/${id}/subscribe`)
    await as(robot, `/rooms/1001/topics/${id}/subscribe`)
    const ids: number[] = []
    for (const text of ['one', 'two', 'three']) ids.push(await post(`drivers:${id}`, text, ali))
    ids.push(await post(`drivers:${id}`, 'beep', robot))
    const page = async (path: string, from: unknown, size: unknown = 10) =>
      (await as(sardor, `/rooms/1001/topics/${id}/${path}`, { from, size })).data.map((item: { id: number }) => item.id)
    expect(await page('history', 0)).toEqual(ids)
    expect(await page('history', ids[1], '2')).toEqual([ids[1], ids[2]])
    expect(await page('history_up', ids[2], 2)).toEqual([ids[2], ids[1]])
    expect((await as(sardor, `/rooms/1001/topics/${id}/history`, { from: ids[0], size: 1 })).data).toEqual([
      {
        id: ids[0],
        stamp_id: null,
        topic_id: id,
        owner: { id: ali.id, username: 'Ali' },
        reply_to: null,
        body: 'one',
        attrs: null,
        has_media: false,
        sent_at: clock.now(),
      },
    ])
    const count = async (from: unknown) => as(sardor, `/rooms/1001/topics/${id}/count`, { from })
    expect(await count(ids[1])).toEqual({ ...OK, count: 2 })
    expect(await count(0)).toEqual({ ...OK, count: 3 })
    expect(await count('x')).toEqual(fails('from not given'))
    expect(await as(sardor, `/rooms/1001/topics/${id}/history`, { from: 0 })).toEqual(fails('size not given'))

    expect(await as(ali, `/messages/${ids[0]}/delete`)).toEqual(fails('not-authorized'))
    expect(await as(admin, `/messages/${ids[0]}/delete`)).toEqual(OK)
    expect(await as(admin, '/messages/999999/delete')).toEqual(fails('message not found'))
    expect(await page('history', 0)).toEqual(ids.slice(1))
    expect(await count(0)).toEqual({ ...OK, count: 2 })
  })

  it('are closed, opened and deleted by whoever made them, subscribed or not, and by admins', async () => {
    const id = await topicIn('mine')
    const state = async () =>
      (await as(ali, '/rooms/1001/topics')).data.find((topic: { id: number }) => topic.id === id)
    const change = (person: Person, what: string) => as(person, `/rooms/1001/topics/${id}/${what}`)
    expect(await change(ali, 'close')).toEqual(fails('not-authorized'))
    clock.advance(1_000)
    expect(await change(sardor, 'close')).toEqual(OK)
    expect(await state()).toMatchObject({ closed: true, closed_at: clock.now() })
    expect(await change(sardor, 'close')).toEqual(OK)
    expect(await change(admin, 'open')).toEqual(OK)
    expect(await state()).toMatchObject({ closed: false, closed_at: null })
    expect(await change(sardor, 'subscribe')).toEqual(OK)
    expect(await change(sardor, 'unsubscribe')).toEqual(OK)
    expect(await state()).toMatchObject({ owner: { username: 'Sardor' } })
    expect(await change(ali, 'delete')).toEqual(fails('not-authorized'))
    expect(await change(sardor, 'delete')).toEqual(OK)
    expect(await state()).toBeUndefined()
    expect(await change(sardor, 'delete')).toEqual(OK)
    expect(await change(sardor, 'open')).toEqual(fails('topic not found'))
  })

  it('are closed to whoever is banned from them', async () => {
    const id = await topicIn('strict')
    const headers = { authorization: `Bearer ${server.ownerTokenText}` }
    await ask('POST', `/api/v1/rooms/drivers:${id}/bans`, { user: '@Ali' }, headers)
    const path = `/rooms/1001/topics/${id}`
    expect(await as(ali, `${path}/history`, { from: 0, size: 1 })).toEqual(fails('banned'))
    expect(await as(ali, `${path}/subscribe`)).toEqual(fails('banned'))
  })
})
