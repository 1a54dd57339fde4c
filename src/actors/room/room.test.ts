import { describe, expect, it } from 'vitest'
import { type Happened, specification, T0 } from '../../../test/chart-specification.ts'
import type { MemberRole } from '../fact.ts'
import { type RoomContext, restoreContext, shownRole, summarise } from './room.context.ts'
import type { Asker, RoomCommand, roomFacts } from './room.facts.ts'
import { roomMachine } from './room.machine.ts'

const { given, absent } = specification<RoomCommand>(roomMachine)

const asker = (id: string, account: Asker['account'] = 'member'): Asker => ({ id, number: 1, username: id, account })
const olga = asker('olga')
const mona = asker('mona')
const moe = asker('moe')
const ann = asker('ann')
const bob = asker('bob')
const ada = asker('ada', 'admin')
const robby = asker('robby', 'robot')

const happened = (type: keyof typeof roomFacts, data: object, at?: number): Happened =>
  at === undefined ? { type, data } : { type, data, at }

const opened = happened('RoomOpened', {
  room: 'r',
  number: 2,
  name: 'lobby',
  kind: 'room',
  parent: null,
  aliases: ['moneypot:2'],
  machine: 'hash',
})
const member = (user: string, role: MemberRole) => happened('MemberAdded', { user, role, by: null })
const entered = ({ id, number, username, account }: Asker, connection = `${id}-1`, first = true) =>
  happened('PresenceEntered', {
    user: { id, number, username, role: account === 'member' ? 'member' : account },
    account,
    connection,
    node: 'n1',
    first,
  })
const muted = (name: string, until: number | null = null, at?: number, user: string | null = null) =>
  happened('UserMuted', { name, user, holds: user ?? name, by: null, seconds: null, until, reason: null }, at)
const banned = (user: string, until: number | null = null, at?: number) =>
  happened('MemberBanned', { user, by: null, until, reason: null }, at)
const changed = (data: object) => happened('RoomChanged', data)
const archived = happened('RoomArchived', { by: null, reason: null })

const staff = [opened, member('olga', 'owner'), member('mona', 'mod'), member('moe', 'mod')]
const room = (...facts: Happened[]) => given(...staff, ...facts)

const post = {
  type: 'message.post',
  newId: 7,
  text: 'hello',
  kind: 'text',
  clientRef: null,
  replyTo: null,
  extra: null,
  message: null,
} as const
const says = (who: Asker, more: object = {}) => ({
  ...post,
  asker: who,
  connection: `${who.id}-1`,
  entered: true,
  ...more,
})
const writes = (who: Asker, more: object = {}) => ({ ...post, asker: who, entered: false, ...more })
const mute = (who: Asker | null, more: object = {}) =>
  ({ type: 'mute.set', asker: who, name: 'bob', user: null, seconds: 60, reason: null, ...more }) as const
const unmute = (who: Asker | null, more: object = {}) =>
  ({ type: 'mute.lift', asker: who, name: 'bob', user: null, ...more }) as const
const row = (author: string, more: object = {}) => ({
  id: 3,
  revision: 9,
  author,
  text: 'old',
  removed: false,
  ...more,
})

describe('a room is opened', () => {
  const open = {
    type: 'room.open',
    room: 'r',
    number: 2,
    name: 'lobby',
    kind: 'room',
    parent: null,
    aliases: ['moneypot:2'],
    machine: 'hash',
    members: [{ user: 'olga', role: 'owner' }],
    asker: ada,
  } as const

  it('with the members it is born with', () => {
    const born = absent
      .when(open)
      .yields(['RoomOpened', { number: 2 }], ['MemberAdded', { user: 'olga', role: 'owner' }])
    expect(born.state).toBe('living.open')
    expect(born.armed).toEqual({})
  })
  it('once', () => {
    given(opened).when(open).refused('already-exists')
    given(opened, archived).when(open).refused('already-exists')
  })
  it('with no more members than one append can hold', () => {
    const members = Array.from({ length: 256 }, (_, n) => ({ user: `u${n}`, role: 'member' as const }))
    absent.when({ ...open, members }).refused('room-full')
    expect(absent.when({ ...open, members: members.slice(1) }).facts).toHaveLength(256)
  })
  it('in a space or in none; a space is in no other', () => {
    absent.when({ ...open, parent: 's' }).yields(['RoomOpened', { parent: 's' }], ['MemberAdded'])
    absent.when({ ...open, kind: 'space' }).yields(['RoomOpened', { kind: 'space' }], ['MemberAdded'])
    absent.when({ ...open, kind: 'space', parent: 's' }).refused('command-invalid')
  })
  it('before anything else can be asked of it', () => {
    absent.when(says(ann)).refused('not-in-this-state')
  })
})

