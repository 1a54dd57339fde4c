// A log played as life: every nick a client that comes, talks and leaves, in the log's order and at the speed asked for.

import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cast } from '../src/demo/cast.ts'
import { play } from '../src/demo/play.ts'
import { readIrcLog } from '../src/import/irc-log.ts'
import { asking } from './asking.ts'
import { asPlayed, demo, expectDayPlayed, historyIn } from './demo-process.ts'
import { file, isThere } from './irc-channel.ts'
import { runServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-demo-test-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

const logFile = async (day: string, ...lines: string[]) => {
  const path = join(directory, `${day}.log`)
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}

describe('a demo', () => {
  const lines = [
    '=== Ann  has joined #tea',
    '[11:22] <Ann> hello',
    '[11:22] <bob> was here before',
    '[11:23]  * Ann waves',
    '=== bob is now known as bobby',
    `[11:24] <bobby> ${'x'.repeat(351)}`,
    '=== mode/#tea [+b *!*@host]  by op',
    '[11:25] <ann> the same Ann',
    '=== Ann  has left #tea',
    '[11:26] <owner> not the owner',
  ]

  it('plays a log in the native protocol, and leaves its history', async () => {
    const data = join(directory, 'native')
    const path = await logFile('2006-06-01', ...lines)
    const played = demo(['irc', path, '--speed', 'max', '--data', data])
    await played.printed(/until Ctrl-C/)
    expect(played.out()).toContain('Played 10 lines in moneypot:2: 6 messages, 4 entries')
    expect(played.out()).toContain('bans noted without a target, since a mask names nobody here: 1')
    expect(played.err()).toContain('[########################] 100 %')
    const [, url] = /the page +(\S+)/.exec(played.out()) ?? []
    const bearer = { authorization: `Bearer ${readFileSync(join(data, 'admin-token'), 'utf8').trim()}` }
    const connections = () => asking(`${url}api/v1/connections?dialect=native&limit=50`, 'GET', bearer)
    // A socket that its client closed is closed here a moment later.
    await expect
      .poll(async () => (await connections()).body.items.map(({ cause }: { cause: string }) => cause))
      .toEqual(Array(4).fill('client'))
    const { body: ann } = await asking(`${url}api/v1/users/@ann`, 'GET', bearer)
    expect(ann).toMatchObject({ username: 'Ann', role: 'robot' })
    expect(await played.stop()).toBe(0)
    const said = asPlayed(file('2006-06-01', ...lines))
    expect(await historyIn(data)).toEqual(
      said.map((each) => ({ ...each, author: each.author.replace('owner', 'owner[demo]') })),
    )
  })

  it('lists what Moneypot’s 350 characters refuse, in that protocol', async () => {
    const data = join(directory, 'moneypot')
    const path = await logFile('2006-06-01', ...lines)
    const played = demo(['irc', path, '--speed', 'max', '--dialect', 'moneypot', '--data', data])
    await played.printed(/until Ctrl-C/)
    expect(played.out()).toContain('5 messages, 4 entries')
    expect(played.out()).toMatch(
      /1 refused:\n {2}2006-06-01.log:6 {2}bobby {2}INVALID_TEXT {2}351 characters {2}x{60}…\n/,
    )
    expect(await played.stop()).toBe(0)
    expect((await historyIn(data)).map(({ text }) => text)).toEqual([
      ...['hello', 'was here before', 'waves', 'the same Ann', 'not the owner'],
    ])
  })

  it('without a log plays its own; Ctrl-C in the middle ends it in order, and its temporary directory goes', async () => {
    const played = demo(['--speed', '60'], { TMPDIR: directory })
    const [url] = (await played.printed(/http:\/\/[\d.:]+/)) ? (/http:\/\/[\d.:]+/.exec(played.out()) ?? []) : []
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    await played.printed(/[1-9] said {2}\d here/)
    expect(await played.stop()).toBe(0)
    expect(played.out()).toContain('Stopped after')
    expect(played.out()).not.toContain('until Ctrl-C')
    const [, token] = /cat (\S+)\)/.exec(played.out()) ?? []
    expect(token).toContain(directory)
    expect(existsSync(token ?? '')).toBe(false)
  })

  it('plays on a server that is named: at the rate it allows, under no name that is somebody’s, twice', async () => {
    const server = await runServer({ rate: { capacity: 3, perSecond: 20 } })
    await server.account('Ann')
    const path = await logFile('2006-06-01', ...Array.from({ length: 8 }, (_, n) => `[10:00] <ann> line ${n}`))
    const environment = { HANSARD_URL: server.url, HANSARD_TOKEN: server.ownerTokenText }
    for (const times of [1, 2]) {
      const played = demo(['irc', path, '--speed', 'max', '--room', 'moneypot:100'], environment)
      expect((await once(played.child, 'exit'))[0]).toBe(0)
      expect(played.out()).toContain('8 messages, 1 entries')
      expect(played.out()).not.toContain('refused')
      const room = (await server.rooms.byAlias('moneypot:100'))?.id ?? ''
      const atLeast = await server.log.head()
      const { result } = await server.readModels.query('room.messages', { room, limit: 50 }, { atLeast })
      expect(result.map(({ text }) => text)).toEqual(Array.from({ length: 8 * times }, (_, n) => `line ${n % 8}`))
      expect(new Set(result.map(({ author }) => author.username))).toEqual(new Set(['ann[demo]']))
    }
    await server.stop()
  })

  it('says what is wrong, and does nothing', async () => {
    const path = await logFile('2006-06-01', '[10:00] <ann> hi')
    const wrong = [
      [['irc'], 'usage: hansard demo'],
      [['irc', path, '--speed', '0'], '--speed 0: how many times faster'],
      [['irc', path, '--dialect', 'xmpp'], '--dialect xmpp: native or moneypot'],
      [['irc', path, '--room', 'plic:7'], '--room plic:7: an alias'],
      [['irc', path, '--url', 'http://127.0.0.1:1'], 'say where to play with --room'],
      [['irc', path, '--url', 'http://127.0.0.1:1', '--room', 'moneypot:3'], 'no token for http://127.0.0.1:1'],
      [['irc', join(directory, 'nothing.log')], 'its name says no day'],
    ] as const
    const tried = wrong.map(async ([args, told]) => {
      const failed = demo(args)
      expect((await once(failed.child, 'exit'))[0], args.join(' ')).toBe(2)
      expect(failed.err()).toContain(told)
      expect(failed.out()).toBe('')
    })
    await Promise.all(tried)
  })
})

