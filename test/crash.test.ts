// SIGKILL at random moments under load, again and again on one log. After each restart, from the log itself and over
// REST: every acknowledged message is there once and in the order it was acknowledged, ids still grow, nobody is left
// in a room, mutes end on time (late ones say so), and at the end the read models equal a rebuild.
//
// With HANSARD_TEST_EVENTSTORE=esdb://… the log is on that server, which must be a new one: the test wants the whole of it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import type { Recorded } from '../src/log/event-log.ts'
import { openLog } from '../src/log/open-log.ts'
import { dump } from '../src/projections/read-database.ts'
import { SeededChance } from './seeded-chance.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'
import { VirtualClock } from './virtual-clock.ts'

const ROUNDS = 30
const SPEAKERS = 4
const LOG = process.env.HANSARD_TEST_EVENTSTORE || 'sqlite:'

let directory: string
let server: ServerProcess | null = null
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-crash-'))
  if (LOG === 'sqlite:') return
  const log = await openLog(LOG, directory)
  const head = await log.head()
  await log.close()
  if (head > 0) throw new Error('HANSARD_TEST_EVENTSTORE has facts already: give this test a new server')
})
afterAll(async () => {
  if (server) await server.kill()
  await rm(directory, { recursive: true, force: true })
})

interface Item {
  readonly id: number
  readonly text: string
}

const rest = async (url: string, method: string, path: string, body?: unknown) => {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${OWNER_TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text === '' ? null : JSON.parse(text)
}

const allMessages = async (url: string): Promise<Item[]> => {
  const items: Item[] = []
  for (;;) {
    const page = await rest(url, 'GET', `/rooms/moneypot:2/messages?limit=500&after=${items.at(-1)?.id ?? 0}`)
    if (page.items.length === 0) return items
    items.push(...page.items)
  }
}

const connected = async (url: string, hash: string): Promise<Socket> => {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false })
  await new Promise<void>((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('connect_error', reject)
  })
  await new Promise<void>((resolve, reject) =>
    socket.emit('auth', { app_id: 2, hashed_token: hash }, (error: unknown) => (error ? reject(error) : resolve())),
  )
  return socket
}

const start = () => startProcess(directory, ['--log', LOG])

const everything = async (): Promise<Recorded[]> => {
  const log = await openLog(LOG, directory)
  const facts: Recorded[] = []
  for await (const fact of log.readAll()) facts.push(fact)
  await log.close()
  return facts
}