describe('the role shown here', () => {
  const roleOf = (who: Asker, ...facts: Happened[]) => shownRole(given(opened, ...facts).context as RoomContext, who)

  it('is the owner’s before the admin’s, the admin’s before the mod’s, the mod’s before the robot’s', () => {
    expect(roleOf(ada, member('ada', 'owner'))).toBe('owner')
    expect(roleOf(ada, member('ada', 'mod'))).toBe('admin')
    expect(roleOf(robby, member('robby', 'mod'))).toBe('mod')
    expect(roleOf(robby, member('robby', 'member'))).toBe('robot')
    expect(roleOf(ann)).toBe('member')
  })
  it('follows a change while present', () => {
    const present = room(entered(ann)).and(member('ann', 'mod')).context as RoomContext
    expect(present.presence.get('ann')?.user.role).toBe('mod')
  })
})

describe('presence', () => {
  const enter = (who: Asker, connection: string) =>
    ({ type: 'presence.enter', asker: who, connection, node: 'n1' }) as const
  const leave = (leaving: string) => ({ type: 'presence.leave', leaving, cause: 'left' }) as const

  it('is one fact a connection; the first and the last say so', () => {
    const one = room()
      .when(enter(olga, 'c1'))
      .yields(['PresenceEntered', { first: true, user: { id: 'olga', role: 'owner' } }])
    const two = one.when(enter(olga, 'c2')).yields(['PresenceEntered', { first: false }])
    const left = two.when(leave('c1')).yields(['PresenceLeft', { last: false, user: { id: 'olga' } }])
    left.when(leave('c2')).yields(['PresenceLeft', { last: true, user: { id: 'olga', role: 'owner' } }])
  })
  it('is entered once by a connection, and left once', () => {
    room(entered(ann)).when(enter(ann, 'ann-1')).nothing()
    room().when(leave('ann-1')).nothing()
  })
  it('is for members, of the room or its space, and for staff, unless a protocol lets anybody in', () => {
    const own = happened('RoomOpened', { ...opened.data, aliases: ['native:2'] })
    const closed = given(own, member('mona', 'mod'), member('bob', 'member'))
    closed.when(enter(ann, 'c')).refused('not-a-member')
    for (const who of [bob, mona, ada, { ...ann, spaceRole: 'member' } as const])
      closed.when(enter(who, 'c')).yields(['PresenceEntered'])
    for (const alias of ['moneypot:2', 'drivers:2'])
      given(happened('RoomOpened', { ...opened.data, aliases: ['native:2', alias] }))
        .when(enter(ann, 'c'))
        .yields(['PresenceEntered'])
  })
  it('is refused while banned, not after', () => {
    const until = T0 + 60_000
    room(banned('ann', until)).when(enter(ann, 'c')).refused('banned', { until })
    room(banned('ann', until))
      .when({ ...enter(ann, 'c'), at: until })
      .yields(['PresenceEntered'])
  })
  it('ends in an archived room, and begins no more', () => {
    room(entered(ann), archived)
      .when(leave('ann-1'))
      .yields(['PresenceLeft', { last: true }])
    room(archived).when(enter(ann, 'c')).refused('room-archived')
  })
})

describe('blocking rules', () => {
  const ruled = (version: number, ...rules: { name: string; text: string }[]) =>
    happened('RoomRulesSet', { version, rules, by: null })
  const spam = { name: 'no spam', text: 'spam' }
  const edits = (text: string, who: Asker = bob) =>
    ({
      ...says(who),
      type: 'message.edit',
      id: 1,
      text,
      message: { id: 1, revision: 3, author: who.id, text: 'was', removed: false },
    }) as unknown as RoomCommand

  it('refuse a message and an edit, naming rule, version and scope; after an empty text', () => {
    const here = room(member('bob', 'member'), entered(bob), ruled(4, spam))
    const values = { rule: 'no spam', version: 4, scope: 'room' }
    here.when(says(bob, { text: 'SPAM, eggs' })).refused('blocked', values)
    here.when(edits('more spam')).refused('blocked', values)
    here.when(says(bob, { text: 'spam', fault: 'text-too-long' })).refused('text-too-long')
    here.when(says(bob, { text: 'spammer' })).yields(['MessagePosted'])
  })
  it('for all rooms come with the command; the room’s own are told first', () => {
    const blocked = { rule: 'everywhere', version: 9, scope: 'all' }
    const here = room(entered(bob), ruled(1, spam))
    here.when(says(bob, { text: 'eggs', blocked })).refused('blocked', blocked)
    here.when(says(bob, { text: 'spam', blocked })).refused('blocked', { rule: 'no spam', version: 1, scope: 'room' })
  })
  it('do not stop staff', () => {
    room(entered(mona), ruled(1, spam))
      .when(says(mona, { text: 'do not post spam' }))
      .yields(['MessagePosted'])
  })
  it('are set by owner and admin, and count their versions', () => {
    const set = (who: Asker, rules = [spam]) => ({ ...says(who), type: 'rules.set', rules }) as unknown as RoomCommand
    room().when(set(mona)).refused('not-authorized')
    room()
      .when(set(olga))
      .yields(['RoomRulesSet', { version: 1, rules: [spam] }])
    room(ruled(1, spam))
      .when(set(ada, []))
      .yields(['RoomRulesSet', { version: 2, rules: [] }])
    room(ruled(1, spam)).when(set(olga)).nothing()
  })
})

