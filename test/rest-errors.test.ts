// What is asked wrongly over REST: each answer is a problem that names the field, the limit and what to do, under a correlation
// id, is counted, and changes nothing.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'
import { metric } from './witness.ts'

const clock = new VirtualClock()
let server: TestServer
let position: string
let epoch: string
let end: number
beforeAll(async () => {
  server = await runServer({ clock })
  await server.account('bob')
  position = (await ask('GET', '/facts?limit=1')).body.position
  epoch = position.replace(/-[0-9]+$/, '')
  end = Number(position.slice(epoch.length + 1))
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
})

const authorized = () => ({ authorization: `Bearer ${server.ownerTokenText}` })
const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = authorized()) =>
  asking(`${server.url}/api/v1${path}`, method, headers, body)

/** Status, the field, and what is said. */
const told = async (...asked: Parameters<typeof ask>) => {
  const { status, body, headers } = await ask(...asked)
  expect(headers.get('content-type'), `${asked[0]} ${asked[1]}`).toBe('application/problem+json')
  expect(body).toMatchObject({ status, correlationId: headers.get('x-correlation-id'), type: `/problems/${body.code}` })
  expect(body.correlationId).toMatch(/^[0-9a-f-]{36}$/)
  return [status, body.values.field, body.detail]
}

