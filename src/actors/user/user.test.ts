import { describe, expect, it } from 'vitest'
import { type Happened, specification, T0 } from '../../../test/chart-specification.ts'
import type { Asker } from '../room/room.facts.ts'
import type { UserContext } from './user.context.ts'
import type { UserCommand, userFacts } from './user.facts.ts'
import { restoreContext, summarise, userMachine } from './user.machine.ts'

const { given, absent } = specification<UserCommand>(userMachine)

const happened = (type: keyof typeof userFacts, data: object): Happened => ({ type, data })
const registered = happened('UserRegistered', {
  user: 'ann',
  number: 3,
  username: 'ann',
  role: 'member',
  guest: false,
  machine: 'hash',
})
const token = happened('TokenIssued', { token: 't1', hash: 'h1' })
const online = (connection: string, first = true) => happened('CameOnline', { connection, node: 'n1', first })
const banned = (until: number | null = null) => happened('UserBanned', { by: null, until, reason: null })
const ann = (...facts: Happened[]) => given(registered, token, ...facts)

const self: Asker = { id: 'ann', number: 3, username: 'ann', account: 'member' }
const bob: Asker = { id: 'bob', number: 4, username: 'bob', account: 'member' }
const ada: Asker = { id: 'ada', number: 5, username: 'ada', account: 'admin' }

const attach = (attaching: string, token: string | null = null) =>
  ({ type: 'connection.attach', attaching, node: 'n1', token }) as const
const detach = (detaching: string) => ({ type: 'connection.detach', detaching }) as const
const ban = (asker: Asker | null, seconds: number | null = 60) =>
  ({ type: 'user.ban', asker, seconds, reason: null }) as const
const unban = (asker: Asker) => ({ type: 'user.unban', asker, reason: null }) as const

describe('an account is registered', () => {
  const register = {
    type: 'user.register',
    user: 'ann',
    number: 3,
    username: 'ann',
    role: 'member',
    guest: false,
    machine: 'hash',
    asker: null,
  } as const

  it('with its first token, or without', () => {
    const first = { id: 't1', hash: 'h1' }
    const born = absent.when({ ...register, token: first }).yields(['UserRegistered'], ['TokenIssued', { token: 't1' }])
    expect(born.state).toBe('registered.presence.offline+standing.good')
    expect(born.armed).toEqual({})
    absent.when({ ...register, token: null }).yields(['UserRegistered', { number: 3, guest: false }])
  })
  it('with what its dialect asks of it, in one append', () => {
    const profile = { dialect: 'drivers', fields: { phone_number: '5' } }
    absent.when({ ...register, token: null, profile }).yields(['UserRegistered'], ['ProfileSet', profile])
  })
  it('once, and before anything else can be asked of it', () => {
    ann()
      .when({ ...register, token: null })
      .refused('already-exists')
    absent.when(attach('c1')).refused('not-in-this-state')
  })
})

