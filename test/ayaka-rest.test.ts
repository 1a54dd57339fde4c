// Ayaka's REST, over HTTP against a running node on the embedded log.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let server: TestServer
let clock: VirtualClock
let olga: string
let mark: string
let eve: string
/** numbers that the guild and its first channels got */
let guild: number
let category: number
let channel: number

/** With the JSON content type, body or none, as its clients do. */
const ask = (
  method: string,
  path: string,
  session: string | null = null,
  body?: unknown,
  more: Record<string, string> = {},
) => {
  const named = session === null ? {} : { authorization: session }
  return asking(server.url + path, method, { 'content-type': 'application/json', ...named, ...more }, body)
}

const native = (method: string, path: string, token: string, body?: unknown) =>
  ask(method, `/api/v1${path}`, `Bearer ${token}`, body)

const error = (status: number, words: string) => ({ status, body: { message: `${status}: ${words}`, code: 0 } })
const say = (session: string, content: unknown, to = channel) =>
  ask('POST', `/v3/channels/${to}/messages/create`, session, { content })

beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ storage: 'sqlite', clock })
  olga = (await server.account('olga')).token
  mark = (await server.account('mark')).token
  eve = (await server.account('eve')).token
  guild = (await ask('POST', '/v3/guilds/create', olga, { name: ' Talk ' })).body.id
  const { channels } = (await ask('GET', `/v3/guilds/${guild}`, olga)).body
  category = channels.find(({ type }: { type: number }) => type === 1).id
  channel = channels.find(({ type }: { type: number }) => type === 2).id
  const { code } = (await ask('POST', `/v3/guilds/${guild}/invites`, olga)).body
  expect((await ask('POST', `/v3/guilds/invites/${code}`, mark)).status).toBe(200)
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
})

describe('where the gateway is', () => {
  it('is what the request itself was sent to', async () => {
    const host = new URL(server.url).host
    const port = `${host}/ayaka`
    const [address, number] = host.split(':')
    expect((await ask('GET', '/available')).body).toEqual({
      port,
      port_number: Number(number),
      address,
      url: `ws://${port}`,
    })
    expect((await ask('GET', '/gateway')).body).toEqual({ url: `ws://${port}` })
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, body: 'OK' })
  })

  it('is the public address where there is one', async () => {
    const behind = await runServer({ publicUrl: 'https://chat.example' })
    const response = await fetch(`${behind.url}/available`)
    expect(await response.json()).toEqual({
      port: 'chat.example:443/ayaka',
      port_number: 443,
      address: 'chat.example',
      url: 'wss://chat.example:443/ayaka',
    })
    await behind.stop()
  })
})

describe('other pages', () => {
  it('may ask from origins that are let in', async () => {
    const preflight = async (origin: string, path: string) => {
      const headers = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      }
      const response = await fetch(`${server.url}${path}`, { method: 'OPTIONS', headers })
      return [response.headers.get('access-control-allow-origin'), response.headers.get('access-control-allow-headers')]
    }
    for (const path of ['/v3/guilds/create', '/available']) {
      expect(await preflight('http://localhost:3000', path)).toEqual(['http://localhost:3000', 'authorization'])
      expect((await preflight('https://evil.example', path))[0]).toBeNull()
    }
  })
})

