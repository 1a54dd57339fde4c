import { describe, expect, it } from 'vitest'
import { type Happened, specification, T0 } from '../../../test/chart-specification.ts'
import type { ConnectionContext } from './connection.context.ts'
import type { ConnectionCommand, ConnectionLimits, connectionFacts } from './connection.facts.ts'
import { connectionMachine, restoreContext, summarise } from './connection.machine.ts'

const { given, absent } = specification<ConnectionCommand>(connectionMachine)

const happened = (type: keyof typeof connectionFacts, data: object, at?: number): Happened =>
  at === undefined ? { type, data } : { type, data, at }

const limits: ConnectionLimits = { authTimeoutMs: 30_000, afkMs: 600_000, typingMs: 5_000, badFrameStrikes: 5 }
const none: ConnectionLimits = { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 }
const options = { oneRoom: false, socketsPerAccount: 0, closeCodes: { banned: 4403, 'auth-timeout': 4408 } } as const
const opening = (own = limits, dialect: string | null = 'maint') => ({
  dialect,
  version: 1,
  since: T0,
  transport: 'ws',
  limits: own,
  options,
  node: 'n1',
  incarnation: 'i1',
  machine: 'hash',
})
const opened = (own = limits, dialect: string | null = 'maint') =>
  happened('ConnectionOpened', { connection: 'c1', ...opening(own, dialect) })
const ann = { id: 'ann', number: 3, username: 'ann', role: 'member' } as const
const signedIn = happened('AuthSucceeded', { user: ann, token: 't1' })
const history = { count: 0, firstId: null, lastId: null }
const enteredRoom = (room: string) => happened('RoomEntered', { room, revision: 4, history })
const typing = (room: string, at?: number) => happened('TypingStarted', { room }, at)
const idle = (since: number, at = since) => happened('WentIdle', { since }, at)
const closed = happened('ConnectionClosed', { code: 1000, reason: null, cause: 'client', late: false })

const signing = (own = limits) => given(opened(own))
const ready = (...facts: Happened[]) => given(opened(), signedIn, ...facts)
const ended = (...facts: Happened[]) => given(opened(), signedIn, closed, ...facts)

const close = { type: 'connection.close', code: 1001, reason: null, cause: 'shutdown', late: false } as const
const succeed = { type: 'auth.succeed', user: ann, token: 't1' } as const
const fail = (final: boolean) =>
  ({ type: 'auth.fail', code: 'token-revoked', final, closeCode: 4401, reason: 'bad token' }) as const
const note = {
  type: 'refusal.note',
  command: 'message.post',
  code: 'muted',
  state: 'living.open',
  guard: 'isMuted',
  values: { until: null },
  decidedAt: { stream: 'room-r', revision: 8 },
  count: 1,
} as const

describe('a connection opens', () => {
  it('and waits for its sign-in', () => {
    const open = { type: 'connection.open', connection: 'c1', ...opening() } as const
    const waiting = absent.when(open).yields(['ConnectionOpened', { connection: 'c1', limits }])
    expect(waiting.state).toMatch(/^authenticating/)
    expect(absent.armed).toEqual({})
  })
  it('before anything else can be asked of it', () => {
    absent.when(succeed).refused('not-in-this-state')
    absent.when(note).refused('not-in-this-state')
  })
})