describe('a connection', () => {
  it('is attached and detached; the first and the last say so', () => {
    const one = ann()
      .when(attach('c1', 't1'))
      .yields(['CameOnline', { connection: 'c1', first: true }])
    expect(one.state).toBe('registered.presence.online+standing.good')
    const two = one.when(attach('c2')).yields(['CameOnline', { first: false }])
    const left = two.when(detach('c1')).yields(['WentOffline', { last: false }])
    expect(left.state).toBe('registered.presence.online+standing.good')
    expect(left.when(detach('c2')).yields(['WentOffline', { last: true }]).state).toContain('offline')
  })
  it('is one of two hundred at most, and remembers which is older', () => {
    const full = ann(...Array.from({ length: 200 }, (_, n) => online(`c${n}`, n === 0)))
    full.when(attach('more')).refused('busy', { connections: 200 })
    full.when(attach('c7')).nothing()
    full.when(detach('c7')).after.when(attach('more')).yields(['CameOnline'])
    const { connections } = full.context as UserContext
    expect(connections.get('c0')?.revision).toBe(2)
    expect(connections.get('c9')?.revision).toBe(11)
  })
  it('is attached once, and detached once', () => {
    ann(online('c1')).when(attach('c1')).nothing()
    ann(online('c1')).when(detach('c2')).nothing()
    ann().when(detach('c1')).nothing()
  })
  it('is refused with a token that is not in force', () => {
    ann().when(attach('c1', 't2')).refused('token-revoked')
    ann(happened('TokenRevoked', { token: 't1' }))
      .when(attach('c1', 't1'))
      .refused('token-revoked')
  })
  it('is refused while banned, with the end of the ban, whatever the token', () => {
    const until = T0 + 60_000
    ann(banned(until)).when(attach('c1', 't2')).refused('banned', { until })
    ann(banned()).when(attach('c1')).refused('banned', { until: null })
  })
  it('is let in once the ban’s time has come, though its timer has not fired yet', () => {
    const until = T0 + 60_000
    ann(banned(until))
      .when({ ...attach('c1'), at: until - 1 })
      .refused('banned')
    ann(banned(until))
      .when({ ...attach('c1'), at: until })
      .yields(['CameOnline'])
    ann(banned(until))
      .when({ ...attach('c1', 't2'), at: until })
      .refused('token-revoked')
  })
  it('stays attached through a ban, until its own end (a policy closes it)', () => {
    const both = ann(online('c1'), banned())
    expect(both.state).toBe('registered.presence.online+standing.banned')
    both.when(detach('c1')).yields(['WentOffline', { last: true }])
  })
})

describe('a ban everywhere', () => {
  it('is set and lifted by admins and the server', () => {
    for (const asker of [self, bob]) ann().when(ban(asker)).refused('not-authorized')
    for (const asker of [ada, null])
      ann()
        .when(ban(asker))
        .yields(['UserBanned', { until: T0 + 60_000 }])
    ann(banned()).when(unban(bob)).refused('not-authorized')
    ann(banned())
      .when(unban(ada))
      .yields(['BanLifted', { by: { id: 'ada' } }])
    ann().when(unban(ada)).refused('not-banned')
    ann().when(unban(bob)).refused('not-authorized')
  })
  it('is not put by admins on themselves, so that no slip locks the last one out', () => {
    ann()
      .when(ban({ ...self, account: 'admin' }))
      .refused('not-authorized')
  })
  it('lasts one second to a year, or has no end', () => {
    for (const seconds of [0, -1, 0.5, 31_536_001]) ann().when(ban(ada, seconds)).refused('command-invalid')
    for (const seconds of [1, 31_536_000]) ann().when(ban(ada, seconds)).yields(['UserBanned'])
    expect(
      ann()
        .when(ban(ada, null))
        .yields(['UserBanned', { until: null }]).armed,
    ).toEqual({})
  })
  it('ends by its timer', () => {
    const until = T0 + 60_000
    const timed = ann().when(ban(ada)).after
    expect(timed.armed).toEqual({ ban: until })
    const armedBy = timed.facts.at(-1)?.id
    const data = { due: until, fired: until + 1_001, late: true, armedBy, cause: 'timer' }
    const over = timed.whenDue('ban', 1_001).yields(['BanExpired', data])
    expect(over.state).toContain('good')
    expect(over.armed).toEqual({})
    over.when({ type: 'ban.expire', due: until }).nothing()
    timed.whenDue('ban', 1_000).yields(['BanExpired', { late: false }])
  })
  it('that replaced another is not ended by the other’s timer', () => {
    const replaced = ann(banned(T0 + 5), banned(T0 + 9))
    expect(replaced.armed).toEqual({ ban: T0 + 9 })
    replaced.when({ type: 'ban.expire', due: T0 + 5 }).nothing()
    expect(ann(banned(T0 + 5), banned()).armed).toEqual({})
  })
  it('leaves no timer when lifted', () => {
    const lifted = ann(banned(T0 + 5)).when(unban(ada)).after
    expect(lifted.armed).toEqual({})
    expect((lifted.context as UserContext).ban).toBeNull()
  })
})

