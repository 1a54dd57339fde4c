// The commands of the README and of the pages for a moderator's and a debugger's first minutes, as they are pasted.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect } from '../src/client/client.ts'
import { asking } from './asking.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

const root = join(import.meta.dirname, '..')
const page = (file: string) => readFile(join(root, file), 'utf8')

/** `npm run hansard -- …`, from a directory that is not the package's. */
const NPM = `npm() { while [ "$1" != -- ]; do shift; done; shift; "${process.execPath}" "${root}/src/main.ts" "$@"; }\n`

let server: ServerProcess
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-readme-'))
  await mkdir(join(directory, 'data'))
  server = await startProcess(join(directory, 'data'))
})
afterAll(async () => {
  await server.kill()
  await rm(directory, { recursive: true, force: true })
})

/** Runs every block of commands of a page in one shell, which ends at the first that fails. */
const paste = async (file: string, instead: Readonly<Record<string, string>> = {}): Promise<string> => {
  const blocks = [...(await page(file)).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block)
  const replaced = { 'http://127.0.0.1:8080': server.url, ...instead }
  const commands = Object.entries(replaced).reduce((text, [said, meant]) => {
    expect(text).toContain(said)
    return text.replaceAll(said, meant)
  }, blocks.join('\n'))
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', NPM + commands], { cwd: directory })
  return stdout
}

it('the README’s first five minutes', async () => {
  const said = await paste('README.md')
  for (const part of [
    '"RoomOpened"',
    '"username":"ana"',
    '"text":"welcome"',
    '"reason":"trying it"',
    '"dialect":"rest"',
  ])
    expect(said).toContain(part)
})

describe('once ana and ben have talked', () => {
  let instead: Record<'message' | 'connection' | 'time' | 'minute', string>
  const ask = async (method: string, path: string, body?: unknown) =>
    (await asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${OWNER_TOKEN}` }, body)).body

  beforeAll(async () => {
    await ask('PUT', '/rooms/moneypot:2/rules', { rules: [] })
    await ask('DELETE', '/rooms/moneypot:2/mutes/@ana')
    const { token } = await ask('POST', '/users/@ana/tokens')
    await ask('POST', '/users', { username: 'ben' })
    for (const name of ['ana', 'ben']) await ask('PUT', `/rooms/moneypot:2/members/@${name}`, { role: 'member' })
    const chat = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token })
    const room = await chat.join('moneypot:2')
    await room.post('free coins at coin.example')
    await ask('POST', '/rooms/moneypot:2/mutes', { user: '@ana', seconds: 60, reason: 'too loud' })
    await expect(room.post('am I heard?')).rejects.toThrow()
    await ask('DELETE', '/rooms/moneypot:2/mutes/@ana')
    const said = await ask('GET', '/rooms/moneypot:2/messages')
    const { id } = said.items.at(-1)
    const { items } = await ask('GET', '/connections?user=@ana')
    const time = new Date().toISOString()
    chat.close()
    await vi.waitUntil(() => new Date().toISOString() > time, { interval: 1 })
    instead = { message: `${id}`, connection: items[0].id, time, minute: `${time.slice(0, 16)}Z` }
  })

  it('a moderator’s: finds, acts, undoes, justifies', async () => {
    const { message, time } = instead
    const said = await paste('docs/moderation.md', {
      '/17': `/${message}`,
      ' 17 ': ` ${message} `,
      '2026-01-31T12:00:00Z': time,
    })
    expect(said.match(/"text":"free coins at coin.example"/g)?.length).toBeGreaterThan(2)
    expect(said).toContain('ben is banned for 86400 seconds')
    for (const act of ['MessageRemoved', 'MessageRestored', 'UserMuted', 'UserUnmuted', 'MemberBanned', 'UserBanned'])
      expect(said).toContain(`"${act}"`)
    expect(said).toContain('"reason":"advertising"')
    const kept = (await readFile(join(directory, 'acts.ndjson'), 'utf8')).trim().split('\n')
    expect(kept.map((line) => JSON.parse(line).type)).toContain('MessageRestored')
    expect((await ask('GET', '/rooms/moneypot:2/mutes')).items).toEqual([])
    expect((await ask('GET', '/bans')).items).toEqual([])
  })

  it('a debugger’s: the connection, its refusal, the room then', async () => {
    const { connection, message, time, minute } = instead
    const said = await paste('docs/debugging.md', {
      '/17': `/${message}`,
      '2026-01-31T12:00:00Z': time,
      '2026-01-31T12:00Z': minute,
      '01a21526-0f7f-7519-814e-738c20658ba1': connection,
    })
    expect(said).toContain('"ready":true')
    expect(said).toContain('hansard_refusals_total{code="muted"} 1')
    expect(said).toContain('"guard":"isMuted"')
    expect(said).toContain('"type":"MessagePosted"')
    expect(await readFile(join(directory, 'ana.txt'), 'utf8')).toContain('muted')
    expect(await readFile(join(directory, 'talk.dialogue'), 'utf8')).toContain('# recorded')
  })
})

it.each(['README.md', 'docs/moderation.md', 'docs/debugging.md', 'docs/facts.md'])(
  'links of %s lead to files',
  async (file) => {
    for (const [, link] of (await page(file)).matchAll(/\]\((?!http)([^)#]+)[^)]*\)/g)) {
      await expect(readFile(join(root, dirname(file), link as string))).resolves.toBeDefined()
    }
  },
)