describe('signing in', () => {
  const [timer] = Object.keys(signing().armed) as [string]

  it('must succeed within the limit, where there is one', () => {
    expect(signing().armed).toEqual({ [timer]: T0 + 30_000 })
    const over = signing()
      .whenDue(timer)
      .yields(['ConnectionClosed', { cause: 'auth-timeout', code: 4408, late: false }])
    expect(over.state).toBe('closed')
    expect(signing(none).armed).toEqual({})
  })
  it('stops the clock', () => {
    const inside = signing()
      .when(succeed)
      .yields(['AuthSucceeded', { user: ann, token: 't1' }])
    expect(inside.state).toMatch(/^authenticated.*active$/)
    expect(inside.armed).toEqual({})
    expect(inside.context).toMatchObject({ user: ann, token: 't1' })
    inside.when(succeed).refused('already-exists')
    inside.when({ ...succeed, overRate: true }).refused('rate-limited')
  })
  it('may be tried again after a failure, unless the dialect closes', () => {
    const again = signing()
      .when(fail(false))
      .yields(['AuthFailed', { code: 'token-revoked' }])
    again.when(succeed).yields(['AuthSucceeded'])
    expect(again.armed).toEqual({ [timer]: T0 + 30_000 })
    const over = signing()
      .when(fail(true))
      .yields(
        ['AuthFailed', { code: 'token-revoked' }],
        ['ConnectionClosed', { code: 4401, reason: 'bad token', cause: 'auth-failed', late: false }],
      )
    expect(over.state).toBe('closed')
    expect(over.armed).toEqual({})
    signing()
      .when({ ...fail(true), code: 'banned', closeCode: null })
      .yields(['AuthFailed', { code: 'banned' }], ['ConnectionClosed', { code: 4403, cause: 'banned' }])
  })
  it('has the limit of the dialect once that is known, measured from the opening', () => {
    const at = T0 + 2_000
    const chosen = (authTimeoutMs: number) =>
      happened('DialectChosen', { dialect: 'drivers', version: 1, limits: { ...limits, authTimeoutMs }, options }, at)
    const waiting = given(opened(limits, null))
    expect(waiting.and(chosen(60_000)).armed).toEqual({ [timer]: T0 + 60_000 })
    expect(waiting.and(chosen(0)).armed).toEqual({})
    expect(given(opened(none, null), chosen(60_000)).armed).toEqual({ [timer]: T0 + 60_000 })
    expect(waiting.and(chosen(1_000)).armed[timer]).toBeLessThanOrEqual(at)
  })
  it('chooses its dialect once', () => {
    const choose = { type: 'dialect.choose', dialect: 'drivers', version: 1, limits, options } as const
    const closeCodes = { shutdown: 4_000 }
    const chosen = given(opened(limits, null)).when({ ...choose, options: { ...options, closeCodes } })
    chosen.yields(['DialectChosen']).when(choose).nothing()
    chosen.after.when({ ...close, code: null }).yields(['ConnectionClosed', { code: 4_000 }])
  })
})

describe('whether a command may be handed to a room', () => {
  const permit = { type: 'command.permit', command: 'message.post' } as const

  it('is a question of being signed in, and leaves no fact', () => {
    signing().when(permit).refused('user-required')
    ready().when(permit).nothing()
    ended().when(permit).refused('not-in-this-state')
  })
  it('is no for an anonymous reader', () => {
    given(opened(), happened('AuthSucceeded', { user: null, token: null }))
      .when(permit)
      .refused('user-required')
  })
})

describe('rooms', () => {
  const enter = { type: 'room.enter', room: 'r', revision: 4, history } as const

  it('are entered once and left once', () => {
    const inside = ready()
      .when(enter)
      .yields(['RoomEntered', { room: 'r', revision: 4 }])
    inside.when(enter).nothing()
    inside
      .when({ type: 'room.leave', room: 'r' })
      .yields(['RoomLeft'])
      .when({ type: 'room.leave', room: 'r' })
      .nothing()
  })
  it('are at most a thousand at once', () => {
    const full = ready(...Array.from({ length: 1_000 }, (_, n) => enteredRoom(`r${n}`)))
    full.when(enter).refused('too-many-rooms')
    full.when({ ...enter, room: 'r7' }).nothing()
    const robot = happened('AuthSucceeded', { user: { ...ann, role: 'robot' }, token: 't1' })
    const hearing = Array.from({ length: 1_000 }, (_, n) => enteredRoom(`r${n}`))
    given(opened(), robot, ...hearing)
      .when(enter)
      .yields(['RoomEntered'])
  })
  it('that the account belongs to are not among those, nor are those that it follows', () => {
    const full = ready(...Array.from({ length: 1_000 }, (_, n) => enteredRoom(`r${n}`)))
    full.when({ ...enter, own: true }).yields(['RoomEntered'])
    const followed = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`r${n}`, 1]))
    const following = ready(happened('RoomsFollowed', { rooms: followed }))
    following.when({ type: 'rooms.follow', rooms: { more: 1 } }).yields(['RoomsFollowed'])
    following.when(enter).yields(['RoomEntered'])
  })
  it('that it follows are told of when one of them is new, and are 50,000 at most', () => {
    const follow = (...rooms: string[]) =>
      ({ type: 'rooms.follow', rooms: Object.fromEntries(rooms.map((room) => [room, 1])) }) as const
    const following = ready().when(follow('r', 's')).yields(['RoomsFollowed']).when(follow('s')).nothing()
    following.when(follow('s', 't')).yields(['RoomsFollowed', { rooms: { s: 1, t: 1 } }])
    const many = Object.fromEntries(Array.from({ length: 49_999 }, (_, n) => [`r${n}`, 1]))
    const nearlyFull = ready(happened('RoomsFollowed', { rooms: many }))
    nearlyFull.when(follow('a')).yields(['RoomsFollowed'])
    nearlyFull.when(follow('a', 'b')).refused('too-many-rooms')
  })
  it('say where a client that came back goes on', () => {
    ready()
      .when({ ...enter, resumedFrom: 2 })
      .yields(['RoomEntered', { resumedFrom: 2 }])
  })
  it('are not for an anonymous reader to mark as read', () => {
    given(opened(), happened('AuthSucceeded', { user: null, token: null }))
      .when({ type: 'read.mark', room: 'r', upTo: 1 })
      .refused('user-required')
  })
  it('are remembered at the end, so that they can be left', () => {
    const { rooms, user } = given(opened(), signedIn, enteredRoom('r'), closed).context as ConnectionContext
    expect([...rooms.keys()]).toEqual(['r'])
    expect(user?.id).toBe('ann')
  })
})

