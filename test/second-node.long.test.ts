// One node a log that is on a server: who comes second, who is dead, and who only did not answer.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { holderStream } from '../src/actors/node.facts.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { hansard } from './command-line.ts'
import { EventStoreServer } from './eventstore-server.ts'
import { runServer, type TestServer } from './running-server.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'
import { VirtualClock } from './virtual-clock.ts'

const directories: string[] = []
const running: (ServerProcess | TestServer)[] = []
let store: EventStoreServer
beforeEach(async () => {
  store = await EventStoreServer.start('esdb')
})
afterEach(async () => {
  for (const one of running.splice(0)) await ('kill' in one ? one.kill() : one.stop())
  store.stop()
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true })
})

const newDirectory = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'hansard-second-'))
  directories.push(directory)
  return directory
}

const start = async (directory: string): Promise<ServerProcess> => {
  const node = await startProcess(directory, ['--log', store.address])
  running.push(node)
  return node
}

const say = async ({ url }: ServerProcess, text: string): Promise<number> => {
  const headers = { authorization: `Bearer ${OWNER_TOKEN}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ text })
  return (await fetch(`${url}/api/v1/rooms/moneypot:2/messages`, { method: 'POST', headers, body })).status
}

const said = (): string[] => (store.store.streams.get(holderStream) ?? []).map(({ type }) => type)

it('a second one on the log of one that lives ends its start with what to do, and the first goes on', async () => {
  const [here, elsewhere] = [await newDirectory(), await newDirectory()]
  const first = await start(here)
  expect(await say(first, 'one')).toBe(201)
  await expect(start(elsewhere)).rejects.toThrow(
    /node main on \S+ serves this log, and one node a log may: stop that one first/,
  )
  expect(await say(first, 'two')).toBe(201)
  const closed = store.store.all.filter(({ type }) => type === 'ConnectionClosed')
  expect(closed).toEqual([])
  expect(await first.stop()).toBe(0)
  const second = await start(elsewhere)
  expect(await say(second, 'three')).toBe(201)
  expect(said()).toEqual(['LogTaken', 'LogWanted', 'LogKept', 'LogLeft', 'LogTaken'])
})

it('the first answers also after an outage of the server', async () => {
  const first = await start(await newDirectory())
  store.stop()
  expect(await say(first, 'while away')).toBe(503)
  await store.start()
  await expect(start(await newDirectory())).rejects.toThrow(/serves this log/)
  await expect.poll(() => say(first, 'two'), { timeout: 10_000 }).toBe(201)
})

it('after a crash the same data directory needs not wait: its process is dead', async () => {
  const here = await newDirectory()
  const first = await start(here)
  await first.kill()
  expect(await say(await start(here), 'one')).toBe(201)
  expect(said()).toEqual(['LogTaken', 'LogTaken'])
})

it('one that is taken over while it could not answer ends when it hears of it', async () => {
  const first = await start(await newDirectory())
  const [taken] = store.store.streams.get(holderStream) ?? []
  const other = { node: 'b', incarnation: 'other', machine: 'elsewhere', directory: 'another' }
  const fact = { ...(taken as NonNullable<typeof taken>), id: crypto.randomUUID(), type: 'LogTaken' }
  store.store.append(holderStream, [{ ...fact, data: Buffer.from(JSON.stringify(other)) }], 0)
  expect(await first.ended).toEqual([2, null])
  expect(first.output()).toContain('node b on elsewhere has taken the log')
})

it('an import has the log as a node has it: not beside one that lives, and not for longer than it takes', async () => {
  const [here, elsewhere] = [await newDirectory(), await newDirectory()]
  const first = await start(here)
  const file = join(elsewhere, '2006-06-01.log')
  await writeFile(file, '=== ann  has joined #tea\n[09:00] <ann> hello\n')
  const importing = (data: string) => hansard(['import', 'irc', file, '--data', data, '--log', store.address])
  expect(await importing(elsewhere)).toMatchObject({ code: 2, err: expect.stringContaining('stop that one first') })
  expect(await importing(here)).toMatchObject({ code: 2, err: expect.stringContaining('in use by another') })
  expect(await say(first, 'one')).toBe(201)
  expect(await first.stop()).toBe(0)
  expect(await importing(elsewhere)).toMatchObject({ code: 0 })
  expect(said().slice(-4)).toEqual(['LogKept', 'LogLeft', 'LogTaken', 'LogLeft'])
  const posted = store.store.all.filter(({ type }) => type === 'MessagePosted')
  expect(posted.map(({ data }) => JSON.parse(Buffer.from(data).toString()).text)).toEqual(['one', 'hello'])
})

it('one that does not answer in twenty seconds is taken for dead', async () => {
  const log = new MemoryLog()
  const clock = new VirtualClock()
  const tenant = { node: 'a', incarnation: 'one', machine: 'gone', directory: 'there' }
  const envelope = { id: 'a', type: 'LogTaken', v: 1, data: JSON.stringify(tenant) }
  const metadata = '{"$causationId":"c","$correlationId":"c","at":1,"by":null,"connection":null}'
  await log.append(holderStream, [{ ...envelope, metadata }], 'no-stream')
  const waiting: string[] = []
  const alone = { machine: 'm', directory: 'here', onWaiting: (text: string) => waiting.push(text), onLost: () => {} }
  let started: TestServer | null = null
  const starting = runServer({ log, clock, alone }).then((server) => {
    started = server
    running.push(server)
  })
  const types = async () => {
    const stored: string[] = []
    for await (const { type } of log.readStream(holderStream)) stored.push(type)
    return stored
  }
  await expect.poll(types).toEqual(['LogTaken', 'LogWanted'])
  for (let ms = 0; ms < 19_750; ms += 250) {
    await expect.poll(() => clock.next()).toBeLessThanOrEqual(clock.now() + 250)
    clock.advance(250)
  }
  expect([started, await types()]).toEqual([null, ['LogTaken', 'LogWanted']])
  await expect.poll(() => clock.next()).toBeLessThanOrEqual(clock.now() + 250)
  clock.advance(250)
  await starting
  expect(await types()).toEqual(['LogTaken', 'LogWanted', 'LogTaken'])
  expect(waiting).toEqual([expect.stringContaining('waiting 20 s')])
})
