// The chat page in a real browser: take a name, talk in two tabs, be muted and watch it end, lose the server and come
// back to the whole history. Nothing on it may fail an accessibility check.

import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasBrowser, openBrowser } from './browser.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const violations = async (page: Page): Promise<string[]> => {
  await page.evaluate(axe)
  const { violations: found } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { html: string }[] }[]
  }
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

describe.skipIf(!hasBrowser())('the chat page', () => {
  let directory: string
  let server: TestServer
  let clock: VirtualClock
  let browser: Browser
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hansard-page-'))
    clock = new VirtualClock()
    server = await runServer({ storage: 'sqlite', directory, clock })
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const enter = async (name: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(server.url)
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

  it('lets two people talk, shows a mute and its end, and survives the server', async () => {
    const ana = await enter('ana')
    const bob = await enter('bob')
    expect(await violations(ana)).toEqual([])
    await say(ana, 'hello, bob <b>&</b>')
    await hears(bob, 'hello, bob <b>&</b>')
    await say(bob, 'hello, ana')
    await hears(ana, 'hello, ana')

    const bobId = (await server.identity.byName('bob'))?.id ?? null
    const room = await server.rooms.byAlias('moneypot:2')
    const by = { asker: null, name: 'bob', user: bobId, seconds: 60, reason: null } as const
    await server.host.send(`room-${room?.id}`, { type: 'mute.set', ...by })
    await bob.locator('#muted-notice').waitFor({ state: 'visible' })
    expect(await violations(bob)).toEqual([])
    clock.advance(60_000)
    await bob.locator('#muted-notice').waitFor({ state: 'hidden' })
    await say(bob, 'I may speak again')
    await hears(ana, 'I may speak again')

    const { port } = server
    await server.stop()
    await ana.getByRole('status').filter({ hasText: 'away' }).waitFor()
    server = await runServer({ storage: 'sqlite', directory, clock: new VirtualClock(), port })
    await ana
      .getByRole('status')
      .filter({ hasText: /Connected|connected again/ })
      .waitFor({ timeout: 15_000 })
    await say(ana, 'still here')
    await hears(ana, 'still here')
    for (const text of ['hello, bob <b>&</b>', 'hello, ana', 'I may speak again']) {
      expect(await ana.getByRole('log').getByText(text, { exact: true }).count()).toBe(1)
    }
    expect(server.faults).toEqual([])
  }, 60_000)
})
