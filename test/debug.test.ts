// `hansard debug connection`: the whole story of one connection in one file, of a server that runs and of one that did.

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { asking } from './asking.ts'
import { hansard } from './command-line.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

/** what must be in no file, wherever it was said or set */
const CANARIES = {
  other: 'deadbeefdeadbeefdeadbeefdeadbeef',
  jwt: `${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`,
  webhook: 'a-webhook-secret-of-the-test',
  inAddress: 'hidden-path-of-a-hook',
}

let directory: string
let server: ServerProcess
let token: string
let connections: readonly string[]
let connection: string
let processToken: string
/** when ann's connections opened; when the owner's requests began */
let opened: readonly string[]
let asked: string
const headers = { authorization: `Bearer ${OWNER_TOKEN}` }
const ask = async (method: string, path: string, body?: unknown) =>
  (await asking(`${server.url}/api/v1${path}`, method, headers, body)).body

/** Sends frames, each once the one before is answered. */
const talk = async (frames: readonly object[]): Promise<void> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/native`)
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  for (const [ref, frame] of frames.entries()) {
    const answered = new Promise<void>((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        if (String(data).includes(`"ref":"${ref}"`)) resolve()
      })
    })
    socket.send(JSON.stringify({ ref: `${ref}`, ...frame }))
    await answered
  }
  socket.close()
  await new Promise((resolve) => socket.addEventListener('close', resolve))
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-debug-'))
  server = await startProcess(directory, [
    ...['--webhook-url', `http://127.0.0.1:9/${CANARIES.inAddress}`, '--webhook-secret', CANARIES.webhook],
  ])
  token = (await ask('POST', '/users', { username: 'ann' })).token
  await ask('POST', '/rooms', { name: 'club', aliases: ['native:1'], members: [{ user: '@ann', role: 'member' }] })
  const room = '/rooms/native:1'
  await ask('POST', `${room}/mutes`, { user: '@ann', seconds: 600, reason: `spam ${CANARIES.other}` })
  const post = (text: string) => ({ do: 'post', room: 'native:1', text })
  await talk([{ do: 'sign-in', token }, { do: 'join', room: 'native:1' }, post('am I heard?')])
  await ask('DELETE', `${room}/mutes/@ann`)
  await talk([
    { do: 'sign-in', token },
    { do: 'join', room: 'native:1' },
    post(`my token is ${token}, no: ${CANARIES.jwt}`),
  ])
  const closed = async () => (await ask('GET', '/connections?user=@ann&state=closed')).items.length
  await vi.waitUntil(async () => (await closed()) === 2, { timeout: 5_000 })
  const { items } = await ask('GET', '/connections?user=@ann')
  connections = items.map(({ id }: { id: string }) => id)
  opened = items.map(({ openedAt }: { openedAt: string }) => openedAt)
  asked = (await ask('GET', '/connections?user=@owner')).items[0].openedAt
  connection = connections.at(-1) as string
  processToken = JSON.parse(await readFile(join(directory, 'server.json'), 'utf8')).token
})
afterAll(async () => {
  await server.kill()
  await rm(directory, { recursive: true, force: true })
})

const debug = (...args: readonly string[]) => hansard(['debug', 'connection', ...args, '--data', directory])

describe.each(['a server that runs', 'a directory without a server'])('from %s', (where) => {
  beforeAll(async () => {
    if (!where.startsWith('a server')) expect(await server.stop()).toBe(0)
  })

  it('one file tells its facts with states and timers, why it was refused, and what came of it', async () => {
    const file = join(directory, `${where.length}.json`)
    const ran = await debug(connection, '--json', '--out', file)
    expect(ran).toMatchObject({ code: 0, err: '', out: expect.stringContaining('facts, 1 refusals') })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const dossier = JSON.parse(await readFile(file, 'utf8'))
    const life = dossier.life.map(({ type, state }: { type: string; state: string }) => [type, state])
    expect(life).toEqual([
      ['ConnectionOpened', 'authenticating.timed'],
      ['AuthSucceeded', 'authenticated.activity.active'],
      ['RoomEntered', 'authenticated.activity.active'],
      ['CommandRefused', 'authenticated.activity.active'],
      ['ConnectionClosed', 'closed'],
    ])
    expect(dossier.life[0].timers).toEqual([{ id: 'authTimeout', due: expect.stringMatching(/Z$/) }])
    expect(dossier.life[1].cause).toEqual({ kind: 'command', name: 'auth.succeed' })
    expect(dossier.life.at(-1).timers).toEqual([])
    expect(dossier.refusals).toMatchObject([{ data: { command: 'message.post', code: 'muted', guard: 'isMuted' } }])
    const led = dossier.related.map(({ type }: { type: string }) => type)
    // What follows from an end goes to two streams at once.
    expect([...led.slice(0, 2), ...led.slice(2).sort()]).toEqual([
      ...['CameOnline', 'PresenceEntered', 'PresenceLeft', 'WentOffline'],
    ])
    expect(dossier.moderation).toContainEqual(expect.objectContaining({ act: 'UserMuted' }))
    expect(dossier.inForce).toMatchObject({
      version: expect.stringMatching(/^\d/),
      settings: { RATE_MESSAGES: 'off', WEBHOOK_SECRET: '(set, not shown)', WEBHOOK_URL: 'http://127.0.0.1:9/…' },
      opened: { dialect: 'native', limits: { authTimeoutMs: expect.any(Number) } },
    })
    expect(dossier.inForce.statechart.inForce).toBe(dossier.inForce.statechart.foldedBy)
  })

  it('is found by account and minute, and read as a page; of several, one must be named', async () => {
    const minutes = new Set(opened.map((time) => time.slice(0, 16)))
    const several = await debug('--user', 'ann', '--at', `${[...minutes][0]}Z`, '--out', '-')
    expect([several.code, several.err]).toEqual(
      minutes.size === 1 ? [2, expect.stringMatching(/ann had 2 connections open then.*\n.*native/)] : [0, ''],
    )
    const one = await debug('--user', 'owner', '--at', asked, '--out', '-')
    expect(one).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^dialect +rest$/m) })
    const none = await debug('--user', 'ann', '--at', '2020-01-01T00:00Z')
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('had no connection open') })
    expect((await debug('--user', 'ann', '--at', 'noon')).err).toContain('a time with its zone')
    const { out } = await debug(connection, '--out', '-')
    expect(out).toMatch(/^2 {2}\S+ {2}RoomEntered +by room.enter/m)
    expect(out).toMatch(/AuthSucceeded +by auth.succeed +→ authenticated.activity.active/)
    expect(out).toContain('"guard":"isMuted"')
  })

  it('holds no credential, wherever it was said', async () => {
    const told: string[] = []
    for (const id of connections)
      for (const form of [[], ['--json']]) told.push((await debug(id, '--out', '-', ...form)).out)
    expect(
      told.every((text) => text.includes('CommandRefused') || text.includes('my token is (hidden), no: (hidden)')),
    ).toBe(true)
    for (const text of told)
      for (const secret of [token, processToken, OWNER_TOKEN, ...Object.values(CANARIES)])
        expect(text).not.toContain(secret)
  })
})