describe('a message is refused for the first of these reasons', () => {
  const locked = changed({ mode: 'locked' })
  const everything = { overRate: true, fault: 'text-empty', clientRef: 'ref' } as const
  const used = (text: string) =>
    happened('MessagePosted', {
      id: 5,
      author: { id: 'bob', number: 1, username: 'bob', role: 'member' },
      text,
      kind: 'text',
      clientRef: 'ref',
      replyTo: null,
      extra: null,
    })

  it('0: it is a space, whoever asks', () => {
    const space = { ...opened, data: { ...opened.data, kind: 'space' } }
    given(space, member('olga', 'owner')).when(writes(olga)).refused('unknown-room')
  })
  it('1: its reference was used for another text', () => {
    room(locked, muted('bob'), banned('bob'), used('other')).when(says(bob, everything)).refused('ref-reused')
  })
  it('2: banned here', () => {
    room(locked, muted('bob'), banned('bob')).when(says(bob, everything)).refused('banned', { until: null })
  })
  it('3: the connection has not entered', () => {
    room(locked, muted('bob')).when(says(bob, everything)).refused('not-present')
    room(entered(ann, 'bob-1')).when(says(bob)).refused('not-present')
  })
  it('4: neither entered nor a member, here or of the space', () => {
    room(locked, muted('bob')).when(writes(bob, everything)).refused('not-a-member')
    room(member('bob', 'member')).when(writes(bob)).yields(['MessagePosted'])
    room()
      .when(writes({ ...bob, spaceRole: 'member' }))
      .yields(['MessagePosted', { author: { role: 'member' } }])
    room()
      .when(writes({ ...bob, spaceRole: 'mod' }))
      .yields(['MessagePosted', { author: { role: 'mod' } }])
    room()
      .when(writes(ada))
      .yields(['MessagePosted', { author: { role: 'admin' } }])
  })
  it('4: entered as a member and one no more, unless all may be there', () => {
    const own = given(
      { ...opened, data: { ...opened.data, aliases: ['native:2'] } },
      member('bob', 'member'),
      entered(bob),
    )
    own.when(says(bob)).yields(['MessagePosted'])
    own
      .when({ type: 'member.remove', asker: null, user: 'bob' })
      .yields(['MemberRemoved'])
      .when(says(bob))
      .refused('not-a-member')
  })
  it('4: but a robot, where its dialect lets robots write', () => {
    room().when(writes(robby)).refused('not-a-member')
    room()
      .when(writes(robby, { robotsWrite: true }))
      .yields(['MessagePosted', { author: { role: 'robot' } }])
    room()
      .when(writes(bob, { robotsWrite: true }))
      .refused('not-a-member')
  })
  it('5: the account used up its rate', () => {
    room(locked, entered(bob), muted('bob')).when(says(bob, everything)).refused('rate-limited')
  })
  it('6: muted, told until when and by whom', () => {
    const values = { until: T0 + 5, by: null }
    room(locked, entered(bob), muted('bob', T0 + 5))
      .when(says(bob, { fault: 'text-empty' }))
      .refused('muted', values)
  })
  it('6: by the one who did it', () => {
    const here = room(entered(bob)).when(mute(mona)).after
    here.when(says(bob)).refused('muted', { until: T0 + 60_000, by: 'mona' })
  })
  it('7: the room is locked', () => {
    room(locked, entered(bob))
      .when(says(bob, { fault: 'text-empty' }))
      .refused('room-closed')
  })
  it('7: or slow, told how long to wait', () => {
    const slow = room(changed({ mode: 'slow', slowMs: 10_000 }), entered(bob)).when(says(bob)).after
    slow.when(says(bob, { at: slow.now + 4_000, fault: 'text-empty' })).refused('slow-mode', { waitMs: 6_000 })
    slow.when(says(bob, { at: slow.now + 9_999 })).refused('slow-mode', { waitMs: 1 })
    slow.when(says(bob, { at: slow.now + 10_000 })).yields(['MessagePosted'])
    slow
      .and(changed({ name: 'x' }))
      .when(says(bob))
      .refused('slow-mode')
    slow
      .and(changed({ mode: 'open', slowMs: 0 }), changed({ mode: 'slow', slowMs: 10_000 }))
      .when(says(bob))
      .yields(['MessagePosted'])
  })
  it('7: remembers who wrote when only where it is slow', () => {
    const after = room(entered(bob)).when(says(bob)).after.context as RoomContext
    expect(after.lastPosts.size).toBe(0)
  })
  it('8: a fault of the text, whichever the decoder saw', () => {
    for (const fault of ['text-not-a-string', 'text-empty', 'text-too-long', 'callback-invalid'] as const) {
      room(entered(bob)).when(says(bob, { fault })).refused(fault)
    }
  })
  it('and is else posted, with its author as shown at the time', () => {
    const author = { id: 'olga', number: 1, username: 'olga', role: 'owner' }
    room(entered(olga))
      .when(says(olga))
      .yields(['MessagePosted', { id: 7, author, text: 'hello' }])
  })
})