describe('the speed', () => {
  it('is kept, with the lines of a minute spread over it', async () => {
    const clock = new VirtualClock()
    const heard: [number, string][] = []
    const begun = clock.now()
    const lines = readIrcLog(
      ['[10:00] <a> 0', '[10:00] <b> 1', '[10:00] <a> 2', '[10:02] <a> 3'].join('\n'),
      '2006-06-01',
    )
    const ask = async () => ({ status: 201, body: { token: 't' } })
    const enter = async () => ({
      say: async (text: string) => {
        heard.push([clock.now() - begun, text])
        return null
      },
      leave: async () => {},
    })
    const { signal } = new AbortController()
    const files = [{ name: 'x', lines }]
    let over = false
    const played = play({ files, cast: new Cast(ask), enter, clock, speed: 60, signal, progress: () => {} })
    played.then(() => {
      over = true
    })
    while (!over) {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (!over && heard.length < 4) clock.advance(clock.next() - clock.now())
    }
    expect(heard.map(([at, text]) => [Math.round(at), text])).toEqual([
      ...([
        [0, '0'],
        [333, '1'],
        [667, '2'],
        [2000, '3'],
      ] as const),
    ])
    expect(await played).toMatchObject({ lines: 4, said: 4, entered: 2, whole: true })
  })
})

describe.skipIf(!isThere)('the beginning of a day of a real channel, 2006-06-01', () => {
  it('played live is the same history as the file', () => expectDayPlayed(300))
})
