// The Maint gateway's protocol over raw WebSocket: the server asks for a token, bots send one verb a frame.
// docs/protocols/maint.md has its tables; section numbers below are those of that page.

import type { Fact, Person } from '../actors/fact.ts'
import type { Done } from '../actors/outcome.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import type { RoomFact } from '../actors/room/room.facts.ts'
import type {
  Addressed,
  CloseReason,
  Decoded,
  Dialect,
  FrameIn,
  FrameOut,
  MessageView,
  Request,
  Standing,
  Told,
} from './dialect.ts'
import { isPlainObject, numberIn, parseJson, textFaultOf } from './json.ts'

const MAX_TEXT = 5_000
const MAX_NONCE = 128
const MAX_HISTORY = 100
const HISTORY = 50

const frame = (t: number, d: unknown): FrameOut => ({ json: { t, d } })

/** What `t:9` says (§5). `nonce` only in answers to `send`. */
const MESSAGES = {
  not_json: 'frames must be JSON objects',
  not_fulfilled: 'send {"fulfill":"Bot <token>"} first',
  already_fulfilled: 'the token was accepted already',
  bad_token: 'this token is not in force',
  bad_request: 'exactly one known verb with its fields',
  unknown_command: 'no such verb',
  auth_timeout: 'no token came in time',
  banned: 'this account is banned',
  kicked: 'put out by a moderator',
  empty_text: 'the text is empty',
  text_too_long: `a text has at most ${MAX_TEXT} characters`,
  unknown_room: 'no such room for this bot',
  room_closed: 'this room is closed',
  muted: 'muted in this room',
  not_permitted: 'a blocking rule forbids this text',
  rate_limited: 'too much in too short a time; wait a little',
  nonce_reused: 'this nonce was used for another text',
  internal_error: 'not available now; try again',
} as const
type ErrorCode = keyof typeof MESSAGES

const error = (code: ErrorCode, nonce?: string | null): FrameOut =>
  frame(9, { code, message: MESSAGES[code], ...(nonce === undefined ? {} : { nonce }) })

const malformed = (path: string, code: ErrorCode, nonce?: string | null): Decoded => ({
  is: 'malformed',
  path,
  reply: [error(code, nonce)],
  ...(code === 'not_json' ? { after: 'strike' } : {}),
})

const request = (asked: Request): Decoded => ({ is: 'request', request: asked })

const roomName = (number: number): string => `maint:${number}`
const VERBS = ['fulfill', 'send', 'typing', 'history', 'ping'] as const

const decode = (incoming: FrameIn, standing: Standing): Decoded => {
  const given = 'text' in incoming ? parseJson(incoming.text) : undefined
  if (!isPlainObject(given)) return malformed('frame', 'not_json')
  const keys = Object.keys(given)
  const [verb = ''] = keys
  if (keys.length !== 1) return malformed('frame', 'bad_request')
  const known = VERBS.find((each) => each === verb)
  const value = given[verb]
  if (known === 'fulfill')
    return standing === 'connected' ? fulfilling(value) : malformed('fulfill', 'already_fulfilled')
  // The first answer may be under way: what follows it waits for its outcome.
  if (standing === 'connected')
    return malformed(verb.slice(0, 32), 'not_fulfilled', verb === 'send' ? nonceOf(value) : undefined)
  switch (known) {
    case 'send':
      return sending(value)
    case 'typing':
      return typing(value)
    case 'history':
      return reading(value)
    case 'ping':
      return request({ do: 'answer', frames: [frame(8, value)] })
    default:
      return malformed(verb.slice(0, 32), 'unknown_command')
  }
}

/** §2: `Bot ` and 1 to 256 characters. What has another form is answered like a token that is not in force. */
const fulfilling = (value: unknown): Decoded => {
  const [, token = ''] = typeof value === 'string' ? (/^Bot (.{1,256})$/s.exec(value) ?? []) : []
  return request({ do: 'sign-in', credential: { token } })
}

