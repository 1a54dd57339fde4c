// One life in the console, looked at closely: played at its own pace, an arrow of its chart followed, its facts taken along.

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect } from '../src/client/client.ts'
import { asking } from './asking.ts'
import { enterConsole, hasBrowser, openBrowser, violations } from './browser.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

describe.skipIf(!hasBrowser())('a life', () => {
  let browser: Browser
  let server: TestServer
  let clock: VirtualClock
  let page: Page
  let faults: string[]
  let room: string

  const admin = (method: string, path: string, body?: unknown) =>
    asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${server.ownerTokenText}` }, body)
  const say = async (text: string, later: number) => {
    clock.advance(later)
    expect((await admin('POST', `/rooms/${room}/messages`, { text })).status).toBe(201)
  }

  beforeAll(async () => {
    browser = await openBrowser()
    clock = new VirtualClock()
    server = await runServer({ clock })
    room = (await admin('POST', '/rooms', { name: 'tea', owner: '@owner' })).body.id
    await say('one', 1_000)
    await say('two', 60_000)
    await say('three', 4_000)
    await admin('PATCH', `/rooms/${room}`, { mode: 'slow', slowSeconds: 5 })
    await admin('PATCH', `/rooms/${room}`, { mode: 'open' })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(8_000)
    faults = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    await page.goto(`${server.url}/console`)
    await enterConsole(page, server.ownerTokenText)
  })
  afterEach(async () => {
    await page.context().close()
    expect(faults).toEqual([])
    expect(server.faults).toEqual([])
  })

  const current = () => page.locator('[aria-current=step]')
  const shows = (text: string) => current().filter({ hasText: text }).waitFor()
  const rows = () => page.locator('.timeline .row').count()

  it('is played as fast as it was, or four or sixteen times, and idle times are waited for only where that is asked', async () => {
    const facts = (await admin('GET', `/rooms/${room}/timeline`)).body.items as {
      position: string
      data: { text?: string }
    }[]
    const one = facts.find(({ data }) => data.text === 'one')
    let now = Date.parse('2030-01-01T00:00Z')
    /** From here on the page's time stands, and goes on as far as it is told. */
    const stand = () => {
      now += 3_600_000
      return page.clock.pauseAt(now)
    }
    await page.clock.install({ time: now })
    await page.goto(`${server.url}/console/rooms/${room}?at=${one?.position}`)
    await shows('one')
    await page.getByLabel('skip idle').uncheck()
    await page.getByRole('button', { name: '4×' }).click()
    expect(await page.getByRole('button', { name: '4×' }).getAttribute('aria-pressed')).toBe('true')
    await stand()
    await page.getByRole('button', { name: 'Play' }).click()
    await page.clock.runFor(14_900)
    await shows('one')
    await page.clock.runFor(200)
    await shows('two')
    // Faster while it plays, by a key.
    await page.keyboard.press('s')
    await page.clock.runFor(240)
    await shows('two')
    await page.clock.runFor(20)
    await shows('three')
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.clock.resume()
    await page.goto(`${server.url}/console/rooms/${room}?at=${one?.position}`)
    await shows('one')
    await stand()
    await page.keyboard.press(' ')
    await page.clock.runFor(950)
    await shows('one')
    await page.clock.runFor(100)
    await shows('two')
    await page.clock.runFor(10_000)
    await page.getByRole('button', { name: 'Play' }).waitFor()
    await shows('RoomChanged')
  }, 40_000)

  it('is narrowed to one arrow of its chart, which says what it means and what it asks', async () => {
    await page.goto(`${server.url}/console/rooms/${room}`)
    await page.locator('svg .node').first().waitFor()
    const all = await rows()
    const said = page.locator('.chart .said')
    await page
      .getByRole('button', { name: /^MessagePosted/ })
      .first()
      .hover()
    await said.filter({ hasText: 'MessagePosted' }).filter({ hasText: 'Taken 3 times.' }).waitFor()
    // One stop of Tab, then up and down.
    await page.locator('.drawing').focus()
    await page.keyboard.press('Tab')
    await said.filter({ hasText: 'RoomOpened' }).waitFor()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('ArrowDown')
    await said.filter({ hasText: 'RoomOpened' }).waitFor()
    await page.keyboard.press('Enter')
    const only = page.getByRole('status').filter({ hasText: 'Only RoomOpened: 1 of' })
    await only.waitFor()
    expect(await rows()).toBe(1)
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Escape')
    await only.waitFor({ state: 'detached' })
    expect(await rows()).toBe(all)
    await page
      .getByRole('button', { name: /^MessagePosted/ })
      .first()
      .click()
    await page.getByRole('status').filter({ hasText: 'Only MessagePosted: 3 of' }).waitFor()
    expect(page.url()).toContain('arrow=')
    // The address alone leads back to it.
    await page.reload()
    await page.getByRole('status').filter({ hasText: 'Only MessagePosted: 3 of' }).waitFor()
    await page.getByRole('button', { name: 'show all' }).click()
    await expect.poll(rows).toBe(all)
    await page.goto(`${server.url}/console/machines/user`)
    await page.locator('[aria-label*="Asks wasLast."]').first().hover()
    await said.filter({ hasText: 'the last connection' }).waitFor()
    expect(await violations(page)).toEqual([])
  }, 40_000)

  it('is told as a sequence: who asked whom, what was stored, and what that led to in rooms and accounts', async () => {
    const { account, token } = await server.account('bob')
    const chat = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token })
    const lobby = await chat.join('moneypot:2')
    await lobby.post('hello')
    const place = (await server.rooms.byAlias('moneypot:2'))?.id
    const mute = { type: 'mute.set', asker: null, name: 'bob', user: account.id, seconds: 60, reason: null } as const
    await server.host.send(`room-${place}`, mute)
    await lobby.post('may I?').catch(() => {})
    chat.close()
    await server.settled()
    const { items } = (await admin('GET', '/connections?user=@bob')).body
    await page.goto(`${server.url}/console/connections/${items[0].id}?tab=sequence`)
    const arrows = page.locator('.stretch .arrow')
    const told = () => arrows.evaluateAll((found) => found.map((one) => one.getAttribute('aria-label')))
    // What it leads to when it ends comes of no client, and is found by its correlation.
    await page.getByRole('link', { name: 'connection to room: presence.leave' }).waitFor()
    expect(await told()).toEqual([
      'client to connection: connection.open',
      'connection to log: ConnectionOpened',
      'client to user: connection.attach',
      'user to log: CameOnline',
      'client to connection: auth.succeed',
      'connection to log: AuthSucceeded',
      'client to room: presence.enter',
      'room to log: PresenceEntered',
      'client to connection: room.enter',
      'connection to log: RoomEntered',
      'client to room: message.post',
      'room to log: MessagePosted',
      'client to room: message.post',
      'room to client: ✕ muted',
      'connection itself: delivery.note',
      'connection to log: Delivered',
      'client to connection: a command',
      'connection to log: ConnectionClosed',
      'connection to room: presence.leave',
      'room to log: PresenceLeft',
      'connection to user: connection.detach',
      'user to log: WentOffline',
    ])
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'connection to log: RoomEntered' }).click()
    await page.waitForURL(/at=/)
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    await page.getByRole('link', { name: 'room to log: MessagePosted' }).click()
    await page.waitForURL(new RegExp(`/rooms/${place}`))
    await shows('hello')

    // Live, what is said shows as it is said.
    const other = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token })
    const again = await other.join('moneypot:2')
    clock.advance(61_000) // past bob's mute
    const open = (await admin('GET', '/connections?user=@bob&state=authenticated')).body.items
    await page.goto(`${server.url}/console/connections/${open[0].id}?tab=sequence`)
    await page.getByRole('button', { name: 'connection to log: RoomEntered' }).waitFor()
    expect(await page.getByRole('link', { name: 'room to log: MessagePosted' }).count()).toBe(0)
    clock.advance(1_000) // changes are told twice a second
    await again.post('and now')
    await page.getByRole('link', { name: 'room to log: MessagePosted' }).waitFor()
    other.close()
    await server.settled()

    // A room's own: whose connection it was is a link, also of what it refused.
    await page.goto(`${server.url}/console/rooms/${place}?tab=sequence`)
    await page.getByRole('link', { name: 'room to connection: ✕ muted' }).waitFor()
    expect(await told()).toEqual(
      expect.arrayContaining([
        'room itself: mute.set',
        'room to log: UserMuted',
        'connection to room: message.post',
        'room to connection: ✕ muted',
        expect.stringMatching(/^room itself: ◷ mute:[0-9a-f-]{36}$/),
        'room to log: MuteExpired',
      ]),
    )
    await page.getByRole('link', { name: 'room to connection: ✕ muted' }).click()
    await page.waitForURL(new RegExp(`/connections/${items[0].id}`))
    await shows('isMuted')
  }, 40_000)

  it('is taken along as JSON, all of it or what was found in it, and only what may be shown', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    const copied = async () => JSON.parse((await page.evaluate('navigator.clipboard.readText()')) as string)
    const { items } = (await admin('GET', `/rooms/${room}/timeline`)).body
    await page.goto(`${server.url}/console/rooms/${room}?tab=facts`)
    await page.getByText('"text":"two"').waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Copy as JSON' }).click()
    await page.getByText(`${items.length} facts copied.`).waitFor()
    const whole = await copied()
    expect(whole).toHaveLength(items.length)
    for (const [index, fact] of whole.entries()) expect(items[index]).toMatchObject(fact)
    await page.keyboard.press('/')
    await page.keyboard.type('MESSAGEposted')
    await expect.poll(() => page.locator('.facts li').count()).toBe(3)
    await page.getByRole('button', { name: 'Copy as JSON' }).click()
    await page.getByText('3 facts copied.').waitFor()
    expect((await copied()).map(({ data }: { data: { text: string } }) => data.text)).toEqual(['one', 'two', 'three'])
    await page.locator('.facts .row').nth(1).click()
    await page.waitForURL(/at=/)
    await page.getByRole('link', { name: 'Timeline' }).click()
    await shows('two')
    await page.setViewportSize({ width: 360, height: 740 })
    await page.goto(`${server.url}/console/users/@owner?tab=facts`)
    await page.getByText('"username":"owner"').first().waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    expect(await page.content()).not.toContain(server.identity.hashToken(server.ownerTokenText))
  }, 40_000)
})
