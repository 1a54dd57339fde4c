// Copies of the embedded log: made while a server writes, read through, put back, and what clients are told of it.

import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../src/client/client.ts'
import { backupLog } from '../src/log/sqlite-backup.ts'
import { asking } from './asking.ts'
import { hansard } from './command-line.ts'
import { openRoom, runServer, type TestServer } from './running-server.ts'
import { OWNER_TOKEN } from './server-process.ts'
import { startTcpProxy } from './tcp-proxy.ts'

let directory: string
let data: string
let file: string
let server: TestServer | null
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-backup-'))
  data = join(directory, 'data')
  file = join(directory, 'monday.db')
  server = await runServer({ storage: 'sqlite', directory: data })
})
afterEach(async () => {
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

const stop = async () => {
  await server?.stop()
  server = null
}

const said = async (args: readonly string[]) => {
  const { code, out, err } = await hansard([...args, '--data', data])
  return { code, out, err, json: out.startsWith('{') ? JSON.parse(out) : null }
}

const headOf = async ({ url }: TestServer): Promise<string> =>
  (await asking(`${url}/api/v1/facts?limit=1`, 'GET', { authorization: `Bearer ${OWNER_TOKEN}` })).body.position

/** What a client of another make is told when it comes back with its cursor. */
const joinedSince = async ({ url }: TestServer, token: string, since: object) => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/native`)
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const joined = new Promise((resolve) => {
    socket.addEventListener('message', ({ data: frame }) => {
      const event = JSON.parse(String(frame))
      if (event.ref === 'join') resolve(event)
    })
  })
  socket.send(JSON.stringify({ do: 'sign-in', token }))
  socket.send(JSON.stringify({ do: 'join', ref: 'join', room: 'native:1', since }))
  const event = await joined
  socket.close()
  return event
}

describe('hansard backup', () => {
  it('copies the log of a server that runs, in one file of its own, which nobody else may read', async () => {
    const { code, out, err } = await said(['backup', file])
    expect([code, err]).toEqual([0, expect.stringMatching(/copying: (\d+) of \1 pages \(100 %\)/)])
    expect(out).toContain(`epoch ${await server?.log.epoch()}`)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(directory)).toEqual(['data', 'monday.db'])
    const copy = new DatabaseSync(file, { readOnly: true })
    expect(copy.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
    copy.close()
    await stop()
    expect((await said(['backup', join(directory, 'stopped.db'), '--json'])).json).toMatchObject({
      facts: expect.any(Number),
    })
  })

  it('is the log of one moment, however much is written meanwhile', async () => {
    const { log } = server as TestServer
    const fact = (n: number) => ({
      ...{ id: `${n}`, type: 'Filler', v: 1, data: JSON.stringify('x'.repeat(2_000)), metadata: '{"at":1}' },
    })
    let last: number | 'no-stream' = 'no-stream'
    const write = async (batches: number) => {
      for (let n = 0; n < batches; n++) {
        const batch = Array.from({ length: 200 }, (_, index) => fact(n * 200 + index))
        last = (await log.append('filler', batch, last)).lastRevision
      }
    }
    await write(40)
    const before = await log.head()
    let steps = 0
    let writing: Promise<void> | null = null
    const copy = await backupLog(data, file, () => {
      steps++
      writing ??= write(10)
    })
    await writing
    expect(steps).toBeGreaterThan(1)
    expect(copy).toMatchObject({ head: before, facts: before, epoch: await log.epoch() })
    expect(await log.head()).toBe(before + 2_000)
  })

  it('holds no credential that works', async () => {
    const { token } = await (server as TestServer).account('ann')
    await said(['backup', file])
    const bytes = await readFile(file, 'latin1')
    expect(bytes).toContain('ann')
    for (const secret of [token, OWNER_TOKEN]) expect(bytes).not.toContain(secret)
  })

  it('overwrites nothing, and says where there is no log', async () => {
    await writeFile(file, 'mine')
    expect(await said(['backup', file])).toMatchObject({ code: 2, err: expect.stringContaining('is there already') })
    expect(await readFile(file, 'utf8')).toBe('mine')
    const elsewhere = await hansard(['backup', join(directory, 'x.db'), '--data', join(directory, 'nothing')])
    expect(elsewhere).toMatchObject({ code: 2, err: expect.stringContaining('no log in') })
    const missing = await said(['backup', join(directory, 'no', 'folder.db')])
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('could not be written') })
    const away = await said(['backup', file, '--log', 'esdb://a:1'])
    expect(away).toMatchObject({ code: 2, err: expect.stringContaining('docs/operations.md') })
  })
})

describe('hansard restore', () => {
  it('puts the log back under another epoch, on record, and keeps what was there only if it is asked to', async () => {
    const running = server as TestServer
    await running.account('ann')
    const epoch = await running.log.epoch()
    const { json: copy } = await said(['backup', file, '--json'])
    await running.account('bob')
    expect(await said(['restore', file])).toMatchObject({ code: 2, err: expect.stringContaining('in use by another') })
    await stop()
    expect(await said(['restore', file])).toMatchObject({ code: 2, err: expect.stringContaining('--replace') })
    const restored = await said(['restore', file, '--replace', '--json'])
    expect(restored).toMatchObject({ code: 0, json: { facts: copy.facts, head: copy.head, previous: epoch } })
    const [kept] = (await readdir(data)).filter((name) => name.startsWith('log.db.before-'))
    expect(restored.err).toContain(kept)
    expect((await stat(join(data, 'log.db'))).mode & 0o777).toBe(0o600)
    server = await runServer({ storage: 'sqlite', directory: data })
    expect(await server.log.epoch()).toBe(restored.json.epoch)
    expect(restored.json.epoch).not.toBe(epoch)
    const names = (await server.readModels.query('users.list', { limit: 10 }, { atLeast: await server.log.head() }))
      .result
    expect(names.map(({ username }: { username: string }) => username).sort()).toEqual(['ann', 'owner'])
    const noted = []
    for await (const fact of server.log.readAll({ filter: { types: ['LogRestored'] } }))
      noted.push(JSON.parse(fact.data))
    expect(noted).toEqual([{ previousEpoch: epoch, head: copy.head }])
    const before = new DatabaseSync(join(data, kept as string), { readOnly: true })
    expect(before.prepare('select epoch from log').get()).toEqual({ epoch })
    before.close()
  })

  it('takes no file that is damaged, cut off or of something else, and leaves the log as it is', async () => {
    await said(['backup', file])
    await stop()
    const damaged = async (mend: () => Promise<unknown>, says: string) => {
      await mend()
      expect(await said(['restore', file, '--replace'])).toMatchObject({ code: 2, err: expect.stringContaining(says) })
    }
    const { size } = await stat(file)
    const bytes = await readFile(file)
    await damaged(() => truncate(file, size - 8_192), 'cannot be used as a log')
    await damaged(
      () => writeFile(file, Buffer.concat([bytes.subarray(0, 8_192), Buffer.alloc(4_096, 7), bytes.subarray(12_288)])),
      'cannot be used as a log',
    )
    await damaged(() => writeFile(file, 'not a log'), 'cannot be used as a log')
    await damaged(() => rm(file), 'there is no')
    new DatabaseSync(file).exec('create table notes (text)')
    await damaged(() => chmod(file, 0o600), 'a database of something else')
    expect((await readdir(data)).filter((name) => /before|restoring/.test(name))).toEqual([])
    server = await runServer({ storage: 'sqlite', directory: data })
  })

  it('tells clients that have seen more than the backup knows to start over, and they do', async () => {
    const running = server as TestServer
    const ann = await running.account('ann')
    await openRoom(running, 'native:1', [{ account: ann.account, role: 'owner' }])
    const network = await startTcpProxy(running.port)
    const client: Client = await connect({
      url: `ws://127.0.0.1:${network.port}/native`,
      token: ann.token,
      firstWaitMs: 5,
    })
    const room = await client.join('native:1')
    await room.post('kept')
    await said(['backup', file])
    for (const text of ['lost', 'lost, too', 'and this']) await room.post(text)
    const cursor = await headOf(running)
    const epoch = await running.log.epoch()
    network.target = null
    await stop()
    await said(['restore', file, '--replace'])
    server = await runServer({ storage: 'sqlite', directory: data })
    const { length: told } = room.messages
    expect(told).toBe(4)
    network.target = server.port
    await expect.poll(() => room.messages.map(({ text }) => text)).toEqual(['kept'])
    await room.post('after it')
    expect(room.messages.map(({ text }) => text)).toEqual(['kept', 'after it'])
    const since = await joinedSince(server, ann.token, { epoch, revision: room.revision })
    expect(since).toMatchObject({
      is: 'joined',
      tooFarBehind: true,
      messages: [{ text: 'kept' }, { text: 'after it' }],
    })
    const resumed = await asking(`${server.url}/api/v1/facts?from=${cursor}`, 'GET', {
      authorization: `Bearer ${OWNER_TOKEN}`,
    })
    expect(resumed).toMatchObject({ status: 410, body: { detail: expect.stringContaining('start over') } })
    client.close()
    await network.close()
  })
})
