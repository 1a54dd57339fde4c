// The clients that docs/protocols/ shows run as they stand, and the page of all codes is as the tables are.
// UPDATE_CODES=1 prints that page anew.

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
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
  // Inside the project, where a client library is found.
  await mkdir(join(import.meta.dirname, '../reports'), { recursive: true })
  directory = await mkdtemp(join(import.meta.dirname, '../reports/pages-'))
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
  const code = script
    .replaceAll('ws://127.0.0.1:8080', server.url.replace('http', 'ws'))
    .replaceAll('http://127.0.0.1:8080', server.url)
  await writeFile(file, `const TOKEN = '${token}'${end}\n${code}`)
  return (await run(process.execPath, [file], { timeout: 10_000 })).stdout.trim()
}

describe('the clients on the pages of the protocols', () => {
  it('native.md', async () => {
    const { token } = await server.account('nat')
    expect(await plays('native', token)).toBe('nat: hello')
  })

  it('moneypot.md', async () => {
    const { token } = await server.account('mo')
    expect(await plays('moneypot', token)).toBe('mo: hello')
  })

  it('drivers.md', async () => {
    const { account, token } = await server.account('driver')
    await openRoom(server, 'drivers:49', [{ account, role: 'member' }])
    expect(await plays('drivers', token)).toBe('driver: hello')
  })

  it('ayaka.md', async () => {
    const [ann, ali] = [await server.account('ann'), await server.account('ali')]
    const members = [ann, ali].map(({ account }) => ({ account, role: 'member' as const }))
    const guild = await server.rooms.open({ name: 'g', kind: 'space', aliases: ['ayaka:3'], members, asker: null })
    const parent = guild.ok ? guild.room.id : null
    const channel = await server.rooms.open({ name: 'c', parent, aliases: ['ayaka:12'], asker: null })
    const heard = plays('ayaka', ali.token)
    const isFollowed = async () => {
      for await (const { type, data } of server.log.readAll()) {
        if (type === 'RoomsFollowed' && data.includes(channel.ok ? channel.room.id : '?')) return true
      }
      return false
    }
    await expect.poll(isFollowed, { timeout: 5_000 }).toBe(true)
    const { status } = await fetch(`${server.url}/v3/channels/12/messages/create`, {
      method: 'POST',
      headers: { authorization: ann.token, 'content-type': 'application/json' },
      body: JSON.stringify({ content: 'salut' }),
    })
    expect(status).toBe(201)
    expect(await heard).toBe('ann: salut')
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
