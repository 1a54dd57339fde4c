// The native REST API, over HTTP against a running node on the embedded log.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { describedBy } from './described.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'
import { metric } from './witness.ts'

let server: TestServer
let clock: VirtualClock
let bob: string
let ann: string
let described: ReturnType<typeof describedBy>
beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ storage: 'sqlite', clock })
  described = describedBy((await asking(`${server.url}/api/v1/openapi.json`, 'GET', {})).body)
  bob = (await server.account('bob')).token
  ann = (await server.account('ann')).token
})
afterAll(() => server.stop())

const ask = async (
  method: string,
  path: string,
  body?: unknown,
  token: string | null = server.ownerTokenText,
  more: Record<string, string> = {},
) => {
  const named = token === null ? {} : { authorization: `Bearer ${token}` }
  const url = path.startsWith('/api') ? path : `/api/v1${path}`
  const answer = await asking(`${server.url}${url}`, method, { ...named, ...more }, body)
  // Every answer that these tests see is as the API describes itself.
  described(method, url, answer.status, answer.headers.get('content-type'), answer.body)
  return answer
}

const room = async (alias: string, members: unknown[] = []) => {
  const { status, body } = await ask('POST', '/rooms', { name: alias, aliases: [alias], members })
  expect(status).toBe(201)
  return body
}

describe('who may ask', () => {
  it('is nobody without a token, or with a wrong one', async () => {
    for (const token of [null, 'f'.repeat(32), 'x']) {
      const { status, body, headers } = await ask('GET', '/rooms', undefined, token)
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
      expect(headers.get('content-type')).toContain('application/problem+json')
      expect(body).toMatchObject({ code: 'user-required', status: 401, correlationId: headers.get('x-correlation-id') })
    }
  })

  it('is an admin for accounts, rooms, facts and moderation, and refusals are on record', async () => {
    for (const [method, path, body] of [
      ['POST', '/users', { username: 'new' }],
      ['POST', '/rooms', { name: 'new' }],
      ['GET', '/facts', undefined],
      ['GET', '/moderation', undefined],
      ['GET', '/connections', undefined],
    ] as const) {
      expect(await ask(method, path, body, bob)).toMatchObject({ status: 403, body: { code: 'not-authorized' } })
    }
    expect((await ask('POST', '/rooms/moneypot:2/mutes', { user: '@ann' }, bob)).status).toBe(403)
    const { position } = (await ask('GET', '/facts?limit=1')).body
    const { body } = await ask('GET', `/connections?user=@bob&atLeast=${position}`)
    expect(body.items).toMatchObject([{ dialect: 'rest', state: 'authenticated.active', refusals: 6 }])
    const timeline = await ask('GET', `/connections/${body.items[0].id}/timeline`, undefined, bob)
    expect(timeline.body.items.map(({ type }: { type: string }) => type)).toEqual([
      'ConnectionOpened',
      'AuthSucceeded',
      ...Array.from({ length: 6 }, () => 'CommandRefused'),
    ])
    expect(timeline.body.items[2].data).toMatchObject({ command: 'POST /api/v1/users', code: 'not-authorized' })
    expect(timeline.body.items.at(-1).data).toMatchObject({
      command: 'mute.set',
      code: 'not-authorized',
      guard: 'isNotStaff',
    })
    expect((await ask('GET', `/connections/${body.items[0].id}/timeline`, undefined, ann)).status).toBe(404)
  })

  it('is a member, or an admin, for the record of a room that is not open to all', async () => {
    const made = await ask('POST', '/rooms', { name: 'private', members: [{ user: '@bob', role: 'owner' }] })
    const path = `/rooms/${made.body.id}`
    await ask('POST', `${path}/messages`, { text: 'between us' }, bob)
    const reads = [path, `${path}/messages`, `${path}/members`, `${path}/reads`, `${path}/mutes`, `${path}/bans`]
    const statuses = (token: string) =>
      Promise.all(reads.map(async (read) => (await ask('GET', read, undefined, token)).status))
    const listed = async (token: string) =>
      (await ask('GET', '/rooms?limit=500', undefined, token)).body.items.map(({ name }: { name: string }) => name)
    expect(await statuses(server.ownerTokenText)).toEqual([200, 200, 200, 200, 200, 200])
    expect(await statuses(bob)).toEqual([200, 200, 200, 200, 200, 200])
    expect(await listed(bob)).toEqual(['lobby', 'private'])
    expect(await statuses(ann)).toEqual([404, 404, 404, 404, 404, 404])
    expect(await listed(ann)).toEqual(['lobby'])
    await ask('PUT', `${path}/members/@ann`, {}, bob)
    expect(await statuses(ann)).toEqual([200, 200, 200, 200, 200, 403])
    await ask('POST', `${path}/bans`, { user: '@ann' }, bob)
    expect(await statuses(ann)).toEqual([404, 404, 404, 404, 404, 404])
    // Whoever belongs to a space reads its channels.
    const space = await ask('POST', '/rooms', { name: 'space', kind: 'space', members: ['@ann'] })
    const channel = await ask('POST', '/rooms', { name: 'channel', parent: space.body.id })
    expect((await ask('GET', `/rooms/${channel.body.id}/messages`, undefined, ann)).status).toBe(200)
    expect((await ask('GET', `/rooms/${channel.body.id}/messages`, undefined, bob)).status).toBe(404)
    expect(await listed(ann)).toEqual(['lobby', 'space', 'channel'])
  })

  it('is not a guest from beyond a proxy', async () => {
    const guest = (headers: Record<string, string>) => ask('POST', '/guests', { username: 'guest' }, null, headers)
    for (const header of ['X-Forwarded-For', 'Forwarded', 'Via', 'X-Real-IP']) {
      expect((await guest({ [header]: '127.0.0.1' })).status).toBe(403)
    }
    expect((await guest({})).status).toBe(201)
    expect(await guest({})).toMatchObject({ status: 409, body: { code: 'name-taken' } })
  })
})

