// The full example of the Moneypot chat-server's own documentation (2015), as it stands there but for address and token,
// in a real browser with each client's own file, from another origin: polling first, and without any WebSocket.

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { hasBrowser, openBrowser } from './browser.ts'
import { participants } from './participants.ts'
import { runServer, type TestServer } from './running-server.ts'

const client = (name: string, file: string) =>
  readFileSync(join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file), 'utf8')

const EXAMPLE = readFileSync(join(import.meta.dirname, 'seed-page.txt'), 'utf8')
const ADDRESS = 'https://a-chat-server.herokuapp.com'
const HASH = '5fef422fb4e79a1785868b87abb3d3932ea5621c23ab2e9b13ee2167f12542cb'

const page = (uri: string, hash: string): string =>
  `<!doctype html><meta charset="utf-8"><script src="/socket.io.js"></script>${EXAMPLE.replace(ADDRESS, uri).replace(HASH, hash)}`

describe.skipIf(!hasBrowser())('the example page of the protocol’s own documentation', () => {
  let server: TestServer
  let browser: Browser
  let files: Server
  let content = { page: '', client: '' }
  const { io, people } = participants(() => server.url)
  beforeAll(async () => {
    browser = await openBrowser()
    files = createServer((request, response) => {
      const script = request.url === '/socket.io.js'
      response.setHeader('content-type', `${script ? 'text/javascript' : 'text/html'}; charset=utf-8`)
      response.end(script ? content.client : content.page)
    })
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve))
  })
  beforeEach(async () => {
    server = await runServer()
  })
  afterEach(async () => {
    for (const participant of people.splice(0)) participant.leave()
    await server.stop()
  })
  afterAll(async () => {
    await browser?.close()
    files?.close()
  })

  /** What the page writes to its console, as values; it has written so many lines. */
  const consoleOf = (tab: Page) => {
    const lines: Promise<unknown[]>[] = []
    tab.on('console', (line) => lines.push(Promise.all(line.args().map((value) => value.jsonValue()))))
    return async (count: number): Promise<unknown[][]> => {
      await expect.poll(() => lines.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count)
      return Promise.all(lines)
    }
  }

  it.each([
    ['sio1.3', 'socket.io.js', 'upgraded'],
    ['sio1.3', 'socket.io.js', 'polling alone'],
    ['sio1.7', 'dist/socket.io.js', 'upgraded'],
    ['sio2.5', 'dist/socket.io.js', 'upgraded'],
  ])('joins, speaks and hears all there is with the browser file of %s (%s %s)', async (name, file, carriage) => {
    const { account, token } = await server.account('donald', 'admin')
    const bob = await server.account('bob')
    content = { page: page(server.url, server.identity.hashToken(token)), client: client(name, file) }
    const tab = await browser.newPage()
    const carriers: (string | null)[] = []
    tab.on('request', (request) => carriers.push(new URL(request.url()).searchParams.get('transport')))
    tab.on('websocket', (socket) => carriers.push(new URL(socket.url()).searchParams.get('transport')))
    if (carriage === 'polling alone') await tab.addInitScript('delete window.WebSocket')
    const lines = consoleOf(tab)
    await tab.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`)

    const donald = { id: account.number, uname: 'donald', role: 'admin' }
    const user = { uname: 'donald', role: 'admin' }
    const id = expect.any(Number)
    const greeted = [
      ['[socket] Connected'],
      ['[socket] Auth success:', { user: donald, room: { users: { donald }, history: [], muteList: {} } }],
      ['[socket] Successfully sent message to server'],
      ['[socket] Received chat message:', { id, user, text: 'Hello, world!' }],
      ['[socket] err when sending message:', undefined],
    ]
    expect(await lines(greeted.length)).toEqual(greeted)
    if (carriage === 'upgraded') await expect.poll(() => carriers).toContain('websocket')
    const told = carriers.filter((carrier) => carrier !== null)
    expect(told[0]).toBe('polling')
    if (carriage === 'polling alone') expect(told).not.toContain('websocket')

    // One after another, so that their order is known. `socket` is the page's own.
    const soFar: unknown[][] = [...greeted]
    const then = async (act: () => unknown, ...next: unknown[][]) => {
      await act()
      soFar.push(...next)
      expect(await lines(soFar.length)).toEqual(soFar)
    }
    const say = (text: string) => tab.evaluate(`socket.emit('new_message', ${JSON.stringify(text)})`)
    const other = await io()
    const uname = 'bob'
    const person = { id: bob.account.number, uname, role: 'member' }
    const hashed_token = server.identity.hashToken(bob.token)
    await then(
      () => other.send({ who: 'bob', dir: 'C>S', ev: ['auth', { app_id: 2, hashed_token }], ack: 'a' }),
      ['[socket] User joined:', person],
    )
    await then(
      () => say('Hello, wörld! 👋'),
      ['[socket] Received chat message:', { id, user, text: 'Hello, wörld! 👋' }],
    )
    await then(
      () => say('/mute bob 10'),
      ['[socket] User muted:', { uname, mins: 10, expires_at: expect.stringMatching(/^\d{4}-.*Z$/) }],
      ['[socket] Received system message:', 'User "bob" muted for 10 minutes'],
    )
    await then(
      () => say('/unmute bob'),
      ['[socket] User unmuted:', { uname }],
      ['[socket] Received system message:', 'User "bob" unmuted'],
    )
    await then(() => say(' '), ['[socket] Client error:', '`new_message` text must be 1-350 chars'])
    await then(() => other.leave(), ['[socket] User left:', person])
    const kick = `${server.url}/api/v1/users/%23${account.number}/kicks`
    const authorization = `Bearer ${server.ownerTokenText}`
    await then(() => asking(kick, 'POST', { authorization }, {}), ['[socket] Disconnected'])
    expect(server.faults).toEqual([])
    await tab.close()
  })
})