describe('staff', () => {
  it('are stopped by no mute, no lock and no slow mode', () => {
    const slow = changed({ mode: 'slow', slowMs: 10_000 })
    for (const who of [olga, mona, ada]) {
      room(muted(who.username), changed({ mode: 'locked' }), entered(who))
        .when(says(who))
        .yields(['MessagePosted'])
      room(slow, entered(who)).when(says(who)).after.when(says(who)).yields(['MessagePosted'])
    }
  })
  it('are not robots: those write to a locked room, but a mute stops them', () => {
    room(changed({ mode: 'locked' }), entered(robby))
      .when(says(robby))
      .yields(['MessagePosted', { author: { role: 'robot' } }])
    room(muted('robby'), entered(robby)).when(says(robby)).refused('muted')
  })
})

describe('a reference (nonce, stamp_id, message_temp_id)', () => {
  const first = room(entered(bob), entered(ann)).when(says(bob, { clientRef: 'n1' })).after

  it('repeated with the same text answers with the first message, whatever else would be refused', () => {
    first.when(says(bob, { clientRef: 'n1', newId: 8, overRate: true })).nothing({ messageId: 7 })
    first
      .and(muted('bob'))
      .when(says(bob, { clientRef: 'n1' }))
      .nothing({ messageId: 7 })
  })
  it('repeated with another text is refused', () => {
    first.when(says(bob, { clientRef: 'n1', text: 'bye' })).refused('ref-reused')
  })
  it('is the account’s own', () => {
    first.when(says(ann, { clientRef: 'n1' })).yields(['MessagePosted'])
  })
  it('holds for ten minutes and is then forgotten, also in memory', () => {
    const ten = T0 + 600_000
    first.when(says(bob, { clientRef: 'n1', at: ten })).nothing({ messageId: 7 })
    first.when(says(bob, { clientRef: 'n1', at: ten + 1 })).yields(['MessagePosted'])
    const remembered = (at: number) => {
      const { references, referenceAges } = first.when(says(ann, { clientRef: 'n2', at })).after.context as RoomContext
      return [references.size, referenceAges.size]
    }
    expect([remembered(ten), remembered(ten + 1)]).toEqual([
      [2, 2],
      [1, 1],
    ])
  })
  it('is kept without the text', () => {
    expect(JSON.stringify(summarise(first.context as RoomContext))).not.toContain('hello')
  })
  it('survives the erasure of its text', () => {
    const author = { id: 'bob', number: 1, username: 'bob', role: 'member' }
    const data = { id: 9, author, text: { erased: true }, kind: 'text', clientRef: 'n3', replyTo: null, extra: null }
    const erased = room(entered(bob), { type: 'MessagePosted', data, erased: true })
    expect((erased.context as RoomContext).lastMessageId).toBe(9)
    erased.when(says(bob, { clientRef: 'n3' })).refused('ref-reused')
  })
})

