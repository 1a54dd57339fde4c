// The chat page in a real browser: take a name, talk in two tabs, be muted and watch it end, lose the server and come
// back to the whole history. Nothing on it may fail an accessibility check.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { hasBrowser, openBrowser, violations } from './browser.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

describe.skipIf(!hasBrowser())('the chat page', () => {
  let directory: string
  let server: TestServer
  let clock: VirtualClock
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hansard-page-'))
    clock = new VirtualClock()
    server = await runServer({ storage: 'sqlite', directory, clock })
  })
  afterEach(async () => {
    await server?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const enter = async (name: string, path: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${server.url}${path}`)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Join' }).click()
    await page.getByRole('status').filter({ hasText: 'Connected' }).waitFor()
    return page
  }
  const signIn = async (token: string, path: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${server.url}${path}`)
    await page.getByText('I have a token').click()
    await page.getByLabel('Token', { exact: true }).fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('status').filter({ hasText: 'Connected' }).waitFor()
    return page
  }
  const say = async (page: Page, text: string) => {
    await page.getByLabel('Message', { exact: true }).fill(text)
    await page.getByLabel('Message', { exact: true }).press('Enter')
  }
  const hears = (page: Page, text: string) => page.getByRole('log').getByText(text, { exact: true }).waitFor()

  it.each([
    ['/', 'ana', 'bob'],
    ['/moneypot', 'anna', 'bobby'],
  ])(
    'at %s lets two people talk, shows a mute and its end, and survives the server',
    async (path, one, other) => {
      const ana = await enter(one, path)
      const bob = await enter(other, path)
      expect(await violations(ana)).toEqual([])
      await say(ana, `hello, ${other} <b>&</b>`)
      await hears(bob, `hello, ${other} <b>&</b>`)
      await say(bob, `hello, ${one}`)
      await hears(ana, `hello, ${one}`)

      const owner = await signIn(server.ownerTokenText, path)
      await owner.getByRole('button', { name: `Moderate ${other}` }).click()
      await owner.getByLabel('Reason, if any').fill('too loud')
      expect(await violations(owner)).toEqual([])
      await owner.getByRole('button', { name: 'Mute for 1 minute' }).click()
      const notice = bob.locator('#muted-notice')
      await notice.filter({ hasText: 'You are muted by owner: too loud. You can write again' }).waitFor()
      expect(await violations(bob)).toEqual([])
      await bob.reload()
      await notice.filter({ hasText: 'You are muted by owner: too loud. You can write again' }).waitFor()
      clock.advance(60_000)
      await bob.locator('#muted-notice').waitFor({ state: 'hidden' })
      await say(bob, `${other} may speak again`)
      await hears(ana, `${other} may speak again`)

      const { port } = server
      await server.stop()
      await ana.getByRole('status').filter({ hasText: 'away' }).waitFor()
      server = await runServer({ storage: 'sqlite', directory, clock, port })
      await ana
        .getByRole('status')
        .filter({ hasText: /Connected|connected again/ })
        .waitFor({ timeout: 15_000 })
      await say(ana, `${one} is still here`)
      await hears(ana, `${one} is still here`)
      for (const text of [`hello, ${other} <b>&</b>`, `hello, ${one}`, `${other} may speak again`]) {
        expect(await ana.getByRole('log').getByText(text, { exact: true }).count()).toBe(1)
      }
      expect(server.faults).toEqual([])
    },
    60_000,
  )

  it('tells whoever is put out, banned or in a locked room that they are, and others that it happened', async () => {
    const ana = await enter('ana', '/')
    const bob = await enter('bob', '/')
    const headers = { authorization: `Bearer ${server.ownerTokenText}` }
    const room = (method: string, path: string, body: object) =>
      asking(`${server.url}/api/v1/rooms/moneypot:2${path}`, method, headers, body)
    const status = (text: string) => bob.getByRole('status').filter({ hasText: text }).waitFor()
    await room('PATCH', '', { mode: 'locked' })
    await bob.locator('#mode-notice').filter({ hasText: 'only staff can write' }).waitFor()
    expect(await violations(bob)).toEqual([])
    await room('PATCH', '', { mode: 'open' })
    await bob.locator('#mode-notice').waitFor({ state: 'hidden' })
    await room('PATCH', '', { name: 'the lobby' })
    await say(bob, 'I may write')
    await hears(ana, 'I may write')
    expect(await bob.getByText('Everybody can write here again.').count()).toBe(1)

    await room('POST', '/kicks', { user: '@bob' })
    await status('You were put out of the room by owner.')
    await hears(ana, 'bob was put out by owner.')
    expect(await violations(bob)).toEqual([])
    await bob.getByRole('button', { name: 'Connect again' }).click()
    await status('Connected')
    await room('POST', '/bans', { user: '@bob' })
    await status('You are banned from this room.')
    await bob.reload()
    await bob.getByRole('log').getByText('You are banned from this room.').waitFor()
    expect(await violations(bob)).toEqual([])
  }, 60_000)
})
