// What the read models should say, from the facts that somebody knows: folded into plain objects, with nothing kept of
// when anything began or ended. As of a moment it is the fold of the facts until then.

import type { Recorded } from '../src/log/event-log.ts'

// biome-ignore lint/suspicious/noExplicitAny: facts of every shape, as they were written
type Data = any
export interface PlainFact extends Omit<Recorded, 'data' | 'metadata'> {
  readonly data: Data
  readonly at: number
  readonly by: string | null
}

export const plain = ({ data, metadata, ...fact }: Recorded): PlainFact => {
  const { at, by } = JSON.parse(metadata)
  return { ...fact, data: JSON.parse(data), at, by }
}

const MODERATION = new Set([
  ...['UserMuted', 'UserUnmuted', 'MuteExpired', 'MemberKicked', 'MemberBanned', 'MemberBanLifted', 'MemberBanExpired'],
  ...['MemberAdded', 'MemberRoleGranted', 'MemberRoleRevoked', 'MemberRemoved', 'MessageRemoved', 'MessageRestored'],
  ...['InviteCreated', 'RemovedTextRead', 'RoomRulesSet', 'RoomArchived', 'RoomChanged', 'RulesSet', 'UserBanned'],
  ...['BanLifted', 'BanExpired', 'UserKicked', 'RoleGranted', 'RoleRevoked', 'CommandRefused'],
])

class Room {
  row: Data = null
  rules: Data = null
  readonly messages: Data[] = []
  readonly mutes = new Map<string, Data>()
  readonly bans = new Map<string, Data>()
  readonly members = new Map<string, Data>()
  readonly present: { user: Data; connection: string }[] = []
  /** whom a mute holds → the account that was, when it was muted last */
  readonly mutedAs = new Map<string, string | null>()
}

class User {
  row: Data = null
  ban: Data = null
  readonly roles: Data[] = []
  readonly tokens: Data[] = []
  readonly profiles = new Map<string, Data>()
}

const within = <Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value => {
  const known = map.get(key) ?? make()
  map.set(key, known)
  return known
}

export class PlainFold {
  readonly rooms = new Map<string, Room>()
  readonly users = new Map<string, User>()
  readonly connections = new Map<string, Data>()
  readonly moderation: Data[] = []
  readonly refusals: Data[] = []
  /** room, user → marks, in the order of the log */
  readonly marks: { room: string; user: string; message: number; at: number }[] = []
  rules: Data = null