describe('a mute', () => {
  it('is refused for the first of: rate, own mute, lock, fault, right, grammar, length', () => {
    const locked = changed({ mode: 'locked' })
    const all = { overRate: true, fault: 'text-too-long', seconds: 0 } as const
    room(locked, muted('ann')).when(mute(ann, all)).refused('rate-limited')
    room(locked, muted('ann'))
      .when(mute(ann, { ...all, overRate: false }))
      .refused('muted')
    room(locked)
      .when(mute(ann, { ...all, overRate: false }))
      .refused('room-closed')
    room()
      .when(mute(ann, { ...all, overRate: false }))
      .refused('text-too-long')
    room()
      .when(mute(ann, { fault: 'command-invalid' }))
      .refused('not-authorized')
    room()
      .when(mute(mona, { fault: 'command-invalid' }))
      .refused('command-invalid')
    for (const seconds of [0, -1, 1.5, 31_536_001]) room().when(mute(mona, { seconds })).refused('command-invalid')
    room()
      .when(mute(mona, { seconds: 31_536_000 }))
      .yields(['UserMuted'])
  })
  it('has an absolute end, and a timer due then', () => {
    const until = T0 + 60_000
    const after = room()
      .when(mute(mona))
      .yields(['UserMuted', { name: 'bob', until, by: { id: 'mona' }, seconds: 60 }])
    expect(after.armed).toEqual({ 'mute:bob': until })
  })
  it('may have no end, and then arms nothing', () => {
    expect(
      room()
        .when(mute(null, { seconds: null }))
        .yields(['UserMuted', { until: null, by: null }]).armed,
    ).toEqual({})
  })
  it('may be put on anyone, staff and strangers too, and the folded name is what counts', () => {
    room()
      .when(mute(mona, { name: 'olga' }))
      .yields(['UserMuted', { name: 'olga' }])
    const loud = { ...bob, username: 'BoB' }
    room(muted('bob'), entered(loud)).when(says(loud)).refused('muted')
  })
  it('of a name without an account stays with the name', () => {
    const named = { ...bob, id: 'bob-id' }
    const here = room(muted('bob'), entered(named))
    here.when(says(named)).refused('muted')
    here.when(says({ ...named, username: 'rob' })).yields(['MessagePosted'])
    here.when(unmute(mona, { name: 'rob', user: 'bob-id' })).refused('not-muted')
  })
  it('replaces an earlier one, announced again, and its timer with it', () => {
    const again = room(muted('bob', T0 + 5_000))
      .when(mute(mona))
      .yields(['UserMuted'])
    expect(again.armed).toEqual({ 'mute:bob': T0 + 60_000 })
    expect(room(muted('bob', T0 + 5_000), muted('bob', null)).armed).toEqual({})
  })
  it('ends by its timer, which says when it was due, when it fired and what armed it', () => {
    const short = room(muted('bob', T0 + 5_000))
    const data = { name: 'bob', due: T0 + 5_000, fired: T0 + 5_000, late: false, armedBy: short.facts.at(-1)?.id }
    const over = short.whenDue('mute:bob').yields(['MuteExpired', { ...data, cause: 'timer' }])
    expect(over.armed).toEqual({})
    over.when({ type: 'mute.expire', holds: 'bob', due: T0 + 5_000 }).nothing()
  })
  it('counts as late when fired over a second after it was due', () => {
    const short = room(muted('bob', T0 + 5_000))
    short.whenDue('mute:bob', 1_000).yields(['MuteExpired', { late: false }])
    short.whenDue('mute:bob', 1_001).yields(['MuteExpired', { late: true, fired: T0 + 6_001 }])
  })
  it('that replaced another is not ended by the other’s timer', () => {
    const replaced = room(muted('bob', T0 + 5_000), muted('bob', T0 + 9_000))
    replaced.when({ type: 'mute.expire', holds: 'bob', due: T0 + 5_000 }).nothing()
  })
  it('no longer stops anybody once its time has come, though its timer has not fired yet', () => {
    const over = room(entered(bob), muted('bob', T0 + 5_000))
    over.when(says(bob, { at: T0 + 4_999 })).refused('muted')
    over.when(says(bob, { at: T0 + 5_000 })).yields(['MessagePosted'])
  })
  it('is lifted by staff, if there is one', () => {
    const lifted = room(muted('bob', T0 + 5_000))
      .when(unmute(mona))
      .yields(['UserUnmuted', { name: 'bob' }])
    expect(lifted.armed).toEqual({})
    lifted.when(unmute(mona)).refused('not-muted')
    room(changed({ mode: 'locked' }), muted('bob'))
      .when(unmute(ann))
      .refused('room-closed')
    room(muted('bob')).when(unmute(ann)).refused('not-authorized')
    room()
      .when(unmute(mona, { fault: 'command-invalid' }))
      .refused('command-invalid')
  })
  it('holds the account under whatever name, and nobody who takes the name it had', () => {
    const renamed = { ...bob, username: 'Rob' }
    const held = room(muted('bob', T0 + 5_000, undefined, 'bob-id'))
    const own = { ...renamed, id: 'bob-id' }
    held.when(writes(own, { entered: false })).refused('not-a-member')
    const here = room(
      member('bob-id', 'member'),
      member('bob', 'member'),
      muted('bob', T0 + 5_000, undefined, 'bob-id'),
    )
    here.when(writes(own)).refused('muted')
    here.when(writes(bob)).yields(['MessagePosted'])
    expect(here.armed).toEqual({ 'mute:bob-id': T0 + 5_000 })
    // Who has the name now is muted beside it.
    const both = here.when(mute(mona, { user: 'bob' })).yields(['UserMuted', { name: 'bob', holds: 'bob' }])
    both.when(writes(own)).refused('muted')
    // Under its new name it is muted anew, and listed once.
    const again = here
      .when(mute(mona, { name: 'rob', user: 'bob-id' }))
      .yields(['UserUnmuted', { name: 'bob', holds: 'bob-id' }], ['UserMuted', { name: 'rob', holds: 'bob-id' }])
    expect(again.armed).toEqual({ 'mute:bob-id': T0 + 60_000 })
    // It is lifted under the name of now, or the one that the list shows.
    for (const more of [{ name: 'rob', user: 'bob-id' }, { name: 'bob' }])
      here.when(unmute(mona, more)).yields(['UserUnmuted', { name: 'bob', holds: 'bob-id' }])
  })
  it('of a name is that of the account which is muted later', () => {
    const later = room(muted('bob'))
      .when(mute(mona, { user: 'bob-id' }))
      .yields(['UserMuted', { holds: 'bob-id' }])
    expect(later.armed).toEqual({ 'mute:bob-id': T0 + 60_000 })
    later.when(unmute(mona, { user: 'bob-id' })).yields(['UserUnmuted'])
  })
  it('ends by its time in an archived room too', () => {
    const still = room(muted('bob', T0 + 5_000), archived)
    expect(still.whenDue('mute:bob').yields(['MuteExpired']).armed).toEqual({})
  })
})

