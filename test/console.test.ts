// The console: who may sign in and for how long, what its pages get from the server and what never reaches them, and the
// pages themselves in a real browser.

import type { Browser, Page } from 'playwright-core'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../src/client/client.ts'
import { asking } from './asking.ts'
import { enterConsole, hasBrowser, openBrowser, violations } from './browser.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const OWN = { 'x-hansard-console': '1', 'sec-fetch-site': 'same-origin' }

let server: TestServer
let clock: VirtualClock
let bob: Awaited<ReturnType<TestServer['account']>>
let room: string
let chat: Awaited<ReturnType<typeof connect>>
let lobby: Awaited<ReturnType<typeof chat.join>>
let connection: string

beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ clock })
  bob = await server.account('bob')
  room = (await server.rooms.byAlias('moneypot:2'))?.id ?? ''
  chat = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: bob.token })
  lobby = await chat.join('moneypot:2')
  await lobby.post('hello')
  await server.host.send(`room-${room}`, {
    type: 'mute.set',
    asker: null,
    name: 'bob',
    user: bob.account.id,
    seconds: 60,
    reason: 'too loud',
  })
  await lobby.post('may I?').catch(() => {})
  const { body } = await admin('GET', '/connections?user=@bob')
  connection = body.items[0].id
})
afterAll(async () => {
  chat?.close()
  await server?.stop()
})

