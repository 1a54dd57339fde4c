// The clients that docs/protocols/ shows run as they stand, and the page of all codes is as the tables are.
// UPDATE_CODES=1 prints that page anew.

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codesPage } from './codes-page.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'

const run = promisify(execFile)
const folder = join(import.meta.dirname, '../docs/protocols')

let server: TestServer
let directory: string
beforeAll(async () => {
  server = await runServer()
  directory = await mkdtemp(join(tmpdir(), 'hansard-pages-'))
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

/** The first script of a page, with this server's address and a token, until it has printed something. */
const plays = async (page: string, token: string): Promise<string> => {
  const [, script = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(folder, `${page}.md`), 'utf8')) ?? []
  const file = join(directory, `${page}.mjs`)
  const end = `\nconst { log } = console\nconsole.log = (line) => { log(line); process.exit() }`
  const code = script.replaceAll('ws://127.0.0.1:8080', server.url.replace('http', 'ws'))
  await writeFile(file, `const TOKEN = '${token}'${end}\n${code}`)
  return (await run(process.execPath, [file], { timeout: 10_000 })).stdout.trim()
}

describe('the clients on the pages of the protocols', () => {
  it('native.md', async () => {
    const { token } = await server.account('nat')
    expect(await plays('native', token)).toBe('nat: hello')
  })

  it('plic.md', async () => {
    const { account } = await server.account('pia')
    await openRoom(server, 'plic:7', [{ account, role: 'owner' }])
    const { jwt } = await jsonWebTokens(account.id, Date.now())
    expect(await plays('plic', jwt as string)).toBe('sent')
  })

  it('maint.md', async () => {
    const bot = await server.account('bot', 'robot')
    const other = await server.account('listener', 'robot')
    const members = [bot, other].map(({ account }) => ({ account, role: 'member' as const }))
    await openRoom(server, 'maint:1', members)
    const heard = plays('maint', other.token)
    // Its own message it hears as stored only; what it prints is another's.
    await expect.poll(() => server.sessions.size).toBe(1)
    const room = await server.rooms.byAlias('maint:1')
    const asker = { id: bot.account.id, number: bot.account.number, username: 'bot', account: 'robot' as const }
    await expect
      .poll(async () => (await server.host.load(`room-${room?.id}`)).snapshot.context)
      .toMatchObject({ connections: { size: 1 } })
    const post = {
      type: 'message.post',
      text: 'beep',
      kind: 'text',
      clientRef: null,
      replyTo: null,
      extra: null,
    } as const
    await server.host.send(`room-${room?.id}`, { ...post, asker, entered: false })
    expect(await heard).toBe('bot: beep')
  })
})

it('the page of all codes is as the tables are', () => {
  const file = join(folder, 'codes.md')
  if (process.env.UPDATE_CODES) writeFileSync(file, codesPage())
  expect(readFileSync(file, 'utf8')).toBe(codesPage())
})