describe('other pages and addresses', () => {
  const from = (headers: Record<string, string>, method = 'GET', path = '/api/v1/rooms') =>
    fetch(`${server.url}${path}`, { method, headers: { authorization: `Bearer ${bob}`, ...headers } })

  it('call with credentials from allowed origins only', async () => {
    const echoed = async (origin: string) => (await from({ origin })).headers.get('access-control-allow-origin')
    expect(await echoed('http://localhost:3000')).toBe('http://localhost:3000')
    expect(await echoed('https://evil.example')).toBeNull()
    const asked = { origin: 'http://localhost:3000', 'access-control-request-method': 'PATCH' }
    const preflight = await from(asked, 'OPTIONS')
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH')
  })

  it('are limited by address, told how long to wait, and a proxy that is not trusted is told of once', async () => {
    await server.stop()
    const warnings: string[] = []
    const guests = 'on' as const
    server = await runServer({ storage: 'sqlite', clock, guests, onWarning: (text) => warnings.push(text) })
    bob = (await server.account('bob')).token
    ann = (await server.account('ann')).token
    const proxied = { 'x-forwarded-for': '203.0.113.7' }
    const guest = (name: string) => ask('POST', '/guests', { username: name }, null, proxied)
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => guest(`guest${index}`)))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(10)
    expect(limited[0]?.body).toMatchObject({ code: 'rate-limited', correlationId: expect.any(String) })
    expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
    // Requests of this machine itself are not.
    expect((await ask('POST', '/guests', { username: 'local' }, null)).status).toBe(201)
    expect(warnings).toEqual([expect.stringContaining('HANSARD_TRUST_PROXY')])
  })
})