describe('typing', () => {
  const start = { type: 'typing.start', room: 'r' } as const
  const stop = { type: 'typing.stop', room: 'r', cause: 'client' } as const

  it('is told, and ends by itself', () => {
    const started = ready()
      .when(start)
      .yields(['TypingStarted', { room: 'r' }])
    expect(started.armed).toEqual({ 'typing:r': T0 + 5_000 })
    const over = started.whenDue('typing:r').yields(['TypingStopped', { room: 'r', cause: 'timeout' }])
    expect(over.armed).toEqual({})
    over.when(stop).nothing()
  })
  it('says that it is shown by name, where the client wants that', () => {
    ready()
      .when({ ...start, named: true })
      .yields(['TypingStarted', { room: 'r', named: true }])
  })
  it('is dropped within a second of the last, and then told again with its full time', () => {
    const started = ready(typing('r', T0))
    started.when({ ...start, at: T0 + 999 }).nothing()
    const again = started.when({ ...start, at: T0 + 1_000 }).yields(['TypingStarted'])
    expect(again.armed).toEqual({ 'typing:r': T0 + 6_000 })
  })
  it('is told once a second, however often it is stopped', () => {
    const stopped = ready(typing('r', T0)).when(stop).yields(['TypingStopped'])
    stopped.when({ ...start, at: T0 + 999 }).nothing()
    stopped.when({ ...start, room: 's', at: T0 + 999 }).yields(['TypingStarted'])
    stopped.when({ ...start, at: T0 + 1_000 }).yields(['TypingStarted'])
  })
  it('is stopped by the client, a message, or leaving', () => {
    for (const cause of ['client', 'message', 'left'] as const) {
      const stopped = ready(typing('r'))
        .when({ ...stop, cause })
        .yields(['TypingStopped', { cause }])
      expect(stopped.armed).toEqual({})
    }
  })
  it('is of one room each', () => {
    expect(ready(typing('r'), typing('s', T0 + 100)).armed).toEqual({ 'typing:r': T0 + 5_000, 'typing:s': T0 + 5_100 })
  })
  it('is not ended by the timer of an earlier one', () => {
    const stale = ready(
      typing('r', T0),
      happened('TypingStopped', { room: 'r', cause: 'client' }),
      typing('r', T0 + 2_000),
    )
    stale.when({ type: 'typing.expire', room: 'r', due: T0 + 5_000 }).nothing()
  })
  it('remembers for a second only where it was told last', () => {
    const later = ready(typing('r', T0), typing('s', T0 + 1_000)).context as ConnectionContext
    expect([...later.typed.keys()]).toEqual(['s'])
  })
  it('leaves no timer behind when the room is left or the connection closes', () => {
    const left = ready(enteredRoom('r'), typing('r'), happened('RoomLeft', { room: 'r' }))
    expect(left.armed).toEqual({})
    left.when(stop).nothing()
    const over = ready(typing('r'), typing('s'), closed)
    expect(over.armed).toEqual({})
    expect((over.context as ConnectionContext).typing.size).toBe(0)
  })
  it('has no timer where the limit is off', () => {
    expect(given(opened(none), signedIn, typing('r')).armed).toEqual({})
  })
})

