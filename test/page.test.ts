// The chat page in a real browser: take a name, talk in two tabs, be muted and watch it end, lose the server and come
// back to the whole history. Nothing on it may fail an accessibility check.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
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

      const bobId = (await server.identity.byName(other))?.id ?? null
      const room = await server.rooms.byAlias('moneypot:2')
      const by = { asker: null, name: other, user: bobId, seconds: 60, reason: null } as const
      await server.host.send(`room-${room?.id}`, { type: 'mute.set', ...by })
      await bob.locator('#muted-notice').waitFor({ state: 'visible' })
      expect(await violations(bob)).toEqual([])
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
})
