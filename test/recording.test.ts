// A conversation on a running server, recorded and then played again as a dialogue; and what a recording never holds.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { record } from '../src/cli/record-command.ts'
import { playDialogue } from './dialogue.ts'
import { NEWEST, type Participant } from './dialogue-people.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { participants } from './participants.ts'
import { runServer, type TestServer } from './running-server.ts'

let server: TestServer
let directory: string
let file: string
let stop: AbortController
let said: string
const tokens: Record<string, string> = {}
const { people, io, ws } = participants(() => server.url)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-recording-'))
  file = join(directory, 'it.dialogue')
  server = await runServer()
  stop = new AbortController()
  said = ''
})
afterEach(async () => {
  for (const participant of people.splice(0)) participant.leave()
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

/** Begins to record; what it returns ends that and resolves once the file stands. */
const recording = async (more: { user?: string; dialect?: string } = {}) => {
  const say = (text: string) => {
    said += text
  }
  const options = {
    file,
    url: server.url,
    token: server.ownerTokenText,
    seconds: null,
    signal: stop.signal,
    say,
    ...more,
  }
  const done = record(options)
  await expect.poll(() => said).toContain('Ctrl-C')
  return async () => {
    for (const participant of people.splice(0)) participant.leave()
    await expect.poll(() => server.sessions.size).toBe(0)
    // The server ends a recording when it stops, with all that was heard.
    await server.stop()
    await done
    return readFile(file, 'utf8')
  }
}

const says = async (participant: Participant, step: object, heard: string) => {
  participant.send({ who: '', dir: 'C>S', ...step })
  const found = () => JSON.stringify([participant.frames, [...participant.acks]]).includes(heard)
  await participant.until(found, heard)
}

const rest = async (method: string, path: string, body: unknown, who = 'owner') => {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${who === 'owner' ? server.ownerTokenText : tokens[who]}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  })
  expect(response.ok).toBe(true)
}

const settle = async () => {
  const names = ['ann', 'bob', 'pat', 'nina'] as const
  const members = []
  for (const name of names) {
    const { account, token } = await server.account(name)
    tokens[name] = token
    members.push({ account, role: 'member' as const })
  }
  const opened = await server.rooms.open({
    name: 'Garage',
    aliases: ['drivers:49', 'moneypot:18', 'plic:7', 'maint:1', 'native:1'],
    members,
    asker: null,
  })
  if (!opened.ok) throw new Error(opened.refusal.code)
  return members.map(({ account }) => account)
}

