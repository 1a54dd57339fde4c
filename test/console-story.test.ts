// A message's story in the console, in a real browser: how somebody who remembers a few words comes to it, what it says,
// and that everybody can use it.

import type { Browser, Page } from 'playwright-core'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect } from '../src/client/client.ts'
import { asking } from './asking.ts'
import { enterConsole, hasBrowser, openBrowser, violations } from './browser.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

describe.skipIf(!hasBrowser())('a message’s story', () => {
  let server: TestServer
  let browser: Browser
  let room: string
  let [said, removed] = [0, 0]
  const ends: (() => void)[] = []

  beforeAll(async () => {
    server = await runServer()
    const [ann, ben, cas] = await Promise.all(['ann', 'ben', 'cas'].map((name) => server.account(name)))
    const members = [ann, ben, cas].map((one) => ({ account: one?.account as never, role: 'member' as const }))
    room = (await openRoom(server, 'moneypot:500', members)).id
    const enter = async (token = '') => {
      const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token })
      ends.push(() => client.close())
      return { client, there: await client.join(room) }
    }
    const { there: anns } = await enter(ann?.token)
    const { there: cass } = await enter(cas?.token)
    const socket = io(server.url, { transports: ['websocket'], forceNew: true })
    const hashed_token = server.identity.hashToken(ben?.token ?? '')
    await new Promise((resolve) => socket.emit('auth', { app_id: 500, hashed_token }, resolve))
    const heard = new Promise((resolve) => socket.once('new_message', resolve))
    said = await anns.post('tea at noon, and I bring biscuits')
    await heard
    socket.disconnect()
    await anns.edit(said, 'tea at one, and I bring biscuits')
    cass.read(said)
    removed = await anns.post('a slip of the pen')
    await anns.remove(removed, 'not meant')
    // Until it is on record that ben has gone, and what he was handed.
    await vi.waitFor(async () => {
      const { seen } = (await read(`/rooms/${room}/messages/${said}/story`)).body
      expect([seen.sure.connections, seen.marked.items.length]).toEqual([1, 1])
    }, 5_000)
    browser = await openBrowser()
  })
  afterAll(async () => {
    for (const end of ends) end()
    await browser?.close()
    expect(server.faults).toEqual([])
    await server.stop()
  })

  const open = async (options: object = {}) => {
    const page = await (await browser.newContext(options)).newPage()
    page.setDefaultTimeout(8_000)
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    await page.goto(`${server.url}/console`)
    await enterConsole(page, server.ownerTokenText)
    return { page, faults }
  }
  const bearer = () => ({ authorization: `Bearer ${server.ownerTokenText}` })
  const read = (path: string) => asking(`${server.url}/api/v1${path}`, 'GET', bearer())
  const asOwner = (method: string, path: string, body: object) =>
    asking(`${server.url}/api/v1/rooms/${room}/messages${path}`, method, bearer(), body)
  const post = (text: string) => asOwner('POST', '', { text })
  const edit = (id: number, text: string) => asOwner('PATCH', `/${id}`, { text })
  const stationOf = (page: Page, name: string) => page.getByRole('region', { name })

  it('is found by a few of its words, by keys alone', async () => {
    const { page, faults } = await open()
    await page.keyboard.press('/')
    await page.keyboard.type('biscuits')
    await page.keyboard.press('Enter')
    const found = page.getByRole('link', { name: 'tea at one, and I bring biscuits' })
    await found.waitFor()
    expect(await violations(page)).toEqual([])
    await found.press('Enter')
    await page.waitForURL(`${server.url}/console/rooms/${room}/messages/${said}`)

    // From above: frame, command, facts, read models, who saw it.
    await stationOf(page, 'It came').getByText('post', { exact: true }).waitFor()
    expect(await stationOf(page, 'It came').textContent()).toContain('of native, version 1, over websocket')
    expect(await stationOf(page, 'It was a wish').textContent()).toContain('message.post')
    const facts = stationOf(page, 'It became facts')
    expect(await facts.locator('li').allTextContents()).toEqual([
      expect.stringMatching(/^MessagePosted.*@ann on .* → tea at noon, and I bring biscuits$/),
      expect.stringMatching(/^MessageEdited.*@ann on .* → tea at one, and I bring biscuits$/),
    ])
    expect(await stationOf(page, 'It is in the read models').textContent()).toContain('shown, with a later text')
    const seen = stationOf(page, 'Who saw it')
    expect(await seen.locator('.sure li').allTextContents()).toEqual([
      expect.stringMatching(/^@benmoneypot .*as it was said, by /),
    ])
    expect(await seen.locator('.maybe li').allTextContents()).toEqual([
      expect.stringMatching(/^@annwrote itnative .*still connected/),
      expect.stringMatching(/^@casnative .*still connected/),
    ])
    expect(await seen.locator('.marked li').allTextContents()).toEqual([expect.stringMatching(/^@cas/)])

    // What proves it is on ben's connection, at that very fact.
    await seen.locator('.sure a').last().click()
    await page.locator('[aria-current=step]').filter({ hasText: 'Delivered' }).waitFor()
    await page.goBack()
    await facts.getByRole('link', { name: 'MessageEdited' }).click()
    await page.locator('[aria-current=step]').filter({ hasText: 'MessageEdited' }).waitFor()
    await page.getByRole('link', { name: 'its whole story' }).click()
    await stationOf(page, 'Who saw it').waitFor()
    expect(faults).toEqual([])
    await page.context().close()
  }, 30_000)

  it('of one that was removed has no text of it, and is reached from the transcript', async () => {
    const { page, faults } = await open()
    const answers: Promise<string>[] = []
    page.on('response', (response) => {
      if (response.url().endsWith('/story')) answers.push(response.text())
    })
    await page.goto(`${server.url}/console/rooms/${room}?tab=transcript`)
    await page.getByRole('link', { name: `Story of message ${removed}` }).click()
    await page.getByText('Its text is not shown: it was removed by @ann, “not meant”.').waitFor()
    expect(await stationOf(page, 'It became facts').locator('li').allTextContents()).toEqual([
      expect.stringMatching(/^MessagePosted.*its text is not shown$/),
      expect.stringMatching(/^MessageRemoved.*“not meant”$/),
    ])
    expect(await page.content()).not.toContain('slip of the pen')
    expect(answers.length).toBeGreaterThan(0)
    for (const answer of await Promise.all(answers)) expect(answer).not.toContain('slip of the pen')
    expect(faults).toEqual([])
    await page.context().close()
  }, 30_000)

  it('shows more of a long list, and more of what was found, when asked to', async () => {
    const { page, faults } = await open()
    const { id } = (await post('the kettle sings')).body
    for (let turn = 1; turn <= 51; turn++) await edit(id, `the kettle sings ${turn}`)
    for (let turn = 1; turn <= 20; turn++) await post(`a kettle more ${turn}`)
    await page.goto(`${server.url}/console/rooms/${room}/messages/${id}`)
    const facts = stationOf(page, 'It became facts')
    await facts.getByText('and 1 later change').waitFor()
    expect(await violations(page)).toEqual([])
    await facts.getByRole('button', { name: 'show more' }).press('Enter')
    await facts.getByText('the kettle sings 51', { exact: true }).waitFor()
    expect(await facts.getByRole('button', { name: 'show more' }).count()).toBe(0)
    await page.goto(`${server.url}/console?q=kettle`)
    await page.getByText('The newest 20 are shown').waitFor()
    await page.getByRole('button', { name: 'show more' }).press('Enter')
    await page.getByRole('link', { name: 'the kettle sings 51' }).waitFor()
    expect(faults).toEqual([])
    await page.context().close()
  }, 30_000)

  it('of one that was removed is read in the transcript by whoever asks for it, on record', async () => {
    const { page, faults } = await open()
    await page.goto(`${server.url}/console/rooms/${room}?tab=transcript`)
    const noted = async () => {
      const { position } = (await read('/facts?limit=1')).body
      return (await read(`/moderation?room=${room}&kind=RemovedTextRead&atLeast=${position}`)).body.items
    }
    await page.getByText('removed by @ann: not meant').waitFor()
    expect(await page.content()).not.toContain('slip of the pen')
    expect(await noted()).toEqual([])
    await page.getByRole('button', { name: `read it: message ${removed}, on record` }).press('Enter')
    await page.locator('.transcript .taken').filter({ hasText: 'slip of the pen' }).waitFor()
    expect(await violations(page)).toEqual([])
    expect(await noted()).toMatchObject([{ by: { username: 'owner' }, detail: { ids: [removed] } }])
    expect(faults).toEqual([])
    await page.context().close()
  }, 30_000)

  it.each(['light', 'dark'] as const)(
    'can be used by everybody, in %s, also on a small telephone',
    async (colorScheme) => {
      const { page, faults } = await open({ colorScheme })
      for (const [path, says] of [
        [`/rooms/${room}/messages/${said}`, 'Who saw it'],
        [`/rooms/${room}/messages/${removed}`, 'Who saw it'],
        ['?q=biscuits', 'and I bring'],
        ['?q=nothing-of-the-kind', 'No message that is shown'],
      ] as const) {
        await page.setViewportSize({ width: 1_280, height: 900 })
        await page.goto(`${server.url}/console${path}`)
        await page.getByText(says).first().waitFor()
        expect(await violations(page, colorScheme), path).toEqual([])
        await page.setViewportSize({ width: 360, height: 740 })
        expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(360)
      }
      // One that is not there says so.
      await page.goto(`${server.url}/console/rooms/${room}/messages/999999`)
      await page.getByRole('alert').filter({ hasText: 'message' }).waitFor()
      expect(faults.filter((fault) => !fault.includes('404'))).toEqual([])
      await page.context().close()
    },
    30_000,
  )
})
