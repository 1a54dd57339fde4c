// Commands as an operator gives them: against a server that runs, and against a data directory where none does.

import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { catalogue } from '../src/cli/catalogue.ts'
import { progressOn, rows } from '../src/cli/commands.ts'
import { asking } from './asking.ts'
import { hansard as command, type Ran } from './command-line.ts'
import { runServer } from './running-server.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

let directory: string
let server: ServerProcess
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-cli-'))
  server = await startProcess(directory)
})
afterAll(async () => {
  await server.kill()
  await rm(directory, { recursive: true, force: true })
})

const hansard = (...args: readonly string[]): Promise<Ran> => command([...args, '--data', directory])

const done = async (...args: readonly string[]): Promise<string> => {
  const ran = await hansard(...args)
  expect(ran).toMatchObject({ code: 0, err: '' })
  return ran.out
}

describe.each(['a server that runs', 'a directory without a server'])('against %s', (where) => {
  const runs = where.startsWith('a server')
  const name = runs ? 'ann' : 'bob'
  const alias = runs ? 'moneypot:18' : 'moneypot:19'

  beforeAll(async () => {
    if (!runs) expect(await server.stop()).toBe(0)
  })

  it('users are made, listed, given roles and tokens, banned and let in again', async () => {
    expect(await done('user', 'add', name, '--role', 'robot')).toMatch(/^#\d+ \w+, robot\ntoken [0-9a-f]{32}\n$/)
    expect(await done('user', 'token', name, '--label', 'a script')).toMatch(/^[0-9a-f]{32}\n$/)
    const tokens = await done('user', 'tokens', name)
    const [, id] = /^(\S+) +a script +\S+Z +in force$/m.exec(tokens) ?? []
    expect(await done('user', 'revoke', name, id as string)).toBe(`token ${id} is revoked\n`)
    expect(await done('user', 'tokens', name)).toMatch(/^\S+ +\S+Z +in force\n\S+ +a script +\S+Z +revoked \S+Z$/m)
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
    const unlocked = new Date().toISOString()
    await vi.waitUntil(() => new Date().toISOString() > unlocked, { interval: 1 })
    expect(await done('room', 'mode', alias, 'locked')).toContain('locked')
    expect(await done('room', 'show', alias)).toMatch(/Chess club +\S+ +locked/)
    expect(await done('room', 'show', alias, '--at', unlocked)).toMatch(/Chess club +\S+ +open/)
    expect(await done('room', 'archive', alias)).toContain('archived')
  })

  it('somebody is muted in a room and let write again, with reasons', async () => {
    const other = runs ? 'moneypot:28' : 'moneypot:29'
    await done('room', 'open', 'Order', '--alias', other)
    const mute = ['room', 'mute', other, name, '--seconds', '60', '--reason', 'too loud']
    expect(await done(...mute)).toBe(`${name} is muted in ${other} for 60 seconds\n`)
    expect(await done('room', 'show', other)).toMatch(new RegExp(`mutes\\n${name}  until \\S+Z  too loud\\n`))
    expect(await done('room', 'unmute', other, `@${name}`, '--reason', 'enough')).toContain('not muted')
  })

  const whereItRuns = runs ? it : () => {}
  whereItRuns('somebody is put out, kept out and disconnected, and messages are found, removed and back', async () => {
    const other = 'moneypot:28'
    const shown = () => done('room', 'show', other)
    expect(await done('room', 'ban', other, name, '--reason', 'spam')).toBe(`${name} is banned from ${other}\n`)
    expect(await shown()).toMatch(new RegExp(`bans\\n${name}  without end  spam\\n`))
    expect(await done('room', 'unban', other, name, '--reason', 'sorry')).toContain('not banned')
    const users: { username: string; id: string }[] = JSON.parse(await done('user', 'list', '--json'))
    const { id } = users.find(({ username }) => username === name) as { id: string }
    expect(await hansard('room', 'kick', other, id)).toMatchObject({
      code: 2,
      err: expect.stringContaining('not a member'),
    })
    expect(await done('user', 'kick', name, '--reason', 'late')).toBe(`${name} is disconnected\n`)
    expect(await done('room', 'mode', other, 'slow', '--seconds', '5')).toContain('slow')

    const { token } = JSON.parse(await done('user', 'add', 'mona', '--role', 'admin', '--json'))
    const path = `${server.url}/api/v1/rooms/${other}/messages`
    const said = await asking(path, 'POST', { authorization: `Bearer ${token}` }, { text: 'free coins' })
    const spam = `${said.body.id}`
    expect(await shown()).toMatch(new RegExp(`last messages\\n${spam}  \\S+Z  mona:  free coins\\n`))
    const find = (...more: string[]) => done('message', 'find', 'coin*', '--room', other, '--author', 'mona', ...more)
    expect(await find()).toMatch(new RegExp(`^${spam} .* mona: +free coins\\n$`))
    expect(await find('--at', '2026-01-01T00:00:00Z')).toBe('')
    expect(await done('message', 'remove', other, spam, '--reason', 'spam')).toBe(`message ${spam} is removed\n`)
    expect(await find()).toBe('')
    expect(await shown()).toContain('(removed)')
    expect(await done('message', 'restore', other, spam)).toBe(`message ${spam} is back\n`)
    expect(await find()).toContain(spam)
    const types = 'UserUnmuted,MemberBanLifted,UserKicked,MessageRemoved'
    const acts = (await done('log', 'export', '--type', types)).trim().split('\n')
    expect(acts.map((line) => JSON.parse(line)).map(({ type, data }) => `${type} ${data.reason}`)).toEqual([
      'UserUnmuted enough',
      'MemberBanLifted sorry',
      'UserKicked late',
      'MessageRemoved spam',
    ])
  })

  it('a script reads JSON', async () => {
    const users = JSON.parse(await done('user', 'list', '--json'))
    expect(users).toContainEqual(expect.objectContaining({ username: name, role: 'member' }))
    const { room, members } = JSON.parse(await done('room', 'show', 'moneypot:2', '--json'))
    expect([room.name, members[0].user.username]).toEqual(['lobby', 'owner'])
  })

  it('facts are exported as lines of JSON', async () => {
    const lines = (await done('log', 'export', '--type', 'UserBanned,UserRegistered')).trim().split('\n')
    const types = lines.map((line) => JSON.parse(line).type)
    expect(new Set(types)).toEqual(new Set(['UserRegistered', 'UserBanned']))
  })

  it('what is refused is said, with what to do', async () => {
    const refused = (...args: string[]) => hansard(...args).then(({ code, err }) => [code, err])
    expect(await refused('room', 'show', 'moneypot:999')).toEqual([2, expect.stringContaining('no such room')])
    expect(await refused('user', 'add', name)).toEqual([2, expect.stringContaining('the server refuses')])
    expect(await refused('room', 'ban', 'moneypot:2', name, '--seconds', 'soon')).toEqual([
      2,
      'hansard: --seconds: a whole number, and not soon\n',
    ])
    expect(await refused('message', 'remove', 'moneypot:2', '999999')).toEqual([
      2,
      expect.stringContaining('no such message'),
    ])
    if (!runs) expect(await refused('log', 'tail')).toEqual([2, expect.stringContaining('no server runs')])
  })
})

describe('which server', () => {
  it('is the one of the data directory, with a token of its own that ends with it', async () => {
    const own = await mkdtemp(join(tmpdir(), 'hansard-cli-'))
    const first = await startProcess(own)
    const note = join(own, 'server.json')
    expect((await stat(note)).mode & 0o777).toBe(0o600)
    const { token } = JSON.parse(await readFile(note, 'utf8'))
    expect((await command(['user', 'list', '--data', own])).out).toContain('owner')
    await first.kill()
    const second = await startProcess(own)
    const asked = (given: string) => command(['user', 'list', '--url', second.url, '--token', given])
    expect(await asked(token)).toMatchObject({ code: 2, err: expect.stringContaining('refuses') })
    expect((await asked(OWNER_TOKEN)).code).toBe(0)
    expect((await command(['log', 'export', '--data', own])).out).not.toContain(token)
    await second.kill()
    await rm(own, { recursive: true })
  })

  it('may be named, by option or in the environment, and hears of no token that is another one’s', async () => {
    const other = await runServer()
    const environment = { HANSARD_URL: other.url, HANSARD_TOKEN: other.ownerTokenText }
    expect(await command(['user', 'list'], { environment })).toMatchObject({ code: 0, err: '' })
    expect(await hansard('user', 'list', '--url', other.url)).toMatchObject({
      code: 2,
      err: expect.stringContaining('no token for'),
    })
    await other.stop()
    expect(await command(['user', 'list'], { environment })).toMatchObject({
      code: 2,
      err: expect.stringContaining('no server answers at'),
    })
  })
})

describe('help', () => {
  const help = async (...args: string[]) => {
    const ran = await command(args)
    expect(ran).toMatchObject({ code: 0, err: '' })
    return ran.out
  }

  it('has every command, and a page for each that names its options', async () => {
    const all = await help('--help')
    expect(await help('help')).toBe(all)
    for (const [name, { usage, options = {} }] of Object.entries(catalogue)) {
      expect(all).toContain(`  ${usage}\n`)
      const page = await help('help', ...name.split(' '))
      expect(await help(...name.split(' '), '--help')).toBe(page)
      for (const option of [`hansard ${usage}`, ...Object.keys(options).map((own) => `--${own}`), 'exit codes'])
        expect(page).toContain(option)
      for (const option of usage.match(/--[a-z]+/g) ?? []) expect(Object.keys(options)).toContain(option.slice(2))
    }
    expect(await help('serve', '--help')).toContain('--max-connections')
    expect(await help('room', '--help')).toContain('room archive ROOM')
    expect(all.split('\n').every((line) => line.length < 220)).toBe(true)
  })

  it.each([
    [['srve'], 'did you mean serve?'],
    [['usr', 'list'], 'did you mean user?'],
    [['user', 'lst'], 'did you mean user list?'],
    [['user', 'nope'], 'hansard user list | add'],
    [['message', 'delete'], 'hansard message find | remove | restore'],
    [['log'], 'hansard log export | tail | record'],
    [['dance-all-night'], 'unknown command dance-all-night; see hansard help'],
    [['toString'], 'unknown command toString'],
    [['user', 'add'], 'usage: hansard user add NAME'],
    [['serve', 'now'], 'usage: hansard serve'],
    [['user', 'list', '--colour', 'red'], 'unknown option --colour'],
    [['user', 'list', '--json=yes'], '--json takes no value'],
    [['backup'], 'usage: hansard backup FILE'],
    [['debug', 'connection'], '--user NAME --at TIME'],
  ])('of %j says what there is, and that it is not done', async (args, says) => {
    const ran = await hansard(...args)
    expect([ran.code, ran.out]).toEqual([2, ''])
    expect(ran.err).toContain(says)
  })

  it('is the same of a process, whose exit code says how it went', async () => {
    const main = join(import.meta.dirname, '../src/main.ts')
    expect(execFileSync(process.execPath, [main, 'help'], { encoding: 'utf8' })).toBe(await help('help'))
    const failing = () => execFileSync(process.execPath, [main, 'srve'], { stdio: 'pipe' })
    expect(failing).toThrow(expect.objectContaining({ status: 2 }))
  })

  it('ends without a word when whoever reads has enough', () => {
    const main = join(import.meta.dirname, '../src/main.ts')
    // The reader has closed its end long before there is something to read.
    const script = 'set -o pipefail; "$0" "$1" help 2>&1 >&3 3>&- | cat; exit $PIPESTATUS'
    const closed = `exec 3> >(exec 0<&-; sleep 1); sleep 0.1; ${script}`
    expect(execFileSync('bash', ['-c', closed, process.execPath, main], { encoding: 'utf8' })).toBe('')
  })

  it('a fault of the program is told as one', async () => {
    const heard = () => {
      throw new RangeError('the pipe broke')
    }
    expect(await command(['version'], { heard })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/RangeError: the pipe broke\n +at /),
    })
  })
})