describe('who may ask', () => {
  it('is nobody without a session, or with a wrong one', async () => {
    for (const session of [null, 'f'.repeat(32), 'x y', `Bearer ${olga}`]) {
      expect(await ask('GET', '/v3/users/@me', session)).toMatchObject(error(401, 'Unauthorized'))
      expect(await say(session ?? '', 5)).toMatchObject(error(401, 'Unauthorized'))
    }
  })

  it('is the account itself', async () => {
    expect((await ask('GET', '/v3/users/@me', olga)).body).toEqual({
      id: expect.any(Number),
      username: 'olga',
      separator: '0001',
      avatar_url: null,
      banner_url: null,
      flags: 0,
      verified: false,
      system: false,
    })
    expect((await ask('GET', '/v3/users/@me', server.ownerTokenText)).body).toMatchObject({ flags: 1 })
    const robot = await server.account('robot', 'robot')
    expect((await ask('GET', '/v3/users/@me', robot.token)).body).toMatchObject({ flags: 2 })
  })

  it('is a member: to others there is no guild and no channel', async () => {
    for (const path of [`/guilds/${guild}`, `/guilds/${guild}/members`, `/guilds/${guild}/preview`]) {
      expect(await ask('GET', `/v3${path}`, eve)).toMatchObject(error(404, 'Not Found'))
      expect((await ask('GET', `/v3${path}`, mark)).status).toBe(200)
    }
    expect(await say(eve, 'x')).toMatchObject(error(404, 'Not Found'))
    for (const path of [
      '/guilds/999999',
      `/guilds/${channel}`,
      '/guilds/x',
      '/guilds/-1',
      `/channels/${guild}/messages/1`,
    ]) {
      expect(await ask('GET', `/v3${path}`, olga)).toMatchObject(error(404, 'Not Found'))
    }
    expect(await ask('POST', '/v3/users/login', null, {})).toMatchObject(error(404, 'Not Found'))
  })

  it('is nobody once it has logged out, or is banned', async () => {
    const { token } = await server.account('gone')
    expect((await ask('DELETE', '/v3/users/@me/sessions', token)).status).toBe(204)
    expect((await ask('GET', '/v3/users/@me', token)).status).toBe(401)
    const banned = await server.account('banned')
    await native('POST', `/users/${banned.account.id}/bans`, server.ownerTokenText, {})
    expect(await ask('GET', '/v3/users/@me', banned.token)).toMatchObject(error(403, 'Forbidden'))
  })
})

describe('messages', () => {
  it('are trimmed, kept whole with what is beside them, and read again', async () => {
    const embeds = [{ title: 'x', deep: { a: [1] } }]
    const path = `/v3/channels/${channel}/messages`
    const sent = await ask('POST', `${path}/create`, olga, { content: '  foo\nbar ', tts: true, embeds })
    expect(sent).toMatchObject({ status: 201, body: { content: 'foo\nbar', tts: true, embeds, guild_id: guild } })
    expect(sent.body).toMatchObject({ channel_id: channel, author: { owner: true, nick: null, roles: [] } })
    expect((await ask('GET', `${path}/${sent.body.id}`, mark)).body).toEqual(sent.body)
    const shown = await native('GET', `/rooms/ayaka:${channel}/messages?limit=1`, mark)
    expect(shown.body.items).toMatchObject([{ id: sent.body.id, text: 'foo\nbar', role: 'owner' }])
  })

  it('have a text of 1 to 5000', async () => {
    for (const content of ['', '  ', 'a\0b', 'x'.repeat(5_001), 5, null, undefined]) {
      expect(await say(mark, content)).toMatchObject(error(400, 'Bad Request'))
    }
    expect((await say(mark, 'x'.repeat(5_000))).status).toBe(201)
    for (const more of [{ tts: 'yes' }, { embeds: {} }, { embeds: [5] }]) {
      const body = { content: 'x', ...more }
      expect((await ask('POST', `/v3/channels/${channel}/messages/create`, mark, body)).status).toBe(400)
    }
    expect((await ask('POST', `/v3/channels/${channel}/messages/create`, mark, '{nonsense')).status).toBe(400)
  })

  it('have no place in a category', async () => {
    expect(await say(olga, 'x', category)).toMatchObject(error(400, 'Bad Request'))
  })

  it('are deleted by their author and by who keeps order, once', async () => {
    const { id } = (await say(olga, 'mine')).body
    const path = `/v3/channels/${channel}/messages/${id}`
    expect(await ask('DELETE', path, mark)).toMatchObject(error(403, 'Forbidden'))
    expect(await ask('DELETE', path, olga)).toMatchObject({ status: 200, body: { id, content: 'mine' } })
    expect(await ask('DELETE', path, olga)).toMatchObject(error(404, 'Not Found'))
    expect(await ask('GET', path, olga)).toMatchObject(error(404, 'Not Found'))
    expect(await ask('DELETE', `/v3/channels/${channel}/messages/99999`, olga)).toMatchObject(error(404, 'Not Found'))
  })

  it('are refused to the muted, in a closed room, and to who is banned from the channel', async () => {
    const room = `/rooms/ayaka:${channel}`
    await native('POST', `${room}/mutes`, server.ownerTokenText, { user: '@mark', seconds: 60 })
    expect(await say(mark, 'x')).toMatchObject(error(403, 'Forbidden'))
    clock.advance(60_000)
    expect((await say(mark, 'x')).status).toBe(201)
    await native('PATCH', room, server.ownerTokenText, { mode: 'locked' })
    expect(await say(mark, 'x')).toMatchObject(error(403, 'Forbidden'))
    expect((await say(olga, 'x')).status).toBe(201)
    await native('PATCH', room, server.ownerTokenText, { mode: 'open' })
    await native('POST', `${room}/bans`, server.ownerTokenText, { user: '@mark', seconds: 60 })
    expect(await say(mark, 'x')).toMatchObject(error(403, 'Forbidden'))
    clock.advance(60_000)
    expect((await say(mark, 'x')).status).toBe(201)
  })

  it('are as many as the shared rate allows', async () => {
    const strict = await runServer({ rate: { capacity: 2, perSecond: 1 } })
    const { account, token } = await strict.account('ann')
    const space = await strict.rooms.open({
      name: 's',
      kind: 'space',
      dialect: 'ayaka',
      members: [{ account, role: 'owner' }],
      asker: null,
    })
    if (!space.ok) throw new Error()
    const made = await strict.rooms.open({ name: 'c', parent: space.room.id, aliases: ['ayaka:77'], asker: null })
    expect(made.ok).toBe(true)
    const statuses: number[] = []
    let last: unknown
    for (let sent = 0; sent < 3; sent++) {
      const response = await fetch(`${strict.url}/v3/channels/77/messages/create`, {
        method: 'POST',
        headers: { authorization: token, 'content-type': 'application/json' },
        body: JSON.stringify({ content: `m${sent}` }),
      })
      statuses.push(response.status)
      last = await response.json()
    }
    expect(statuses).toEqual([201, 201, 429])
    expect(last).toEqual({ message: '429: Too Many Requests', code: 0, retry_after: expect.any(Number) })
    await strict.stop()
  })
})

