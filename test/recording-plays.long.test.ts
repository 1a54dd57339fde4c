// What was there around a recorded conversation: rooms that nobody was in, people by their numbers, tokens of another
// party, and words that look like placeholders. Each recording plays.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { record } from '../src/cli/record-command.ts'
import { JsonWebTokens } from '../src/json-web-tokens.ts'
import { WallClock } from '../src/wall-clock.ts'
import { playDialogue } from './dialogue.ts'
import { NEWEST, type Participant } from './dialogue-people.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { participants } from './participants.ts'
import { JWT, openRoom, runServer, type TestServer, type TestServerOptions } from './running-server.ts'

let server: TestServer
let directory: string
let file: string
const { people, io, ws } = participants(() => server.url)

const begin = async (options: TestServerOptions = {}) => {
  server = await runServer(options)
}
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hansard-recording-'))
  file = join(directory, 'it.dialogue')
})
afterEach(async () => {
  for (const participant of people.splice(0)) participant.leave()
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

/** Records what `act` does, and plays it. */
const recorded = async (act: () => Promise<unknown>, more: { user?: string; room?: string; dialect?: string } = {}) => {
  let said = ''
  const signal = new AbortController().signal
  const say = (text: string) => {
    said += text
  }
  const done = record({ file, url: server.url, token: server.ownerTokenText, seconds: null, signal, say, ...more })
  await expect.poll(() => said).toContain('Ctrl-C')
  await act()
  for (const participant of people) await participant.barrier()
  for (const participant of people.splice(0)) participant.leave()
  await expect.poll(() => server.sessions.size).toBe(0)
  await server.stop()
  await done
  const text = await readFile(file, 'utf8')
  await playDialogue(file, NEWEST).catch((error) => {
    throw new Error(`${error.message}\n${text}`)
  })
  return text
}

const send = (participant: Participant, step: object) => participant.send({ who: '', dir: 'C>S', ...step })
const hears = (participant: Participant, text: string) =>
  participant.until(() => JSON.stringify([participant.frames, [...participant.acks]]).includes(text), text)

const ask = async (token: string, method: string, path: string, body?: unknown) => {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  await response.text()
  return response.status
}

const enter = async (token: string, alias: string) => {
  const native = await ws('/native')
  send(native, { msg: { do: 'sign-in', ref: 1, token } })
  await hears(native, 'signed-in')
  send(native, { msg: { do: 'join', ref: 2, room: alias } })
  await hears(native, 'joined')
  return native
}

it('acts over REST in a room that nobody is in, on people named by their numbers', async () => {
  await begin()
  const [ann, bob] = [await server.account('ann'), await server.account('bob')]
  const members = [
    { account: ann.account, role: 'owner' as const },
    { account: bob.account, role: 'member' as const },
  ]
  const { number } = await openRoom(server, 'maint:7', members)
  const text = await recorded(async () => {
    const path = `/api/v1/rooms/${encodeURIComponent(`#${number}`)}`
    const him = encodeURIComponent(`#${bob.account.number}`)
    expect(await ask(ann.token, 'POST', `${path}/messages`, { text: 'hello' })).toBe(201)
    expect(await ask(ann.token, 'POST', `${path}/mutes`, { user: `#${bob.account.number}` })).toBe(201)
    expect(await ask(ann.token, 'DELETE', `${path}/mutes/${him}?reason=enough+of%20it`)).toBe(204)
    expect(await ask(ann.token, 'POST', `${path}/kicks`, { user: `@bob` })).toBeLessThan(300)
    expect(await ask(ann.token, 'DELETE', `${path}/members/${bob.account.id}`)).toBe(204)
    expect(await ask(bob.token, 'DELETE', `${path}/messages/1`)).toBeGreaterThan(400)
    const owner = server.ownerTokenText
    expect(await ask(owner, 'POST', `/api/v1/users/${him}/bans`, { seconds: 60 })).toBe(201)
    expect(await ask(bob.token, 'POST', `${path}/messages`, { text: 'still here?' })).toBe(403)
  })
  expect(text).toContain('/mutes/@bob?reason=enough+of%20it')
})

it('an admin on a socket, and a token of another party over REST', async () => {
  await begin()
  const ann = await server.account('ann')
  await openRoom(server, 'native:1', [{ account: ann.account, role: 'member' }])
  const { jwt = '', expired = '' } = await jsonWebTokens(ann.account.id, Date.now())
  const text = await recorded(async () => {
    const owner = await enter(server.ownerTokenText, 'native:1')
    expect(await ask(jwt, 'POST', '/api/v1/rooms/native:1/messages', { text: 'by another party' })).toBe(201)
    await hears(owner, 'by another party')
    expect(await ask(expired, 'POST', '/api/v1/rooms/native:1/messages', { text: 'too late' })).toBe(401)
  })
  expect(text).toContain('$owner.token')
})

it('somebody whose account their first sign-in makes', async () => {
  const clock = new WallClock()
  const verifier = new JsonWebTokens(clock, { ...JWT, jwksUrl: '' })
  await begin({ foreignTokens: { verifier, provision: true } })
  await openRoom(server, 'plic:7')
  const { jwt } = await jsonWebTokens('0197a1b0-0000-7000-8000-000000000001', Date.now())
  const text = await recorded(async () => {
    const plic = await ws(`/plic?token=${jwt}`)
    send(plic, { msg: { type: 'SendMessage', data: { room_id: 7, message: 'hey', message_temp_id: 't' } } })
    await plic.until(() => plic.frames.length > 0, 'an answer')
  })
  clock.stop()
  expect(text).toContain('from-the-token.jwt')
})

it('wrong credentials of one letter, and words that look like placeholders', async () => {
  await begin()
  const ann = await server.account('ann')
  await openRoom(server, 'native:1', [{ account: ann.account, role: 'member' }])
  const text = await recorded(async () => {
    const wrong = await io()
    send(wrong, { ev: ['signin_request', { token: 'e' }] })
    await hears(wrong, 'fail')
    send(wrong, { ev: ['signin_request', { token: 'hello' }] })
    await wrong.barrier()
    const native = await enter(ann.token, 'native:1')
    const words = [
      'hello',
      '$5 each',
      '$m1',
      '$any',
      `it is ${'$'}{ann.token} and ${'$'}{x}`,
      'c'.repeat(40),
      '$',
      '${',
    ]
    for (const [at, word] of words.entries()) {
      send(native, { msg: { do: 'post', ref: 10 + at, room: 'native:1', text: word } })
      await hears(native, `"ref":${10 + at}`)
    }
  })
  expect(text).toContain('"text":"hello"')
})

it('many at once', async () => {
  await begin()
  const members = []
  const tokens: string[] = []
  for (const name of ['ann', 'bob', 'cy', 'dan']) {
    const { account, token } = await server.account(name)
    members.push({ account, role: 'member' as const })
    tokens.push(token)
  }
  await server.rooms.open({ name: 'x', aliases: ['moneypot:18', 'native:1'], members, asker: null })
  await recorded(async () => {
    const all: Participant[] = await Promise.all(tokens.slice(0, 2).map((token) => enter(token, 'native:1')))
    for (const token of tokens.slice(2)) {
      const person = await io()
      send(person, { ev: ['auth', { app_id: 18, hashed_token: server.identity.hashToken(token) }], ack: 'in' })
      all.push(person)
    }
    for (const person of all.slice(2)) await hears(person, 'muteList')
    for (let round = 0; round < 5; round++) {
      for (const [at, person] of all.entries()) {
        const text = `${at} says ${round}`
        send(
          person,
          at < 2
            ? { msg: { do: 'post', ref: round, room: 'native:1', text } }
            : { ev: ['new_message', text], ack: `${round}` },
        )
      }
    }
    for (const person of all)
      await person.until(() => JSON.stringify(person.frames).split(' says ').length > 20, 'all that was said')
  })
})

it('of one account, whatever those say who sign in as nobody', async () => {
  await begin()
  const [ann, bob] = [await server.account('ann'), await server.account('bob')]
  await server.rooms.open({
    name: 'x',
    aliases: ['moneypot:18', 'native:1'],
    members: [ann, bob].map(({ account }) => ({ account, role: 'member' as const })),
    asker: null,
  })
  const text = await recorded(
    async () => {
      const reader = await io()
      send(reader, { ev: ['auth', { app_id: 18 }], ack: 'in' })
      await hears(reader, 'muteList')
      for (let at = 0; at < 250; at++)
        await ask(ann.token, 'POST', '/api/v1/rooms/native:1/messages', { text: `${at}` })
      const native = await enter(bob.token, 'native:1')
      await native.barrier()
    },
    { user: '@bob' },
  )
  expect(text).not.toContain('muteList')
})

it('of one room, in whichever protocol', async () => {
  await begin()
  const [ann, bob] = [await server.account('ann'), await server.account('bob')]
  await openRoom(server, 'native:1', [{ account: ann.account, role: 'member' }])
  await openRoom(server, 'native:2', [{ account: bob.account, role: 'member' }])
  const text = await recorded(
    async () => {
      const there = await enter(bob.token, 'native:2')
      const native = await enter(ann.token, 'native:1')
      for (const [person, room] of [
        [there, 'native:2'],
        [native, 'native:1'],
      ] as const) {
        send(person, { msg: { do: 'post', ref: 3, room, text: `in ${room}` } })
        await hears(person, '"ref":3')
      }
    },
    { room: 'native:1' },
  )
  expect(text).toContain('in native:1')
  expect(text).not.toContain('native:2')
})

it('in the lobby that every server has', async () => {
  await begin()
  const ann = await server.account('ann')
  await recorded(async () => {
    const person = await io()
    send(person, { ev: ['auth', { app_id: 2, hashed_token: server.identity.hashToken(ann.token) }], ack: 'in' })
    await hears(person, 'muteList')
    send(person, { ev: ['new_message', 'hello'], ack: 'said' })
    await hears(person, '"said"')
  })
})