describe('a field', () => {
  const M = '/rooms/moneypot:2/messages'
  it.each([
    ['POST', '/users', { username: 5 }, 'username', 'body.username: Invalid input: expected string, received number'],
    ['POST', '/users', { username: 'x', extra: 1, more: 2 }, 'extra.more', 'Unrecognized keys: "extra", "more"'],
    ['POST', '/users', undefined, 'body', 'body: Invalid input: expected object'],
    ['POST', '/users', [], 'body', 'body: Invalid input: expected object, received array'],
    ['POST', '/users', 'null', 'body', 'body: Invalid input: expected object'],
    ['POST', '/users/@bob/tokens', { label: 'x'.repeat(65) }, 'label', 'body.label: at most 64 characters'],
    ['POST', '/users/@bob/tokens', { label: ' ' }, 'label', 'body.label: at least one character'],
    ['POST', '/users/@bob/tokens', { lable: 'phone' }, 'lable', 'body.lable: Unrecognized key: "lable"'],
    ['POST', '/rooms/moneypot:2/invites', { uses: 1 }, 'uses', 'body.uses: Unrecognized key: "uses"'],
    ['POST', '/rooms', { name: 'x', parent: 'moneypot:2' }, 'parent', 'parent: a room, and no space'],
    ['PATCH', '/rooms/moneypot:2', { mode: 'slow' }, 'slowSeconds', 'slowSeconds: needed with mode slow'],
    ['POST', '/rooms/moneypot:2/mutes', { user: '@' }, 'user', 'this name is not allowed: letters, digits'],
    ['POST', '/rooms/moneypot:2/mutes', { user: '@a b' }, 'user', 'this name is not allowed: letters, digits'],
    ['POST', '/rooms/moneypot:2/mutes', { user: `@${'x'.repeat(33)}` }, 'user', 'at most 32 characters'],
    ['POST', M, { text: 'x'.repeat(5_001) }, 'text', 'text: at most 5000 characters'],
    ['DELETE', `${M}/1?reasn=typo`, undefined, 'reasn', 'query.reasn: Unrecognized key: "reasn"'],
    ['DELETE', '/users/@bob/tokens/1?reason=x', undefined, 'reason', 'query.reason: Unrecognized key: "reason"'],
    ['GET', '/rooms?limit=0', undefined, 'limit', 'query.limit: Too small: expected number to be >=1'],
    ['GET', '/rooms?limit=501', undefined, 'limit', 'query.limit: Too big: expected number to be <=500'],
    ['GET', '/rooms?limit=abc', undefined, 'limit', 'query.limit: Invalid input: expected number'],
    ['GET', '/rooms?limit=1&limit=2', undefined, 'limit', 'query.limit: Invalid input'],
    ['GET', '/rooms?color=red', undefined, 'color', 'query.color: Unrecognized key: "color"'],
    ['GET', `/users/${'x'.repeat(129)}`, undefined, 'user', 'path.user: Too big: expected string to have <=128 char'],
    ['PATCH', '/rooms/moneypot:2', { mode: 'slow', slowSeconds: 21_601 }, 'slowSeconds', '<=21600'],
    ['PATCH', '/rooms/moneypot:2', { mode: 'slow', slowSeconds: 0 }, 'slowSeconds', '>=1'],
    ['POST', '/rooms', { name: 'x'.repeat(101) }, 'name', 'at most 100 characters'],
    ['POST', '/rooms', { name: 'x', aliases: Array(21).fill('moneypot:3') }, 'aliases', '<=20'],
    ['POST', '/rooms', { name: 'x', aliases: ['nope'] }, 'aliases.0', 'a dialect and a number'],
    ['POST', '/rooms', { name: 'x', members: Array(201).fill('@bob') }, 'members', '<=200'],
    ['POST', '/rooms/moneypot:2/mutes', { user: '@bob', seconds: 31_536_001 }, 'seconds', '<=31536000'],
    ['POST', '/users/@bob/bans', { reason: 'x'.repeat(1_001) }, 'reason', '<=1000'],
    ['DELETE', `/users/@bob/bans?reason=${'x'.repeat(1_001)}`, undefined, 'reason', '<=1000'],
    ['POST', M, { text: 'x', ref: 'r'.repeat(129) }, 'ref', '<=128'],
    ['GET', `/search?q=${'x'.repeat(201)}`, undefined, 'q', '<=200'],
    ['GET', '/search', undefined, 'q', 'expected string'],
    ['GET', `/rooms?cursor=${'x'.repeat(1_001)}`, undefined, 'cursor', '<=1000'],
    ['GET', `/rooms?at=${'1'.repeat(101)}`, undefined, 'at', '<=100'],
    ['GET', `/connections/${'x'.repeat(65)}`, undefined, 'id', '<=64'],
    ['GET', '/search?q=x&from=yesterday', undefined, 'from', 'from: an ISO time with its zone'],
    ['GET', '/search?q=x&to=2026-01-31T12:00:00', undefined, 'to', 'to: an ISO time with its zone'],
    ['GET', '/rooms/moneypot:2/messages/1/story?at=x', undefined, 'at', 'query.at: Unrecognized key: "at"'],
  ])('%s %s, %#, is told by its name', async (method, path, body, field, detail) => {
    const typed =
      method === 'GET' || body !== undefined ? authorized() : { ...authorized(), 'content-type': 'application/json' }
    expect(await told(method, path, body, typed)).toEqual([400, field, expect.stringContaining(detail)])
  })

  it('is counted, and changes nothing', async () => {
    const malformed = () => metric(server, 'hansard_http_answers_total{status="400"}')
    const already = await malformed()
    await ask('POST', '/rooms/moneypot:2/mutes', { user: '@' })
    await ask('GET', '/users/%zz')
    expect(await malformed()).toBe(already + 2)
    expect((await ask('GET', '/facts?type=UserMuted')).body.items).toEqual([])
  })
})