describe('a server killed again and again', () => {
  it(`keeps every acknowledged message over ${ROUNDS} rounds`, async () => {
    const chance = new SeededChance(20_26, new VirtualClock())
    const hashes: string[] = []
    /** acknowledged texts of each speaker, in the order of their acknowledgements */
    const acknowledged = new Map<string, string[]>()
    let sent = 0
    for (let round = 0; round < ROUNDS; round++) {
      server = await start()
      const { url } = server
      if (round === 0) {
        for (let speaker = 0; speaker < SPEAKERS; speaker++) {
          const user = await rest(url, 'POST', '/users', { username: `speaker${speaker}` })
          const { createHash } = await import('node:crypto')
          hashes.push(createHash('sha256').update(user.token).digest('hex'))
        }
      }
      const stored = await allMessages(url)
      verify(stored, acknowledged)
      const sockets = await Promise.all(hashes.map((hash) => connected(url, hash)))
      // A mute that is over before the next start, and one that is not.
      await rest(url, 'POST', '/rooms/moneypot:2/mutes', { user: `@short${round}`, seconds: 1 })
      await rest(url, 'POST', '/rooms/moneypot:2/mutes', { user: `@long${round}`, seconds: 3_600 })
      let stopped = false
      const talking = sockets.map(async (socket, speaker) => {
        const own = acknowledged.get(`speaker${speaker}`) ?? []
        acknowledged.set(`speaker${speaker}`, own)
        while (!stopped) {
          const text = `speaker${speaker} ${sent++}`
          const heard = new Promise<boolean>((resolve) => {
            socket.once('disconnect', () => resolve(false))
            socket.emit('new_message', text, (error: unknown) => resolve(error === undefined))
          })
          if (!(await heard)) return
          socket.removeAllListeners('disconnect')
          own.push(text)
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 20 + chance.below(200)))
      await server.kill()
      stopped = true
      await Promise.all(talking)
      for (const socket of sockets) socket.disconnect()
    }

    server = await start()
    verify(await allMessages(server.url), acknowledged)
    const total = [...acknowledged.values()].reduce((sum, texts) => sum + texts.length, 0)
    expect(total).toBeGreaterThan(ROUNDS * 5)
    const open = await rest(server.url, 'GET', '/connections?state=authenticated&limit=500')
    // The only open connection is that of these very requests.
    expect(open.items.filter((item: { dialect: string }) => item.dialect !== 'rest')).toEqual([])
    // The last short mute may have to wait for its second to be over.
    await expect
      .poll(
        async () => {
          const mutes = await rest(server?.url ?? '', 'GET', '/rooms/moneypot:2/mutes?limit=500')
          return mutes.items
            .map(({ user }: { user: { username: string } }) => user.username)
            .filter((name: string) => name.startsWith('short'))
        },
        { timeout: 5_000 },
      )
      .toEqual([])
    expect(await server.stop()).toBe(0)
    server = null

    const facts = await everything()
    noGhosts(facts)
    mutesEnded(facts)
    const file = join(directory, 'read.db')
    const live = new DatabaseSync(file, { readOnly: true })
    const before = dump(live)
    live.close()
    await rebuild(directory, LOG === 'sqlite:' ? null : LOG)
    const again = new DatabaseSync(file, { readOnly: true })
    expect(dump(again)).toBe(before)
    again.close()
  }, 240_000)
})

/** Each acknowledged text once, each speaker's in the order of acknowledgement, ids growing. */
const verify = (stored: readonly Item[], acknowledged: ReadonlyMap<string, readonly string[]>): void => {
  const ids = stored.map(({ id }) => id)
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
  const texts = stored.map(({ text }) => text)
  expect(new Set(texts).size).toBe(texts.length)
  for (const [speaker, own] of acknowledged) {
    const known = new Set(own)
    const kept = texts.filter((text) => text.startsWith(`${speaker} `) && known.has(text))
    expect(kept).toEqual(own)
  }
}

/** Whoever entered a room or came online has left it by the end. */
const noGhosts = (facts: readonly Recorded[]): void => {
  const inside = new Map<string, number>()
  const count = (key: string, by: number) => inside.set(key, (inside.get(key) ?? 0) + by)
  for (const { stream, type, data } of facts) {
    if (type === 'PresenceEntered' || type === 'CameOnline') count(`${stream} ${JSON.parse(data).connection}`, 1)
    if (type === 'PresenceLeft' || type === 'WentOffline') count(`${stream} ${JSON.parse(data).connection}`, -1)
    if (type === 'ConnectionOpened') count(stream, 1)
    if (type === 'ConnectionClosed') count(stream, -1)
  }
  expect([...inside].filter(([, left]) => left !== 0)).toEqual([])
}

/** Every mute of a second ended once, at its time or later, and a late one says so. */
const mutesEnded = (facts: readonly Recorded[]): void => {
  const ended = facts.filter(({ type }) => type === 'MuteExpired').map(({ data }) => JSON.parse(data))
  const short = facts.filter(({ type, data }) => type === 'UserMuted' && JSON.parse(data).name.startsWith('short'))
  expect(ended.map(({ name }) => name).sort()).toEqual(short.map(({ data }) => JSON.parse(data).name).sort())
  for (const { due, fired, late } of ended) {
    expect(fired).toBeGreaterThanOrEqual(due)
    expect(late).toBe(fired - due > 1_000)
  }
}