  constructor(facts: readonly PlainFact[]) {
    for (const fact of facts) {
      const id = fact.stream.slice(fact.stream.indexOf('-') + 1)
      if (fact.stream.startsWith('room-'))
        this.#room(
          within(this.rooms, id, () => new Room()),
          id,
          fact,
        )
      if (fact.stream.startsWith('user-'))
        this.#user(
          within(this.users, id, () => new User()),
          id,
          fact,
        )
      if (fact.stream.startsWith('connection-')) this.#connection(id, fact)
      if (fact.type === 'RulesSet') this.rules = fact.data
      if (MODERATION.has(fact.type)) this.#moderate(id, fact)
    }
  }

  #room(room: Room, id: string, { type, data, at, revision, position }: PlainFact): void {
    const { user, by = null, reason } = data
    switch (type) {
      case 'RoomOpened': {
        const { number, name, kind, parent, aliases, extra = {} } = data
        room.row = { id, number, name, kind, parent, mode: 'open', slowMs: 0, aliases, openedAt: at, lockedAt: null }
        room.row.extra = extra
        return
      }
      case 'RoomChanged': {
        const { mode, slowMs, extra, ...plainly } = data
        Object.assign(room.row, plainly)
        if (mode !== undefined) {
          const slow = mode === 'slow' ? (slowMs ?? 0) : 0
          Object.assign(room.row, { mode, slowMs: slow, lockedAt: mode === 'locked' ? at : null })
        } else if (slowMs !== undefined) room.row.slowMs = slowMs
        room.row.extra = { ...room.row.extra, ...extra }
        return
      }
      case 'RoomArchived':
        room.row.mode = 'archived'
        return
      case 'MemberAdded':
      case 'MemberRoleGranted':
      case 'MemberRoleRevoked': {
        const held = { room: id, role: data.role ?? 'member', by, position, from: at, to: null }
        if (type === 'MemberRoleRevoked') held.role = 'member'
        this.#endRole(room, user, at)
        room.members.set(user, held)
        within(this.users, user, () => new User()).roles.push(held)
        return
      }
      case 'MemberRemoved':
        this.#endRole(room, user, at)
        room.members.delete(user)
        return
      case 'PresenceEntered':
        room.present.push({ user, connection: data.connection })
        return
      case 'PresenceLeft':
        room.present.splice(
          room.present.findIndex(({ connection }) => connection === data.connection),
          1,
        )
        return
      case 'MessagePosted': {
        const { id: message, author, text, kind, clientRef: ref, replyTo, extra } = data
        const posted = { room: id, id: message, revision, position, at, author, text, kind, ref, replyTo, extra }
        room.messages.push({ ...posted, edited: false, removed: null })
        return
      }
      case 'MessageEdited':
        Object.assign(room.messages.find((message) => message.id === data.id) ?? {}, { text: data.text, edited: true })
        return
      case 'MessageRemoved':
      case 'MessageRestored': {
        const message = room.messages.find((each) => each.id === data.id)
        message.removed = type === 'MessageRemoved' ? { by, reason, at } : null
        return
      }
      case 'UserMuted': {
        const { name, holds, until, seconds } = data
        room.mutes.delete(name)
        room.mutes.set(holds, { name, holds, user, by, reason, from: at, until, seconds })
        room.mutedAs.set(holds, user)
        return
      }
      case 'UserUnmuted':
      case 'MuteExpired':
        room.mutes.delete(data.holds)
        return
      case 'MemberBanned':
        room.bans.set(user, { user, by, reason, from: at, until: data.until })
        return
      case 'MemberBanLifted':
      case 'MemberBanExpired':
        room.bans.delete(user)
        return
      case 'RoomRulesSet':
        room.rules = { version: data.version, rules: data.rules }
    }
  }

  #endRole(room: Room, user: string, at: number): void {
    const held = room.members.get(user)
    if (held) held.to = at
  }

  #user(user: User, id: string, { type, data, at, position }: PlainFact): void {
    const { by = null, reason } = data
    const become = (role: string) => {
      user.row = { ...user.row, role, changedAt: at }
      const last = user.roles.findLast((held) => held.room === null)
      if (last?.role === role) return
      if (last) last.to = at
      user.roles.push({ room: null, role, by, position, from: at, to: null })
    }
    switch (type) {
      case 'UserRegistered': {
        const { number, username, guest } = data
        user.row = { id, number, username, guest, registeredAt: at }
        become(data.role)
        return
      }
      case 'UserRenamed':
        Object.assign(user.row, { username: data.username, changedAt: at })
        return
      case 'RoleGranted':
        become(data.role)
        return
      case 'RoleRevoked':
        become('member')
        return
      case 'TokenIssued':
        user.tokens.push({ id: data.token, label: data.label ?? null, issuedAt: at, revokedAt: null })
        return
      case 'TokenRevoked':
        for (const token of user.tokens) if (token.id === data.token) token.revokedAt = at
        return
      case 'ProfileSet': {
        const before = user.profiles.get(data.dialect)
        user.profiles.set(data.dialect, { fields: { ...before?.fields, ...data.fields }, since: at })
        return
      }
      case 'UserBanned':
        user.ban = { user: id, by, reason, from: at, until: data.until }
        return
      case 'BanLifted':
      case 'BanExpired':
        user.ban = null
    }
  }

  #connection(id: string, { type, data, at, position }: PlainFact): void {
    const known = this.connections.get(id)
    if (type === 'ConnectionOpened') {
      const ends = { closedAt: null, code: null, cause: null }
      const opened = { id, dialect: data.dialect, user: null, state: 'authenticating', openedAt: at, opened: position }
      this.connections.set(id, { ...opened, ...ends, refusals: 0 })
    }
    if (type === 'DialectChosen') known.dialect = data.dialect
    if (type === 'AuthSucceeded') Object.assign(known, { user: data.user?.id ?? null, state: 'authenticated.active' })
    if (type === 'WentIdle') known.state = 'authenticated.idle'
    if (type === 'BecameActive') known.state = 'authenticated.active'
    if (type === 'CommandRefused') {
      known.refusals += data.count
      const { command, code, guard, state, count, at: decidedAt } = data
      const refused = { connection: id, user: known.user, command, code, guard, state, count, decidedAt }
      this.refusals.push({ ...refused, position, at })
    }
    if (type === 'ConnectionClosed')
      Object.assign(known, { state: 'closed', closedAt: at, code: data.code, cause: data.cause })
    if (type === 'ReadMarked' && known.user !== null)
      this.marks.push({ room: data.room, user: known.user, message: data.upTo, at })
  }

  #moderate(id: string, { stream, type, data, at, by, position }: PlainFact): void {
    if (type === 'CommandRefused') {
      const { command, code, guard, count, at: decided } = data
      if (code !== 'not-authorized' && command !== 'mute.set') return
      const room = decided?.stream.startsWith('room-') ? decided.stream.slice('room-'.length) : null
      const detail = { command, code, guard, count, connection: id }
      this.moderation.push({ position, at, act: type, room, target: null, name: null, by, reason: null, detail })
      return
    }
    const isSettings = type === 'RoomChanged' || type === 'RulesSet'
    const { by: actor = null, reason, extra: _kept, ...detail } = data
    const inRoom = stream.startsWith('room-') ? this.rooms.get(id) : undefined
    const isOfName = ['UserMuted', 'UserUnmuted', 'MuteExpired'].includes(type)
    const muted = isOfName ? (inRoom?.mutedAs.get(data.holds) ?? null) : null
    const ofUser = stream.startsWith('user-') ? id : (data.user ?? data.author ?? null)
    const row = {
      ...{ position, at, act: type, room: inRoom ? id : null },
      target: isSettings ? null : (muted ?? ofUser),
      name: isOfName ? data.name : null,
      by: isSettings ? by : (actor?.id ?? null),
      reason: reason ?? null,
      detail,
    }
    const oneself = row.target !== null && row.target === (row.by ?? by)
    if (isSettings || !oneself) this.moderation.push(row)
  }
}