describe('a ban', () => {
  const ban = (who: Asker | null, user: string, seconds: number | null = 60) =>
    ({ type: 'member.ban', asker: who, user, seconds, reason: null }) as const

  it('of a plain member is for all staff; of staff for owner and admin only', () => {
    room().when(ban(ann, 'bob')).refused('not-authorized')
    room()
      .when(ban(mona, 'bob'))
      .yields(['MemberBanned', { until: T0 + 60_000 }])
    room().when(ban(mona, 'moe')).refused('not-authorized')
    room().when(ban(mona, 'olga')).refused('not-authorized')
    room(entered(ada)).when(ban(mona, 'ada')).refused('not-authorized')
    for (const who of [olga, ada, null]) room().when(ban(who, 'moe')).yields(['MemberBanned'])
  })
  it('has a length like a mute’s', () => {
    for (const seconds of [0, 31_536_001])
      room()
        .when(ban(mona, 'bob', seconds))
        .refused('command-invalid')
  })
  it('does not stop an admin’s account', () => {
    room(banned('ada'), entered(ada)).when(says(ada)).yields(['MessagePosted'])
  })
  it('ends by its timer', () => {
    const after = room().when(ban(mona, 'bob')).after
    expect(after.armed).toEqual({ 'ban:bob': T0 + 60_000 })
    const armedBy = after.facts.at(-1)?.id
    const over = after
      .whenDue('ban:bob')
      .yields(['MemberBanExpired', { user: 'bob', due: T0 + 60_000, armedBy, cause: 'timer' }])
    after.whenDue('ban:bob', 1_000).yields(['MemberBanExpired', { late: false }])
    after.whenDue('ban:bob', 1_001).yields(['MemberBanExpired', { late: true }])
    expect(over.armed).toEqual({})
    over.when({ type: 'ban.expire', user: 'bob', due: T0 + 60_000 }).nothing()
  })
  it('is lifted by staff, if there is one', () => {
    const unban = (who: Asker) => ({ type: 'member.unban', asker: who, user: 'bob' }) as const
    room().when(unban(mona)).refused('not-banned')
    expect(
      room(banned('bob', T0 + 9))
        .when(unban(mona))
        .yields(['MemberBanLifted']).armed,
    ).toEqual({})
    room(banned('bob')).when(unban(ann)).refused('not-authorized')
  })
  it('takes the staff’s hand, whatever it would do, and whoever’s it is', () => {
    const user = 'bob'
    const acts: readonly RoomCommand['type'][] = [
      'room.change',
      'room.archive',
      'message.edit',
      'message.remove',
      'message.restore',
      'removed.read',
      'member.add',
      'member.remove',
      'member.promote',
      'member.demote',
      'member.kick',
      'member.ban',
      'member.unban',
      'mute.set',
      'mute.lift',
      'rules.set',
      'invite.create',
    ]
    for (const who of [mona, olga]) {
      const here = room(banned(who.id, T0 + 5), muted('bob'), member('bob', 'member'))
      const act = { asker: who, user, name: 'bob', role: 'mod', seconds: null, reason: null, message: row(who.id) }
      const wished = { ...act, ids: [3], id: 3, text: 'x', rules: [], code: 'c', mode: 'slow', at: T0 }
      for (const type of acts) here.when({ ...wished, type } as never).refused('banned', { until: T0 + 5 })
    }
  })
})

describe('the limits of a room', () => {
  const many = (count: number, one: (n: number) => Happened) => room(...Array.from({ length: count }, (_, n) => one(n)))

  it('are 10,000 mutes; one that is on the list may still be replaced', () => {
    const full = many(10_000, (n) => muted(`name${n}`))
    full.when(mute(mona)).refused('room-full')
    full.when(mute(mona, { name: 'name7' })).yields(['UserMuted'])
  })
  it('10,000 bans, likewise', () => {
    const full = many(10_000, (n) => banned(`user${n}`))
    const ban = { type: 'member.ban', asker: mona, seconds: null, reason: null } as const
    full.when({ ...ban, user: 'bob' }).refused('room-full')
    full.when({ ...ban, user: 'user7' }).yields(['MemberBanned'])
  })
  it('50,000 members, the staff among them', () => {
    const full = many(49_997, (n) => member(`user${n}`, 'member'))
    full.when({ type: 'member.add', asker: ann, user: 'ann', role: 'member' }).refused('room-full')
  })
})