describe('a moment', () => {
  const anISOTime = 'at: an ISO time with its zone, e.g. 2026-01-31T12:00:00Z, or a position, as every answer has one'
  it.each([
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-01-31T12:00:00+02:00',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-31T25:00:00Z',
    '+275760-09-13T00:00:00Z',
    '1769860800000',
    'now',
    '',
    '-',
  ])('is not %j', async (at) => {
    expect(await told('GET', `/rooms?at=${at}`)).toEqual([400, 'at', anISOTime])
  })

  it('is a time with any zone, or a place in this log, and in no other', async () => {
    const status = async (at: string) => (await ask('GET', `/rooms?at=${encodeURIComponent(at)}`)).status
    for (const at of ['2026-01-31T12:00Z', '2026-01-31T12:00:00.123456Z', '2026-01-31T12:00:00+02:00', `${epoch}-0`])
      expect([at, await status(at)]).toEqual([at, 200])
    for (const path of ['/rooms', '/facts', '/users/@bob/life', '/users/@bob/timeline']) {
      expect(await told('GET', `${path}?at=${epoch}-999999`)).toEqual([400, 'at', 'at: beyond the end of the log'])
      expect(await told('GET', `${path}?at=${epoch}x-1`)).toEqual([
        410,
        'at',
        'at: this position is of another log; start over without it',
      ])
      expect((await ask('GET', `${path}?at=${position}`)).status).toBe(200)
    }
  })

  it('that an answer has to wait for is in this log', async () => {
    expect(await told('GET', `/rooms?atLeast=${epoch}-999999`)).toEqual([
      400,
      'atLeast',
      'atLeast: beyond the end of the log',
    ])
    expect(await told('GET', '/rooms?atLeast=5')).toEqual([
      400,
      'atLeast',
      'atLeast: a position, as every answer has one',
    ])
    expect((await told('GET', `/rooms?atLeast=another-log-${end}`))[0]).toBe(410)
  })
})

describe('a cursor', () => {
  it('is of its list, and of its log', async () => {
    const next = async (list: string) => (await ask('GET', list)).body.next as string
    await ask('POST', '/rooms', { name: 'another' })
    for (const user of ['@bob', '@eve']) await ask('POST', '/rooms/moneypot:2/mutes', { user, seconds: 9 })
    await ask('POST', '/rooms/moneypot:2/messages', { text: 'hello' })
    const lists = ['/users', '/rooms', '/moderation', '/rooms/moneypot:2/mutes', '/rooms/moneypot:2/messages']
    const cursors = await Promise.all(lists.map((list) => next(`${list}?limit=1`)))
    const notOfThis = [400, 'cursor', 'cursor: not one that this list gave; take `next` of the page before']
    for (const [index, list] of lists.entries())
      for (const [of, cursor] of cursors.entries())
        if (of === index) expect((await ask('GET', `${list}?cursor=${cursor}`)).status).toBe(200)
        else expect(await told('GET', `${list}?cursor=${cursor}`)).toEqual(notOfThis)
    for (const cursor of ['', '!!!', 'MQ', Buffer.from('["users.list",-1,""]').toString('base64url')])
      expect(await told('GET', `/users?cursor=${cursor}`)).toEqual(notOfThis)
    const before = JSON.stringify(['users.list', 1, 'another log'])
    expect(await told('GET', `/users?cursor=${Buffer.from(before).toString('base64url')}`)).toEqual([
      410,
      'cursor',
      'cursor: this cursor is of another log; start over without it',
    ])
  })

  it('goes on after the longest of names', async () => {
    const names = ['日'.repeat(32), '本'.repeat(32)]
    for (const name of names) await ask('POST', '/rooms/moneypot:2/mutes', { user: `@${name}` })
    const named: string[] = []
    for (let cursor = ''; ; ) {
      const { items, next } = (await ask('GET', `/rooms/moneypot:2/mutes?limit=1${cursor}`)).body
      named.push(...items.map(({ user }: { user: { username: string } }) => user.username))
      if (next === null) break
      cursor = `&cursor=${next}`
    }
    expect(named).toEqual(expect.arrayContaining(names))
  })
})