describe('guilds', () => {
  it('are made by anybody, at either address, and numbered with their channels', async () => {
    const made = await ask('POST', '/v3/guilds', eve, { name: 'Other', description: 'd' })
    expect(made).toMatchObject({ status: 201, body: { name: 'Other', description: 'd', emojis: [] } })
    expect(made.body).not.toHaveProperty('channels')
    const { channels } = (await ask('GET', `/v3/guilds/${made.body.id}`, eve)).body
    const numbers = [made.body.id, ...channels.map(({ id }: { id: number }) => id)]
    expect(new Set(numbers).size).toBe(3)
    for (const body of [{}, { name: '' }, { name: 5 }, { name: 'x'.repeat(101) }, { name: 'x', description: 5 }]) {
      expect(await ask('POST', '/v3/guilds/create', eve, body)).toMatchObject(error(400, 'Bad Request'))
    }
  })

  it('take the next number that is free where their own is taken', async () => {
    const { number } = (await native('POST', '/rooms', server.ownerTokenText, { name: 'x' })).body
    const taken = [`ayaka:${number + 2}`, `ayaka:${number + 3}`]
    await native('POST', '/rooms', server.ownerTokenText, { name: 'y', aliases: taken })
    const made = await ask('POST', '/v3/guilds', eve, { name: 'Moved' })
    expect(made.body.id).toBe(number + 4)
  })

  it('are changed by their owner', async () => {
    const path = `/v3/guilds/${guild}`
    expect(await ask('PATCH', path, mark, { name: 'x' })).toMatchObject(error(403, 'Forbidden'))
    const changed = await ask('PATCH', path, olga, { description: 'about it' })
    expect(changed).toMatchObject({ status: 200, body: { id: guild, name: 'Talk', description: 'about it' } })
    expect((await ask('PATCH', path, olga, {})).body).toEqual(changed.body)
    expect((await ask('GET', `${path}/preview`, mark)).body).toEqual(changed.body)
    expect((await ask('PATCH', path, olga, { name: 5 })).status).toBe(400)
  })

  it('list who is in them, since when', async () => {
    const before = (await ask('GET', `/v3/guilds/${guild}/members`, olga)).body
    expect(before).toMatchObject([
      { user: { username: 'olga' }, owner: true, joined_at: expect.any(String) },
      { user: { username: 'mark' }, owner: false },
    ])
    // Another role does not make a newcomer.
    clock.advance(5_000)
    await native('PUT', `/rooms/ayaka:${guild}/members/@mark`, olga, { role: 'mod' })
    expect((await ask('GET', `/v3/guilds/${guild}/members`, olga)).body).toEqual(before)
    await native('PUT', `/rooms/ayaka:${guild}/members/@mark`, olga, { role: 'member' })
  })

  it('are entered by an invite of who keeps order, once', async () => {
    expect(await ask('POST', `/v3/guilds/${guild}/invites`, mark)).toMatchObject(error(403, 'Forbidden'))
    const { code } = (await ask('POST', `/v3/guilds/${guild}/invites`, olga)).body
    const { token } = await server.account('zoe')
    const joined = await ask('POST', `/v3/guilds/invites/${code}`, token)
    expect(joined).toMatchObject({ status: 200, body: { user: { username: 'zoe' }, owner: false, deaf: false } })
    expect(await ask('POST', `/v3/guilds/invites/${code}`, token)).toMatchObject(
      error(409, 'You are already in this guild'),
    )
    for (const wrong of ['f'.repeat(32), 'x']) {
      expect(await ask('POST', `/v3/guilds/invites/${wrong}`, token)).toMatchObject(error(404, 'Not Found'))
    }
    await native('POST', `/rooms/ayaka:${guild}/bans`, olga, { user: '@eve' })
    expect(await ask('POST', `/v3/guilds/invites/${code}`, eve)).toMatchObject(error(403, 'Forbidden'))
  })

  it('get channels from who keeps order', async () => {
    const path = `/v3/guilds/${guild}/channels/create`
    const made = await ask('POST', path, olga, { name: 'x', type: 2, inside_of: category })
    expect(made).toMatchObject({ status: 201, body: { name: 'x', type: 2, inside_of: category, position: 1 } })
    expect(made.body).toMatchObject({ guild_id: guild, description: '' })
    expect((await say(mark, 'in the new one', made.body.id)).status).toBe(201)
    expect(await ask('POST', path, mark, { name: 'x' })).toMatchObject(error(403, 'Forbidden'))
    for (const body of [{}, { name: 'x', type: 3 }, { name: 'x', inside_of: channel }, { name: 'x', inside_of: 'y' }]) {
      expect(await ask('POST', path, olga, body)).toMatchObject(error(400, 'Bad Request'))
    }
  })

  it('are deleted with their channels by their owner', async () => {
    const { id } = (await ask('POST', '/v3/guilds', olga, { name: 'Short' })).body
    const [, short] = (await ask('GET', `/v3/guilds/${id}`, olga)).body.channels
    expect(await ask('DELETE', `/v3/guilds/${id}`, mark)).toMatchObject(error(404, 'Not Found'))
    expect((await ask('DELETE', `/v3/guilds/${guild}`, mark)).status).toBe(403)
    expect((await ask('DELETE', `/v3/guilds/${id}`, olga)).status).toBe(204)
    for (const path of [`/guilds/${id}`, `/guilds/${id}/members`]) {
      expect(await ask('GET', `/v3${path}`, olga)).toMatchObject(error(404, 'Not Found'))
    }
    expect(await say(olga, 'x', short.id)).toMatchObject(error(404, 'Not Found'))
    const rest = await native('POST', `/rooms/ayaka:${short.id}/messages`, olga, { text: 'x' })
    expect(rest).toMatchObject({ status: 410, body: { code: 'room-archived' } })
  })
})

describe('members of a space', () => {
  it('speak in its channels over the native API, too, with the role they have in the space', async () => {
    const path = `/rooms/ayaka:${channel}/messages`
    expect(await native('POST', path, olga, { text: 'native' })).toMatchObject({ status: 201, body: { role: 'owner' } })
    const { body } = await native('POST', path, mark, { text: 'of mark' })
    expect((await native('PATCH', `${path}/${body.id}`, mark, { text: 'changed' })).status).toBe(200)
    expect((await native('DELETE', `${path}/${body.id}`, olga)).status).toBe(204)
    expect((await native('POST', `${path}/${body.id}/restore`, olga)).status).toBe(201)
  })
})