const nonceOf = (value: unknown): string | null => {
  const nonce = isPlainObject(value) && Object.hasOwn(value, 'nonce') ? value.nonce : null
  return typeof nonce === 'string' && nonce.length <= MAX_NONCE ? nonce : null
}

const sending = (value: unknown): Decoded => {
  const nonce = nonceOf(value)
  if (!isPlainObject(value)) return malformed('send', 'bad_request', nonce)
  const room = numberIn(value, 'room')
  if (room === null) return malformed('send.room', 'bad_request', nonce)
  if (typeof value.text !== 'string') return malformed('send.text', 'bad_request', nonce)
  if (nonce === null && value.nonce !== undefined && value.nonce !== null)
    return malformed('send.nonce', 'bad_request', null)
  const text = value.text.trim()
  const fault = textFaultOf(text, MAX_TEXT)
  return request({ do: 'post', room: roomName(room), text, clientRef: nonce, ...(fault ? { fault } : {}) })
}

const typing = (value: unknown): Decoded => {
  const room = isPlainObject(value) ? numberIn(value, 'room') : null
  if (room === null) return malformed('typing.room', 'bad_request')
  return request({ do: 'typing', room: roomName(room), on: true })
}

const reading = (value: unknown): Decoded => {
  const room = isPlainObject(value) ? numberIn(value, 'room') : null
  if (!isPlainObject(value) || room === null) return malformed('history.room', 'bad_request')
  const before = value.before === undefined ? null : numberIn(value, 'before')
  if (before === null && value.before !== undefined) return malformed('history.before', 'bad_request')
  const limit = value.limit === undefined ? HISTORY : numberIn(value, 'limit')
  if (limit === null || limit < 1 || limit > MAX_HISTORY) return malformed('history.limit', 'bad_request')
  return request({ do: 'history', room: roomName(room), before, limit })
}

/** The number that bots know a room by; rooms without one are not shown to them. */
const numberOf = ({ aliases }: RoomContext): number =>
  Number(aliases.find((alias) => alias.startsWith('maint:'))?.slice('maint:'.length))

const shown = ({ number, username }: Pick<Person, 'number' | 'username'>) => ({ id: number, uname: username })

const message = (room: number, { id, author, text, at }: Pick<MessageView, 'id' | 'author' | 'text' | 'at'>) => ({
  id,
  room,
  user: shown(author),
  text,
  at: new Date(at).toISOString(),
})

const refusalCodes: Partial<Record<RefusalCode, ErrorCode>> = {
  'unknown-token': 'bad_token',
  banned: 'unknown_room',
  'not-a-member': 'unknown_room',
  'not-present': 'unknown_room',
  'unknown-room': 'unknown_room',
  'room-archived': 'room_closed',
  'room-closed': 'room_closed',
  'slow-mode': 'rate_limited',
  'rate-limited': 'rate_limited',
  muted: 'muted',
  blocked: 'not_permitted',
  'text-empty': 'empty_text',
  'text-too-long': 'text_too_long',
  'ref-reused': 'nonce_reused',
}

const refusal = (asked: Request, code: RefusalCode): FrameOut[] => {
  // What ends the connection is told by its close; a typing that comes too often is dropped.
  if (asked.do === 'sign-in' && ['unknown-token', 'banned'].includes(code)) return []
  const told = refusalCodes[code] ?? 'internal_error'
  return [error(told, asked.do === 'post' ? asked.clientRef : undefined)]
}

const done = (asked: Request, { facts, values }: Done, { room, history, more }: Told): FrameOut[] => {
  if (!room) return []
  const number = numberOf(room)
  if (asked.do === 'post') {
    const posted = (facts as readonly RoomFact[]).find(({ type }) => type === 'MessagePosted')
    const id = posted?.type === 'MessagePosted' ? posted.data.id : values.messageId
    return [frame(4, { nonce: asked.clientRef, id, room: number })]
  }
  if (asked.do === 'history') {
    return [frame(7, { room: number, messages: history.map((item) => message(number, item)), more })]
  }
  return []
}

