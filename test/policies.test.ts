// What follows in other streams from a fact of one, policy by policy (docs/architecture.md has the table), and what a
// start closes that a dead process left open.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConnectionOptions } from '../src/actors/connection/connection.facts.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host, type Submitted } from '../src/actors/host.ts'
import { Policies } from '../src/actors/policies.ts'
import { closeLeftOpen } from '../src/actors/recovery.ts'
import type { Asker } from '../src/actors/room/room.facts.ts'
import { LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const any: ConnectionOptions = { oneRoom: false, socketsPerAccount: 0, closeCodes: {} }

let clock: VirtualClock
let log: MemoryLog
let host: Host
let policies: Policies
let faults: string[]
/** streams that cannot be appended to, by the beginning of their names */
let away: string[]

const begin = (seed: number): void => {
  const store = { summary: async () => null, keepSummary: () => {}, message: async () => null }
  const onFault = (where: string, error: unknown) => faults.push(`${where}: ${error}`)
  const around = { log, clock, store, definitions, onFault, codec: new FactCodec(), node: 'main' }
  host = new Host({ ...around, chance: new SeededChance(seed, clock) })
  policies = new Policies(host, onFault)
}

beforeEach(async () => {
  clock = new VirtualClock()
  faults = []
  away = []
  log = new MemoryLog({
    beforeAppend: (stream) => {
      if (away.some((prefix) => stream.startsWith(prefix))) throw new LogUnavailable('away', 'no')
    },
  })
  begin(1)
  for (const name of ['ann', 'bob']) {
    const born = { user: name, number: 1, username: name, role: 'member', guest: false, machine: 'h' } as const
    await done(`user-${name}`, { type: 'user.register', ...born, asker: null, token: { id: `t-${name}`, hash: 'h' } })
  }
})

afterEach(() => expect(faults).toEqual([]))

const done = async (stream: string, command: Submitted): Promise<void> =>
  expect(await host.send(stream, command)).toMatchObject({ ok: true })

const openRoom = (room: string, more: { kind?: 'space'; parent?: string } = {}) =>
  done(`room-${room}`, {
    type: 'room.open',
    room,
    number: 1,
    name: room,
    kind: 'room',
    parent: null,
    aliases: ['moneypot:1'],
    machine: 'h',
    members: [],
    asker: null,
    ...more,
  })

/** A socket of the account's, signed in, in these rooms. */
const connect = async (id: string, user: string, rooms: readonly string[] = [], options = any, dialect = 'native') => {
  const stream = `connection-${id}`
  const limits = { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 }
  const opening = { connection: id, dialect, version: 1, transport: 't', limits, options, since: clock.now() }
  await done(stream, { type: 'connection.open', ...opening, node: 'main', incarnation: 'i', machine: 'h' })
  await done(`user-${user}`, { type: 'connection.attach', attaching: id, node: 'main', token: null })
  const person = { id: user, number: 1, username: user, role: 'member' } as const
  await done(stream, { type: 'auth.succeed', user: person, token: `t-${user}` })
  const asker: Asker = { id: user, number: 1, username: user, account: 'member' }
  for (const room of rooms) {
    await done(`room-${room}`, { type: 'presence.enter', asker, connection: id, node: 'main' })
    const history = { count: 0, firstId: null, lastId: null }
    await done(stream, { type: 'room.enter', room, revision: 1, history })
  }
  await policies.settled()
}

/** What is new in each stream since the last look, in the order of the log. */
let seen = 0
const news = async (): Promise<string[]> => {
  await policies.settled()
  const found: string[] = []
  for await (const { stream, type, data, position } of log.readAll({ from: seen })) {
    const { cause } = JSON.parse(data)
    seen = position
    // Not what the host says of the log.
    if (!stream.startsWith('node-')) found.push([stream, type, ...(cause ? [cause] : [])].join(' '))
  }
  return found
}
beforeEach(async () => {
  seen = await log.head()
})
const act = async (stream: string, command: Submitted): Promise<string[]> => {
  await news()
  await done(stream, command)
  return news()
}
const close = { type: 'connection.close', code: null, reason: null, cause: 'client', late: false } as const

describe('a connection that closes', () => {
  it('leaves each room it is in, and its account', async () => {
    await openRoom('r')
    await openRoom('s')
    await connect('c', 'ann', ['r', 's'])
    expect((await act('connection-c', { ...close, correlationId: 'why' })).sort()).toEqual([
      'connection-c ConnectionClosed client',
      'room-r PresenceLeft closed',
      'room-s PresenceLeft closed',
      'user-ann WentOffline',
    ])
    for await (const { type, metadata } of log.readAll({ filter: { types: ['PresenceLeft', 'WentOffline'] } }))
      expect(JSON.parse(metadata), type).toMatchObject({ by: 'system', $correlationId: 'why' })
  })

  it('does so once the log takes it, however long that is away', async () => {
    await openRoom('r')
    await connect('c', 'ann', ['r'])
    await news()
    away = ['room-']
    await done('connection-c', close)
    for (let turn = 0; turn < 10; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(500)
    }
    away = []
    for (let turn = 0; turn < 10; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(500)
    }
    expect(await news()).toEqual([
      'connection-c ConnectionClosed client',
      'user-ann WentOffline',
      'room-r PresenceLeft closed',
    ])
  })
})

describe('an account that is put out of everywhere', () => {
  it.each([
    ['user.ban', 'UserBanned', 'banned'],
    ['user.kick', 'UserKicked', 'kicked'],
  ] as const)('by %s loses each of its connections, and nobody else theirs', async (type, fact, cause) => {
    await connect('c', 'ann')
    await connect('d', 'ann')
    await connect('e', 'bob')
    const told = await act('user-ann', { type, asker: null, reason: null, seconds: null } as Submitted)
    expect(told.sort()).toEqual([
      `connection-c ConnectionClosed ${cause}`,
      `connection-d ConnectionClosed ${cause}`,
      `user-ann ${fact}`,
      'user-ann WentOffline',
      'user-ann WentOffline',
    ])
  })

  it('of one token, loses those that signed in with it', async () => {
    await connect('c', 'ann')
    const other = { type: 'token.issue', asker: null, token: 't2', hash: 'h2' } as const
    await done('user-ann', other)
    expect(await act('user-ann', { type: 'token.revoke', asker: null, token: 't2' })).toEqual(['user-ann TokenRevoked'])
    expect(await act('user-ann', { type: 'token.revoke', asker: null, token: 't-ann' })).toEqual([
      'user-ann TokenRevoked',
      'connection-c ConnectionClosed auth-failed',
      'user-ann WentOffline',
    ])
  })
})

describe('a newer socket', () => {
  const two = { ...any, socketsPerAccount: 2 }

  it('takes the place of the oldest of its dialect, where an account may have so many', async () => {
    const ended = async () => (await news()).filter((told) => told.includes('Closed'))
    await connect('other', 'ann', [], any, 'maint')
    for (const id of ['c', 'd']) await connect(id, 'ann', [], two)
    await connect('bobs', 'bob', [], two)
    expect(await ended()).toEqual([])
    await connect('e', 'ann', [], two)
    expect(await ended()).toEqual(['connection-c ConnectionClosed new-device'])
    await connect('f', 'ann', [], two)
    expect(await ended()).toEqual(['connection-d ConnectionClosed new-device'])
  })

  it('takes none where it may have any number', async () => {
    for (const id of ['c', 'd', 'e']) await connect(id, 'ann')
    expect((await news()).filter((told) => told.includes('Closed'))).toEqual([])
  })
})

describe('whoever is put out of a room', () => {
  it.each([
    ['member.kick', 'MemberKicked', 'kicked'],
    ['member.ban', 'MemberBanned', 'banned'],
  ] as const)(
    'by %s leaves it on every connection, loses what lives in it alone, and is no member',
    async (type, fact, cause) => {
      await openRoom('r')
      await done('room-r', { type: 'member.add', asker: null, user: 'ann', role: 'member' })
      await connect('c', 'ann', ['r'])
      await connect('d', 'ann', ['r'], { ...any, oneRoom: true })
      await connect('e', 'bob', ['r'])
      const told = await act('room-r', { type, asker: null, user: 'ann', reason: null, seconds: null } as Submitted)
      expect(told.sort()).toEqual([
        'connection-c RoomLeft',
        `connection-d ConnectionClosed ${cause}`,
        `room-r ${fact}`,
        'room-r MemberRemoved',
        `room-r PresenceLeft ${cause}`,
        `room-r PresenceLeft ${cause}`,
        'user-ann WentOffline',
      ])
    },
  )

  it('hears it no more where it was only followed', async () => {
    await openRoom('r')
    await connect('c', 'ann')
    await done('connection-c', { type: 'rooms.follow', rooms: { r: 1 } })
    const ban = { type: 'member.ban', asker: null, user: 'ann', seconds: null, reason: null } as const
    expect(await act('room-r', ban)).toEqual(['room-r MemberBanned', 'connection-c RoomLeft'])
  })

  it('keeps a role that an owner gave', async () => {
    await openRoom('r')
    await done('room-r', { type: 'member.add', asker: null, user: 'ann', role: 'mod' })
    const kick = { type: 'member.kick', asker: null, user: 'ann', reason: null } as const
    expect(await act('room-r', kick)).toEqual(['room-r MemberKicked'])
  })
})

describe('whoever belongs to a room no more', () => {
  it('hears it no more, and of a space none of its rooms', async () => {
    await openRoom('s', { kind: 'space' })
    await openRoom('in', { parent: 's' })
    await openRoom('out')
    for (const room of ['s', 'out'])
      await done(`room-${room}`, { type: 'member.add', asker: null, user: 'ann', role: 'member' })
    await connect('c', 'ann')
    await done('connection-c', { type: 'rooms.follow', rooms: { s: 1, in: 1, out: 1 } })
    const remove = { type: 'member.remove', asker: null, user: 'ann' } as const
    expect(await act('room-s', remove)).toEqual([
      'room-s MemberRemoved',
      'connection-c RoomLeft',
      'connection-c RoomLeft',
    ])
    expect(await act('room-out', remove)).toEqual(['room-out MemberRemoved', 'connection-c RoomLeft'])
  })
})

describe('a start', () => {
  it('closes what the dead process left open, late, and whoever it left in a room or online is gone', async () => {
    await openRoom('r')
    await connect('c', 'ann', ['r'])
    // Of another the process had stored the end, and nothing that follows from it.
    await connect('d', 'bob', ['r'])
    policies.stop()
    away = ['room-', 'user-']
    await done('connection-d', close)
    await new Promise((resolve) => setImmediate(resolve))
    await host.close()
    away = []
    await news()
    begin(2)
    const closed = await closeLeftOpen(host, {
      connections: ['c'],
      presences: [
        { room: 'r', connection: 'c' },
        { room: 'r', connection: 'd' },
      ],
      online: [
        { user: 'ann', connection: 'c' },
        { user: 'bob', connection: 'd' },
      ],
    })
    expect(closed).toBe(1)
    const told = await news()
    expect(told.map((each) => each.replace(/ (closed|node-lost)$/, '')).sort()).toEqual([
      'connection-c ConnectionClosed',
      'room-r PresenceLeft',
      'room-r PresenceLeft',
      'user-ann WentOffline',
      'user-bob WentOffline',
    ])
    for await (const { type, data } of log.readStream('connection-c'))
      if (type === 'ConnectionClosed') expect(JSON.parse(data)).toMatchObject({ cause: 'node-lost', late: true })
    expect(host.counts().actors).toBe(0)
  })
})
