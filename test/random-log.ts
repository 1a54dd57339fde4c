// Logs from a seed: rooms, accounts and connections that say whatever their charts let them say, in any order, each stream
// at times of its own.

import { factTypes } from '../src/actors/fact-codec.ts'
import type { Recorded } from '../src/log/event-log.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

const YEAR_MS = 31_536_000_000
const ROOMS = ['a', 'b', 'c']
const USERS = ['u1', 'u2', 'u3', 'u4']
const CONNECTIONS = ['c1', 'c2', 'c3', 'c4', 'c5']
const NAMES = ['ann', 'bob', 'nobody']

/** What a stream may say next depends on what it has said. */
interface Said {
  revision: number
  at: number
  readonly messages: Map<number, boolean>
  readonly tokens: Set<string>
  readonly members: Set<string>
  readonly sanctioned: Set<string>
  readonly present: Set<string>
  state: 'absent' | 'authenticating' | 'signed in' | 'closed' | 'there'
}

export const randomLog = (seed: number, length: number): Recorded[] => {
  const chance = new SeededChance(seed, new VirtualClock())
  const streams = new Map<string, Said>()
  const facts: Recorded[] = []
  let ids = 0
  const coin = (share: number) => chance.fraction() < share
  const by = () => (coin(0.3) ? null : someone())
  const someone = (user = chance.pick(USERS)) => ({
    id: user,
    number: 1 + USERS.indexOf(user),
    username: `${user} then`,
  })
  const person = (user?: string) => ({ ...someone(user), role: chance.pick(['owner', 'mod', 'member']) })
  const reason = () => (coin(0.5) ? null : `because ${chance.below(9)}`)
  const until = () => (coin(0.5) ? null : chance.below(9_000))
  const fired = { due: 1, fired: 2, late: false, armedBy: 'it', cause: 'timer' }
  const rules = () => ({ version: chance.below(9), rules: coin(0.3) ? [] : [{ name: 'no', text: 'spam' }] })
  const options = { oneRoom: false, socketsPerAccount: 0, closeCodes: {} }
  const limits = { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 }

  const say = (stream: string, type: string, data: object): void => {
    const said = of(stream)
    said.revision++
    // Often in the same instant, seldom years later: an import, or a clock that was set.
    if (coin(0.5)) said.at += coin(0.05) ? chance.below(3 * YEAR_MS) : chance.below(3)
    const metadata = { at: said.at, by: coin(0.2) ? null : chance.pick(USERS), connection: null }
    const envelope = {
      id: `f${facts.length}`,
      type,
      v: factTypes[type]?.v ?? 1,
      data: JSON.stringify(data),
      metadata: JSON.stringify(metadata),
    }
    facts.push({ ...envelope, stream, revision: said.revision, position: facts.length + 1 })
  }
  const of = (stream: string): Said => {
    const known = streams.get(stream)
    if (known) return known
    // A few begin together, so that what one says and another does at the same time is asked about.
    const at = 1_100_000_000_000 + (coin(0.5) ? 0 : chance.below(20) * YEAR_MS)
    const [messages, tokens] = [new Map<number, boolean>(), new Set<string>()]
    const said: Said = {
      ...{ revision: -1, at, messages, tokens, state: 'absent' },
      ...{ members: new Set(), sanctioned: new Set(), present: new Set() },
    }
    streams.set(stream, said)
    return said
  }

  const room = (id: string): void => {
    const stream = `room-${id}`
    const said = of(stream)
    if (said.state === 'absent') {
      said.state = 'there'
      const kept = coin(0.5) ? {} : { extra: { ayaka: { type: 0 } } }
      const data = { room: id, number: 1 + ROOMS.indexOf(id), name: id, kind: 'room', parent: null, ...kept }
      say(stream, 'RoomOpened', { ...data, aliases: [`native:${ROOMS.indexOf(id) + 1}`], machine: 'm' })
      return
    }
    const user = chance.pick(USERS)
    const name = chance.pick(NAMES)
    const message = said.messages.size === 0 ? null : chance.pick([...said.messages])
    const acts: (() => void)[] = [
      () => {
        const id = ++ids
        said.messages.set(id, false)
        const more = { clientRef: null, replyTo: coin(0.2) ? 1 : null, extra: coin(0.2) ? { plic: {} } : null }
        say(stream, 'MessagePosted', { id, author: person(), text: `text ${id}`, kind: 'text', ...more })
      },
      () => {
        if (!message) return
        const [id, removed] = message
        if (coin(0.4)) say(stream, 'MessageEdited', { id, author: user, text: `other ${chance.below(99)}`, by: by() })
        else if (removed) say(stream, 'MessageRestored', { id, author: user, original: 1, by: by() })
        else say(stream, 'MessageRemoved', { id, author: user, by: by(), reason: reason() })
        if (['MessageRemoved', 'MessageRestored'].includes(facts.at(-1)?.type ?? '')) said.messages.set(id, !removed)
      },
      () => {
        const [seconds, account] = [until(), coin(0.5) ? null : user]
        const holds = account ?? name
        const set = { name, user: account, holds, by: by(), seconds, until: seconds, reason: reason() }
        if (!said.sanctioned.has(holds) || coin(0.3)) say(stream, 'UserMuted', set)
        else if (coin(0.5)) say(stream, 'UserUnmuted', { name, holds, by: by() })
        else say(stream, 'MuteExpired', { name, holds, ...fired })
        said.sanctioned.delete(name)
        if (facts.at(-1)?.type === 'UserMuted') said.sanctioned.add(holds)
        else said.sanctioned.delete(holds)
      },
      () => {
        const key = `ban ${user}`
        if (!said.sanctioned.has(key) || coin(0.2))
          say(stream, 'MemberBanned', { user, by: by(), until: until(), reason: reason() })
        else if (coin(0.5)) say(stream, 'MemberBanLifted', { user, by: by() })
        else say(stream, 'MemberBanExpired', { user, ...fired })
        if (facts.at(-1)?.type === 'MemberBanned') said.sanctioned.add(key)
        else said.sanctioned.delete(key)
      },
      () => {
        const role = chance.pick(['owner', 'mod', 'member'])
        if (!said.members.has(user)) say(stream, 'MemberAdded', { user, role, by: by() })
        else {
          const luck = chance.fraction()
          if (luck < 0.4) say(stream, 'MemberRoleGranted', { user, role, by: by() })
          else if (luck < 0.6) say(stream, 'MemberRoleRevoked', { user, by: by() })
          else say(stream, 'MemberRemoved', { user, by: coin(0.5) ? someone(user) : by() })
        }
        if (facts.at(-1)?.type === 'MemberRemoved') said.members.delete(user)
        else said.members.add(user)
      },
      () => {
        const connection = chance.pick(CONNECTIONS)
        const who = person(USERS[CONNECTIONS.indexOf(connection) % 3])
        const enter = { user: who, account: 'member', connection, node: 'main', first: true }
        if (!said.present.has(connection)) say(stream, 'PresenceEntered', enter)
        else say(stream, 'PresenceLeft', { user: who, connection, last: true, cause: 'left' })
        if (!said.present.delete(connection)) said.present.add(connection)
      },
      () => {
        const mode = chance.pick(['open', 'slow', 'locked'])
        const changes = [
          { name: `${id}${chance.below(9)}` },
          { mode, slowMs: 5 },
          { mode },
          { slowMs: 7 },
          { aliases: [] },
        ]
        say(stream, 'RoomChanged', chance.pick([...changes, { extra: { drivers: { body: '' } } }]))
      },
      () => say(stream, 'RoomRulesSet', { ...rules(), by: by() }),
      () => say(stream, 'MemberKicked', { user, by: by(), reason: reason() }),
      () => say(stream, 'InviteCreated', { code: 'x', by: by() }),
      () => say(stream, 'RemovedTextRead', { ids: [1], by: by() }),
      () => coin(0.1) && say(stream, 'RoomArchived', { by: by(), reason: reason() }),
    ]
    chance.pick(acts)()
  }

  const user = (id: string): void => {
    const stream = `user-${id}`
    const said = of(stream)
    if (said.state === 'absent') {
      said.state = 'there'
      const data = {
        user: id,
        number: 1 + USERS.indexOf(id),
        username: id,
        role: 'member',
        guest: coin(0.2),
        machine: 'm',
      }
      say(stream, 'UserRegistered', data)
      return
    }
    const acts: (() => void)[] = [
      () => say(stream, 'UserRenamed', { username: `${id}-${chance.below(99)}` }),
      () => say(stream, 'RoleGranted', { role: chance.pick(['admin', 'member', 'robot']), by: by() }),
      () => say(stream, 'RoleRevoked', { role: 'admin', by: by() }),
      () => {
        const token = [...said.tokens][0]
        if (token !== undefined && coin(0.8)) {
          said.tokens.delete(token)
          say(stream, 'TokenRevoked', { token })
        } else {
          said.tokens.add(`t${facts.length}`)
          say(stream, 'TokenIssued', { token: `t${facts.length}`, hash: 'h', ...(coin(0.5) ? { label: 'phone' } : {}) })
        }
      },
      () =>
        say(stream, 'ProfileSet', {
          dialect: chance.pick(['ayaka', 'drivers']),
          fields: { [`k${chance.below(3)}`]: 1 },
        }),
      () => {
        if (!said.sanctioned.delete('ban') || coin(0.2)) {
          said.sanctioned.add('ban')
          say(stream, 'UserBanned', { by: by(), until: until(), reason: reason() })
        } else if (coin(0.5)) say(stream, 'BanLifted', { by: by(), reason: reason() })
        else say(stream, 'BanExpired', fired)
      },
      () => say(stream, 'UserKicked', { by: by(), reason: reason() }),
    ]
    chance.pick(acts)()
  }

  const connection = (id: string): void => {
    const stream = `connection-${id}`
    const said = of(stream)
    const where = { stream: `room-${chance.pick(ROOMS)}`, revision: 1 }
    const refusal = { state: 's', guard: null, values: {}, at: coin(0.5) ? null : where, count: 1 + chance.below(3) }
    if (said.state === 'absent') {
      said.state = 'authenticating'
      const opened = { connection: id, dialect: coin(0.5) ? null : 'native', version: 1, since: 1, transport: 'ws' }
      say(stream, 'ConnectionOpened', { ...opened, limits, options, node: 'main', incarnation: 'i', machine: 'm' })
      if (JSON.parse(facts.at(-1)?.data ?? '').dialect === null)
        say(stream, 'DialectChosen', { dialect: 'moneypot', version: 1, limits, options })
    } else if (said.state === 'authenticating') {
      said.state = 'signed in'
      const user = coin(0.2) ? null : person(USERS[CONNECTIONS.indexOf(id) % 3])
      say(stream, 'AuthSucceeded', { user, token: null })
    } else if (said.state === 'signed in') {
      const acts: (() => void)[] = [
        () => say(stream, 'ReadMarked', { room: chance.pick(ROOMS), upTo: 1 + chance.below(6) }),
        () => say(stream, 'ReadMarked', { room: chance.pick(ROOMS), upTo: 1 + chance.below(6) }),
        () => say(stream, 'WentIdle', { since: 1 }),
        () => say(stream, 'BecameActive', {}),
        () => say(stream, 'CommandRefused', { command: 'mute.set', code: 'not-authorized', ...refusal }),
        () => say(stream, 'CommandRefused', { command: 'message.post', code: 'muted', ...refusal }),
        () => {
          if (coin(0.7)) return
          said.state = 'closed'
          say(stream, 'ConnectionClosed', { code: 1_000, reason: null, cause: 'client', late: false })
        },
      ]
      chance.pick(acts)()
    }
  }

  // Whoever does something is somebody, if only later.
  for (const each of USERS) user(each)
  while (facts.length < length) {
    const luck = chance.fraction()
    if (luck < 0.55) room(chance.pick(ROOMS))
    else if (luck < 0.75) user(chance.pick(USERS))
    else if (luck < 0.97) connection(chance.pick(CONNECTIONS))
    else say('rules', 'RulesSet', rules())
  }
  return facts.slice(0, length)
}
