// Who has a name, an alias, a token: two streams each, a claim and its owner's, and what a crash between them leaves.

import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Claims } from '../src/actors/claims.ts'
import { definitions } from '../src/actors/definitions.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host } from '../src/actors/host.ts'
import { type Account, Identity } from '../src/actors/identity.ts'
import { Rooms } from '../src/actors/rooms.ts'
import { LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

let clock: VirtualClock
let log: MemoryLog
/** streams that cannot be appended to, by the beginning of their names */
let away: string[]
let seed: number
let faults: string[]

/** A process on the log: what it remembers dies with it. */
const process = () => {
  const chance = new SeededChance(seed++, clock)
  const store = { summary: async () => null, keepSummary: () => {}, message: async () => null }
  const around = { log, codec: new FactCodec(), clock, chance, store, node: 'main', definitions }
  const host = new Host({ ...around, onFault: (where, error) => faults.push(`${where}: ${error}`) })
  const claims = new Claims(host.ledger, clock, 'key')
  return { host, claims, identity: new Identity(host, claims), rooms: new Rooms(host, claims) }
}

beforeEach(() => {
  clock = new VirtualClock()
  away = []
  seed = 1
  faults = []
  log = new MemoryLog({
    beforeAppend: (stream) => {
      if (away.some((prefix) => stream.startsWith(prefix))) throw new LogUnavailable(`${stream} is away`, 'no')
    },
  })
})

afterEach(() => expect(faults).toEqual([]))

const facts = async (prefix: string): Promise<Recorded[]> => {
  const found: Recorded[] = []
  for await (const fact of log.readAll({ filter: { streamPrefixes: [prefix] } })) found.push(fact)
  return found
}
const claimed = async (kind: string) => (await facts(`name-${kind}-`)).map(({ type }) => type)

const register = (identity: Identity, username: string, more: object = {}) =>
  identity.register({ username, role: 'member', guest: false, asker: null, ...more })
const registered = async (identity: Identity, username: string, more: object = {}): Promise<Account> => {
  const outcome = await register(identity, username, more)
  if (!outcome.ok) throw new Error(outcome.refusal.code)
  return outcome.account
}
const taken = { ok: false, refusal: { code: 'name-taken', values: { field: 'username' } } }

describe('a name whose owner never confirmed it', () => {
  beforeEach(async () => {
    away = ['user-']
    expect(await register(process().identity, 'ann')).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    away = []
  })

  it('is nobody’s, and kept for half a minute', async () => {
    const { identity } = process()
    expect(await identity.byName('ann')).toBeNull()
    clock.advance(29_999)
    expect(await register(identity, 'ann')).toMatchObject(taken)
    clock.advance(1)
    const { id } = await registered(identity, 'ann')
    expect(await identity.byName('ANN')).toMatchObject({ id })
    expect(await claimed('username')).toEqual(['NameClaimed', 'NameClaimed'])
  })

  it('is taken over by one of those who want it', async () => {
    clock.advance(30_000)
    const rivals = [process(), process(), process()].map(({ identity }) => register(identity, 'ann'))
    const ended = Promise.all(rivals)
    for (let turn = 0; turn < 40; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (clock.next() < clock.now() + 100) clock.advance(Math.max(0, clock.next() - clock.now()))
    }
    const outcomes = await ended
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1)
    for (const outcome of outcomes) if (!outcome.ok) expect(outcome).toMatchObject(taken)
  })
})

