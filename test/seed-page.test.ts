// The example page of the Moneypot chat-server's own documentation (2015), unchanged but for address and token, in a
// real browser with socket.io-client 1.3.5's own file, polling first, from another origin.

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasBrowser, openBrowser } from './browser.ts'
import { runServer, type TestServer } from './running-server.ts'

const client = (name: string, file: string) =>
  readFileSync(join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file), 'utf8')

/** The documentation's full example, with its console lines. */
const page = (
  uri: string,
  hash: string,
): string => `<!doctype html><meta charset="utf-8"><script src="/socket.io.js"></script>
<script type="text/javascript">
  var config = { chat_uri: '${uri}', hashed_token: '${hash}', app_id: 2 };
  var socket = io(config.chat_uri);
  socket.on('connect', function() {
    console.log('[socket] Connected');
    socket.on('disconnect', function() { console.log('[socket] Disconnected'); });
    socket.on('system_message', function(text) { console.log('[socket] Received system message:', text); });
    socket.on('new_message', function(message) { console.log('[socket] Received chat message:', JSON.stringify(message)); });
    socket.on('user_joined', function(data) { console.log('[socket] User joined:', JSON.stringify(data)); });
    socket.on('client_error', function(text) { console.warn('[socket] Client error:', text); });
    var authPayload = { app_id: config.app_id, hashed_token: config.hashed_token};
    socket.emit('auth', authPayload, function(err, data) {
      if (err) { console.log('[socket] Auth failure:', err); return; }
      console.log('[socket] Auth success:', JSON.stringify(data));
      if (data.user) {
        socket.emit('new_message', 'Hello, wörld! 👋', function(err) {
          console.warn('[socket] err when sending message:', err);
        });
        console.log('[socket] Successfully sent message to server');
      }
    });
  });
</script>`

describe.skipIf(!hasBrowser())('the example page of the protocol’s own documentation', () => {
  let server: TestServer
  let browser: Browser
  let files: Server
  let content = { page: '', client: '' }
  beforeAll(async () => {
    server = await runServer()
    browser = await openBrowser()
    files = createServer((request, response) => {
      const script = request.url === '/socket.io.js'
      response.setHeader('content-type', `${script ? 'text/javascript' : 'text/html'}; charset=utf-8`)
      response.end(script ? content.client : content.page)
    })
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    await browser?.close()
    files?.close()
    await server?.stop()
  })

  it.each([
    ['sio1.3', 'socket.io.js'],
    ['sio1.7', 'dist/socket.io.js'],
    ['sio2.5', 'dist/socket.io.js'],
  ])('joins, speaks and hears with the browser file of %s', async (name, file) => {
    const username = `donald-${name.replace('.', '_')}`
    const { token } = await server.account(username)
    content = { page: page(server.url, server.identity.hashToken(token)), client: client(name, file) }
    const tab = await browser.newPage()
    const lines: string[] = []
    tab.on('console', (line) => lines.push(line.text()))
    await tab.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`)
    await expect
      .poll(() => lines.some((line) => line.includes('Received chat message')), { timeout: 15_000 })
      .toBe(true)
    await expect
      .poll(() => lines.some((line) => line.includes('err when sending message: undefined')), { timeout: 5_000 })
      .toBe(true)
    expect(lines.find((line) => line.includes('Auth success'))).toContain(`"uname":"${username}"`)
    expect(lines.find((line) => line.includes('Received chat message'))).toContain('Hello, wörld! 👋')
    expect(lines.filter((line) => /Client error|Auth failure|Disconnected/.test(line))).toEqual([])
    await tab.close()
  })
})