describe('an account over its rate of acts', () => {
  const overRate = true

  it('is refused what would be stored, and nothing else', () => {
    const inside = ready(enteredRoom('r'), happened('ReadMarked', { room: 'r', upTo: 5 }), typing('r'))
    const acts = [
      { type: 'room.enter', room: 's', revision: 4, history },
      { type: 'history.note', room: 'r', ...history },
      { type: 'read.mark', room: 'r', upTo: 6 },
      { type: 'typing.start', room: 's' },
      { type: 'command.permit', command: 'message.remove' },
    ] as const
    for (const act of acts) inside.when({ ...act, overRate }).refused('rate-limited')
    inside.when({ type: 'room.enter', room: 'r', revision: 4, history, overRate }).nothing()
    inside.when({ type: 'read.mark', room: 'r', upTo: 5, overRate }).nothing()
    inside.when({ type: 'typing.start', room: 'r', overRate }).nothing()
    inside.when({ type: 'room.leave', room: 'r' }).yields(['RoomLeft'])
  })
  it('does not sign in', () => {
    signing()
      .when({ ...succeed, overRate })
      .refused('rate-limited')
  })
})

describe('activity', () => {
  const since = T0 + 1_000
  const goIdle = { type: 'activity.idle', since, at: T0 + 61_000 } as const

  it('ends when the transport says so, and the limit counts from the last input', () => {
    const away = ready().when(goIdle).yields(['WentIdle', { since }])
    expect(Object.values(away.armed)).toEqual([since + 600_000])
    away.when(goIdle).nothing()
    const [timer] = Object.keys(away.armed) as [string]
    const over = away.whenDue(timer).yields(['ConnectionClosed', { cause: 'afk' }])
    expect(over.state).toBe('closed')
    expect(over.armed).toEqual({})
  })
  it('begins again, and stops the clock', () => {
    const back = ready(idle(T0)).when({ type: 'activity.resume' }).yields(['BecameActive'])
    expect(back.armed).toEqual({})
    back.when({ type: 'activity.resume' }).nothing()
  })
  it('has no limit where that is off', () => {
    expect(given(opened(none), signedIn, idle(T0)).armed).toEqual({})
  })
})

describe('refusals and deliveries', () => {
  it('are kept with what they were decided at, also when it is over', () => {
    const data = { command: 'message.post', code: 'muted', at: { stream: 'room-r', revision: 8 }, count: 1 }
    for (const situation of [signing(), ready(), ended()]) situation.when(note).yields(['CommandRefused', data])
    signing()
      .when({ ...note, decidedAt: null })
      .yields(['CommandRefused', { at: null }])
  })
  it('say last what the socket was surely handed', () => {
    const delivered = { type: 'delivery.note', rooms: { r: 9 } } as const
    for (const situation of [ready(), ended()]) situation.when(delivered).yields(['Delivered', { rooms: { r: 9 } }])
  })
  it('say what was read of the past', () => {
    ready()
      .when({ type: 'history.note', room: 'r', ...history, count: 2 })
      .yields(['HistoryRead', { count: 2 }])
  })
})

describe('the end', () => {
  it('has the code it was given, else that of its dialect for the cause, else none', () => {
    const banned = { ...close, cause: 'banned' } as const
    ready()
      .when(banned)
      .yields(['ConnectionClosed', { code: 1001 }])
    ready()
      .when({ ...banned, code: null })
      .yields(['ConnectionClosed', { code: 4403 }])
    ready()
      .when({ ...close, code: null })
      .yields(['ConnectionClosed', { code: null }])
  })
  it('may come before the beginning was stored: then there is nothing to end', () => {
    absent.when(close).nothing()
  })
  it('is one fact, whatever came before', () => {
    for (const situation of [signing(), ready(), ready(idle(T0)), ready(typing('r'))]) {
      const over = situation.when(close).yields(['ConnectionClosed', { code: 1001, cause: 'shutdown' }])
      expect(over.state).toBe('closed')
      expect(over.armed).toEqual({})
      over.when(close).nothing()
    }
  })
})

describe('a summary', () => {
  it('restores the very same context', () => {
    const { context } = ready(enteredRoom('r'), typing('r'))
    expect(restoreContext(JSON.parse(JSON.stringify(summarise(context as ConnectionContext))))).toEqual(context)
  })
})