describe('a name', () => {
  it('that its owner has is not taken over, however old, in whatever case', async () => {
    await registered(process().identity, 'ann')
    clock.advance(365 * 86_400_000)
    for (const name of ['ann', 'Ann', 'ａｎｎ']) expect(await register(process().identity, name)).toMatchObject(taken)
  })

  it('is free again once its owner has another', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann')
    expect(await identity.rename(ann, 'anna', null)).toMatchObject({ ok: true })
    expect(await identity.byName('ann')).toBeNull()
    const other = await registered(identity, 'ann')
    expect(other.id).not.toBe(ann.id)
    expect([await identity.byName('ann'), await identity.byName('anna')]).toMatchObject([other, { id: ann.id }])
  })

  it('stays claimed where only its case changes', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann')
    expect(await identity.rename(ann, 'Ann', null)).toMatchObject({ ok: true })
    expect(await identity.byName('ann')).toMatchObject({ id: ann.id, username: 'Ann' })
    expect(await register(identity, 'ann')).toMatchObject(taken)
  })

  it('that somebody may not give another is not even claimed, and the one they have stays', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann')
    const bob = { ...(await registered(identity, 'bob')), account: 'member' } as const
    const before = await claimed('username')
    const refused = { ok: false, refusal: { code: 'not-authorized' } }
    expect(await identity.rename(ann, 'anna', bob)).toMatchObject(refused)
    // Nor is it told which there are.
    expect(await identity.rename(ann, 'bob', bob)).toMatchObject(refused)
    expect(await claimed('username')).toEqual(before)
    expect(await identity.byName('ann')).toMatchObject({ id: ann.id })
    expect((await registered(identity, 'anna')).username).toBe('anna')
    expect(await register(identity, 'ann')).toMatchObject(taken)
  })

  it('is its owner’s, whatever was known of them before', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann')
    const bob = { ...(await registered(identity, 'bob')), account: 'member' } as const
    expect(await identity.rename(ann, 'anna', null)).toMatchObject({ ok: true })
    expect(await identity.rename(ann, 'anna', bob)).toMatchObject({ ok: false })
    expect(await register(identity, 'anna')).toMatchObject(taken)
    expect(await identity.rename(ann, 'annika', null)).toMatchObject({ ok: true })
    expect(await register(identity, 'anna')).toMatchObject({ ok: true })
  })

  it('is kept where nobody knows whether the owner has it', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann')
    away = ['user-']
    expect(await identity.rename(ann, 'anna', null)).toMatchObject({ ok: false, refusal: { code: 'unavailable' } })
    away = []
    expect(await register(identity, 'anna')).toMatchObject(taken)
    expect(await identity.rename(ann, 'anna', null)).toMatchObject({ ok: true })
  })

  it('is given back when the phone number it came with is somebody’s', async () => {
    const { identity } = process()
    const ann = await registered(identity, 'ann', { phone: '5' })
    expect(await register(identity, 'bob', { phone: '5' })).toMatchObject({ refusal: { code: 'phone-taken' } })
    expect(await identity.byPhone('5')).toMatchObject({ id: ann.id })
    expect(await registered(identity, 'bob')).toMatchObject({ username: 'bob' })
  })

  it('that only looks like one of staff is refused, as long as they are that', async () => {
    const { identity, host } = process()
    const root = await registered(identity, 'root', { role: 'admin' })
    const ann = await registered(identity, 'ann')
    // The second has Cyrillic letters, the third zeroes.
    for (const name of ['r_o_o_t', 'rооt', 'r00t']) {
      expect(await register(identity, name), name).toMatchObject(taken)
      expect(await identity.rename(ann, name, null), name).toMatchObject(taken)
    }
    expect(await identity.rename(root, 'R00t', null)).toMatchObject({ ok: true })
    await host.send(`user-${root.id}`, { type: 'role.set', asker: null, role: 'member' })
    expect(await registered(identity, 'r0ot')).toMatchObject({ username: 'r0ot' })
  })

  it('of staff is known as such after a start', async () => {
    const { id, username } = await registered(process().identity, 'root', { role: 'admin' })
    const { identity } = process()
    identity.guardStaffNames([{ id, username }])
    expect(await register(identity, 'r00t')).toMatchObject(taken)
  })
})

describe('an account', () => {
  it('has the number after the last, and nobody has another’s', async () => {
    const { identity } = process()
    const [ann, bob] = [await registered(identity, 'ann'), await registered(identity, 'bob')]
    expect([ann.number, bob.number]).toEqual([1, 2])
    expect(await identity.byNumber(2)).toMatchObject({ id: bob.id })
    expect(await identity.resolve('#3')).toBeNull()
    away = ['user-']
    await register(identity, 'cyd')
    away = []
    // Number 3 is a gap: its owner was never registered.
    expect(await identity.byNumber(3)).toBeNull()
    expect(await registered(identity, 'dan')).toMatchObject({ number: 4 })
  })

  it('is made once under an id of the caller’s', async () => {
    const { identity } = process()
    const id = '00000000-0000-7000-8000-000000000001'
    await registered(identity, 'ann', { id })
    expect(await register(identity, 'other', { id })).toMatchObject({ refusal: { code: 'already-exists' } })
    expect(await identity.byName('other')).toBeNull()
  })

  it('is found by its token, of which the log has the hash of a hash alone', async () => {
    const { identity, host } = process()
    const token = 'a'.repeat(32)
    const ann = await registered(identity, 'ann', { token })
    const once = createHash('sha256').update(token).digest('hex')
    const issued = JSON.parse((await facts('user-')).find(({ type }) => type === 'TokenIssued')?.data ?? '{}')
    expect(issued.hash).toBe(createHash('sha256').update(once).digest('hex'))
    expect(JSON.stringify(await facts(''))).not.toContain(once)
    expect(await identity.byToken(once)).toEqual({ account: ann, token: issued.token, ban: null })
    expect(await identity.byToken(issued.hash)).toBeNull()
    await host.send(`user-${ann.id}`, { type: 'user.ban', asker: null, seconds: 60, reason: null })
    expect(await identity.byToken(once)).toMatchObject({ ban: { until: clock.now() + 60_000 } })
    await host.send(`user-${ann.id}`, { type: 'token.revoke', asker: null, token: issued.token })
    expect(await process().identity.byToken(once)).toBeNull()
  })
})

