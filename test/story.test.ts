// A message's whole story, through the public door: how it came, as which command, which facts it left, what the read
// models say of it, and who was handed it, with clients of several protocols in one room.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import type { Account } from '../src/actors/identity.ts'
import { connect } from '../src/client/client.ts'
import { asking } from './asking.ts'
import { jsonWebTokens } from './json-web-tokens.ts'
import { runServer, type TestServer } from './running-server.ts'
import { OWNER_TOKEN, startProcess } from './server-process.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Person {
  readonly account: Account
  readonly token: string
}

/** A client of some protocol, of which only this is asked. */
interface Guest {
  /** resolves once it has heard a message with this text, or the answer to its own */
  heard(text: string): Promise<void>
  say(text: string): void
  close(): void
}

let server: TestServer
let clock: VirtualClock
const people = new Map<string, Person>()
let room: string

const as = (name: string): Person => people.get(name) as Person
const ask = (method: string, path: string, body?: unknown, token = server.ownerTokenText) =>
  asking(`${server.url}/api/v1${path}`, method, { authorization: `Bearer ${token}` }, body)
/** As fresh as everything that has been stored. */
const told = async (id: number) => {
  await server.settled()
  const { body } = await ask('GET', '/facts?limit=1')
  const answer = await ask('GET', `/rooms/${room}/messages/${id}/story?atLeast=${body.position}`)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body
}
const idOf = async (text: string): Promise<number> => {
  let id = 0
  await eventually(async () => {
    const { body } = await ask('GET', `/rooms/${room}/messages?limit=500`)
    id = body.items.find((item: { text: string }) => item.text === text)?.id ?? 0
    return id
  }).toBeGreaterThan(0)
  return id
}
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 5_000 })
/** how many sockets of this account are open */
const open = async (name: string): Promise<number> =>
  (await ask('GET', `/connections?user=@${name}&state=authenticated`)).body.items.filter(
    ({ dialect }: { dialect: string }) => dialect !== 'rest',
  ).length
const names = ({ items }: { items: { user: { username: string } | null; dialect: string }[] }) =>
  items.map(({ user, dialect }) => `${user?.username ?? 'nobody'} on ${dialect}`).sort()

beforeAll(async () => {
  clock = new VirtualClock()
  server = await runServer({ clock, retentionDays: 30 })
  for (const name of ['ann', 'ben', 'cas', 'dan', 'eve', 'finn', 'gus']) people.set(name, await server.account(name))
  people.set('bot', await server.account('bot', 'robot'))
  const members = [...people.values()].map(({ account }) => ({ account, role: 'member' as const }))
  const guild = await server.rooms.open({ name: 'guild', kind: 'space', aliases: ['ayaka:1'], members, asker: null })
  const aliases = ['moneypot:500', 'drivers:500', 'plic:500', 'maint:500', 'ayaka:500']
  const parent = guild.ok ? guild.room.id : null
  const opened = await server.rooms.open({ name: 'tea', aliases, members, parent, asker: null })
  room = opened.ok ? opened.room.id : ''
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
})

