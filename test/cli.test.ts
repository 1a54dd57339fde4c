// Commands as an operator gives them: against a server that runs, and against a data directory where none does.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runServer } from './running-server.ts'
import { type ServerProcess, startProcess } from './server-process.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')

let directory: string
let server: ServerProcess
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-cli-'))
  server = await startProcess(directory)
})
afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

const hansard = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { ...process.env, HANSARD_ADMIN_TOKEN: '0123456789abcdef0123456789abcdef' }
    execFile(process.execPath, [MAIN, ...args, '--data', directory], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err })
    })
  })

const done = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await hansard(...args)
  expect(err).toBe('')
  expect(code).toBe(0)
  return out
}

describe.each(['a server that runs', 'a directory without a server'])('against %s', (where) => {
  const name = where.startsWith('a server') ? 'ann' : 'bob'
  const alias = where.startsWith('a server') ? 'moneypot:18' : 'moneypot:19'

  beforeAll(async () => {
    if (where.startsWith('a server')) return
    expect(await server.stop()).toBe(0)
  })

  it('users are made, listed, given roles and tokens, banned and let in again', async () => {
    expect(await done('user', 'add', name, '--role', 'robot')).toMatch(/^#\d+ \w+, robot\ntoken [0-9a-f]{32}\n$/)
    expect(await done('user', 'token', name)).toMatch(/^token [0-9a-f]{32}\n$/)
    expect(await done('user', 'role', name, 'member')).toContain('member')
    expect(await done('user', 'list')).toMatch(new RegExp(`^#\\d+  ${name} +member$`, 'm'))
    expect(await done('user', 'ban', name, '--seconds', '60', '--reason', 'spam')).toContain('for 60 seconds')
    expect(await done('user', 'unban', name)).toContain('not banned')
  })

  it('rooms are opened, shown as they are and as they were, locked and archived', async () => {
    const before = new Date().toISOString()
    expect(await done('room', 'open', 'Chess club', '--alias', alias, '--owner', name)).toContain(alias)
    expect(await done('room', 'list')).toContain('Chess club')
    expect(await done('room', 'show', alias)).toContain(`members\n${name}  owner`)
    expect((await hansard('room', 'show', alias, '--at', before)).err).toContain('refuses')
    expect(await done('room', 'mode', alias, 'locked')).toContain('locked')
    expect(await done('room', 'archive', alias)).toContain('archived')
  })

  it('facts are exported as lines of JSON', async () => {
    const lines = (await done('log', 'export', '--type', 'UserBanned,UserRegistered')).trim().split('\n')
    const types = lines.map((line) => JSON.parse(line).type)
    expect(types).toContain('UserBanned')
    expect(new Set(types)).toEqual(new Set(['UserRegistered', 'UserBanned']))
  })

  it('what is wrong is said, with what to do', async () => {
    expect(await hansard('user', 'nope')).toMatchObject({ code: 2, err: expect.stringContaining('list | add') })
    expect(await hansard('user', 'add')).toMatchObject({
      code: 2,
      err: expect.stringContaining('usage: hansard user add NAME'),
    })
    expect(await hansard('room', 'show', 'moneypot:999')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no such room'),
    })
    if (!where.startsWith('a server')) {
      expect(await hansard('log', 'tail')).toMatchObject({ code: 2, err: expect.stringContaining('no server runs') })
    }
    expect(await hansard('log', 'nope')).toMatchObject({
      code: 2,
      err: expect.stringContaining('export | tail | record'),
    })
  })
})

it('facts are followed while they happen', async () => {
  const followed = await runServer()
  const args = [MAIN, 'log', 'tail', '--type', 'UserRegistered', '--url', followed.url]
  const child = spawn(process.execPath, [...args, '--admin-token', followed.ownerTokenText])
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  for (let number = 0; !out.includes('UserRegistered') && number < 200; number++) {
    await followed.account(`user${number}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(JSON.parse(out.split('\n', 1)[0] ?? '')).toMatchObject({ type: 'UserRegistered', data: { role: 'member' } })
  child.kill('SIGINT')
  expect((await once(child, 'exit'))[0]).toBe(0)
  await followed.stop()
})

it('nothing that people wrote writes to the terminal', async () => {
  const { rows } = await import('../src/cli/commands.ts')
  expect(rows([['a\u001b[31m', 'b\u202e\n']])).toBe('a\\u{1b}[31m  b\\u{202e}\\u{a}\n')
})
