// Starting and stopping as an operator does: one process a data directory, SIGTERM tells clients and loses nothing.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { io } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hansard as command } from './command-line.ts'
import { runServer } from './running-server.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
let directory: string
let server: ServerProcess | null = null
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-start-'))
})
afterEach(async () => {
  await server?.kill()
  server = null
  await rm(directory, { recursive: true, force: true })
})

const hansard = (args: readonly string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })

describe('the process', () => {
  it('keeps what Node made of the sources where the environment says', async () => {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled') }
    expect(spawnSync(process.execPath, [MAIN, 'help'], { env }).status).toBe(0)
    expect((await readdir(directory, { recursive: true })).length).toBeGreaterThan(5)
    // Where nothing can be written it does without.
    const nowhere = { ...process.env, NODE_COMPILE_CACHE: '/dev/null/nowhere' }
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'help'], { env: nowhere, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })
})

describe('hansard serve', () => {
  it('says where it listens, what to try, and is ready', async () => {
    server = await startProcess(directory)
    expect(server.output()).toMatch(/^hansard \S+ listening on http:\/\/127\.0\.0\.1:\d+\n/)
    const ready = await fetch(`${server.url}/readyz`)
    expect(await ready.json()).toMatchObject({ ready: true, parked: 0, quarantined: 0, problems: [] })
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    const page = await fetch(server.url)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await page.text()).toContain('<title>')
  })

  it('refuses a data directory that is in use, and says what to do', async () => {
    server = await startProcess(directory)
    const second = hansard(['serve', '--port', '0', '--data', directory])
    expect(second.status).toBe(2)
    expect(second.stderr).toContain('in use by another hansard process')
  })

  it('keeps the owner’s token of a first start that finds its port taken', async () => {
    server = await startProcess(directory)
    const other = join(directory, 'other')
    const { port } = new URL(server.url)
    const refused = hansard(['serve', '--port', port, '--data', other])
    expect([refused.status, refused.stderr]).toEqual([
      2,
      `hansard: cannot listen on 127.0.0.1:${port}: something else listens there. ` +
        'Choose another address with HANSARD_HOST and HANSARD_PORT\n',
    ])
    expect(await readFile(join(other, 'admin-token'), 'utf8')).toMatch(/^[0-9a-f]{32}\n$/)
  })

  it('stops at a signal before it is ready', async () => {
    const args = [MAIN, 'serve', '--port', '0', '--data', directory, '--log', 'esdb://127.0.0.1:1?tls=false']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = once(child, 'exit')
    let said = ''
    for await (const text of child.stderr) {
      said += text
      if (said.includes('not ready yet')) child.kill('SIGTERM')
    }
    expect(await ended).toEqual([0, null])
    expect(said).toContain('stopped before it was ready')
  })

  it('is not ready any more from when it begins to stop', async () => {
    const node = await runServer()
    await node.sessions.stop()
    const ready = await fetch(`${node.url}/readyz`)
    expect([ready.status, await ready.json()]).toMatchObject([503, { ready: false, problems: ['the server stops'] }])
    await node.stop()
  })

  it('on SIGTERM drops the transport so that clients come back, and exits 0 with everything on the log', async () => {
    server = await startProcess(directory)
    const socket = io(server.url, { transports: ['websocket'], reconnection: false })
    await new Promise<void>((resolve) => socket.on('connect', resolve))
    await new Promise<void>((resolve) => socket.emit('auth', { app_id: 2 }, () => resolve()))
    const gone = new Promise((resolve) => socket.on('disconnect', resolve))
    // As under `npm start`, which hands on what the process had from the terminal or its group itself.
    server.child.kill('SIGTERM')
    expect(await server.stop()).toBe(0)
    expect(await gone).toBe('transport close')
    server = await startProcess(directory)
    const headers = { authorization: `Bearer ${OWNER_TOKEN}` }
    const answer = await (await fetch(`${server.url}/api/v1/connections`, { headers })).json()
    expect((answer as { items: unknown[] }).items).toMatchObject([
      { dialect: 'moneypot', state: 'closed', cause: 'shutdown' },
    ])
  })
})

describe('the command line', () => {
  const said = async (args: readonly string[], environment: Record<string, string> = {}) =>
    (await command(args, { environment })).err

  it('names an unknown setting, an unknown option and a bad value', async () => {
    expect(await said(['serve'], { HANSARD_PORTT: '1' })).toContain(
      'unknown setting HANSARD_PORTT, did you mean HANSARD_PORT?',
    )
    expect(await said(['serve', '--portt', '1'])).toContain('unknown option --portt, did you mean --port?')
    expect(await said(['serve', '--port', '99999'])).toBe(
      'hansard: HANSARD_PORT (flag) is "99999". It must be a whole number from 0 to 65535\n',
    )
    expect(await said(['serve', '--log', 'postgres://ana:secret@x'])).toContain(
      'HANSARD_LOG (flag) is "postgres://…@x"',
    )
    expect(await said(['serve', '--admin-token', 'secret'])).not.toMatch(/secret/)
    for (const [option, value] of [
      ['--origins', 'foo^bar'],
      ['--trust-proxy', 'banana'],
      ['--webhook-types', 'Foo'],
      ['--guests', 'maybe'],
    ] as const)
      expect(await said(['serve', option, value])).toContain(`is "${value}". It must be`)
    expect(await said(['dance'])).toContain('unknown command dance')
  })

  it('names an address of the log that is none, without its password', async () => {
    const refused = hansard(['serve', '--data', directory, '--log', 'esdb://ana:secret@'])
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('esdb://…@ is no address of a log')])
    expect(refused.stderr).not.toContain('secret')
  })

  it('prints every setting with its value and origin, and no secret', async () => {
    const environment = { HANSARD_ADMIN_TOKEN: OWNER_TOKEN }
    const { out } = await command(['config', '--port', '1', '--log', 'esdb://ana:secret@a:1'], { environment })
    expect(out).toContain('HANSARD_PORT=1  # flag')
    expect(out).toContain('HANSARD_HOST=127.0.0.1  # default')
    expect(out).toContain('HANSARD_LOG=esdb://…@a:1  # flag')
    expect(out).not.toContain(OWNER_TOKEN)
    const { out: json } = await command(['config', '--json'], { environment })
    expect(JSON.parse(json)).toContainEqual({
      name: 'HANSARD_ADMIN_TOKEN',
      value: '(set, not shown)',
      from: 'environment',
    })
  })

  it('rebuilds the read models of a server that runs or is stopped, and says so of a directory without a log', async () => {
    server = await startProcess(directory)
    const meanwhile = await command(['rebuild', '--data', directory])
    expect(meanwhile.out).toMatch(/^rebuilt up to position \d+ in [\d.]+ s$/m)
    await server.stop()
    server = null
    const rebuilt = await command(['rebuild', '--data', directory])
    expect(rebuilt.out).toMatch(/^rebuilt up to position \d+ in [\d.]+ s$/m)
    expect(await said(['rebuild', '--data', join(directory, 'nothing')])).toContain('no log in')
  })
})