const encode = (recorded: Fact, room: RoomContext, person: Person | null): Addressed[] => {
  const fact = recorded as RoomFact
  const { connection, at } = recorded.metadata
  const number = numberOf(room)
  const event = (
    name: string,
    user: Pick<Person, 'number' | 'username'> | null,
    to: Addressed['to'] = 'all',
  ): Addressed[] => (user ? [{ frame: frame(5, { room: number, event: name, user: shown(user) }), to }] : [])
  switch (fact.type) {
    case 'MessagePosted':
      return [
        { frame: frame(3, message(number, { ...fact.data, at })), to: connection ? { except: connection } : 'all' },
      ]
    case 'PresenceEntered':
      return fact.data.first ? event('joined', fact.data.user, { except: fact.data.connection }) : []
    case 'PresenceLeft':
      return fact.data.last ? event('left', fact.data.user, { except: fact.data.connection }) : []
    case 'UserMuted':
      return event('muted', named(fact.data.name, person))
    case 'UserUnmuted':
    case 'MuteExpired':
      return event('unmuted', named(fact.data.name, person))
    case 'MemberBanned':
      return event('banned', person)
    case 'MemberKicked':
      return event('kicked', person)
    default:
      break
  }
  if (recorded.type === 'TypingStarted' && person) {
    return [{ frame: frame(6, { room: number, user: shown(person) }), to: connection ? { except: connection } : 'all' }]
  }
  return []
}

/** A mute is kept by folded name, which may be nobody's yet: number 0 means none. */
const named = (name: string, person: Person | null): Pick<Person, 'number' | 'username'> =>
  person ?? { number: 0, username: name }

const CLOSE_CODES = {
  'protocol-error': 4400,
  flood: 4400,
  'auth-failed': 4401,
  banned: 4403,
  kicked: 4404,
  admin: 4404,
  'auth-timeout': 4408,
  'slow-consumer': 4409,
  'server-error': 1011,
  shutdown: 1001,
} as const

const LAST_WORDS: Readonly<Partial<Record<string, ErrorCode>>> = {
  'auth-failed': 'bad_token',
  banned: 'banned',
  kicked: 'kicked',
  admin: 'kicked',
  'auth-timeout': 'auth_timeout',
}

export const maint: Dialect = {
  name: 'maint',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 30_000, afkMs: 0, typingMs: 5_000, badFrameStrikes: 5 },
    idleAfterMs: 5 * 60_000,
    history: 0,
    unknownToken: 'closes',
    rooms: 'entered-at-sign-in',
    oneRoom: false,
    socketsPerAccount: 0,
    closeCodes: CLOSE_CODES,
    lostCode: 4409,
    showsWholeMessages: false,
    tellsOfSanctions: true,
  },
  events: [],
  posts: 'send',
  path: '/maint',
  // The one frame with t 1: the seed's client sends its token whenever it sees one.
  greeting: [{ json: { t: 1 } }],
  decode,
  welcome: (_request, { user, rooms }) => [
    frame(2, {
      user: user && { id: user.number, uname: user.username },
      rooms: rooms.map(({ room }) => ({ id: numberOf(room), name: room.name })),
    }),
  ],
  reply: (asked, outcome, _ack, told) =>
    outcome.ok ? done(asked, outcome, told) : refusal(asked, outcome.refusal.code),
  encode: (fact, { room, person }) => encode(fact, room, person),
  closing: (cause, { code, reason }: CloseReason) => {
    const words = LAST_WORDS[cause]
    const known = (CLOSE_CODES as Readonly<Partial<Record<string, number>>>)[cause]
    return {
      frames: words ? [error(words)] : [],
      how: 'disconnect',
      code: code ?? known ?? 1000,
      reason: reason ?? words ?? null,
    }
  },
}
