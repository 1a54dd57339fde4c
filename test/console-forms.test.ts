// What is made in the console: what a session may write and what it may not, and the forms in a real browser.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { enterConsole, hasBrowser, openBrowser, violations } from './browser.ts'
import { runServer, type TestServer } from './running-server.ts'

const OWN = { 'x-hansard-console': '1', 'sec-fetch-site': 'same-origin' }

let server: TestServer
let cookie: string

beforeAll(async () => {
  server = await runServer()
})
afterAll(() => server?.stop())

const admin = (method: string, path: string, body?: unknown) =>
  asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${server.ownerTokenText}` }, body)
/** in the read models, too, when it answers */
const newUser = async (username: string, role = 'member'): Promise<{ id: string; token: string }> =>
  (await admin('POST', '/users', { username, role })).body
const enter = async (token: string) => {
  const { headers } = await asking(`${server.url}/api/v1/console/session`, 'POST', OWN, { token })
  return (headers.get('set-cookie') ?? '').split(';')[0] as string
}
const write = (path: string, body: unknown, headers: Record<string, string> = OWN, method = 'POST') =>
  asking(`${server.url}/api/v1${path}`, method, { cookie, ...headers }, body)

describe('a session', () => {
  beforeEach(async () => {
    cookie = await enter(server.ownerTokenText)
  })

  it('makes rooms and members, and the record says who asked and on which connection', async () => {
    const made = await write('/rooms', { name: 'tea', owner: '@owner' })
    expect(made).toMatchObject({ status: 201, body: { name: 'tea', kind: 'room' } })
    const member = await write('/users', { username: 'una' })
    expect(member).toMatchObject({
      status: 201,
      body: { role: 'member', token: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
    const owner = (await server.identity.byName('owner'))?.id
    for (const path of [`/rooms/${made.body.id}`, `/users/${member.body.id}`]) {
      const { items } = (await admin('GET', `${path}/timeline`)).body
      expect(items[0], path).toMatchObject({ by: owner, connection: expect.any(String) })
      const connection = (await admin('GET', `/connections/${items[0].connection}/timeline`)).body
      expect(connection.items[1]).toMatchObject({ type: 'AuthSucceeded', data: { user: { id: owner } } })
    }
  })

  it('makes no admin and no robot, and neither gives nor ends a token of anybody: that takes a token', async () => {
    const account = await newUser('tom')
    const tokens = `/users/${account.id}/tokens`
    const { items } = (await write(tokens, undefined, OWN, 'GET')).body
    expect(items).toMatchObject([{ id: expect.any(String), revokedAt: null }])
    const own = { ...OWN, authorization: `Bearer ${server.ownerTokenText}` }
    const acts = [
      ['POST', '/users', { username: 'ada', role: 'admin' }],
      ['POST', '/users', { username: 'rob', role: 'robot' }],
      ['POST', tokens, undefined],
      ['DELETE', `${tokens}/${items[0].id}`, undefined],
    ] as const
    for (const [method, path, body] of acts) {
      const answer = await write(path, body, OWN, method)
      expect(answer, `${method} ${path}`).toMatchObject({
        status: 401,
        body: { detail: expect.stringContaining('Authorization: Bearer') },
      })
    }
    expect(await server.identity.byName('ada')).toBeNull()
    expect((await admin('GET', tokens)).body.items).toHaveLength(1)
    for (const [method, path, body] of acts) {
      expect((await write(path, body, own, method)).status, `${method} ${path}`).toBe(method === 'POST' ? 201 : 204)
    }
    // Whoever types a token acts as its account, not as the session's.
    const { token } = await newUser('mia')
    const hers = { ...OWN, authorization: `Bearer ${token}` }
    expect(await write(tokens, undefined, hers)).toMatchObject({ status: 403, body: { code: 'not-authorized' } })
    expect(await write('/rooms', { name: 'x' }, hers)).toMatchObject({ status: 403 })
  })

  it('writes nothing else', async () => {
    const account = await newUser('ulf')
    const room = (await server.rooms.byAlias('moneypot:2'))?.id
    const acts = [
      ['POST', `/rooms/${room}/messages`, { text: 'x' }],
      ['PATCH', `/rooms/${room}`, { name: 'x' }],
      ['DELETE', `/rooms/${room}`, undefined],
      ['POST', `/rooms/${room}/invites`, undefined],
      ['PUT', `/rooms/${room}/members/${account.id}`, {}],
      ['PATCH', `/users/${account.id}`, { role: 'admin' }],
      ['POST', `/users/${account.id}/bans`, {}],
      ['POST', `/users/${account.id}/kicks`, {}],
      ['PUT', '/rules', { rules: [] }],
      ['POST', '/read-models/rebuild', undefined],
      // Not by another spelling of a route that it may.
      ['PUT', '/users', { username: 'x' }],
      ['POST', '/guests/', { username: 'x' }],
      ['POST', '/users/', { username: 'x' }],
    ] as const
    for (const [method, path, body] of acts) {
      const { status } = await write(path, body, OWN, method)
      expect([401, 404, 405], `${method} ${path}: ${status}`).toContain(status)
    }
    expect((await admin('GET', `/users/${account.id}`)).body.role).toBe('member')
  })

  it('writes for scripts of this server’s pages alone', async () => {
    const refused: [string, Record<string, string>][] = [
      ['without the header', { 'sec-fetch-site': 'same-origin', origin: server.url }],
      ['with another value of it', { ...OWN, 'x-hansard-console': 'yes' }],
      ['from another origin', { 'x-hansard-console': '1', origin: 'https://evil.example' }],
      ['from another port of this machine', { 'x-hansard-console': '1', origin: 'http://127.0.0.1:1' }],
      ['from no origin', { 'x-hansard-console': '1', origin: 'null' }],
      ['of another site, whatever its origin', { ...OWN, 'sec-fetch-site': 'cross-site', origin: server.url }],
      ['of the same site', { ...OWN, 'sec-fetch-site': 'same-site' }],
      ['typed into the address bar', { ...OWN, 'sec-fetch-site': 'none' }],
      ['of this site from another origin', { ...OWN, origin: 'https://evil.example' }],
      ['that does not say where it comes from', { 'x-hansard-console': '1' }],
    ]
    for (const [what, headers] of refused) {
      expect((await write('/users', { username: 'eve' }, headers)).status, what).toBe(401)
      expect((await write('/rooms', { name: 'eve' }, headers)).status, what).toBe(401)
    }
    expect(await server.identity.byName('eve')).toBeNull()
    const own = { 'x-hansard-console': '1', origin: server.url }
    expect((await write('/rooms', { name: 'own' }, own)).status).toBe(201)
    cookie = 'hansard_console=00000000000000000000000000000000'
    expect((await write('/rooms', { name: 'x' })).status).toBe(401)
  })

  it('lets no page of another origin send its header, also of one that may send credentials', async () => {
    const preflight = async (asked: string) => {
      const headers = { 'access-control-request-method': 'POST', 'access-control-request-headers': asked }
      const url = `${server.url}/api/v1/rooms`
      const answer = await asking(url, 'OPTIONS', { origin: 'http://localhost:3000', ...headers })
      return answer.headers.get('access-control-allow-headers')
    }
    expect(await preflight('content-type,authorization')).toBe('content-type,authorization')
    expect(await preflight('content-type, X-Hansard-Console')).toBe('content-type')
  })

  it('is bounded as everybody is, and ends with its token, its role and its ban', async () => {
    expect((await write('/rooms', { name: 'x'.repeat(70_000) })).status).toBe(413)
    const account = await newUser('nora', 'admin')
    const { id, token } = (await admin('POST', `/users/${account.id}/tokens`)).body
    cookie = await enter(token)
    expect((await write('/rooms', { name: 'before' })).status).toBe(201)
    await admin('DELETE', `/users/${account.id}/tokens/${id}`)
    expect((await write('/rooms', { name: 'after' })).status).toBe(401)
    const again = (await admin('POST', `/users/${account.id}/tokens`)).body
    cookie = await enter(again.token)
    expect((await admin('POST', `/users/${account.id}/bans`)).status).toBe(201)
    expect((await write('/rooms', { name: 'after' })).status).toBe(401)
    await admin('DELETE', `/users/${account.id}/bans`)
    await admin('PATCH', `/users/${account.id}`, { role: 'member' })
    expect((await write('/rooms', { name: 'after' })).status).toBe(401)
  })
})

describe('what is wrong with what was sent', () => {
  it('is said with the field it is in', async () => {
    await newUser('max')
    const space = (await admin('POST', '/rooms', { name: 's', kind: 'space' })).body.id
    const over = (await admin('POST', '/rooms', { name: 'over', kind: 'space' })).body.id
    expect((await admin('DELETE', `/rooms/${over}`)).status).toBe(204)
    const wrong = [
      ['/rooms', { name: ' ' }, { field: 'name', rule: 'at least one character' }],
      ['/rooms', { name: 'x', aliases: ['x'] }, { field: 'aliases.0', rule: expect.stringContaining('moneypot:18') }],
      ['/rooms', { name: 'x', aliases: ['moneypot:2'] }, { field: 'aliases', alias: 'moneypot:2' }],
      ['/rooms', { name: 'x', members: ['@max', '@nobody'] }, { field: 'members', user: '@nobody' }],
      ['/rooms', { name: 'x', owner: '@nobody' }, { field: 'owner', user: '@nobody' }],
      ['/rooms', { name: 'x', parent: '#99' }, { field: 'parent', room: '#99' }],
      ['/rooms', { name: 'x', parent: '#1' }, { field: 'parent', rule: 'a room, and no space' }],
      [
        '/rooms',
        { name: 'x', kind: 'space', parent: space },
        { field: 'parent', rule: 'a space is in no other space' },
      ],
      ['/rooms', { name: 'x', parent: over }, { field: 'parent' }],
      ['/users', { username: '' }, { field: 'username', rule: 'at least one character' }],
      ['/users', { username: 'a b' }, { field: 'username', rule: expect.stringContaining('letters') }],
      ['/users', { username: 'max' }, { field: 'username' }],
    ] as const
    for (const [path, body, values] of wrong) {
      expect((await admin('POST', path, body)).body.values, JSON.stringify(body)).toEqual(values)
    }
  })
})

describe.skipIf(!hasBrowser())('the forms', () => {
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let faults: string[]
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const come = async (options: object = {}) => {
    context = await browser.newContext(options)
    page = await context.newPage()
    page.setDefaultTimeout(8_000)
    faults = []
    page.on('pageerror', (error) => faults.push(String(error)))
    await page.goto(`${server.url}/console`)
    await enterConsole(page, server.ownerTokenText)
  }
  const leave = async () => {
    expect(faults).toEqual([])
    expect(server.faults).toEqual([])
    await context.close()
  }
  const goTo = (path: string) => page.goto(`${server.url}/console${path}`)
  const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true })
  const focused = () => page.evaluate('document.activeElement.name || document.activeElement.textContent')
  /** what outlives the page: where it is and was, and what is stored */
  const kept = async () =>
    JSON.stringify([
      page.url(),
      await page.evaluate('[history.state, { ...localStorage }, { ...sessionStorage }, document.cookie]'),
      (await context.cookies()).map(({ value }) => value),
    ])
  const shownToken = async () => (await page.locator('code.token').textContent()) ?? ''

  it('are no way in for a page of another port of this machine, in the browser that is signed in', async () => {
    await come()
    const other = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>other'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const stranger = await context.newPage()
    await stranger.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`)
    // The same site, so the browser sends the cookie, and an origin that CORS lets in.
    const tries = await stranger.evaluate(async (url) => {
      const send = (headers: Record<string, string>) =>
        fetch(url, { method: 'POST', credentials: 'include', headers, body: '{"name":"theirs"}' }).then(
          ({ status }) => status,
          () => 'not sent',
        )
      const json = { 'content-type': 'application/json' }
      return [
        await send({ ...json, 'x-hansard-console': '1' }),
        await send(json),
        await send({ 'content-type': 'text/plain' }),
      ]
    }, `${server.url}/api/v1/rooms`)
    expect(tries).toEqual(['not sent', 401, 415])
    other.close()
    const { items } = (await admin('GET', '/rooms')).body
    expect(items.map(({ name }: { name: string }) => name)).not.toContain('theirs')
    await leave()
  }, 20_000)

  it('make a room by keys alone, say at its field what is wrong, and show it in the list', async () => {
    await come()
    await goTo('/rooms')
    await page.getByText('moneypot:2').first().waitFor()
    await page.keyboard.press('n')
    await page.getByRole('form', { name: 'A new room' }).waitFor()
    await expect.poll(focused, { timeout: 5_000 }).toBe('name')
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'at least one character' }).waitFor()
    expect(await page.getByLabel('Name').getAttribute('aria-invalid')).toBe('true')
    await page.keyboard.type('garden')
    await page.getByLabel('Known as').fill('moneypot:77, moneypot:2')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'this alias is taken: moneypot:2' }).waitFor()
    await expect.poll(focused, { timeout: 5_000 }).toBe('aliases')
    expect(await violations(page)).toEqual([])
    await page.getByLabel('Known as').fill('moneypot:77 moneypot:77')
    await page.getByRole('textbox', { name: 'Members' }).fill('nobody')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'no such user: @nobody' }).waitFor()
    // What was typed elsewhere is still there.
    expect(await page.getByLabel('Name').inputValue()).toBe('garden')
    await page.getByRole('textbox', { name: 'Members' }).fill('')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'The room garden is made' }).waitFor()
    await expect.poll(focused, { timeout: 5_000 }).toBe('The room garden is made')
    expect(await violations(page)).toEqual([])
    await page.locator('tr.fresh').filter({ hasText: 'moneypot:77' }).waitFor()
    const { items } = (await admin('GET', '/rooms')).body
    const made = items.filter(({ name }: { name: string }) => name === 'garden')
    expect(made).toMatchObject([{ kind: 'room', aliases: ['moneypot:77'] }])
    const members = (await admin('GET', `/rooms/${made[0].id}/members`)).body.items
    expect(members).toMatchObject([{ user: { username: 'owner' }, role: 'owner' }])
    await page.getByRole('link', { name: 'Look at it' }).click()
    await page.getByText('RoomOpened', { exact: true }).first().waitFor()
    await leave()
  }, 40_000)

  it('make one room of a button that is pressed twice', async () => {
    await come()
    await goTo('/rooms?new=yes')
    await page.getByLabel('Name').fill('once')
    const asked: string[] = []
    page.on('request', (request) => request.method() === 'POST' && asked.push(request.url()))
    await page.evaluate(`{
      const form = document.querySelector('form.fields')
      form.requestSubmit()
      form.requestSubmit()
    }`)
    await page.getByRole('heading', { name: 'The room once is made' }).waitFor()
    expect(asked).toHaveLength(1)
    await leave()
  }, 20_000)

  it('make a user, whose token is shown once, is kept nowhere, and signs in', async () => {
    await come()
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await goTo('/users')
    await button('New user').click()
    await page.getByLabel('Username').fill('owner')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'this name is taken' }).waitFor()
    await page.getByLabel('Username').fill('cora')
    await button('Make the user').click()
    await page.getByRole('heading', { name: '@cora is made' }).waitFor()
    await page.getByText('shown once').waitFor()
    expect(await violations(page)).toEqual([])
    const token = await shownToken()
    expect(token).toMatch(/^[0-9a-f]{32}$/)
    await button('Copy the token').click()
    await page.getByRole('status').filter({ hasText: 'Copied.' }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(token)
    await page.locator('tr.fresh').filter({ hasText: '@cora' }).waitFor()
    expect(await kept()).not.toContain(token)
    await button('I have it').click()
    await page.locator('code.token').waitFor({ state: 'detached' })
    await expect.poll(focused, { timeout: 5_000 }).toBe('New user')
    expect(await page.content()).not.toContain(token)
    await page.goBack()
    await page.goForward()
    await page.getByText('@cora').first().waitFor()
    expect(await page.content()).not.toContain(token)
    const me = await asking(`${server.url}/api/v1/users/@cora`, 'GET', { authorization: `Bearer ${token}` })
    expect(me).toMatchObject({ status: 200, body: { username: 'cora', role: 'member' } })
    await leave()
  }, 40_000)

  it('drop a token with the page that shows it: by reload, another page, and signing out', async () => {
    await come()
    for (const [name, away] of [
      ['dana1', () => page.reload()],
      ['dana2', () => page.getByRole('link', { name: 'Rooms', exact: true }).click()],
      // Put aside whole by the browser, as it does with a page that one comes back to.
      ['dana3', () => page.evaluate('void dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))')],
      ['dana4', () => button('Sign out').click()],
    ] as const) {
      await goTo('/users?new=yes')
      await page.getByLabel('Username').fill(name)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'is made' }).waitFor()
      const token = await shownToken()
      await away()
      await page.locator('code.token').waitFor({ state: 'detached' })
      expect(await page.content(), name).not.toContain(token)
      expect(await kept(), name).not.toContain(token)
    }
    await leave()
  }, 40_000)

  it('make an admin for whoever types a token of an admin', async () => {
    await come()
    // As in a page without TLS, which has no clipboard.
    await page.addInitScript(`Object.defineProperty(navigator, 'clipboard', { value: undefined })`)
    await goTo('/users?new=yes')
    await page.getByLabel('Username').fill('ada2')
    await page.getByLabel('robot').check()
    await page.getByLabel('Your token, once more').waitFor()
    await page.getByLabel('member').check()
    await page.getByLabel('Your token, once more').waitFor({ state: 'detached' })
    await page.getByLabel('admin').check()
    const own = page.getByLabel('Your token, once more')
    await button('Make the user').click()
    await page.getByRole('alert').filter({ hasText: 'type the token' }).waitFor()
    await expect.poll(focused, { timeout: 5_000 }).toBe('authorization')
    await own.fill('0'.repeat(32))
    await button('Make the user').click()
    await page.getByRole('alert').filter({ hasText: 'send a token' }).waitFor()
    const { token } = await newUser('lea')
    await own.fill(token)
    await button('Make the user').click()
    await page.getByRole('alert').filter({ hasText: 'not allowed to do that' }).waitFor()
    expect(await violations(page)).toEqual([])
    await own.fill(server.ownerTokenText)
    await button('Make the user').click()
    await page.getByRole('heading', { name: '@ada2 is made' }).waitFor()
    expect(await server.identity.byName('ada2')).toMatchObject({ role: 'admin' })
    await button('Copy the token').click()
    await page.getByRole('status').filter({ hasText: 'Selected' }).waitFor()
    expect(await page.evaluate('String(getSelection())')).toBe(await shownToken())
    expect(await page.content()).not.toContain(server.ownerTokenText)
    expect(await kept()).not.toContain(server.ownerTokenText)
    await leave()
  }, 40_000)

  it('make one more token of a user, and end one', async () => {
    const account = await newUser('finn')
    await come()
    await goTo(`/users/${account.id}?tab=tokens`)
    await page.locator('.tokens').getByText('in force').first().waitFor()
    expect(await violations(page)).toEqual([])
    await button('New token').click()
    await page.getByLabel('Your token, once more').fill(server.ownerTokenText)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'is made' }).waitFor()
    const token = await shownToken()
    expect(await violations(page)).toEqual([])
    expect(await kept()).not.toContain(token)
    await button('I have it').click()
    await expect.poll(focused, { timeout: 5_000 }).toBe('New token')
    const [first, second] = (await admin('GET', `/users/${account.id}/tokens`)).body.items
    expect(second).toMatchObject({ revokedAt: null })
    await button(`Revoke …${first.id.slice(-8)}`).click()
    await page.getByLabel('Your token, once more').fill(server.ownerTokenText)
    expect(await violations(page)).toEqual([])
    await button('Revoke it').click()
    await page.getByRole('status').filter({ hasText: 'is revoked' }).waitFor()
    await page.locator('.tokens .ended').filter({ hasText: 'revoked' }).waitFor()
    const signsIn = async (text: string) => (await server.identity.byToken(server.identity.hashToken(text))) !== null
    expect([await signsIn(account.token), await signsIn(token)]).toEqual([false, true])
    // One's own is told apart, and takes the session with it.
    const boss = await newUser('boss', 'admin')
    await button('Sign out').click()
    await page.getByLabel('Your token').fill(boss.token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: '@boss' }).click()
    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.locator('.tokens').getByText('in force, you came in by it').waitFor()
    await button(/^Revoke …/).click()
    await page.getByLabel('Your token, once more').fill(boss.token)
    await button('Revoke it, and sign me out').click()
    await page.getByLabel('Your token').waitFor()
    await page.getByLabel('Your token').fill(server.ownerTokenText)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: '@owner' }).waitFor()
    // In the past there is nothing to do, and the token was in force.
    const { items } = (await admin('GET', `/users/${account.id}/timeline`)).body
    await goTo(`/users/${account.id}?tab=tokens&at=${items[1].position}`)
    await page.locator('.tokens').getByText('in force').first().waitFor()
    expect(await button('New token').count()).toBe(0)
    await leave()
  }, 40_000)

  it('are invited to where nothing is yet, and fit a small telephone, light and dark', async () => {
    const young = await runServer()
    const here = server
    server = young
    for (const colorScheme of ['light', 'dark'] as const) {
      await come({ colorScheme, viewport: { width: 360, height: 740 } })
      await page.getByRole('heading', { name: 'To begin' }).waitFor()
      const fits = async (what: string) => {
        expect(await page.evaluate('document.documentElement.scrollWidth'), what).toBeLessThanOrEqual(360)
        expect(await violations(page), what).toEqual([])
      }
      await fits('overview')
      await page.getByRole('link', { name: 'Make a room' }).click()
      await page.getByRole('form', { name: 'A new room' }).waitFor()
      await fits('room')
      await page
        .getByLabel('Name')
        .fill('a name without any space that is as long as a name can be'.replaceAll(' ', ''))
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'is made' }).waitFor()
      await fits('room made')
      await goTo('/users?new=yes')
      await page.getByLabel('admin').check()
      await fits('user')
      await goTo('/users?at=2020-01-01T00:00Z')
      await button('New user now').click()
      await page.getByRole('form', { name: 'A new user' }).waitFor()
      expect(page.url()).not.toContain('at=')
      await button('Cancel').click()
      await expect.poll(focused, { timeout: 5_000 }).toBe('New user')
      await leave()
    }
    server = here
    await young.stop()
  }, 60_000)
})