describe('members', () => {
  const promote = (who: Asker | null, user: string, role: MemberRole) =>
    ({ type: 'member.promote', asker: who, user, role }) as const

  it('are given roles by owner and admin only', () => {
    room(member('bob', 'member'))
      .when(promote(mona, 'bob', 'mod'))
      .refused('not-authorized')
    room(member('bob', 'member'))
      .when(promote(olga, 'bob', 'mod'))
      .yields(['MemberRoleGranted', { role: 'mod' }])
    room(member('bob', 'mod'))
      .when(promote(ada, 'bob', 'mod'))
      .nothing()
    room()
      .when(promote(ada, 'bob', 'mod'))
      .refused('not-a-member')
  })
  it('lose roles likewise, once', () => {
    const demote = (who: Asker) => ({ type: 'member.demote', asker: who, user: 'moe' }) as const
    room().when(demote(mona)).refused('not-authorized')
    given(opened).when(demote(ada)).refused('not-a-member')
    room()
      .when(demote(olga))
      .yields(['MemberRoleRevoked', { user: 'moe' }])
      .when(demote(olga))
      .nothing()
  })
  it('add themselves; others are added by staff, roles given by owner and admin', () => {
    const add = (who: Asker, user: string, role: MemberRole = 'member') =>
      ({ type: 'member.add', asker: who, user, role }) as const
    room().when(add(ann, 'ann')).yields(['MemberAdded'])
    room()
      .when(add(ann, 'ann', 'mod'))
      .refused('not-authorized')
    room().when(add(ann, 'bob')).refused('not-authorized')
    for (const role of ['mod', 'owner'] as const) {
      room()
        .when(add(mona, 'bob', role))
        .refused('not-authorized')
      room()
        .when(add(olga, 'bob', role))
        .yields(['MemberAdded', { role }])
    }
    room().when(add(mona, 'bob')).yields(['MemberAdded'])
    room(member('bob', 'member')).when(add(mona, 'bob')).nothing()
    room(banned('ann')).when(add(ann, 'ann')).refused('banned')
  })
  it('may always go, and are removed by staff above them', () => {
    const remove = (who: Asker, user: string) => ({ type: 'member.remove', asker: who, user }) as const
    room(member('bob', 'member')).when(remove(bob, 'bob')).yields(['MemberRemoved'])
    room(banned('moe')).when(remove(moe, 'moe')).yields(['MemberRemoved'])
    room(member('bob', 'member')).when(remove(ann, 'bob')).refused('not-authorized')
    room().when(remove(mona, 'moe')).refused('not-authorized')
    room(member('bob', 'member'))
      .when({ ...remove(olga, 'bob'), after: 'kicked' })
      .yields(['MemberRemoved', { after: 'kicked' }])
  })
  it('are kicked when present or a member', () => {
    const kick = (who: Asker, user: string) => ({ type: 'member.kick', asker: who, user, reason: null }) as const
    room().when(kick(mona, 'bob')).refused('not-a-member')
    room(entered(bob)).when(kick(mona, 'bob')).yields(['MemberKicked'])
    room(member('bob', 'member')).when(kick(mona, 'bob')).yields(['MemberKicked'])
    room(entered(bob)).when(kick(ann, 'bob')).refused('not-authorized')
    room().when(kick(mona, 'moe')).refused('not-authorized')
  })
})

describe('a message that was posted', () => {
  const edit = (who: Asker, message: object | null, more: object = {}) =>
    ({ type: 'message.edit', asker: who, message: message as never, id: 3, text: 'new', ...more }) as const
  const remove = (who: Asker | null, message: object | null) =>
    ({ type: 'message.remove', asker: who, message: message as never, id: 3, reason: null }) as const
  const restore = (who: Asker, message: object | null) =>
    ({ type: 'message.restore', asker: who, message: message as never, id: 3 }) as const

  it('is edited by its author', () => {
    room()
      .when(edit(ann, row('ann')))
      .yields(['MessageEdited', { id: 3, author: 'ann', text: 'new' }])
    room()
      .when(edit(bob, row('ann')))
      .refused('not-authorized')
    room()
      .when(edit(ann, row('ann'), { text: 'old' }))
      .nothing()
    room()
      .when(edit(ann, row('ann'), { fault: 'text-empty' }))
      .refused('text-empty')
  })
  it('is not the back door for whoever may not write', () => {
    room()
      .when(edit(ann, row('ann'), { overRate: true }))
      .refused('rate-limited')
    room(muted('ann'))
      .when(edit(ann, row('ann')))
      .refused('muted')
    room(banned('ann'))
      .when(edit(ann, row('ann')))
      .refused('banned')
    room(changed({ mode: 'locked' }))
      .when(edit(ann, row('ann')))
      .refused('room-closed')
    room(changed({ mode: 'locked' }))
      .when(edit(mona, row('mona')))
      .yields(['MessageEdited'])
  })
  it('is unknown when it never was, and cannot be edited when removed', () => {
    room().when(edit(ann, null)).refused('unknown-message')
    room()
      .when(edit(ann, row('ann', { removed: true })))
      .refused('unknown-message')
    room().when(remove(mona, null)).refused('unknown-message')
    room().when(restore(mona, null)).refused('unknown-message')
  })
  it('is removed by its author and by staff, once', () => {
    for (const who of [ann, mona, ada, null])
      room()
        .when(remove(who, row('ann')))
        .yields(['MessageRemoved', { author: 'ann' }])
    room()
      .when(remove(bob, row('ann')))
      .refused('not-authorized')
    room()
      .when(remove(mona, row('ann', { removed: true })))
      .nothing()
  })
  it('is restored by staff only, with the original’s revision', () => {
    const removed = row('ann', { removed: true })
    room()
      .when(restore(mona, removed))
      .yields(['MessageRestored', { author: 'ann', original: 9 }])
    room().when(restore(ann, removed)).refused('not-authorized')
    room()
      .when(restore(mona, row('ann')))
      .refused('not-removed')
  })
})

