// What disks, kernels, operators and clocks do to a running server. Rows 37, 42 to 44, 48 to 52 and 61 of the catalogue of
// bad input; rows 45 and 46 are in power-loss.

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { type Fault, FaultyMachine } from './faulty-machine.ts'
import { NativeVisitor } from './native-visitor.ts'
import { OperatedServer } from './operated-server.ts'

let machine: FaultyMachine
let server: OperatedServer
beforeAll(() => {
  machine = new FaultyMachine()
})
beforeEach(() => {
  machine.mend()
  server = new OperatedServer()
})
afterEach(() => server.remove())
afterAll(() => machine.remove())

/** The process dies while `text` is being posted. */
const diesPosting = async (text: string, fault: Fault): Promise<void> => {
  await server.start([], machine.environment(fault))
  await server.say('before')
  machine.arm()
  await expect(server.post(text)).rejects.toThrow()
  await server.ended()
}

const rebuilt = async (): Promise<void> => {
  await server.stop()
  const live = server.rows()
  await rebuild(server.directory)
  expect(server.rows()).toBe(live)
}

describe('kill -9', () => {
  it('before the append: it is not there, and is stored once when it is said again', async () => {
    await diesPosting('one', { call: 'write', file: 'log.db-wal', nth: 1, what: 'before' })
    await server.start()
    expect(await server.said()).toEqual(['before'])
    await server.say('one')
    await server.say('one')
    expect(await server.said()).toEqual(['before', 'one'])
  })

  it('between append and answer: it is there, and who says it again is answered with the very same', async () => {
    await diesPosting('one', { call: 'sync', file: 'log.db-wal', nth: 1, what: 'after' })
    await server.start()
    expect(await server.said()).toEqual(['before', 'one'])
    const { id } = (await server.call('GET', '/api/v1/rooms/moneypot:2/messages')).body.items[1]
    expect((await server.post('one')).body.id).toBe(id)
    expect(await server.said()).toEqual(['before', 'one'])
  })

  // The first write to a socket after the commit; sockets are written to in the order in which they entered.
  it.each([
    ['between answer and fan-out: the other gets it when it comes back', ['ann', 'bob']],
    ['between fan-out and answer: who says it again is answered with the very same', ['bob', 'ann']],
  ] as const)('%s', async (_, order) => {
    await server.start([], machine.environment({ call: 'write', file: 'socket', nth: 1, what: 'after' }))
    const tokens: Record<string, string> = {}
    for (const username of order)
      tokens[username] = (await server.call('POST', '/api/v1/users', { username })).body.token
    await server.call('POST', '/api/v1/rooms', { name: 'tea', aliases: ['native:1'], members: ['@ann', '@bob'] })
    const before: Record<string, NativeVisitor> = {}
    for (const who of order) before[who] = await NativeVisitor.enter(server.url, tokens[who] as string)
    const { ann, bob } = before as Record<'ann' | 'bob', NativeVisitor>
    await expect.poll(() => (before[order[0]] as NativeVisitor).heard.map(({ is }) => is)).toEqual(['entered'])
    const since = bob.since
    machine.arm()
    ann.post('one', 'r1')
    await server.ended()
    await Promise.all([ann.ended, bob.ended])
    const told = order.filter((who) => before[who]?.heard.some(({ is }) => is === 'done' || is === 'posted'))
    expect(told).toEqual([order[0]])
    machine.mend()
    await server.start()
    const again = await NativeVisitor.enter(server.url, tokens.bob as string, since)
    const annAgain = await NativeVisitor.enter(server.url, tokens.ann as string)
    annAgain.post('one', 'r1')
    await expect.poll(() => annAgain.heard.find(({ is }) => is === 'done')?.message).toBeDefined()
    const id = annAgain.heard.find(({ is }) => is === 'done')?.message
    const posted = again.heard.filter(({ is }) => is === 'posted')
    expect(posted.map(({ message }) => message)).toEqual([expect.objectContaining({ id, text: 'one' })])
    const { items } = (await server.call('GET', '/api/v1/rooms/native:1/messages')).body
    expect(items.map(({ text }: { text: string }) => text)).toEqual(['one'])
    again.leave()
    annAgain.leave()
  })

  it.each([1, 2, 5])(
    'inside the read models’ transaction, at its write %i: the rows are those of a rebuild',
    async (nth) => {
      await server.start([], machine.environment({ call: 'write', file: 'read.db-wal', nth, what: 'after' }))
      await server.say('before')
      machine.arm()
      for (let count = 0; count < 3; count++) await server.post(`one ${count}`).catch(() => {})
      await server.ended()
      await server.start()
      const said = await server.said()
      expect(said.slice(0, 2)).toEqual(['before', 'one 0'])
      expect(new Set(said).size).toBe(said.length)
      await rebuilt()
    },
  )
})