/** Told once it is in the room and what it was told of that is behind it. */
const raw = async (
  path: string,
  isThere: (text: string) => boolean,
  say: (text: string) => unknown,
  first?: unknown,
): Promise<Guest> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`)
  let all = ''
  socket.on('message', (data) => {
    all += data
  })
  await new Promise((resolve) => socket.once('open', resolve))
  if (first) socket.send(JSON.stringify(first))
  await eventually(() => isThere(all)).toBe(true)
  return {
    heard: (text) => eventually(() => all.includes(text)).toBe(true),
    say: (text) => socket.send(JSON.stringify(say(text))),
    close: () => socket.close(),
  }
}

const follows = async (name: string): Promise<boolean> => {
  const { body } = await ask('GET', `/facts?type=RoomsFollowed&limit=500`)
  return body.items.some(({ metadata }: { metadata: { by: string } }) => metadata.by === as(name).account.id)
}

const arrivals = {
  native: async (name: string): Promise<Guest> => {
    const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: as(name).token })
    const entered = await client.join(room)
    let all = ''
    entered.on((event) => {
      all += JSON.stringify(event)
    })
    return {
      heard: (text) => eventually(() => all.includes(text)).toBe(true),
      say: (text) => void entered.post(text),
      close: () => client.close(),
    }
  },
  moneypot: async (name: string | null): Promise<Guest> => {
    const socket = io(server.url, { transports: ['websocket'], forceNew: true })
    let all = ''
    socket.on('new_message', (message) => {
      all += JSON.stringify(message)
    })
    const hashed_token = name === null ? undefined : server.identity.hashToken(as(name).token)
    await new Promise((resolve) => socket.emit('auth', { app_id: 500, hashed_token }, resolve))
    return {
      heard: (text) => eventually(() => all.includes(text)).toBe(true),
      say: (text) => socket.emit('new_message', text, () => {}),
      close: () => socket.disconnect(),
    }
  },
  drivers: async (name: string): Promise<Guest> => {
    const socket = io(server.url, { transports: ['websocket'], forceNew: true })
    let all = ''
    socket.on('message_events', (message) => {
      all += JSON.stringify(message)
    })
    const signedIn = new Promise((resolve) => socket.on('signin_response', resolve))
    socket.emit('signin_request', { token: as(name).token })
    await signedIn
    return {
      heard: (text) => eventually(() => all.includes(text)).toBe(true),
      say: (body) => socket.emit('message_events', { topic_id: 500, body, stamp_id: body }),
      close: () => socket.disconnect(),
    }
  },
  plic: async (name: string): Promise<Guest> => {
    const { jwt } = await jsonWebTokens(as(name).account.id, clock.now())
    const say = (message: string) => ({
      type: 'SendMessage',
      data: { room_id: 500, message, message_temp_id: message },
    })
    const guest = await raw(`/plic?token=${jwt}`, () => true, say)
    // Nothing tells it that it is in.
    await eventually(() => follows(name)).toBe(true)
    return guest
  },
  maint: (name: string): Promise<Guest> =>
    raw(
      '/maint',
      (all) => all.includes('"t":2'),
      (text) => ({ send: { room: 500, text, nonce: text } }),
      { fulfill: `Bot ${as(name).token}` },
    ),
}

describe('how a message came', () => {
  it.each([
    ['moneypot', 'new_message'],
    ['drivers', 'message_events'],
    ['plic', 'SendMessage'],
    ['maint', 'send'],
    ['native', 'post'],
  ] as const)('is told by the frame of its protocol: %s, %s', async (dialect, frame) => {
    const guest = await arrivals[dialect]('gus')
    const text = `by ${dialect}`
    guest.say(text)
    const { came, command, facts, message } = await told(await idOf(text))
    expect(message).toMatchObject({ text, author: { username: 'gus' } })
    expect(came).toMatchObject({ by: 'frame', name: frame, dialect, version: 1, onRecord: true, closedAt: null })
    expect(came.transport).toMatch(/websocket|polling/)
    expect(command).toMatchObject({ name: 'message.post' })
    const [posted] = facts.items
    expect(posted).toMatchObject({ type: 'MessagePosted', stream: `room-${room}`, connection: came.connection })
    // The log itself says the same of it.
    const { body } = await ask('GET', `/facts?stream=room-${room}&type=MessagePosted&limit=500`)
    const recorded = body.items.find(({ data }: { data: { text: string } }) => data.text === text)
    expect(posted).toMatchObject({ id: recorded.id, revision: recorded.revision, position: recorded.position })
    expect(command).toMatchObject({
      id: recorded.metadata.$causationId,
      correlation: recorded.metadata.$correlationId,
      ref: recorded.data.clientRef,
      at: recorded.at,
    })
    guest.close()
  })

  it('over REST is told by the route, and the correlation id is the one of the answer', async () => {
    const { body, headers } = await ask(
      'POST',
      `/rooms/${room}/messages`,
      { text: 'by REST', ref: 'r1' },
      as('gus').token,
    )
    const { came, command } = await told(body.id)
    expect(came).toMatchObject({ by: 'request', name: 'POST /api/v1/rooms/:room/messages', dialect: 'rest' })
    expect(command).toMatchObject({ ref: 'r1', correlation: headers.get('x-correlation-id') })

    const channel = `${server.url}/v3/channels/500/messages/create`
    const other = await asking(channel, 'POST', { authorization: as('gus').token }, { content: 'by Ayaka' })
    expect((await told(other.body.id)).came).toMatchObject({
      by: 'request',
      name: 'POST /v3/channels/:channel/messages/create',
    })
  })

  it('out of nowhere is told as the server’s own', async () => {
    const { id, number, username } = as('gus').account
    const asker = { id, number, username, account: 'member' } as const
    const said = { kind: 'text', clientRef: null, replyTo: null, extra: null, entered: false } as const
    await server.host.send(`room-${room}`, {
      type: 'message.post',
      asker,
      text: 'by itself',
      ...said,
      connection: null,
    })
    await server.host.send(`room-${room}`, {
      type: 'message.post',
      asker,
      text: 'of old',
      ...said,
      connection: 'irc-gus',
    })
    expect((await told(await idOf('by itself'))).came).toMatchObject({
      by: 'server',
      connection: null,
      onRecord: false,
    })
    expect((await told(await idOf('of old'))).came).toMatchObject({ by: 'import', connection: 'irc-gus', name: null })
  })
})

describe('who saw a message', () => {
  it('is for sure whoever was there and whose socket took it, or who was shown it later; and maybe who is still there', async () => {
    const [dan, ann, ben, cas, finn, bot, nobody] = await Promise.all([
      arrivals.native('dan'),
      arrivals.native('ann'),
      arrivals.moneypot('ben'),
      arrivals.native('cas'),
      arrivals.plic('finn'),
      arrivals.maint('bot'),
      arrivals.moneypot(null),
    ])
    // Dan was there before, and left.
    ann.say('before')
    await dan.heard('before')
    dan.close()
    await eventually(() => open('dan')).toBe(0)
    ann.say('who saw this?')
    for (const each of [ann, ben, cas, finn, bot, nobody]) await each.heard('who saw this?')
    const id = await idOf('who saw this?')

    // While sockets are open, nothing is noted: all that is known is that they were there.
    const early = (await told(id)).seen
    expect(names(early.maybe)).toEqual([
      'ann on native',
      'ben on moneypot',
      'bot on maint',
      'cas on native',
      'finn on plic',
      'nobody on moneypot',
    ])
    expect(early.maybe).toMatchObject({ connections: 6, people: 5, more: 0 })
    expect(new Set(early.maybe.items.map(({ why }: { why: string }) => why))).toEqual(new Set(['open']))
    expect(early.sure.items).toEqual([])

    // Eve enters later and has it as history.
    const eve = await arrivals.native('eve')
    expect(names((await told(id)).seen.maybe)).toContain('eve on native')
    for (const each of [ben, finn, bot, nobody, ann, eve]) each.close()
    await eventually(async () => (await told(id)).seen.sure.items.length).toBe(6)
    const { seen } = await told(id)
    expect(names(seen.sure)).toEqual([
      'ann on native',
      'ben on moneypot',
      'bot on maint',
      'eve on native',
      'finn on plic',
      'nobody on moneypot',
    ])
    const how = Object.fromEntries(
      seen.sure.items.map((item: { user: { username: string } | null; how: string; author: boolean }) => [
        item.user?.username ?? 'nobody',
        [item.how, item.author],
      ]),
    )
    expect(how).toEqual({
      ann: ['live', true],
      ben: ['live', false],
      bot: ['live', false],
      eve: ['history', false],
      finn: ['live', false],
      nobody: ['live', false],
    })
    expect(names(seen.maybe)).toEqual(['cas on native'])
    // Each is proved by a fact of that connection, at that position.
    for (const { connection, position, how: way } of seen.sure.items) {
      const { body } = await ask('GET', `/connections/${connection}/timeline?at=${position}`)
      const proof = body.items.at(-1)
      expect(proof).toMatchObject({ position, type: way === 'live' ? 'Delivered' : 'RoomEntered' })
      if (way === 'live')
        expect(proof.data.rooms[room]).toBeGreaterThanOrEqual((await told(id)).facts.items[0].revision)
    }
    cas.close()
    await eventually(async () => names((await told(id)).seen.maybe)).toEqual([])
  })

  it('leaves out whom their protocol sends no frame of it: its author, who is told otherwise', async () => {
    const [posting, other] = await Promise.all([arrivals.maint('bot'), arrivals.maint('bot')])
    const ben = await arrivals.plic('ben')
    posting.say('by the bot')
    await other.heard('by the bot')
    ben.say('by ben')
    await ben.heard('"confirmed":true')
    await other.heard('by ben')
    for (const each of [posting, other, ben]) each.close()
    await eventually(async () => (await told(await idOf('by ben'))).seen.sure.items.length).toBe(2)
    const bots = (await told(await idOf('by the bot'))).seen
    expect(names(bots.sure)).toEqual(['ben on plic', 'bot on maint'])
    expect(names(bots.untold)).toEqual(['bot on maint'])
    expect(bots.untold.items[0].connection).not.toBe(bots.sure.items[0].connection)
    const bens = (await told(await idOf('by ben'))).seen
    expect(names(bens.sure)).toEqual(['bot on maint', 'bot on maint'])
    expect(names(bens.untold)).toEqual(['ben on plic'])
  })

  it('knows what a client was handed that came back for what it had missed', async () => {
    const url = `${server.url.replace('http', 'ws')}/native`
    const first = await connect({ url, token: as('cas').token })
    const { revision } = await first.join(room)
    const epoch = await server.log.epoch()
    first.close()
    await eventually(() => open('cas')).toBe(0)
    const { body } = await ask('POST', `/rooms/${room}/messages`, { text: 'missed' }, as('ann').token)
    expect(names((await told(body.id)).seen.maybe)).toEqual([])
    const again = await raw(
      '/native',
      (all) => all.includes('signed-in'),
      (text) => JSON.parse(text),
      {
        do: 'sign-in',
        token: as('cas').token,
      },
    )
    again.say(JSON.stringify({ do: 'join', room, since: { epoch, revision } }))
    await again.heard('missed')
    expect(names((await told(body.id)).seen.maybe)).toEqual(['cas on native'])
    again.close()
    await eventually(async () => names((await told(body.id)).seen.sure)).toEqual(['cas on native'])
  })

  it('says apart who marked it as read, on whichever connection', async () => {
    const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: as('dan').token })
    const entered = await client.join(room)
    const { body } = await ask('POST', `/rooms/${room}/messages`, { text: 'mark me' }, as('ann').token)
    const next = await ask('POST', `/rooms/${room}/messages`, { text: 'or me' }, as('ann').token)
    entered.read(next.body.id)
    await eventually(async () => (await told(body.id)).seen.marked.items.length).toBe(1)
    expect((await told(body.id)).seen.marked).toMatchObject({
      items: [{ user: { username: 'dan' }, upTo: next.body.id, connection: expect.any(String) }],
      more: 0,
    })
    client.close()
  })

  it('lists as many as asked, and counts the rest', async () => {
    const guests = await Promise.all(['ann', 'ben', 'cas', 'dan'].map((name) => arrivals.native(name)))
    const { body } = await ask('POST', `/rooms/${room}/messages`, { text: 'to many' }, as('eve').token)
    for (const each of guests) await each.heard('to many')
    for (const each of guests) each.close()
    await eventually(async () => (await told(body.id)).seen.sure.connections).toBe(4)
    const { seen } = (await ask('GET', `/rooms/${room}/messages/${body.id}/story?limit=1`)).body
    expect(seen.sure).toMatchObject({ connections: 4, people: 4, more: 3, items: [{}] })
  })
})

describe('what became of a message', () => {
  it('is each fact, with who did it, when and why, and what the read models say', async () => {
    const { id } = (await ask('POST', `/rooms/${room}/messages`, { text: 'first words' }, as('ann').token)).body
    await ask('PATCH', `/rooms/${room}/messages/${id}`, { text: 'second words' }, as('ann').token)
    const edited = await told(id)
    expect(edited.message).toMatchObject({ text: 'second words', edited: true })
    expect(edited.facts.items.map(({ data }: { data: { text: string } }) => data.text)).toEqual([
      'first words',
      'second words',
    ])
    const models = ({ readModels }: { readModels: { name: string; holds: boolean }[] }) =>
      readModels.filter(({ holds }) => holds).map(({ name }) => name)
    expect(models(edited)).toEqual(['room-history', 'search', 'message-acts'])

    await ask('DELETE', `/rooms/${room}/messages/${id}?reason=rude`)
    const gone = await told(id)
    expect(JSON.stringify(gone)).not.toContain('words')
    expect(gone.message).toMatchObject({ text: null, removed: { reason: 'rude' } })
    expect(gone.facts.items[0].data).toMatchObject({ removed: true })
    expect(gone.facts.items.at(-1)).toMatchObject({
      type: 'MessageRemoved',
      cause: { name: 'message.remove' },
      data: { reason: 'rude', by: { username: 'owner' } },
      connection: expect.any(String),
    })
    expect(models(gone)).toEqual(['room-history', 'message-acts', 'moderation'])
    // The timeline hides the same, and no more.
    const { revision } = gone.facts.items[0]
    const { body } = await ask('GET', `/rooms/${room}/timeline?from=${revision}&limit=3`)
    expect(gone.facts.items.map(({ data }: { data: object }) => data)).toEqual(
      body.items.map(({ data }: { data: object }) => data),
    )

    // Whoever enters now is shown what stands around it, and not this; once it is restored, they are.
    await ask('POST', `/rooms/${room}/messages`, { text: 'what came after' }, as('ann').token)
    const visit = async (name: string) => {
      const guest = await arrivals.native(name)
      guest.close()
      await eventually(() => open(name)).toBe(0)
      const { seen } = await told(id)
      return { sure: names(seen.sure), maybe: names(seen.maybe) }
    }
    expect(await visit('eve')).toEqual({ sure: [], maybe: [] })
    await ask('POST', `/rooms/${room}/messages/${id}/restore`)
    const back = await told(id)
    expect(back.message).toMatchObject({ text: 'second words' })
    expect(back.facts.items.map(({ type }: { type: string }) => type)).toEqual([
      'MessagePosted',
      'MessageEdited',
      'MessageRemoved',
      'MessageRestored',
    ])
    expect(await visit('finn')).toEqual({ sure: ['finn on native'], maybe: [] })
  })

  it('is for admins, and of what there is', async () => {
    const { id } = (await ask('POST', `/rooms/${room}/messages`, { text: 'mine' }, as('ann').token)).body
    const path = `/rooms/${room}/messages/${id}/story`
    expect(await ask('GET', path, undefined, as('ann').token)).toMatchObject({ status: 403 })
    expect(await ask('GET', path)).toMatchObject({ status: 200 })
    expect(await ask('GET', `/rooms/moneypot:500/messages/${id}/story`)).toMatchObject({ status: 200 })
    expect(await ask('GET', `/rooms/moneypot:2/messages/${id}/story`)).toMatchObject({ status: 404 })
    expect(await ask('GET', `/rooms/${room}/messages/${id + 1_000_000}/story`)).toMatchObject({ status: 404 })
    expect(await ask('GET', `/rooms/none/messages/${id}/story`)).toMatchObject({ status: 404 })
  })
})

it('of a connection that the server’s end cut off, nobody knows how far it came', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hansard-'))
  const first = await startProcess(directory)
  const owner = { authorization: `Bearer ${OWNER_TOKEN}` }
  const chat = await connect({ url: `${first.url.replace('http', 'ws')}/native`, token: OWNER_TOKEN })
  const entered = await chat.join('moneypot:2')
  const id = await entered.post('last words')
  await first.kill()
  chat.close()
  const second = await startProcess(directory)
  const asked = () => asking(`${second.url}/api/v1/rooms/moneypot:2/messages/${id}/story`, 'GET', owner)
  await eventually(async () => (await asked()).body.came?.closedAt).toEqual(expect.any(String))
  const { seen } = (await asked()).body
  expect(seen.sure.items).toEqual([])
  expect(seen.maybe.items).toMatchObject([{ user: { username: 'owner' }, how: 'live', why: 'ended', author: true }])
  await second.stop()
  await rm(directory, { recursive: true, force: true })
}, 20_000)

it('does not name who is forgotten, and says that they are', async () => {
  const ben = await arrivals.moneypot('ben')
  ben.say('a month ago')
  await ben.heard('a month ago')
  const id = await idOf('a month ago')
  ben.close()
  await eventually(async () => names((await told(id)).seen.sure)).toEqual(['ben on moneypot'])
  const before = await told(id)
  expect(before.seen.unknownBefore).toBe(null)
  clock.advance(32 * 86_400_000)
  await eventually(async () => (await ask('GET', '/facts?type=ConnectionsForgotten')).body.items.length).toBe(1)
  const { seen, came, facts } = await told(id)
  expect(seen.sure).toMatchObject({ items: [], connections: 0 })
  expect(Date.parse(seen.unknownBefore)).toBeGreaterThan(Date.parse(before.message.at))
  expect(came).toMatchObject({ connection: before.came.connection, onRecord: false, dialect: null, name: null })
  expect(facts).toEqual(before.facts)
  // Of what was said since, no connection is unknown.
  const { body } = await ask('POST', `/rooms/${room}/messages`, { text: 'today' }, as('ann').token)
  expect((await told(body.id)).seen.unknownBefore).toBe(null)
})