describe('a recording', () => {
  it('of five protocols in one room, with a mute over REST, plays', async () => {
    const [, , pat] = await settle()
    await rest('POST', '/api/v1/rooms/maint:1/messages', { text: 'before' }, 'ann')
    const end = await recording()
    const hash = (name: string) => server.identity.hashToken(tokens[name] ?? '')
    const ann = await io()
    await says(ann, { ev: ['auth', { app_id: 18, hashed_token: hash('ann') }], ack: '1' }, '"muteList"')
    const bob = await io()
    await says(bob, { ev: ['signin_request', { token: tokens.bob }] }, '"ok"')
    const { jwt } = await jsonWebTokens(pat?.id ?? '', Date.now())
    const plic = await ws(`/plic?token=${jwt}`)
    const nina = await ws('/native')
    await says(nina, { msg: { do: 'sign-in', ref: 1, token: tokens.nina } }, 'signed-in')
    await says(nina, { msg: { do: 'join', ref: 2, room: 'native:1' } }, '"joined"')
    await says(ann, { ev: ['new_message', 'hello'], ack: '2' }, '["2",[]]')
    await says(bob, { ev: ['message_events', { topic_id: 49, body: 'salom', stamp_id: 's1' }] }, '"s1"')
    await says(
      plic,
      { msg: { type: 'SendMessage', data: { room_id: 7, message: 'hey', message_temp_id: 't' } } },
      '"confirmed":true',
    )
    await rest('POST', '/api/v1/rooms/moneypot:18/mutes', { user: '@ann', seconds: 60 })
    await ann.until(() => JSON.stringify(ann.frames).includes('user_muted'), 'the mute')
    await says(ann, { ev: ['new_message', 'hm'], ack: '3' }, 'MUTED')
    await says(nina, { msg: { do: 'read', ref: 3, room: 'native:1', message: 2 } }, '"ref":3')
    const wrong = await ws('/maint')
    await says(wrong, { msg: { fulfill: 'Bot ffffffffffffffffffffffffffffffff' } }, 'bad_token')
    await wrong.until(() => wrong.ended !== null, 'the end')
    bob.leave()
    await ann.until(() => JSON.stringify(ann.frames).includes('user_left'), 'his leaving')
    const text = await end()
    expect(text.split('\n').length).toBeGreaterThan(40)
    for (const secret of [...Object.values(tokens), ...['ann', 'bob'].map(hash), jwt, server.ownerTokenText]) {
      expect(text).not.toContain(secret)
    }
    expect(text).toContain('$ann.hash')
    await playDialogue(file, NEWEST)
  })

  it('of Ayaka, whose clients speak over REST and hear a zlib stream, plays', async () => {
    const [ann, ali] = [await server.account('ann'), await server.account('ali')]
    const members = [ann, ali].map(({ account }) => ({ account, role: 'member' as const }))
    const guild = await server.rooms.open({ name: 'g', kind: 'space', aliases: ['ayaka:3'], members, asker: null })
    const parent = guild.ok ? guild.room.id : null
    await server.rooms.open({ name: 'talk', parent, aliases: ['ayaka:12'], asker: null })
    const end = await recording({ dialect: 'ayaka' })
    const listener = await ws('/ayaka')
    await says(listener, { msg: { session_id: ali.token, encoding: 'zlib' } }, 'GUILD_INIT')
    const other = await ws('/ayaka')
    await says(other, { msg: { session_id: ann.token } }, 'GUILD_INIT')
    await says(other, { msg: { t: 'HEARTBEAT', s: 'x' } }, '"ACK"')
    other.send({ who: '', dir: 'C>S', msg: { t: 'PRESENCE', type: 2, description: 'busy' } })
    const isTold = (text: string) => () => JSON.stringify(listener.frames).includes(text)
    await listener.until(isTold('PRESENCE_UPDATE'), 'her presence')
    await fetch(`${server.url}/v3/channels/12/messages/create`, {
      method: 'POST',
      headers: { authorization: ann.token, 'content-type': 'application/json' },
      body: JSON.stringify({ content: 'salut' }),
    })
    await listener.until(isTold('NOTIFICATION'), 'her message')
    const text = await end()
    for (const { token } of [ann, ali]) expect(text).not.toContain(token)
    await playDialogue(file, NEWEST)
  })

  it('may be of one account, or of one protocol', async () => {
    await settle()
    const end = await recording({ user: '@bob' })
    for (const name of ['ann', 'bob']) {
      const nina = await ws('/native')
      await says(nina, { msg: { do: 'sign-in', ref: 1, token: tokens[name] } }, 'signed-in')
    }
    const text = await end()
    expect(text).toContain('$bob.token')
    expect(text).not.toContain('$ann.token')
    await playDialogue(file, NEWEST)
  })

  it('is made by `hansard log record`, until it is stopped', async () => {
    await settle()
    const main = join(import.meta.dirname, '../src/main.ts')
    const args = [
      main,
      'log',
      'record',
      file,
      '--user',
      'nina',
      '--room',
      'native:1',
      '--url',
      server.url,
      '--admin-token',
      server.ownerTokenText,
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const exited = once(child, 'close')
    let printed = ''
    child.stderr.on('data', (text) => {
      printed += text
    })
    await expect.poll(() => printed, { timeout: 10_000 }).toContain('Ctrl-C ends it')
    const nina = await ws('/native')
    await says(nina, { msg: { do: 'sign-in', ref: 1, token: tokens.nina } }, 'signed-in')
    await says(nina, { msg: { do: 'join', ref: 2, room: 'native:1' } }, '"joined"')
    nina.leave()
    await expect.poll(() => printed, { timeout: 10_000 }).toMatch(/\b[7-9] lines/)
    child.kill('SIGINT')
    expect((await exited)[0]).toBe(0)
    expect(printed).toContain(`${file}: `)
    await playDialogue(file, NEWEST)
    const fails = spawn(process.execPath, [main, 'log', 'play', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    expect((await once(fails, 'exit'))[0]).toBe(2)
  })

  it('is one of four at most, and ends when nobody reads it; the conversation goes on', async () => {
    const headers = { authorization: `Bearer ${server.ownerTokenText}` }
    const asked = await Promise.all(
      Array.from({ length: 7 }, () => fetch(`${server.url}/api/v1/recording`, { headers })),
    )
    expect(asked.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 503, 503, 503])
    await Promise.all(asked.map(({ body }) => body?.cancel()))
    await expect.poll(() => server.sessions.taps.size).toBe(0)
    const reader = connect(server.port, '127.0.0.1')
    reader.on('error', () => {}).pause()
    reader.write(`GET /api/v1/recording HTTP/1.1\r\nhost: x\r\nauthorization: ${headers.authorization}\r\n\r\n`)
    await expect.poll(() => server.sessions.taps.size).toBe(1)
    const nina = await ws('/native')
    // What is refused is recorded too. It is more than the reader's machine may buffer, and the server may.
    for (let sent = 0; server.sessions.taps.size > 0 && sent < 2_000; sent++) {
      nina.send({ who: '', dir: 'C>S', msg: { do: 'nothing', pad: 'x'.repeat(60_000) } })
      await nina.barrier()
    }
    expect(server.sessions.taps.size).toBe(0)
    reader.destroy()
    await settle()
    await says(nina, { msg: { do: 'sign-in', ref: 1, token: tokens.nina } }, 'signed-in')
    expect(server.faults).toEqual([])
  })

  it('is for admins', async () => {
    const { token } = await server.account('eve')
    const options = { file, url: server.url, seconds: null, signal: stop.signal, say: () => {} }
    await expect(record({ ...options, token })).rejects.toThrow('refuses')
    await expect(record({ ...options, token: 'f'.repeat(32) })).rejects.toThrow('refuses')
    await expect(record({ ...options, token, url: 'http://127.0.0.1:1' })).rejects.toThrow('no server answers')
    expect(server.sessions.taps.size).toBe(0)
    // That she tried stands on her record.
    const refusals = []
    for await (const { type, data } of server.log.readAll({})) if (type === 'CommandRefused') refusals.push(data)
    expect(JSON.stringify(refusals)).toContain('GET /api/v1/recording')
  })
})