describe('the account', () => {
  it('is renamed by itself and by admins, when the name is another', () => {
    const rename = (asker: Asker, username: string) => ({ type: 'user.rename', asker, username }) as const
    ann()
      .when(rename(self, 'anna'))
      .yields(['UserRenamed', { username: 'anna' }])
    ann().when(rename(ada, 'anna')).yields(['UserRenamed'])
    ann().when(rename(bob, 'anna')).refused('not-authorized')
    ann().when(rename(self, 'ann')).nothing()
  })
  it('gets its role from others who are admins', () => {
    const role = (asker: Asker | null, role: 'admin' | 'member') => ({ type: 'role.set', asker, role }) as const
    for (const asker of [self, bob, { ...self, account: 'admin' } as const])
      ann().when(role(asker, 'admin')).refused('not-authorized')
    const admin = ann()
      .when(role(ada, 'admin'))
      .yields(['RoleGranted', { role: 'admin', by: { id: 'ada' } }])
    expect((admin.context as UserContext).role).toBe('admin')
    ann().when(role(ada, 'member')).nothing()
    ann({ type: 'RoleGranted', data: { role: 'admin', by: null } })
      .when(role(ada, 'member'))
      .yields(['RoleRevoked', { role: 'admin', by: { id: 'ada' } }])
  })
  it('is kicked by admins', () => {
    const kick = (asker: Asker | null) => ({ type: 'user.kick', asker, reason: null }) as const
    ann(online('c1')).when(kick(bob)).refused('not-authorized')
    ann(online('c1')).when(kick(ada)).yields(['UserKicked'])
  })
  it('has a status while online', () => {
    const status = { type: 'status.set', status: { status: 2 } } as const
    ann(online('c1'))
      .when(status)
      .yields(['StatusChanged', { status: { status: 2 } }])
    ann().when(status).refused('not-in-this-state')
  })
  it('loses its status with the last connection', () => {
    const set = happened('StatusChanged', { status: { status: 2 } })
    const detach = (detaching: string) => ({ type: 'connection.detach', detaching }) as const
    ann(online('c1'), set)
      .when(detach('c1'))
      .yields(['StatusChanged', { status: {} }], ['WentOffline', { connection: 'c1', last: true }])
      .when(detach('c1'))
      .nothing()
    ann(online('c1'), online('c2', false), set)
      .when(detach('c1'))
      .yields(['WentOffline', { connection: 'c1', last: false }])
  })
  it('has a profile, set by itself and by admins', () => {
    const set = (asker: Asker) =>
      ({ type: 'profile.set', asker, dialect: 'plic', fields: { first_name: 'Ann' } }) as const
    ann()
      .when(set(self))
      .yields(['ProfileSet', { dialect: 'plic' }])
    ann().when(set(bob)).refused('not-authorized')
  })
})

describe('tokens', () => {
  const issue = (asker: Asker, token: string) => ({ type: 'token.issue', asker, token, hash: `h-${token}` }) as const
  const revoke = (asker: Asker, token: string) => ({ type: 'token.revoke', asker, token }) as const

  it('are issued and revoked by the account itself and by admins', () => {
    for (const asker of [self, ada]) {
      ann()
        .when(issue(asker, 't2'))
        .yields(['TokenIssued', { token: 't2' }])
      ann().when(revoke(asker, 't1')).yields(['TokenRevoked']).when(revoke(asker, 't1')).refused('unknown-token')
    }
    ann().when(issue(bob, 't2')).refused('not-authorized')
    ann().when(revoke(bob, 't1')).refused('not-authorized')
  })
  it('are at most a hundred', () => {
    const full = ann(...Array.from({ length: 99 }, (_, n) => happened('TokenIssued', { token: `x${n}`, hash: 'h' })))
    expect(full.when(issue(self, 't2')).decision.kind).toBe('refused')
    full.when(issue(self, 't1')).nothing()
  })
})

describe('a summary', () => {
  it('restores the very same context', () => {
    const { context } = ann(online('c1'), online('c2', false), banned(T0 + 5))
    expect(restoreContext(JSON.parse(JSON.stringify(summarise(context as UserContext))))).toEqual(context)
  })
})