describe('accounts', () => {
  it('have a number, a name and a role, and are found by each', async () => {
    const made = await ask('POST', '/users', { username: 'Dörte', role: 'robot' })
    expect(made).toMatchObject({
      status: 201,
      body: { username: 'Dörte', role: 'robot', token: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
    const { id, number } = made.body
    for (const reference of [id, '@dörte', `#${number}`]) {
      expect(await ask('GET', `/users/${encodeURIComponent(reference)}`)).toMatchObject({
        status: 200,
        body: { id, number },
      })
    }
    expect((await ask('GET', '/users/@nobody')).status).toBe(404)
    expect((await ask('POST', '/users', { username: 'DÖRTE' })).body.code).toBe('name-taken')
    expect((await ask('POST', '/users', { username: '0wner' })).body.code).toBe('name-taken')
    expect((await ask('POST', '/users', { username: 'a b' })).body).toMatchObject({
      code: 'name-invalid',
      values: { field: 'username' },
    })
    expect((await ask('PATCH', `/users/${id}`, { username: 'Dora' })).body.username).toBe('Dora')
    expect((await ask('GET', '/users/@dörte')).status).toBe(404)
    expect((await ask('POST', '/users', { username: 'Dörte' })).status).toBe(201)
  })

  it('have tokens that are shown once and end when revoked', async () => {
    const issued = await ask('POST', '/users/@ann/tokens', { label: ' her phone ' })
    expect(issued.status).toBe(201)
    const labels = (await ask('GET', '/users/@ann/tokens', undefined, ann)).body.items.map(
      ({ label }: { label: string | null }) => label,
    )
    expect(labels).toEqual([null, 'her phone'])
    expect((await ask('GET', '/users/@ann', undefined, issued.body.token)).status).toBe(200)
    expect(JSON.stringify((await ask('GET', '/users/@ann/tokens', undefined, ann)).body)).not.toContain('hash')
    expect((await ask('GET', '/users/@ann/tokens', undefined, bob)).status).toBe(403)
    expect((await ask('DELETE', `/users/@ann/tokens/${issued.body.id}`, undefined, ann)).status).toBe(204)
    expect((await ask('GET', '/users/@ann', undefined, issued.body.token)).status).toBe(401)
    const facts = await ask('GET', '/facts?type=TokenIssued&limit=500')
    expect(facts.body.items.length).toBeGreaterThan(3)
    for (const { data } of facts.body.items)
      expect(Object.keys(data).filter((key) => key !== 'label')).toEqual(['token'])
  })

  it('that are banned may ask nothing until the ban ends', async () => {
    const { token } = await server.account('mallory')
    expect((await ask('POST', '/users/@mallory/bans', { seconds: 60, reason: 'spam' })).body).toMatchObject({
      reason: 'spam',
      by: { username: 'owner' },
    })
    expect(await ask('GET', '/rooms', undefined, token)).toMatchObject({ status: 403, body: { code: 'banned' } })
    clock.advance(60_000)
    await expect.poll(async () => (await ask('GET', '/rooms', undefined, token)).status).toBe(200)
  })
})

describe('messages', () => {
  it('are read as written, page by page, and as of any moment', async () => {
    const { id, aliases } = await room('moneypot:41', ['@bob'])
    expect(aliases).toEqual(['moneypot:41'])
    const ids: number[] = []
    const positions: string[] = []
    for (let index = 1; index <= 5; index++) {
      clock.advance(1_000)
      const { status, body } = await ask('POST', '/rooms/moneypot:41/messages', { text: ` m${index} ` }, bob)
      expect(status).toBe(201)
      ids.push(body.id)
      positions.push(body.position)
    }
    const texts = async (query: string) =>
      (await ask('GET', `/rooms/${id}/messages?${query}`)).body.items.map(({ text }: { text: string }) => text)
    expect(await texts('')).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'])
    expect(await texts('limit=2')).toEqual(['m4', 'm5'])
    expect(await texts(`limit=2&before=${ids[3]}`)).toEqual(['m2', 'm3'])
    expect(await texts('limit=2&after=0')).toEqual(['m1', 'm2'])
    expect(await texts(`after=${ids[1]}`)).toEqual(['m3', 'm4', 'm5'])
    expect(await texts(`at=${positions[1]}`)).toEqual(['m1', 'm2'])
    expect(await texts(`at=${new Date(clock.now() - 1_000).toISOString()}`)).toEqual(['m1', 'm2', 'm3', 'm4'])

    const edited = await ask('PATCH', `/rooms/moneypot:41/messages/${ids[0]}`, { text: 'better' }, bob)
    expect(edited.body).toMatchObject({ text: 'better', edited: true })
    expect((await ask('PATCH', `/rooms/moneypot:41/messages/${ids[0]}`, { text: 'not mine' }, ann)).status).toBe(403)
    expect((await ask('DELETE', `/rooms/moneypot:41/messages/${ids[1]}?reason=spam`)).status).toBe(204)
    const now = (await ask('GET', '/rooms/moneypot:41/messages')).body.items
    expect(now[0].text).toBe('better')
    expect(now[1]).toMatchObject({ text: null, removed: { reason: 'spam', by: { username: 'owner' } } })
    expect((await ask('POST', `/rooms/moneypot:41/messages/${ids[1]}/restore`)).body.text).toBe('m2')
    expect(await texts(`at=${positions[4]}`)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'])
    expect((await ask('DELETE', '/rooms/moneypot:41/messages/999999')).status).toBe(404)
  })

  it('that were removed are read by staff alone, at no moment by others, and who read them is on record', async () => {
    const { id } = await room('moneypot:140', ['@ann', { user: '@bob', role: 'mod' }])
    const { id: said, position } = (await ask('POST', `/rooms/${id}/messages`, { text: 'a secret' }, ann)).body
    await ask('POST', `/rooms/${id}/messages`, { text: 'hello' }, ann)
    const read = async (query: string, who: string) =>
      (await ask('GET', `/rooms/${id}/messages?${query}`, undefined, who)).body
    const texts = async (query: string, who: string) =>
      (await read(query, who)).items.map(({ text }: { text: string | null }) => text)
    const noted = async () => {
      const { position: end } = (await ask('GET', '/facts?limit=1')).body
      return (await ask('GET', `/moderation?room=${id}&kind=RemovedTextRead&atLeast=${end}`)).body.items
    }
    expect(await texts('removed=read', bob)).toEqual(['a secret', 'hello'])
    await ask('DELETE', `/rooms/${id}/messages/${said}?reason=no`, undefined, bob)
    // Asking about the moment before does not bring it back.
    for (const who of [ann, bob])
      for (const when of ['', `at=${position}`]) {
        const [removed] = (await read(when, who)).items
        expect(removed).toMatchObject({ id: said, text: null, removed: { reason: 'no', by: { username: 'bob' } } })
      }
    expect(await read('removed=read', ann)).toMatchObject({ status: 403, code: 'not-authorized' })
    expect(await noted()).toEqual([])
    expect(await texts('removed=read', bob)).toEqual(['a secret', 'hello'])
    const then = (await read(`removed=read&at=${position}`, bob)).items
    expect(then).toEqual([expect.not.objectContaining({ removed: expect.anything() })])
    expect(then[0].text).toBe('a secret')
    const twice = { by: { username: 'bob' }, target: null, detail: { ids: [said] } }
    expect(await noted()).toMatchObject([twice, twice])
  })

  it('of the muted are refused under whichever name, until the mute is lifted by any', async () => {
    const { account, token } = await server.account('loud')
    const { id } = await room('moneypot:141', [account.id])
    const post = () => ask('POST', `/rooms/${id}/messages`, { text: 'hi' }, token)
    const mute = async () => (await ask('POST', `/rooms/${id}/mutes`, { user: account.id })).body.user
    expect(await mute()).toEqual({ id: account.id, number: account.number, username: 'loud' })
    expect((await ask('PATCH', `/users/${account.id}`, { username: 'quiet' }, token)).status).toBe(200)
    expect((await post()).body.code).toBe('muted')
    const [listed] = (await ask('GET', `/rooms/${id}/mutes`)).body.items
    expect(listed.user).toEqual({ id: account.id, number: account.number, username: 'loud' })
    expect((await ask('DELETE', `/rooms/${id}/mutes/@quiet`)).status).toBe(204)
    expect((await post()).status).toBe(201)
    await mute()
    await ask('PATCH', `/users/${account.id}`, { username: 'silent' }, token)
    expect((await ask('DELETE', `/rooms/${id}/mutes/@quiet`)).status).toBe(204)
    expect((await post()).status).toBe(201)
    expect((await ask('DELETE', `/rooms/${id}/mutes/${account.id}`)).body.code).toBe('not-muted')
  })

  it('with a reference are stored once, also in parallel', async () => {
    await room('moneypot:42', ['@bob'])
    const posts = await Promise.all(
      Array.from({ length: 5 }, () => ask('POST', '/rooms/moneypot:42/messages', { text: 'once', ref: 'r' }, bob)),
    )
    expect(new Set(posts.map(({ body }) => body.id)).size).toBe(1)
    expect((await ask('GET', '/rooms/moneypot:42/messages')).body.items).toHaveLength(1)
    expect(await ask('POST', '/rooms/moneypot:42/messages', { text: 'other', ref: 'r' }, bob)).toMatchObject({
      status: 409,
      body: { code: 'ref-reused' },
    })
  })

  it('are refused blank, too long, from strangers and from the muted', async () => {
    await room('moneypot:43', ['@bob'])
    const post = (text: string, token: string) => ask('POST', '/rooms/moneypot:43/messages', { text }, token)
    expect((await post('  ', bob)).body.code).toBe('text-empty')
    expect((await post('x'.repeat(5_001), bob)).body.code).toBe('text-too-long')
    expect((await post('x'.repeat(5_000), bob)).status).toBe(201)
    expect((await post('hi', ann)).body.code).toBe('not-a-member')
    await ask('POST', '/rooms/moneypot:43/mutes', { user: '@bob', seconds: 60 })
    expect((await post('hi', bob)).body).toMatchObject({ code: 'muted', values: { until: expect.any(Number) } })
    expect((await ask('DELETE', '/rooms/moneypot:43/mutes/@bob')).status).toBe(204)
    expect((await post('hi', bob)).status).toBe(201)
    expect((await ask('DELETE', '/rooms/moneypot:43/mutes/@bob')).body.code).toBe('not-muted')
  })

  it('are refused from the muted under their next name, too, and under the one that somebody else takes', async () => {
    const shed = await server.account('shed')
    await room('moneypot:144', ['@shed'])
    const mutes = '/rooms/moneypot:144/mutes'
    const post = (token: string) => ask('POST', '/rooms/moneypot:144/messages', { text: 'hi' }, token)
    await ask('POST', mutes, { user: '@shed', seconds: 60 })
    expect((await ask('PATCH', '/users/@shed', { username: 'reshed' }, shed.token)).status).toBe(200)
    expect((await post(shed.token)).body.code).toBe('muted')
    const other = await server.account('shed')
    await ask('PUT', '/rooms/moneypot:144/members/@shed')
    expect((await post(other.token)).status).toBe(201)
    await ask('POST', mutes, { user: '@shed' })
    expect((await post(shed.token)).body.code).toBe('muted')
    const first = await ask('GET', `${mutes}?limit=1`)
    const second = await ask('GET', `${mutes}?limit=1&cursor=${encodeURIComponent(first.body.next)}`)
    const listed = [first, second].flatMap(({ body }) =>
      body.items.map(({ user }: { user: { id: string } }) => user.id),
    )
    expect(listed.sort()).toEqual([shed.account.id, other.account.id].sort())
    expect((await ask('DELETE', `${mutes}/@reshed`)).status).toBe(204)
    expect((await post(shed.token)).status).toBe(201)
    expect((await post(other.token)).body.code).toBe('muted')
    const acts = (await ask('GET', '/moderation?kind=UserUnmuted&limit=1')).body.items
    expect(acts).toMatchObject([{ target: { id: shed.account.id } }])
  })
})

describe('rooms', () => {
  it('have members with roles, invites, modes and an end', async () => {
    await room('moneypot:44', [{ user: '@bob', role: 'owner' }])
    expect((await ask('POST', '/rooms', { name: 'x', aliases: ['moneypot:44'] })).body.code).toBe('alias-taken')
    expect((await ask('PUT', '/rooms/moneypot:44/members/@ann', { role: 'mod' }, bob)).status).toBe(204)
    const members = (await ask('GET', '/rooms/moneypot:44/members')).body.items
    expect(
      members.map(({ user, role }: { user: { username: string }; role: string }) => `${user.username} ${role}`),
    ).toEqual(['bob owner', 'ann mod'])
    const invite = await ask('POST', '/rooms/moneypot:44/invites', undefined, bob)
    const { token } = await server.account('cyd')
    expect((await ask('POST', `/invites/${invite.body.code}`, undefined, token)).status).toBe(201)
    expect((await ask('POST', '/rooms/moneypot:44/messages', { text: 'hi' }, token)).status).toBe(201)
    expect((await ask('POST', `/invites/${'0'.repeat(32)}`, undefined, token)).status).toBe(404)
    expect((await ask('PATCH', '/rooms/moneypot:44', { mode: 'slow' }, bob)).body.values).toMatchObject({
      field: 'slowSeconds',
    })
    expect((await ask('PATCH', '/rooms/moneypot:44', { mode: 'locked', name: 'closed' }, bob)).body).toMatchObject({
      mode: 'locked',
      name: 'closed',
    })
    expect((await ask('POST', '/rooms/moneypot:44/messages', { text: 'hi' }, token)).body.code).toBe('room-closed')
    expect((await ask('DELETE', '/rooms/moneypot:44', undefined, token)).status).toBe(403)
    expect((await ask('DELETE', '/rooms/moneypot:44', undefined, bob)).status).toBe(204)
    expect((await ask('POST', '/rooms/moneypot:44/messages', { text: 'hi' }, bob)).status).toBe(410)
    const log = (await ask('GET', '/moderation?room=moneypot:44')).body.items.map(({ act }: { act: string }) => act)
    expect(log).toEqual(expect.arrayContaining(['RoomArchived', 'RoomChanged']))
  })

  it('of a space end with it, and not because somebody asks who may not end it', async () => {
    const space = (await ask('POST', '/rooms', { name: 'guild', kind: 'space', owner: '@bob', members: ['@ann'] })).body
      .id
    const members = [{ user: '@ann', role: 'owner' }]
    const channel = (await ask('POST', '/rooms', { name: 'hers', parent: space, members })).body.id
    const mode = async (id: string) => (await ask('GET', `/rooms/${id}`)).body.mode
    expect((await ask('DELETE', `/rooms/${space}`, undefined, ann)).status).toBe(403)
    expect(await mode(channel)).toBe('open')
    expect((await ask('DELETE', `/rooms/${space}`, undefined, bob)).status).toBe(204)
    expect([await mode(channel), await mode(space)]).toEqual(['archived', 'archived'])
    const other = (await ask('POST', '/rooms', { name: 'guild', kind: 'space' })).body.id
    const within = (await ask('POST', '/rooms', { name: 'within', parent: other })).body.id
    expect((await ask('DELETE', `/rooms/${other}`)).status).toBe(204)
    expect([await mode(within), await mode(other)]).toEqual(['archived', 'archived'])
  })

  it('are listed page by page', async () => {
    const all: number[] = []
    let cursor = ''
    do {
      const { body } = await ask('GET', `/rooms?limit=2${cursor}`)
      all.push(...body.items.map(({ number }: { number: number }) => number))
      cursor = body.next === null ? '' : `&cursor=${body.next}`
    } while (cursor !== '')
    expect(all).toEqual([...new Set(all)].sort((a, b) => a - b))
    expect(all.length).toBeGreaterThanOrEqual(5)
  })
})

describe('facts', () => {
  it('come as pages, or as events that resume where a reader was', async () => {
    const page = await ask('GET', '/facts?type=RoomOpened&limit=2')
    expect(page.body.items).toHaveLength(2)
    const next = await ask('GET', `/facts?type=RoomOpened&limit=2&from=${page.body.next}`)
    expect(next.body.items[0].position).not.toBe(page.body.items[1].position)
    const gone = new AbortController()
    const response = await fetch(`${server.url}/api/v1/facts?type=RoomOpened`, {
      headers: {
        authorization: `Bearer ${server.ownerTokenText}`,
        accept: 'text/event-stream',
        'last-event-id': page.body.items[0].position,
      },
      signal: gone.signal,
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    let heard = ''
    const reading = (async () => {
      for await (const chunk of response.body as ReadableStream<Uint8Array>) heard += Buffer.from(chunk).toString()
    })().catch(() => {})
    await expect.poll(() => heard).toContain('event: caught-up')
    expect(heard).toContain(`id: ${page.body.items[1].position}`)
    expect(heard.startsWith(':\n\n')).toBe(true)
    expect(heard).not.toContain(`id: ${page.body.items[0].position}`)
    await room('moneypot:45')
    await expect.poll(() => heard.slice(heard.indexOf('caught-up'))).toContain('moneypot:45')
    gone.abort()
    await reading
  })

  it('are told to nobody who has lost the token, the role or the standing for it', async () => {
    const listen = async (token: string, path = '/facts') => {
      const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
      const { body, status } = await fetch(`${server.url}/api/v1${path}`, { headers })
      expect(status).toBe(200)
      const over = { is: false }
      const read = async () => {
        for await (const _ of body as ReadableStream<Uint8Array>);
        over.is = true
      }
      return { over, ended: read().catch(() => {}) }
    }
    const admin = async (username: string) => (await ask('POST', '/users', { username, role: 'admin' })).body
    const [kept, ...people] = await Promise.all(['a0', 'a1', 'a2', 'a3'].map(admin))
    const streams = await Promise.all(people.flatMap((who) => [listen(who.token), listen(who.token, '/recording')]))
    const own = await listen(kept?.token ?? '')
    const [{ id }] = (await ask('GET', '/users/@a1/tokens')).body.items
    expect((await ask('DELETE', `/users/@a1/tokens/${id}`)).status).toBe(204)
    expect((await ask('PATCH', '/users/@a2', { role: 'member' })).status).toBe(200)
    expect((await ask('POST', '/users/@a3/bans', {})).status).toBe(201)
    await Promise.all(streams.map(({ ended }) => ended))
    expect([...streams, own].map(({ over }) => over.is)).toEqual([...streams.map(() => true), false])
    expect((await ask('DELETE', '/users/@a3/bans')).status).toBe(204)
  })

  it('have no text of a message that is removed, and no code of an invite', async () => {
    const { id } = await room('moneypot:47')
    await ask('POST', `/rooms/${id}/messages`, { text: 'shown' })
    const said = (await ask('POST', `/rooms/${id}/messages`, { text: 'regretted' })).body
    const { code } = (await ask('POST', `/rooms/${id}/invites`)).body
    await ask('DELETE', `/rooms/${id}/messages/${said.id}`)
    const path = `/facts?stream=room-${id}`
    const { items } = (await ask('GET', path)).body
    const texts = items.flatMap(
      ({ data }: { data: { text?: string; removed?: true } }) => data.text ?? data.removed ?? [],
    )
    expect(texts).toEqual(['shown', true])
    const gone = new AbortController()
    const response = await fetch(`${server.url}/api/v1${path}`, {
      headers: { authorization: `Bearer ${server.ownerTokenText}`, accept: 'text/event-stream' },
      signal: gone.signal,
    })
    let heard = ''
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      heard += Buffer.from(chunk).toString()
      if (heard.includes('caught-up')) break
    }
    gone.abort()
    expect(heard).toContain('shown')
    for (const hidden of ['regretted', code]) expect(JSON.stringify(items) + heard).not.toContain(hidden)
  })

  it('are those of a moment, as the read models’ rows are', async () => {
    const { id } = await room('moneypot:46')
    const said = (await ask('POST', `/rooms/${id}/messages`, { text: 'before' })).body
    clock.advance(1_000)
    await ask('POST', `/rooms/${id}/messages`, { text: 'after' })
    const texts = async (query: string) =>
      (await ask('GET', `/facts?stream=room-${id}&type=MessagePosted${query}`)).body.items.map(
        ({ data }: { data: { text: string } }) => data.text,
      )
    expect(await texts('')).toEqual(['before', 'after'])
    expect(await texts(`&at=${said.position}`)).toEqual(['before'])
    expect(await texts(`&at=${said.at}`)).toEqual(['before'])
    expect(await texts(`&at=${new Date(clock.now()).toISOString()}&limit=1`)).toEqual(['before'])
  })

  it('are not gone on from where there is no place: that is said, and of which parameter', async () => {
    const { position } = (await ask('GET', '/facts?limit=1')).body
    const epoch = position.replace(/-[0-9]+$/, '')
    const beyond = `${epoch}-${(await server.log.head()) + 1}`
    const refused = await ask('GET', `/facts?from=${beyond}`)
    expect([refused.status, refused.body.detail]).toEqual([
      400,
      expect.stringMatching(/^from: .* no place in this log/),
    ])
    const headers = { authorization: `Bearer ${server.ownerTokenText}`, accept: 'text/event-stream' }
    const following = (more: object, query = '') =>
      fetch(`${server.url}/api/v1/facts${query}`, { headers: { ...headers, ...more } })
    const resumed = await following({ 'last-event-id': beyond })
    expect(resumed.headers.get('content-type')).toBe('application/problem+json')
    expect([resumed.status, await resumed.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringMatching(/^Last-Event-ID: /) }),
    ])
    const begun = await following({}, `?from=${beyond}`)
    expect([begun.status, await begun.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringMatching(/^from: /) }),
    ])
    expect((await ask('GET', `/facts?from=${position}`)).body.items).toEqual([])
  })

  it('name the connection of whoever asked, and the correlation id of the answer', async () => {
    const { token, account } = await server.account('named')
    await room('moneypot:145', [{ user: '@named', role: 'owner' }])
    const acts = [
      ['UserRenamed', await ask('PATCH', '/users/@named', { username: 'renamed' }, token)],
      ['RoomChanged', await ask('PATCH', '/rooms/moneypot:145', { name: 'another' }, token)],
      ['InviteCreated', await ask('POST', '/rooms/moneypot:145/invites', undefined, token)],
      ['TokenIssued', await ask('POST', '/users/@renamed/tokens', undefined, token)],
    ] as const
    const connections = new Set<string>()
    for (const [type, { status, headers }] of acts) {
      expect(status, type).toBeLessThan(300)
      const correlationId = headers.get('x-correlation-id')
      const { items } = (await ask('GET', `/facts?type=${type}&limit=500`)).body
      const { metadata } = items.find(
        (fact: { metadata: { $correlationId: string } }) => fact.metadata.$correlationId === correlationId,
      )
      expect(metadata.by, type).toBe(account.id)
      connections.add(metadata.connection)
    }
    const [connection, ...others] = connections
    expect(others).toEqual([])
    expect((await ask('GET', `/facts?stream=connection-${connection}`)).body.items[0]).toMatchObject({
      type: 'ConnectionOpened',
    })
  })

  it('of another log are not resumed', async () => {
    expect((await ask('GET', '/facts?from=other-log-5')).status).toBe(410)
    expect((await ask('GET', '/facts?from=5')).status).toBe(400)
    expect((await ask('GET', '/rooms?at=2026-01-01T00:00:00')).status).toBe(400)
  })
})

describe('the moderation log', () => {
  it('has every act of staff, undone ones, and tries that were refused, by room, target, actor, kind and moment', async () => {
    const { id } = await room('moneypot:60', [
      { user: '@bob', role: 'mod' },
      { user: '@ann', role: 'member' },
    ])
    const said = (await ask('POST', `/rooms/${id}/messages`, { text: 'rude' }, ann)).body.id
    const path = `/rooms/${id}`
    clock.advance(1_000)
    await ask('POST', `${path}/mutes`, { user: '@ann', seconds: 60, reason: 'rude' }, bob)
    await ask('DELETE', `${path}/messages/${said}?reason=rude`, undefined, bob)
    const { position: moment } = (await ask('GET', '/facts?limit=1')).body
    const time = new Date(clock.now()).toISOString()
    clock.advance(1_000)
    await ask('DELETE', `${path}/mutes/@ann`, undefined, bob)
    expect((await ask('POST', `${path}/messages/${said}/restore`, undefined, bob)).status).toBe(201)
    // What is undone already stays as it is, and the try is on record.
    expect(await ask('DELETE', `${path}/mutes/@ann`, undefined, bob)).toMatchObject({ body: { code: 'not-muted' } })
    expect(await ask('POST', `${path}/messages/${said}/restore`, undefined, bob)).toMatchObject({
      status: 409,
      body: { code: 'not-removed' },
    })
    await ask('DELETE', `${path}/messages/${said}`, undefined, ann)
    await ask('POST', `${path}/bans`, { user: '@bob' }, ann)
    await ask('PUT', `${path}/rules`, { rules: [{ name: 'no', text: 'spam' }] })
    const { position: end } = (await ask('GET', '/facts?limit=1')).body
    const log = async (query: string) => (await ask('GET', `/moderation?${query}&atLeast=${end}`)).body.items
    const acts = async (query: string) => (await log(query)).map(({ act }: { act: string }) => act).reverse()
    const tail = ['UserMuted', 'MessageRemoved', 'UserUnmuted', 'MessageRestored']
    const refused = ['CommandRefused', 'CommandRefused', 'CommandRefused']
    expect(await acts(`room=${id}`)).toEqual(['MemberAdded', 'MemberAdded', ...tail, ...refused, 'RoomRulesSet'])
    expect(await acts(`room=${id}&actor=@bob`)).toEqual([...tail, ...refused.slice(1)])
    expect(await acts(`room=${id}&target=@ann`)).toEqual(['MemberAdded', ...tail])
    expect(await acts(`room=${id}&kind=UserMuted,UserUnmuted`)).toEqual(['UserMuted', 'UserUnmuted'])
    expect(await acts(`room=${id}&actor=@bob&at=${moment}`)).toEqual(tail.slice(0, 2))
    expect(await acts(`room=${id}&actor=@bob&at=${time}`)).toEqual(tail.slice(0, 2))
    expect(await log(`room=${id}&kind=UserUnmuted`)).toMatchObject([
      { room: id, target: { username: 'ann' }, by: { username: 'bob' }, detail: { name: 'ann' } },
    ])
    const tries = (await log(`room=${id}&kind=CommandRefused`)).map(
      ({ by, detail }: { by: { username: string }; detail: { command: string; code: string } }) =>
        `${by.username} ${detail.command} ${detail.code}`,
    )
    expect(tries).toEqual([
      'ann member.ban not-authorized',
      'bob message.restore not-removed',
      'bob mute.lift not-muted',
    ])
    const first = (await ask('GET', `/moderation?room=${id}&limit=3`)).body
    const rest = (await ask('GET', `/moderation?room=${id}&cursor=${first.next}`)).body
    expect([...first.items, ...rest.items]).toEqual(await log(`room=${id}`))
  })
})

describe('search', () => {
  it('finds messages that are shown, as they read now, by all of the words', async () => {
    const { id } = await room('moneypot:77', [{ user: '@bob', role: 'member' }])
    const say = async (text: string) => (await ask('POST', `/rooms/${id}/messages`, { text }, bob)).body.id as number
    const found = async (q: string, more = '', who = bob) =>
      (await ask('GET', `/rooms/${id}/search?q=${encodeURIComponent(q)}${more}`, undefined, who)).body
    const [first, second, third] = [
      await say('Grüne Äpfel'),
      await say('red apples'),
      await say('green pears, red pears'),
    ]
    const ids = async (q: string, more?: string) => (await found(q, more)).items.map((item: { id: number }) => item.id)
    expect(await ids('red')).toEqual([third, second])
    expect(await ids('PEARS red')).toEqual([third])
    expect(await ids('"red apples"')).toEqual([second])
    expect(await ids('app*')).toEqual([second])
    expect(await ids('apfel')).toEqual([first])
    expect(await ids('red', '&limit=1')).toEqual([third])
    expect(await ids('red', `&before=${third}`)).toEqual([second])
    expect(await ids('*')).toEqual([])
    await ask('PATCH', `/rooms/${id}/messages/${second}`, { text: 'blue apples' }, bob)
    expect(await ids('red')).toEqual([third])
    expect((await found('blue')).items).toMatchObject([{ id: second, text: 'blue apples', edited: true }])
    await ask('DELETE', `/rooms/${id}/messages/${third}`, undefined, bob)
    expect(await ids('pears')).toEqual([])
    await ask('POST', `/rooms/${id}/messages/${third}/restore`)
    expect(await ids('pears')).toEqual([third])
    const secret = (await room('private:5'.replace('private', 'maint'), [{ user: '@bob', role: 'member' }])).id
    expect((await ask('GET', `/rooms/${secret}/search?q=x`, undefined, ann)).status).toBe(404)
  })
})

describe('search as of a moment', () => {
  interface Message {
    readonly id: number
    readonly text: string | null
    readonly removed?: object
  }

  it('finds by the words that messages had then, and nothing that is removed then or now', async () => {
    const { id } = await room('moneypot:78', ['@bob'])
    const said: number[] = []
    const moments: string[] = []
    const then = async (act: Promise<{ status: number; body: { id?: number } | null }>) => {
      clock.advance(1_000)
      const { status, body } = await act
      expect(status).toBeLessThan(300)
      if (status === 201 && body?.id !== undefined && !said.includes(body.id)) said.push(body.id)
      const { position } = (await ask('GET', '/facts?limit=1')).body
      moments.push(position, new Date(clock.now()).toISOString())
    }
    const path = `/rooms/${id}/messages`
    const say = (text: string) => then(ask('POST', path, { text }, bob))
    const edit = (at: number, text: string) => then(ask('PATCH', `${path}/${said[at]}`, { text }, bob))
    const remove = (at: number) => then(ask('DELETE', `${path}/${said[at]}`))
    const restore = (at: number) => then(ask('POST', `${path}/${said[at]}/restore`))
    await say('quick fox')
    await say('lazy dog')
    await edit(0, 'quick dog')
    await say('slow fox')
    await remove(1)
    await edit(0, 'slow dog')
    await edit(0, 'quick fox again')
    await restore(1)
    await edit(1, 'quick dog, back')
    await say('fox and dog')
    await edit(3, 'neither')
    await say('fox to be removed')
    await remove(4)
    await say('last fox')
    await edit(2, 'fox, still')
    await say('quick fox to go')
    await edit(6, 'slow dog to go')
    await remove(6)

    // The oracle: the room as it reads at that moment, each message looked at.
    for (const moment of moments)
      for (const word of ['fox', 'dog', 'quick', 'slow']) {
        const at = `at=${encodeURIComponent(moment)}`
        const read: Message[] = (await ask('GET', `${path}?${at}`, undefined, bob)).body.items
        const having = read.filter(({ text, removed }) => !removed && text?.split(/\W/).includes(word))
        const expected = having.map(({ id: message, text }) => `${message} ${text}`).reverse()
        for (const door of [
          `/rooms/${id}/search?q=${word}&`,
          `/search?q=${word}&room=${id}&`,
          `/search?q=${word}&author=@bob&`,
        ]) {
          const found: Message[] = (await ask('GET', `${door}${at}`, undefined, bob)).body.items
          const here = found.filter((message) => said.includes(message.id))
          expect([moment, door, here.map((message) => `${message.id} ${message.text}`)]).toEqual([
            moment,
            door,
            expected,
          ])
        }
      }
    // Page by page, across those whose words have changed since and those whose have not.
    const moment = encodeURIComponent(moments[7] as string)
    const paged: string[] = []
    for (let cursor = ''; ; ) {
      const { items, next } = (await ask('GET', `/search?q=fox&room=${id}&limit=1&at=${moment}${cursor}`)).body
      paged.push(...items.map(({ text }: Message) => text))
      if (next === null) break
      cursor = `&cursor=${next}`
    }
    expect(paged).toEqual(['slow fox'])
    const atEnd = encodeURIComponent(moments[5] as string)
    expect((await ask('GET', `/search?q=dog&room=${id}&limit=1&at=${atEnd}`)).body.items).toMatchObject([
      { text: 'lazy dog' },
    ])
  })
})

describe('search in all rooms', () => {
  it('finds what the bearer may read, by author and time, and nothing that was removed', async () => {
    const shared = await room('maint:80', ['@bob', '@ann'])
    const own = await ask('POST', '/rooms', { name: 'own', members: ['@bob'] })
    const say = async (where: string, text: string, who: string) =>
      (await ask('POST', `/rooms/${where}/messages`, { text }, who)).body.id as number
    clock.advance(1_000)
    const first = await say(shared.id, 'a zebra', bob)
    clock.advance(1_000)
    const between = new Date(clock.now()).toISOString()
    clock.advance(1_000)
    const second = await say(own.body.id, 'zebra two', bob)
    const third = await say('moneypot:2', 'zebra three', server.ownerTokenText)
    const gone = await say(shared.id, 'zebra four', ann)
    await ask('DELETE', `/rooms/${shared.id}/messages/${gone}`, undefined, ann)
    const found = async (more: string, who = bob) =>
      (await ask('GET', `/search?q=zebra${more}`, undefined, who)).body.items.map(({ id }: { id: number }) => id)
    expect(await found('')).toEqual([third, second, first])
    expect(await found('', ann)).toEqual([third, first])
    expect(await found('', server.ownerTokenText)).toEqual([third, second, first])
    expect(await found('&author=@bob')).toEqual([second, first])
    expect(await found(`&to=${between}`)).toEqual([first])
    expect(await found(`&from=${between}`)).toEqual([third, second])
    expect(await found(`&room=${own.body.id}`)).toEqual([second])
    const { at } = (await ask('GET', '/search?q=zebra&limit=1')).body.items[0]
    expect(await found(`&from=${at}&to=${at}`)).toEqual([third, second])
    expect((await ask('GET', `/search?q=zebra&room=${own.body.id}`, undefined, ann)).status).toBe(404)
    const { body } = await ask('GET', '/search?q=zebra&limit=2', undefined, bob)
    expect(await found(`&limit=2&cursor=${body.next}`)).toEqual([first])
    await ask('POST', `/rooms/${shared.id}/bans`, { user: '@ann' })
    expect(await found('', ann)).toEqual([third])
    expect((await ask('GET', '/search?q=zebra&from=yesterday', undefined, bob)).status).toBe(400)
  })
})

describe('the past', () => {
  it('is told of roles, tokens, bans and rules, each as of any moment', async () => {
    const { account, token } = await server.account('edda')
    const { id } = await room('moneypot:61', [{ user: '@edda', role: 'member' }])
    const rules = (text: string) => ask('PUT', `/rooms/${id}/rules`, { rules: [{ name: 'no', text }] })
    await rules('spam')
    const issued = (await ask('POST', '/users/@edda/tokens')).body
    await ask('POST', '/users/@edda/bans', { seconds: 60 })
    clock.advance(1_000)
    const then = (await ask('GET', '/facts?limit=1')).body.position
    const at = `at=${then}`
    await ask('PUT', `/rooms/${id}/members/@edda`, { role: 'mod' })
    await ask('PATCH', '/users/@edda', { username: 'Dorothy' })
    await ask('PATCH', '/users/@dorothy', { role: 'robot' })
    await ask('DELETE', `/users/@dorothy/tokens/${issued.id}`)
    await ask('DELETE', '/users/@dorothy/bans')
    await rules('eggs')
    const roles = async (query: string) =>
      (await ask('GET', `/users/@dorothy/roles?${query}`)).body.items.map(
        ({ room, role, to, by }: { room: string | null; role: string; to: string | null; by: object | null }) =>
          `${room === id ? 'there' : 'everywhere'} ${role}${by ? '' : ' from birth'}${to === null ? '' : ', no more'}`,
      )
    expect(await roles('')).toEqual([
      'everywhere robot',
      'there mod',
      'there member, no more',
      'everywhere member from birth, no more',
    ])
    expect(await roles(at)).toEqual(['there member', 'everywhere member from birth'])
    const next = (await ask('GET', '/users/@dorothy/roles?limit=3')).body.next
    expect(await roles(`cursor=${next}`)).toEqual(['everywhere member from birth, no more'])
    expect((await ask('GET', '/users/@dorothy/roles', undefined, token)).status).toBe(200)
    expect((await ask('GET', '/users/@dorothy/roles', undefined, bob)).status).toBe(403)
    const revoked = async (query: string) =>
      (await ask('GET', `/users/@dorothy/tokens?${query}`)).body.items.map(
        ({ revokedAt }: { revokedAt: string | null }) => revokedAt !== null,
      )
    expect(await revoked('')).toEqual([false, true])
    expect(await revoked(at)).toEqual([false, false])
    const banned = async (query: string) =>
      (await ask('GET', `/bans?${query}`)).body.items.map(({ user }: { user: { id: string } }) => user.id)
    expect(await banned('')).toEqual([])
    expect(await banned(at)).toEqual([account.id])
    expect((await ask('GET', '/bans', undefined, bob)).status).toBe(403)
    const words = async (query: string) =>
      (await ask('GET', `/rooms/${id}/rules?${query}`)).body.rules.map(({ text }: { text: string }) => text)
    expect(await words('')).toEqual(['eggs'])
    expect(await words(at)).toEqual(['spam'])
    expect((await ask('GET', `/rules?${at}`)).body).toMatchObject({ version: 0, rules: [] })
  })

  it('is what the bearer may read now, whoever might have read it then', async () => {
    const { id } = await room('moneypot:63')
    const listed = async (query: string, who: string) =>
      (await ask('GET', `/rooms?limit=500${query}`, undefined, who)).body.items.some(
        (each: { id: string }) => each.id === id,
      )
    const open = `&at=${(await ask('GET', '/facts?limit=1')).body.position}`
    expect(await listed('', ann)).toBe(true)
    await ask('PATCH', `/rooms/${id}`, { aliases: [] })
    for (const when of ['', open]) expect([when, await listed(when, ann)]).toEqual([when, false])
    expect(await listed(open, server.ownerTokenText)).toBe(true)
  })

  it('is cut at a position exactly, also when the read models have not come so far', async () => {
    const { position } = (await ask('GET', '/facts?limit=1')).body
    const epoch = position.replace(/-[0-9]+$/, '')
    for (let turn = 0; turn < 5; turn++) {
      // Nobody waits here for what this writes.
      const { account } = await server.account(`late${turn}`)
      const { status, body } = await ask('GET', `/users/${account.id}?at=${epoch}-${await server.log.head()}`)
      expect([status, body.username]).toEqual([200, `late${turn}`])
    }
  })

  it('of what was undone says why, where that was said', async () => {
    const { id } = await room('moneypot:64', ['@ann'])
    const path = `/rooms/${id}`
    await ask('POST', `${path}/mutes`, { user: '@ann', reason: 'loud' })
    await ask('DELETE', `${path}/mutes/@ann?reason=enough`)
    await ask('POST', `${path}/bans`, { user: '@ann' })
    await ask('DELETE', `${path}/bans/@ann?reason=sorry`)
    await ask('PUT', `${path}/members/@ann`)
    await ask('DELETE', `${path}/members/@ann?reason=moved`)
    await ask('POST', `${path}/mutes`, { user: '@ann' })
    await ask('DELETE', `${path}/mutes/@ann`)
    const acts = (await ask('GET', `/moderation?room=${id}`)).body.items
    const reasons = acts.map(({ act, reason }: { act: string; reason: string | null }) => `${act} ${reason}`).reverse()
    expect(reasons).toEqual([
      'MemberAdded null',
      'UserMuted loud',
      'UserUnmuted enough',
      'MemberBanned null',
      'MemberRemoved null',
      'MemberBanLifted sorry',
      'MemberAdded null',
      'MemberRemoved moved',
      'UserMuted null',
      'UserUnmuted null',
    ])
  })

  it('of a room is read page by page, both ways', async () => {
    const { id } = await room('moneypot:62', ['@bob'])
    for (const text of ['1', '2', '3', '4', '5']) await ask('POST', `/rooms/${id}/messages`, { text }, bob)
    const pages = async (query: string) => {
      const read: string[] = []
      for (let cursor = ''; ; ) {
        const { items, next } = (await ask('GET', `/rooms/${id}/messages?limit=2${query}${cursor}`)).body
        read.push(items.map(({ text }: { text: string }) => text).join(''))
        if (next === null) return read
        cursor = `&cursor=${next}`
      }
    }
    expect(await pages('')).toEqual(['45', '23', '1'])
    expect(await pages('&after=0')).toEqual(['12', '34', '5'])
  })
})

describe('what is malformed', () => {
  it('is told with its field and limit, counted, and changes nothing', async () => {
    const malformed = () => metric(server, 'hansard_http_answers_total{status="400"}')
    const already = await malformed()
    const before = (await ask('GET', '/facts?limit=1')).body.position
    const cases: [string, string, unknown, number][] = [
      ['POST', '/users', { username: 5 }, 400],
      ['POST', '/users', { username: 'x', extra: 1 }, 400],
      ['POST', '/users', '{"username":"x","__proto__":{"role":"admin"}}', 400],
      ['POST', '/users', '{"username":', 400],
      ['POST', '/users', `{"username":${'['.repeat(20_000)}`, 400],
      ['POST', '/users', { username: 'x'.repeat(70_000) }, 413],
      ['GET', '/rooms?limit=0', undefined, 400],
      ['GET', '/rooms?limit=501', undefined, 400],
      ['GET', '/rooms?cursor=!!!', undefined, 400],
      ['GET', '/rooms/moneypot:2/messages?after=-1', undefined, 400],
      ['GET', '/rooms/moneypot:2/messages?after=1e400', undefined, 400],
      ['POST', '/rooms/moneypot:2/mutes', { user: '@bob', seconds: 0 }, 400],
      ['POST', '/rooms/moneypot:2/mutes', { user: '@bob', seconds: 1.5 }, 400],
      ['GET', '/rooms/moneypot:2/search', undefined, 400],
      ['GET', `/rooms/moneypot:2/search?q=${'x'.repeat(201)}`, undefined, 400],
      ['GET', '/rooms/nowhere:1', undefined, 404],
      ['GET', '/nothing', undefined, 404],
    ]
    for (const [method, path, body, status] of cases) {
      const answer = await ask(method, path, body)
      expect(answer, `${method} ${path}`).toMatchObject({ status, body: { status, correlationId: expect.any(String) } })
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
    }
    expect((await ask('GET', '/facts?limit=1')).body.position).toBe(before)
    expect(await malformed()).toBe(already + cases.filter(([, , , status]) => status === 400).length)
    expect(server.faults).toEqual([])
  })

  it('and what is refused is counted by why', async () => {
    const refused = () => metric(server, 'hansard_refusals_total{code="not-authorized"}')
    const already = await refused()
    expect((await ask('POST', '/rooms/moneypot:2/mutes', { user: '@ann' }, bob)).status).toBe(403)
    expect(await refused()).toBe(already + 1)
  })

  it('is not a content type without a body', async () => {
    await ask('POST', '/rooms/moneypot:2/mutes', { user: '@late', seconds: 60 })
    const answer = await ask('DELETE', '/rooms/moneypot:2/mutes/@late', undefined, undefined, {
      'content-type': 'application/json',
    })
    expect(answer.status).toBe(204)
  })
})

it('describes itself, and says how it is', async () => {
  const { body } = await ask('GET', '/openapi.json')
  expect(body.openapi).toBe('3.1.0')
  expect(Object.keys(body.paths)).toContain('/api/v1/rooms/{room}/messages')
  expect((await ask('GET', '/machines/room')).body.definition.states).toHaveProperty('archived')
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  expect(metrics).toMatch(/hansard_facts_total\{type="MessagePosted"\} \d+/)
  expect(metrics).not.toContain(server.ownerTokenText)
})