describe('what does not come as far as a route', () => {
  it('is told as all else is, and counted', async () => {
    const answers = (status: number) => metric(server, `hansard_http_answers_total{status="${status}"}`)
    const [bad, long] = [await answers(400), await answers(414)]
    expect(await told('GET', '/users/%zz')).toEqual([400, 'path', expect.stringContaining('cannot be decoded')])
    expect(await told('GET', '/rooms/%C0%80')).toEqual([400, 'path', expect.stringContaining('cannot be decoded')])
    const part = 'x'.repeat(1_201)
    expect(await told('GET', `/users/${part}`)).toEqual([414, 'path', 'path: each part is at most 1200 characters'])
    expect([await answers(400), await answers(414)]).toEqual([bad + 2, long + 1])
    // What names somebody may be as long in percent.
    expect((await told('GET', `/users/@${encodeURIComponent('日'.repeat(127))}`))[0]).toBe(404)
  })

  it('for its method is told which there are', async () => {
    for (const [method, path, allowed] of [
      ['PUT', '/rooms', 'GET, HEAD, POST'],
      ['PATCH', '/rooms/moneypot:2/messages', 'GET, HEAD, POST'],
      ['POST', '/rooms/moneypot:2', 'GET, HEAD, PATCH, DELETE'],
      ['GET', '/invites/x', 'POST'],
    ] as const) {
      const { status, body, headers } = await ask(method, path)
      expect([status, headers.get('allow'), body.code]).toEqual([405, allowed, 'method-not-allowed'])
      expect(body.detail).toBe(`${method} is not served here; ${allowed} is`)
    }
    expect(await told('GET', '/nothing')).toEqual([404, undefined, 'nothing is served at GET /api/v1/nothing'])
    expect(await told('GET', '/roomsXmoneypot')).toEqual([404, undefined, expect.any(String)])
  })

  it('for its body is told how to send one', async () => {
    const typed = (type: string) => ({ ...authorized(), 'content-type': type })
    const form = [415, 'body', 'body: send it as JSON, with Content-Type: application/json']
    expect(await told('POST', '/users', 'username=x', typed('application/x-www-form-urlencoded'))).toEqual(form)
    expect(await told('POST', '/users', '{"username":"x"}', typed('text/plain'))).toEqual(form)
    const large = JSON.stringify({ username: 'x'.repeat(65_536) })
    expect(await told('POST', '/users', large)).toEqual([413, 'body', 'body: at most 65536 bytes'])
  })
})

describe('a token', () => {
  it('that is missing and one that is unknown are told apart; its scheme may be written in any case', async () => {
    const as = (authorization: string) => told('GET', '/rooms', undefined, { authorization })
    expect(await told('GET', '/rooms', undefined, {})).toEqual([401, undefined, expect.stringMatching(/^send a token/)])
    expect(await as('Basic abc')).toEqual([401, undefined, expect.stringMatching(/^send a token/)])
    expect(await as(`Bearer ${'0'.repeat(32)}`)).toEqual([
      401,
      undefined,
      expect.stringMatching(/^this token is unknown/),
    ])
    const { expired } = await jsonWebTokens('somebody', clock.now())
    expect(await as(`Bearer ${expired}`)).toEqual([401, undefined, 'this token is expired'])
    const { status } = await ask('GET', '/rooms', undefined, { authorization: `bearer ${server.ownerTokenText}` })
    expect(status).toBe(200)
  })
})

describe('server-sent events', () => {
  const events = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { ...authorized(), accept: 'text/event-stream', ...headers },
      signal: AbortSignal.timeout(5_000),
    })

  it('may be heard by pages of the origins that may ask', async () => {
    const { headers, body } = await events('/facts', { origin: 'http://localhost:3000', accept: 'Text/Event-Stream' })
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:3000')
    expect(headers.get('content-type')).toBe('text/event-stream')
    expect(headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/)
    await body?.cancel()
  })

  it('have no head alone, no moment, and go on from places in the log only', async () => {
    expect((await events('/facts', {}, 'HEAD')).headers.get('content-type')).toContain('application/json')
    for (const path of ['/facts', '/users/@bob/timeline']) {
      const moment = await events(`${path}?at=${position}`)
      expect([moment.status, ((await moment.json()) as { detail: string }).detail]).toEqual([
        400,
        'at: of pages only; events go on from `from` or Last-Event-ID',
      ])
      const beyond = await events(path, { 'last-event-id': `${epoch}-999999` })
      expect([beyond.status, ((await beyond.json()) as { values: unknown }).values]).toEqual([
        400,
        expect.objectContaining({ field: 'Last-Event-ID' }),
      ])
      expect((await events(path, { 'last-event-id': `${epoch}x-1` })).status).toBe(410)
    }
  })
})
