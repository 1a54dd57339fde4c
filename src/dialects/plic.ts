// PLIC-Chat's protocol (2025) over raw WebSocket: the upgrade's query says who it is, and one command sends a message.
// docs/protocols/plic.md has its tables; section numbers below are those of that page.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import type { Fact } from '../actors/fact.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { RoomContext } from '../actors/room/room.context.ts'
import type { RoomFact } from '../actors/room/room.facts.ts'
import type { Addressed, CloseReason, Decoded, Dialect, FrameIn, FrameOut, Request } from './dialect.ts'
import { field, isPlainObject, numberIn, parseJson, textFaultOf } from './json.ts'

const MAX_TEXT = 5_000
const MAX_TEMP_ID = 128

/** §3: the close codes, and the words that the app knows them by. */
const CLOSES = {
  4001: 'No authentication token provided',
  4002: 'Token validation failed',
  4003: 'Disconnected for inactivity',
  4004: 'Disconnected by an admin',
  4005: 'User is banned',
  4006: 'Server error occurred',
  4007: 'Server is shutting down',
  4008: 'New device connection',
  4009: 'Connection closed',
  4010: 'Bad message structure',
  4011: 'Message not permitted',
  4012: 'Unauthorized action',
} as const
type Code = keyof typeof CLOSES

const close = (code: Code): CloseReason => ({ code, reason: CLOSES[code] })

const disconnection = (code: number, reason: string): FrameOut => ({
  json: { type: 'Disconnection', data: { code, reason } },
})

/** `message_id` is the client's own, never the log's. */
const confirmation = (messageId: string, reason: string | null): FrameOut => ({
  json: {
    type: 'MessageSentConfirmation',
    data: { confirmed: reason === null, reason: reason ?? '', message_id: messageId },
  },
})

const malformed = (
  path: string,
  code: Code,
  tempId: string | null = null,
  reason = 'bad message structure',
): Decoded => ({
  is: 'malformed',
  path,
  reply: tempId === null ? [] : [confirmation(tempId, reason)],
  after: close(code),
})

const decode = (incoming: FrameIn): Decoded => {
  if ('query' in incoming) return opening(incoming.query)
  const given = 'text' in incoming ? parseJson(incoming.text) : undefined
  if (!isPlainObject(given)) return malformed('frame', 4010)
  const data = field(given, 'data')
  const tempId = isPlainObject(data) ? tempIdOf(data) : null
  if (field(given, 'type') !== 'SendMessage') return malformed('type', 4010, tempId)
  if (!isPlainObject(data)) return malformed('data', 4010)
  const room = numberIn(data, 'room_id')
  if (room === null) return malformed('data.room_id', 4010, tempId)
  const message = field(data, 'message')
  if (typeof message !== 'string') return malformed('data.message', 4010, tempId)
  if (tempId === null) return malformed('data.message_temp_id', 4010)
  const text = message.trim()
  const fault = textFaultOf(text, MAX_TEXT)
  return {
    is: 'request',
    request: { do: 'post', room: `plic:${room}`, text, clientRef: tempId, ...(fault ? { fault } : {}) },
  }
}

const tempIdOf = (data: Record<string, unknown>): string | null => {
  const given = field(data, 'message_temp_id')
  return typeof given === 'string' && given.length >= 1 && given.length <= MAX_TEMP_ID ? given : null
}

/** §1: who it is stands in the address; there is no frame for it, and none that tells of success. */
const opening = (query: URLSearchParams): Decoded => {
  const jwt = query.get('token') ?? ''
  if (jwt === '') return malformed('token', 4001)
  return { is: 'request', request: { do: 'sign-in', credential: { jwt } } }
}

/** What the sender is told of a refused message (§2). */
const reasons: Partial<Record<RefusalCode, string>> = {
  muted: 'muted',
  'rate-limited': 'rate_limited',
  'slow-mode': 'rate_limited',
  'text-empty': 'empty message',
  'text-too-long': 'message too long',
  'room-closed': 'room closed',
  blocked: 'message not permitted',
  'room-archived': 'not a participant',
  'not-a-member': 'not a participant',
  'unknown-room': 'not a participant',
  banned: 'not a participant',
  'ref-reused': 'message_temp_id already used',
}

/** §3: a refused message that ends the connection, and a sign-in that could not be looked at. */
const endsWith = (asked: Request, code: RefusalCode): CloseReason | null => {
  if (asked.do === 'sign-in') return code === 'unknown-token' || code === 'banned' ? null : close(4006)
  if (code === 'blocked') return close(4011)
  return reasons[code] === 'not a participant' ? close(4012) : null
}

const numberOf = ({ aliases }: RoomContext): number =>
  Number(aliases.find((alias) => alias.startsWith('plic:'))?.slice('plic:'.length))

const encode = (recorded: Fact, room: RoomContext): Addressed[] => {
  const fact = recorded as RoomFact
  if (fact.type !== 'MessagePosted') return []
  const { author, text } = fact.data
  const data = { room_id: numberOf(room), sender_id: author.id, message: text }
  // The app shows its own message at once: an echo would show it twice.
  return [{ frame: { json: { type: 'MessageReceived', data } }, to: { exceptUser: author.id } }]
}

/** The app comes back by itself after 4006, 4007 and 4009 only: so every fault and stop of ours is one of these. */
const CLOSE_CODES: Readonly<Partial<Record<CloseCause, Code>>> = {
  'auth-failed': 4002,
  'auth-timeout': 4002,
  afk: 4003,
  kicked: 4004,
  admin: 4004,
  banned: 4005,
  'server-error': 4006,
  'node-lost': 4006,
  shutdown: 4007,
  'new-device': 4008,
  client: 4009,
  'slow-consumer': 4009,
  flood: 4009,
  'protocol-error': 4010,
}

/** `afkMs` 0: off, since the app does not come back from it by itself. */
export const plic = (afkMs: number): Dialect => ({
  name: 'plic',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 30_000, afkMs, typingMs: 0, badFrameStrikes: 0 },
    idleAfterMs: afkMs > 0 ? Math.min(afkMs, 5 * 60_000) : 5 * 60_000,
    history: 0,
    unknownToken: 'closes',
    rooms: 'followed-at-sign-in',
    oneRoom: false,
    socketsPerAccount: 1,
    closeCodes: CLOSE_CODES,
    lostCode: 4009,
    showsWholeMessages: false,
  },
  events: [],
  posts: 'SendMessage',
  path: '/plic',
  readsAddress: true,
  greeting: [],
  decode,
  welcome: () => [],
  reply: (asked, outcome) => {
    if (asked.do !== 'post' || asked.clientRef === null) return []
    const reason = outcome.ok ? null : (reasons[outcome.refusal.code] ?? 'server error')
    return [confirmation(asked.clientRef, reason)]
  },
  endsWith,
  encode: (fact, { room }) => encode(fact, room),
  closing: (cause, told) => {
    const code = told.code ?? CLOSE_CODES[cause] ?? 4009
    const reason = CLOSES[code as Code] ?? told.reason ?? ''
    return { frames: [disconnection(code, reason)], how: 'disconnect', code, reason }
  },
})