describe('the texts of removed messages', () => {
  const readRemoved = (who: Asker) => ({ type: 'removed.read', asker: who, ids: [3, 4] }) as const

  it('are read by staff alone, each time on record, in an archived room too', () => {
    for (const who of [mona, olga, ada])
      room()
        .when(readRemoved(who))
        .yields(['RemovedTextRead', { ids: [3, 4], by: { id: who.id } }])
    room().when(readRemoved(ann)).refused('not-authorized')
    room(banned('mona')).when(readRemoved(mona)).refused('banned')
    room(archived).when(readRemoved(mona)).yields(['RemovedTextRead'])
    room(archived).when(readRemoved(ann)).refused('not-authorized')
  })
})

describe('an invite', () => {
  it('is made by staff', () => {
    const invite = (who: Asker) => ({ type: 'invite.create', asker: who, code: 'c' }) as const
    room()
      .when(invite(mona))
      .yields(['InviteCreated', { code: 'c', by: { id: 'mona' } }])
    room().when(invite(ann)).refused('not-authorized')
  })
})

describe('the room itself', () => {
  const change = (who: Asker, data: object) => ({ type: 'room.change', asker: who, ...data }) as const

  it('is changed by owner and admin', () => {
    room()
      .when(change(mona, { name: 'x' }))
      .refused('not-authorized')
    expect(
      room()
        .when(change(olga, { mode: 'locked' }))
        .yields(['RoomChanged', { mode: 'locked' }]).state,
    ).toBe('living.locked')
    expect(room(changed({ mode: 'locked' })).when(change(ada, { mode: 'open' })).after.state).toBe('living.open')
  })
  it('in no way when all is so already', () => {
    room()
      .when(change(olga, { name: 'lobby', mode: 'open', aliases: ['moneypot:2'] }))
      .nothing()
    for (const same of [{ mode: 'slow', slowMs: 5 }, { mode: 'slow' }])
      room(changed({ mode: 'slow', slowMs: 5 }))
        .when(change(olga, same))
        .nothing()
  })
  it('keeps what dialects say of it, each its own', () => {
    const extra = { ayaka: { type: 1 } }
    expect((room(changed({ extra })).context as RoomContext).extra).toEqual(extra)
    const other = room(changed({ extra }))
      .when(change(olga, { extra: { ayaka: { type: 1 }, plic: { apartment: 7 } } }))
      .yields(['RoomChanged', { extra: { plic: { apartment: 7 } } }])
    expect((other.context as RoomContext).extra).toEqual({ ...extra, plic: { apartment: 7 } })
    room(changed({ extra })).when(change(olga, { extra })).nothing()
  })
  it('in slow mode always says how slow, and within limits', () => {
    const slow = room()
      .when(change(olga, { mode: 'slow' }))
      .yields(['RoomChanged', { mode: 'slow', slowMs: 10_000 }])
    expect((slow.context as RoomContext).slowMs).toBe(10_000)
    room(changed({ mode: 'slow', slowMs: 5 }), changed({ mode: 'open' }))
      .when(change(olga, { mode: 'slow' }))
      .yields(['RoomChanged', { slowMs: 10_000 }])
    for (const slowMs of [0, -1, 0.5, 86_400_001])
      room()
        .when(change(olga, { mode: 'slow', slowMs }))
        .refused('command-invalid')
  })
  it('is archived by owner and admin; after that it only empties and ends its timers', () => {
    room().when({ type: 'room.archive', asker: mona, reason: null }).refused('not-authorized')
    const over = room(entered(bob)).when({ type: 'room.archive', asker: olga, reason: null }).yields(['RoomArchived'])
    expect(over.state).toBe('archived')
    over.when(says(bob)).refused('room-archived')
    over.when(mute(olga)).refused('room-archived')
    over.when(change(ada, { name: 'x' })).refused('room-archived')
  })
})

describe('a summary', () => {
  it('restores the very same context', () => {
    const { context } = room(
      entered(bob),
      entered(bob, 'bob-2', false),
      muted('__proto__', T0 + 5),
      banned('ann'),
      changed({ mode: 'slow', slowMs: 5, extra: { ayaka: { type: 1 } } }),
    ).when(says(bob, { clientRef: 'n1' })).after
    const json = JSON.parse(JSON.stringify(summarise(context as RoomContext)))
    expect(restoreContext(json)).toEqual(context)
  })
})