describe('a disk', () => {
  it('whose fsync fails is not trusted again: nothing is acknowledged until a restart, reads go on', async () => {
    await server.start([], machine.environment({ call: 'sync', file: 'log.db-wal', nth: 1, what: 'EIO' }))
    await server.say('before')
    machine.arm()
    for (const [text, values] of [
      ['in doubt', { stored: 'unknown' }],
      ['another', {}],
    ] as const) {
      const { status, body } = await server.post(text)
      expect([status, body.code, body.values]).toEqual([503, 'unavailable', values])
    }
    const { ready, problems } = await server.ready()
    expect([ready, problems]).toEqual([
      false,
      [expect.stringMatching(/stores nothing any more until a restart: disk I\/O/)],
    ])
    expect(await server.said()).toEqual(['before'])
    expect(await server.metric('hansard_log_storing')).toBe(0)
    await server.kill()
    await server.start()
    expect(await server.metric('hansard_log_storing')).toBe(1)
    const said = await server.said()
    expect([['before'], ['before', 'in doubt']]).toContainEqual(said)
    await server.say('in doubt')
    await server.say('another')
    expect(await server.said()).toEqual(['before', 'in doubt', 'another'])
  })

  it('that is full under the read models tells of what is stored that it is, and shows it once there is room', async () => {
    await server.start([], machine.environment({ call: 'write', file: 'read.db-wal', nth: 1, what: 'ENOSPC' }))
    await server.say('before')
    machine.arm()
    const { status, body, headers } = await server.post('one')
    expect([status, body.values, headers.has('retry-after')]).toEqual([503, { stored: 'yes' }, false])
    expect(await server.said()).toEqual(['before'])
    expect((await server.ready()).problems.join()).toContain('full')
    machine.mend()
    await expect.poll(() => server.said()).toEqual(['before', 'one'])
    expect(await server.ready()).toMatchObject({ ready: true, parked: 0, problems: [] })
  })

  it('that is full refuses what would be written and nothing else; with room again a start goes on', async () => {
    await server.start([], machine.environment({ call: 'write', file: '.db-wal', nth: 1, what: 'ENOSPC' }))
    await server.say('before')
    machine.arm()
    const { status, body } = await server.post('one')
    expect([status, body.code]).toEqual([503, 'unavailable'])
    const { ready, problems, parked } = await server.ready()
    expect([ready, problems.join()]).toEqual([false, expect.stringContaining('full')])
    expect(parked ?? 0).toBe(0)
    expect(await server.said()).toEqual(['before'])
    await server.kill()
    await server.start()
    await server.say('one')
    expect(await server.said()).toEqual(['before', 'one'])
    expect(await server.ready()).toMatchObject({ ready: true, parked: 0 })
  })
})

describe('the log’s file', () => {
  it('that another program holds for writing: 503 while it does, and nothing else', async () => {
    await server.start()
    const other = new DatabaseSync(join(server.directory, 'log.db'))
    other.exec('begin immediate')
    const { status, body } = await server.post('one')
    expect([status, body.code]).toEqual([503, 'unavailable'])
    expect((await server.ready()).problems).toEqual([expect.stringContaining('another program holds the log')])
    other.exec('rollback')
    other.close()
    await server.say('one')
    expect(await server.said()).toEqual(['one'])
    await expect.poll(() => server.ready()).toMatchObject({ ready: true, problems: [] })
  })
})