const admin = (method: string, path: string, body?: unknown) =>
  asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${server.ownerTokenText}` }, body)
const signIn = (token: string, headers: Record<string, string> = OWN) =>
  asking(`${server.url}/api/v1/console/session`, 'POST', headers, { token })
const by = (cookie: string, path: string, headers: Record<string, string> = {}, method = 'GET', body?: unknown) =>
  asking(`${server.url}/api/v1${path}`, method, { ...OWN, cookie, ...headers }, body)
const cookieOf = ({ headers }: { headers: Headers }) => (headers.get('set-cookie') ?? '').split(';')[0] as string
const newAdmin = async (name: string) => {
  const { account } = await server.account(name, 'admin')
  const { id, token } = (await admin('POST', `/users/${account.id}/tokens`)).body
  return { account, tokenId: id, cookie: cookieOf(await signIn(token)) }
}

describe('a session of the console', () => {
  it('is opaque, for scripts not readable, and sent to the API alone', async () => {
    const answer = await signIn(server.ownerTokenText)
    expect(answer).toMatchObject({ status: 200, body: { user: { username: 'owner', role: 'admin' } } })
    const header = answer.headers.get('set-cookie') ?? ''
    expect(header).toMatch(/^hansard_console=[0-9a-f]{32}; Path=\/api\/v1; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(header).not.toContain(server.ownerTokenText)
  })

  it('is Secure where clients see https', async () => {
    const other = await runServer({ publicUrl: 'https://chat.example' })
    const answer = await asking(`${other.url}/api/v1/console/session`, 'POST', OWN, { token: other.ownerTokenText })
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure$/)
    await other.stop()
  })

  it('is for admins: anybody else is refused, and the try is on their record', async () => {
    expect(await signIn(bob.token)).toMatchObject({ status: 403, body: { code: 'not-authorized' } })
    const { position } = (await admin('GET', '/facts?limit=1')).body
    const { body } = await admin('GET', `/connections?user=@bob&dialect=rest&atLeast=${position}`)
    const { items } = (await admin('GET', `/connections/${body.items[0].id}/timeline`)).body
    expect(items.at(-1)).toMatchObject({
      type: 'CommandRefused',
      data: { command: 'POST /api/v1/console/session', code: 'not-authorized' },
    })
    expect((await signIn('0'.repeat(32))).status).toBe(401)
    // The same admin by a token of another party, of which nobody here could say that it is revoked.
    const owner = (await signIn(server.ownerTokenText)).body.user.id
    const { jwt = '' } = await jsonWebTokens(owner, clock.now())
    expect(await signIn(jwt)).toMatchObject({ status: 403, body: { detail: expect.stringContaining('another party') } })
  })

  it('begins and ends only on a page of this server', async () => {
    const token = server.ownerTokenText
    expect((await signIn(token, {})).status).toBe(403)
    expect((await signIn(token, { ...OWN, 'sec-fetch-site': 'same-site' })).status).toBe(403)
    expect((await signIn(token, { 'x-hansard-console': '1', origin: 'http://127.0.0.1:1' })).status).toBe(403)
    expect((await signIn(token, { 'x-hansard-console': '1', origin: server.url })).status).toBe(200)
  })

  it('reads what the pages show, for those pages alone, and takes no part', async () => {
    const { cookie, account } = await newAdmin('cleo')
    expect((await by(cookie, '/connections')).status).toBe(200)
    expect((await by(cookie, '/console/session')).body).toMatchObject({ user: { id: account.id } })
    for (const path of ['/facts', '/moderation', `/users/${account.id}/roles`]) {
      expect((await by(cookie, path)).status, path).toBe(401)
    }
    // What little it writes has a file of its own: console-forms.test.ts.
    expect((await by(cookie, `/rooms/${room}/messages`, {}, 'POST', { text: 'x' })).status).toBe(401)
    // Another port of this machine is the same site, and CORS lets it call.
    expect((await by(cookie, '/connections', { 'sec-fetch-site': 'same-site' })).status).toBe(401)
    const { 'sec-fetch-site': _, ...old } = OWN
    const elsewhere = { ...old, cookie, origin: 'http://127.0.0.1:1' }
    expect((await asking(`${server.url}/api/v1/connections`, 'GET', elsewhere)).status).toBe(401)
  })

  it('ends with its token, its role, a ban, a sign-out, and in time; so does what only listens', async () => {
    const reads = async (cookie: string) => (await by(cookie, '/connections')).status
    const dora = await newAdmin('dora')
    const stream = await fetch(`${server.url}/api/v1/connections/${connection}/timeline?from=0`, {
      headers: { ...OWN, cookie: dora.cookie, accept: 'text/event-stream' },
    })
    const heard = stream.text()
    expect(await reads(dora.cookie)).toBe(200)
    await admin('DELETE', `/users/${dora.account.id}/tokens/${dora.tokenId}`)
    expect(await reads(dora.cookie)).toBe(401)
    expect(await heard).toContain('event: step')

    const eve = await newAdmin('eve')
    await admin('PATCH', `/users/${eve.account.id}`, { role: 'member' })
    expect(await reads(eve.cookie)).toBe(401)
    const finn = await newAdmin('finn')
    await admin('POST', `/users/${finn.account.id}/bans`, {})
    expect(await reads(finn.cookie)).toBe(401)
    const gus = await newAdmin('gus')
    expect((await by(gus.cookie, '/console/session', {}, 'DELETE')).status).toBe(204)
    expect(await reads(gus.cookie)).toBe(401)
  })

  it('is over after two hours without a request, and after twelve in any case', async () => {
    const own = new VirtualClock()
    const other = await runServer({ clock: own })
    const ask = async (cookie: string) =>
      (await asking(`${other.url}/api/v1/connections`, 'GET', { ...OWN, cookie })).status
    const enter = async () =>
      cookieOf(await asking(`${other.url}/api/v1/console/session`, 'POST', OWN, { token: other.ownerTokenText }))
    const hour = 3_600_000
    const idle = await enter()
    const busy = await enter()
    for (let passed = 1; passed < 12; passed++) {
      own.advance(hour)
      expect(await ask(busy), `hour ${passed}`).toBe(200)
    }
    expect(await ask(idle)).toBe(401)
    own.advance(hour)
    expect(await ask(busy)).toBe(401)
    // Of one account the newest ten.
    const many = []
    for (let count = 0; count < 11; count++) many.push(await enter())
    expect(await Promise.all(many.map(ask))).toEqual([401, ...Array.from({ length: 10 }, () => 200)])
    await other.stop()
  })
})

describe('a life', () => {
  it('tells of each fact what it came of, what it did and how the actor stood', async () => {
    const { body } = await admin('GET', `/connections/${connection}/timeline`)
    expect(body.before).toMatchObject({ revision: -1, state: 'absent', timers: [] })
    expect(body.items.slice(0, 4)).toMatchObject([
      {
        type: 'ConnectionOpened',
        cause: { kind: 'command', name: 'connection.open' },
        arrow: 'connection.absent|ConnectionOpened|0',
        state: 'authenticating.timed',
        timers: [{ timer: 'authTimeout' }],
      },
      { type: 'AuthSucceeded', cause: { name: 'auth.succeed' }, state: 'authenticated.activity.active', timers: [] },
      { type: 'RoomEntered', cause: { name: 'room.enter' }, changed: { rooms: { [room]: expect.any(Number) } } },
      {
        type: 'CommandRefused',
        cause: { kind: 'command', name: 'message.post' },
        data: { code: 'muted', guard: 'isMuted', values: { by: null }, at: { stream: `room-${room}` } },
        changed: {},
      },
    ])
    const life = (await admin('GET', `/connections/${connection}/life`)).body
    expect(life).toMatchObject({
      facts: 4,
      revision: 3,
      fault: null,
      arrows: { 'connection.absent|ConnectionOpened|0': 1 },
    })
    expect(life.marks.map(({ mark }: { mark: string }) => mark)).toEqual(['birth', 'sign-in', 'refused'])
    const then = (await admin('GET', `/connections/${connection}/life?at=${body.items[1].position}`)).body
    expect(then.revision).toBe(1)
  })

  it('of a room has what it refused, at the revision it stood at, beside what it did', async () => {
    const { items } = (await admin('GET', `/rooms/${room}/timeline`)).body
    const muted = items.find(({ type }: { type: string }) => type === 'UserMuted')
    expect(muted.refused).toMatchObject([
      { command: 'message.post', code: 'muted', guard: 'isMuted', user: { username: 'bob' }, connection },
    ])
  })

  it('is the same in pages, from anywhere in it, as in one', async () => {
    const { id } = (await admin('POST', '/rooms', { name: 'long', members: [{ user: '@bob', role: 'owner' }] })).body
    const asker = { id: bob.account.id, number: bob.account.number, username: 'bob', account: 'member' } as const
    await server.host.send(`room-${id}`, { type: 'presence.enter', asker, connection: 'c', node: 'main' })
    const said = { kind: 'text', clientRef: null, replyTo: null, extra: null, entered: true } as const
    for (let round = 0; round < 2; round++) {
      const posts = Array.from({ length: 550 }, (_, sent) =>
        server.host.send(`room-${id}`, { type: 'message.post', connection: 'c', asker, text: `${sent}`, ...said }),
      )
      expect((await Promise.all(posts)).every(({ ok }) => ok)).toBe(true)
    }
    await server.host.send(`room-${id}`, {
      type: 'mute.set',
      asker: null,
      name: 'x',
      user: null,
      seconds: 9,
      reason: null,
    })
    const from = (revision: number, limit: number) =>
      admin('GET', `/rooms/${id}/timeline?from=${revision}&limit=${limit}`).then(({ body }) => body)
    const whole = [...(await from(0, 500)).items, ...(await from(500, 500)).items, ...(await from(1_000, 500)).items]
    expect(whole).toHaveLength(1_104)
    expect(whole.map(({ revision }) => revision)).toEqual(whole.map((_, index) => index))
    for (const revision of [1, 499, 500, 501, 998, 1_001, 1_103]) {
      expect((await from(revision, 3)).items, String(revision)).toEqual(whole.slice(revision, revision + 3))
    }
    expect((await from(1_000, 1)).before.context).toMatchObject({ name: 'long', lastMessageId: whole[999].data.id })
    let cursor = ''
    const paged = []
    do {
      const { body } = await admin('GET', `/rooms/${id}/timeline?limit=400${cursor}`)
      paged.push(...body.items)
      cursor = body.next === null ? '' : `&cursor=${body.next}`
    } while (cursor !== '')
    expect(paged).toEqual(whole)
    const cut = (await admin('GET', `/rooms/${id}/timeline?at=${whole[2].position}`)).body
    expect(cut.items).toEqual(whole.slice(0, 3))
    expect(whole.at(-1)).toMatchObject({ type: 'UserMuted', timers: [{ timer: 'mute:x' }] })
    clock.advance(10_000)
    const ended = (await admin('GET', `/rooms/${id}/timeline?from=1104`)).body.items
    expect(ended).toMatchObject([{ type: 'MuteExpired', cause: { kind: 'timer', name: 'mute:x' }, timers: [] }])
  })

  it('is told live from where a reader was, by the position of its last event', async () => {
    const { items } = (await admin('GET', `/connections/${connection}/timeline`)).body
    const gone = new AbortController()
    const response = await fetch(`${server.url}/api/v1/connections/${connection}/timeline`, {
      headers: {
        authorization: `Bearer ${server.ownerTokenText}`,
        accept: 'text/event-stream',
        'last-event-id': items[1].position,
      },
      signal: gone.signal,
    })
    let text = ''
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    while (!text.includes('caught-up')) text += (await reader?.read())?.value ?? ''
    gone.abort()
    const told = [...text.matchAll(/event: step\ndata: (.*)\n/g)].map(([, data]) => JSON.parse(data as string))
    expect(told).toEqual(items.slice(2))
  })

  it('does not hold the text of a message that is removed now', async () => {
    const { body } = await admin('POST', `/rooms/${room}/messages`, { text: 'a slip of the pen' })
    const before = await admin('GET', `/rooms/${room}/timeline?limit=500`)
    expect(JSON.stringify(before.body)).toContain('a slip of the pen')
    await admin('DELETE', `/rooms/${room}/messages/${body.id}`)
    const after = await admin('GET', `/rooms/${room}/timeline?limit=500`)
    expect(JSON.stringify(after.body)).not.toContain('a slip of the pen')
  })

  it('of a room or a user is for admins', async () => {
    const headers = { authorization: `Bearer ${bob.token}` }
    for (const path of [`/rooms/${room}/timeline`, `/users/${bob.account.id}/life`, '/console/overview']) {
      expect((await asking(`${server.url}/api/v1${path}`, 'GET', headers)).status, path).toBe(403)
    }
  })
})

describe('the files of the console', () => {
  it('run nothing that is not the server’s own, and are sent again only when they changed', async () => {
    const page = await fetch(`${server.url}/console/connections/any`)
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(await page.text()).not.toMatch(/<script(?![^>]* src=)|<style| style=| on[a-z]+=/)
    const url = `${server.url}/console/files/libraries/elk-worker.js`
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
  })
})

describe('a statechart', () => {
  it('is told as it is in force, or as it was recorded under a hash', async () => {
    const { machine } = (await admin('GET', `/rooms/${room}/life`)).body
    expect((await admin('GET', `/machines/room?hash=${machine}`)).body).toMatchObject({ hash: machine, inForce: true })
    expect((await admin('GET', `/machines/room?hash=${'0'.repeat(32)}`)).status).toBe(404)
  })
})

describe.skipIf(!hasBrowser())('the console', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (options: object = {}) => {
    const page = await (await browser.newContext(options)).newPage()
    page.setDefaultTimeout(8_000)
    const faults: string[] = []
    const answers: Promise<string>[] = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('response', (response) => {
      if (!response.headers()['content-type']?.includes('event-stream')) answers.push(response.text().catch(() => ''))
    })
    await page.goto(`${server.url}/console`)
    return { page, faults, answers }
  }
  const enter = async (page: Page) => {
    await enterConsole(page, server.ownerTokenText)
  }
  const pages = () => [
    ['', 'Refused lately'],
    ['/connections', 'authenticated.active'],
    ['/rooms', 'moneypot:2'],
    ['/users', '@bob'],
    [`/connections/${connection}`, 'isMuted'],
    [`/rooms/${room}`, 'MessagePosted'],
    [`/rooms/${room}?tab=transcript`, 'hello'],
    [`/users/${bob.account.id}`, 'UserRegistered'],
    [`/users/${bob.account.id}?tab=tokens`, 'in force'],
    [`/connections/${connection}?tab=sequence`, 'message.post'],
    [`/rooms/${room}?tab=facts`, '"text":"hello"'],
    ['/machines/connection', 'Only facts move a chart'],
  ]

  it.each(['light', 'dark'] as const)(
    'can be used by everybody on every page, in %s, and holds no secret',
    async (colorScheme) => {
      // Somebody names an event and a field by a credential.
      const socket = io(server.url, { transports: ['websocket'], forceNew: true })
      await new Promise<void>((resolve) => socket.on('connect', () => resolve()))
      await new Promise((resolve) => socket.emit('auth', { app_id: 2, hashed_token: 'f'.repeat(64) }, resolve))
      socket.emit(bob.token, {})
      socket.emit('new_message', { [bob.token]: bob.token }, () => {})
      await server.host.send(`connection-${connection}`, {
        type: 'refusal.note',
        command: bob.token,
        code: 'malformed',
        state: '',
        guard: null,
        values: { path: `${bob.token}.x`, [bob.token]: 1 },
        decidedAt: null,
        count: 1,
      })
      await server.host.send(`room-${room}`, { type: 'invite.create', asker: null, code: 'c0de'.repeat(8) })
      const { page, faults, answers } = await open({ colorScheme })
      await page.getByLabel('Your token').waitFor()
      expect(await violations(page, colorScheme)).toEqual([])
      await enter(page)
      for (const [path, says] of pages()) {
        await page.goto(`${server.url}/console${path}`)
        await page
          .getByText(says as string)
          .locator('visible=true')
          .first()
          .waitFor()
        if (/^\/[a-z]+\//.test(path as string)) await page.locator('svg .node').first().waitFor()
        expect(await violations(page, colorScheme), path).toEqual([])
        answers.push(Promise.resolve(await page.content()))
      }
      const small = colorScheme === 'light' ? pages() : []
      // Nothing is wider than a small telephone; what is scrolls by itself.
      await page.setViewportSize({ width: 360, height: 740 })
      for (const [path, says] of small) {
        await page.goto(`${server.url}/console${path}`)
        await page
          .getByText(says as string)
          .locator('visible=true')
          .first()
          .waitFor()
        expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(360)
      }
      const seen = (await Promise.all(answers)).join('\n')
      const { identity } = server
      for (const token of [server.ownerTokenText, bob.token]) {
        const once = identity.hashToken(token)
        for (const secret of [token, once, identity.hashToken(once)]) expect(seen).not.toContain(secret)
      }
      expect(seen).not.toContain('c0de'.repeat(8))
      expect(seen).toContain('TokenIssued')
      expect(seen).toContain('InviteCreated')
      expect(seen).toContain('"path":"….x"')
      socket.close()
      expect(faults).toEqual([])
      await page.context().close()
    },
    60_000,
  )

  it('says what is wrong with a token, and why somebody may not come in', async () => {
    const { page } = await open()
    await page.getByLabel('Your token').fill(bob.token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').filter({ hasText: 'not allowed' }).waitFor()
    await page.context().close()
  })

  it('steps through a life by keys, says in its address where it is, follows what is live, and comes back', async () => {
    const { page, faults } = await open({ reducedMotion: 'reduce' })
    await enter(page)
    await page.goto(`${server.url}/console/connections/${connection}`)
    const current = page.locator('[aria-current=step]')
    const now = page.getByRole('status').filter({ hasText: 'live' })
    await now.waitFor()
    await page.keyboard.press('Home')
    await current.filter({ hasText: 'ConnectionOpened' }).waitFor()
    await page.locator('svg .leaf.active').waitFor()
    await page.getByText('back to live').waitFor()
    await page.waitForURL(/\?at=/)
    await page.keyboard.press('ArrowRight')
    await current.filter({ hasText: 'AuthSucceeded' }).waitFor()
    await page.getByText('authenticated.activity.active').first().waitFor()
    await page
      .locator('.words.active .name')
      .filter({ hasText: /^• active/ })
      .waitFor()
    const { items } = (await admin('GET', `/connections/${connection}/timeline`)).body
    await page.waitForURL((url) => url.searchParams.get('at') === items[1].position)
    const address = page.url()

    // What comes while one looks at the past does not move it.
    clock.advance(60_000)
    lobby.typing(true)
    await page.getByText('TypingStarted', { exact: true }).last().waitFor()
    expect(await current.textContent()).toContain('AuthSucceeded')
    await page.keyboard.press('l')
    await current.filter({ hasText: 'TypingStarted' }).waitFor()
    await page.waitForURL((url) => !url.searchParams.has('at'))
    lobby.typing(false)
    await current.filter({ hasText: 'TypingStopped' }).waitFor()

    // From the end the whole life is played.
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await current.filter({ hasText: 'ConnectionOpened' }).waitFor()
    await current.filter({ hasText: 'AuthSucceeded' }).waitFor()
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor()

    // The address alone leads back to the moment.
    await page.goto(address)
    await current.filter({ hasText: 'AuthSucceeded' }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog').getByText('one fact back').waitFor()
    expect(await violations(page)).toEqual([])
    expect(faults).toEqual([])
    await page.context().close()
  }, 40_000)

  it('shows a room as it read at a moment, and a closed connection to its end', async () => {
    const other = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: bob.token })
    const there = await other.join('moneypot:2')
    clock.advance(60_000) // past bob's mute
    await there.post('the first')
    await there.post('the second')
    other.close()
    const { page, faults } = await open()
    await enter(page)
    await page.goto(`${server.url}/console/rooms/${room}?tab=transcript`)
    await page.getByText('the second', { exact: true }).waitFor()
    const { items } = (await admin('GET', `/rooms/${room}/timeline?limit=500`)).body
    const first = items.find(({ data }: { data: { text?: string } }) => data.text === 'the first')
    await page.goto(`${server.url}/console/rooms/${room}?tab=transcript&at=${first.position}`)
    await page.getByText('the first', { exact: true }).waitFor()
    expect(await page.getByText('the second', { exact: true }).count()).toBe(0)

    await server.settled()
    await page.goto(`${server.url}/console/connections?user=@bob&state=closed`)
    await page.locator('tbody').getByText('native').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByText('at its end').waitFor()
    await page.locator('[aria-current=step]').filter({ hasText: 'ConnectionClosed' }).waitFor()
    await page.keyboard.press('ArrowLeft')
    await page.getByText('to its end').waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Your token').waitFor()
    expect(faults).toEqual([])
    expect(server.faults).toEqual([])
    await page.context().close()
  }, 40_000)
})