describe('a claim', () => {
  it('that its owner does not confirm leads to nobody: another name, alias or number than the one they have', async () => {
    const { identity, rooms, claims, host } = process()
    const ann = await registered(identity, 'ann')
    const room = await rooms.open({ name: 'r', aliases: ['plic:1'], asker: null })
    if (!room.ok) throw new Error(room.refusal.code)
    await claims.claim('username', 'anna', ann.id, async () => true)
    await claims.claim('alias', 'plic:2', room.room.id, async () => true)
    for (const [kind, owner] of [
      ['user', ann.id],
      ['room', room.room.id],
    ] as const)
      await host.ledger.append(`numbers-${kind}`, () => ({ type: 'NumberTaken', data: { owner } }))
    expect([await identity.byName('anna'), await identity.byNumber(2)]).toEqual([null, null])
    expect([await rooms.byAlias('plic:2'), await rooms.byNumber(2)]).toEqual([null, null])
    expect([await identity.byName('ann'), await identity.byNumber(1)]).toMatchObject(Array(2).fill({ id: ann.id }))
  })

  it('is given up by its owner alone', async () => {
    const { claims } = process()
    await claims.claim('username', 'ann', 'a', async () => true)
    await claims.release('username', 'ann', 'b')
    expect(await process().claims.owner('username', 'ann')).toBe('a')
    await claims.release('username', 'ann', 'a')
    expect(await process().claims.owner('username', 'ann')).toBeNull()
  })
})

describe('an alias', () => {
  it('has one room; an opening or a change that cannot have all of its own has none of them', async () => {
    const { rooms } = process()
    const open = (...aliases: string[]) => rooms.open({ name: 'r', aliases, asker: null })
    const first = await open('moneypot:1')
    if (!first.ok) throw new Error(first.refusal.code)
    const refused = { refusal: { code: 'alias-taken', values: { field: 'aliases', alias: 'moneypot:1' } } }
    expect(await open('plic:1', 'moneypot:1')).toMatchObject(refused)
    const second = await open('plic:1')
    if (!second.ok) throw new Error(second.refusal.code)
    const change = (aliases: string[]) => rooms.change(second.room, { aliases }, null)
    expect(await change(['plic:1', 'plic:2', 'moneypot:1'])).toMatchObject(refused)
    expect(await open('plic:2')).toMatchObject({ ok: true })
    expect(await rooms.byAlias('plic:1')).toMatchObject({ id: second.room.id })
    expect(await change(['plic:3'])).toMatchObject({ ok: true })
    expect(await rooms.byAlias('plic:1')).toBeNull()
    expect(await open('plic:1')).toMatchObject({ ok: true })
    expect(await rooms.byNumber(first.room.number)).toMatchObject({ id: first.room.id })
  })

  it('that whoever asks may not give is not even claimed, and those there are stay', async () => {
    const { rooms, identity } = process()
    const asker = { ...(await registered(identity, 'ann')), account: 'member' } as const
    const opened = await rooms.open({ name: 'r', aliases: ['plic:1'], asker: null })
    if (!opened.ok) throw new Error(opened.refusal.code)
    const before = await claimed('alias')
    const refused = { ok: false, refusal: { code: 'not-authorized' } }
    for (const aliases of [['plic:2'], ['plic:3', 'plic:1'], []])
      expect(await rooms.change(opened.room, { aliases }, asker)).toMatchObject(refused)
    expect(await claimed('alias')).toEqual(before)
    expect(await rooms.byAlias('plic:1')).toMatchObject({ id: opened.room.id })
    expect(await rooms.open({ name: 's', aliases: ['plic:2'], asker: null })).toMatchObject({ ok: true })
    expect(await rooms.open({ name: 't', aliases: ['plic:1'], asker: null })).toMatchObject({ ok: false })
  })
})

describe('a room that is asked for by number', () => {
  it('is none where its opening never came to the log', async () => {
    const { rooms } = process()
    away = ['room-']
    await rooms.open({ name: 'r', asker: null })
    away = []
    expect(await rooms.byNumber(1)).toBeNull()
    expect(await rooms.open({ name: 'r', asker: null })).toMatchObject({ ok: true, room: { number: 2 } })
  })
})

describe('a role in a room', () => {
  it('is that in the space it is in, unless banned in either', async () => {
    const { rooms, identity, host } = process()
    const ann = await registered(identity, 'ann')
    const members = [{ account: ann, role: 'mod' as const }]
    const space = await rooms.open({ name: 's', kind: 'space', members, asker: null })
    if (!space.ok) throw new Error(space.refusal.code)
    const room = await rooms.open({ name: 'r', parent: space.room.id, asker: null })
    if (!room.ok) throw new Error(room.refusal.code)
    expect(await rooms.roleOf(room.room, ann.id)).toBe('mod')
    const ban = { type: 'member.ban', asker: null, user: ann.id, seconds: 60, reason: null } as const
    await host.send(`room-${room.room.id}`, ban)
    expect(await rooms.roleOf(room.room, ann.id)).toBeNull()
    expect(await rooms.spaceRoleOf(room.room, ann.id)).toBe('mod')
    clock.advance(60_000)
    expect(await rooms.roleOf(room.room, ann.id)).toBe('mod')
  })
})