describe('a file system', () => {
  const mounted: string[] = []
  const mount = (...options: string[]): string => {
    const place = mkdtempSync(join(tmpdir(), 'hansard-mount-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', place], { stdio: 'pipe' })
    mounted.push(place)
    return place
  }
  const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0 && process.getuid?.() === 0
  afterEach(async () => {
    await server.kill()
    for (const place of mounted.splice(0)) execFileSync('umount', [place])
  })

  it.skipIf(!mayMount)(
    'of 4 MiB that fills up loses nothing that was acknowledged (needs root to mount)',
    async () => {
      const place = mount('size=4m')
      server = new OperatedServer(place)
      await server.start()
      const stored: string[] = []
      let refused = 0
      for (let count = 0; refused < 3; count++) {
        const text = `${count} ${'x'.repeat(1_500)}`
        const { status, body } = await server.post(text, String(count))
        if (status === 201) stored.push(text)
        else {
          expect([status, body.code]).toEqual([503, 'unavailable'])
          refused++
        }
      }
      expect(stored.length).toBeGreaterThan(20)
      expect((await server.ready()).ready).toBe(false)
      await server.kill()
      execFileSync('mount', ['-o', 'remount,size=64m', place])
      await server.start()
      const said = await server.said()
      expect(said.filter((text) => stored.includes(text))).toEqual(stored)
      await server.say('after')
      expect(await server.ready()).toMatchObject({ ready: true, parked: 0, problems: [] })
      await rebuilt()
    },
    60_000,
  )

  it.skipIf(!mayMount)('that is read-only ends a start with what to do (needs root to mount)', async () => {
    const place = mount('size=16m')
    server = new OperatedServer(place)
    await server.start()
    await server.say('one')
    await server.stop()
    execFileSync('mount', ['-o', 'remount,ro', place])
    await expect(server.start()).rejects.toThrow(/ended with 2:\nhansard: .*(readonly|read-only|cannot be locked)/)
    execFileSync('mount', ['-o', 'remount,rw', place])
    await server.start()
    expect(await server.said()).toEqual(['one'])
  })
})

describe('the log under a running server', () => {
  it.each(['log.db', 'log.db-wal'])('when %s is replaced: stops storing, says so, reads on', async (name) => {
    await server.start()
    await server.say('one')
    const path = join(server.directory, name)
    renameSync(path, `${path}.away`)
    copyFileSync(`${path}.away`, path)
    const { status, body } = await server.post('two')
    expect([status, body.code]).toEqual([503, 'unavailable'])
    expect((await server.ready()).problems).toEqual([expect.stringContaining(`${path} was removed or replaced`)])
    expect(await server.said()).toEqual(['one'])
    await server.kill()
    renameSync(`${path}.away`, path)
    await server.start()
    await server.say('two')
    expect(await server.said()).toEqual(['one', 'two'])
  })

  it('when the whole directory is deleted: stops storing and says so', async () => {
    await server.start()
    await server.say('one')
    for (const name of readdirSync(server.directory)) rmSync(join(server.directory, name))
    expect((await server.post('two')).status).toBe(503)
    expect((await server.ready()).problems.join()).toContain('was removed or replaced')
    expect(existsSync(join(server.directory, 'log.db'))).toBe(false)
  })
})

it('a clock that is set an hour on and back moves no deadline and turns no time back', async () => {
  await server.start([], machine.environment())
  await server.say('one')
  const mute = (user: string) => server.call('POST', '/api/v1/rooms/moneypot:2/mutes', { user, seconds: 4 })
  expect((await mute('@ana')).status).toBe(201)
  machine.setClock(3_600)
  // The clock is looked at once a second.
  await pause(1_500)
  await server.say('two')
  expect(await server.facts(['MuteExpired'])).toEqual([])
  machine.setClock(0)
  await expect.poll(async () => (await server.facts(['MuteExpired'])).length, { timeout: 10_000 }).toBe(1)
  const [expired] = await server.facts(['MuteExpired'])
  const { due, fired, late } = (expired?.data ?? {}) as unknown as { due: number; fired: number; late: boolean }
  expect([fired >= due, late]).toEqual([true, false])
  const stepped = (await server.facts(['ClockStepped'])).map(({ data: { byMs } }) => byMs as unknown as number)
  expect(stepped.length).toBeGreaterThan(0)
  expect(await server.metric('hansard_facts_total{type="ClockStepped"}')).toBe(stepped.length)
  expect(stepped[0]).toBeGreaterThan(3_500_000)
  const times = (await server.facts(['MessagePosted', 'UserMuted', 'MuteExpired'])).map(({ at }) => at)
  expect(times).toEqual([...times].sort())
  expect(Math.abs(Date.parse(times.at(-1) ?? '') - Date.now())).toBeLessThan(10_000)
})