it('facts are followed while they happen', async () => {
  const followed = await runServer()
  const stop = new AbortController()
  let printed: (out: string) => void = () => {}
  const line = new Promise<string>((resolve) => {
    printed = resolve
  })
  const args = ['log', 'tail', '--type', 'UserRegistered', '--url', followed.url, '--token', followed.ownerTokenText]
  const tail = command(args, { signal: stop.signal, heard: printed })
  for (let number = 0; number < 200; number++) {
    await followed.account(`user${number}`)
    if (await Promise.race([line, new Promise((resolve) => setTimeout(resolve, 20, null))])) break
  }
  expect(JSON.parse(await line)).toMatchObject({ type: 'UserRegistered', data: { role: 'member' } })
  stop.abort()
  expect(await tail).toMatchObject({ code: 0, err: '' })
  await followed.stop()
})

it('nothing that people wrote writes to the terminal', () => {
  expect(rows([['a\u001b[31m', 'b\u202e\n']])).toBe('a\\u{1b}[31m  b\\u{202e}\\u{a}\n')
})

it('progress writes over its line on a terminal; elsewhere it is one line, at the end', () => {
  const saidOn = (terminal: boolean): string => {
    let said = ''
    const nothing = { environment: {}, print: () => {}, interrupted: () => new AbortController().signal }
    const show = progressOn({ ...nothing, terminal, say: (text) => (said += text) }, 'copying', 'pages')
    for (const done of [1, 2, 3]) show(done, 3)
    return said
  }
  expect(saidOn(true)).toBe('\rcopying: 1 of 3 pages (33 %)\rcopying: 3 of 3 pages (100 %)\n')
  expect(saidOn(false)).toBe('copying: 3 of 3 pages (100 %)\n')
})
