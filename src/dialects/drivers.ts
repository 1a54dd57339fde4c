// The drivers.uz protocol (2016) over socket.io: `signin_request`, then messages and typing in topics; the sender's own
// echo is its acknowledgement. docs/protocols/drivers.md has its tables; section numbers below are those of that page.

import type { AccountRole, Fact, Person } from '../actors/fact.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { RoomFact } from '../actors/room/room.facts.ts'
import type { Addressed, Decoded, Dialect, EventIn, FrameOut, MessageView, Request, Standing, Told } from './dialect.ts'
import { announceTopic, topicNumber } from './drivers-topics.ts'
import { field, isPlainObject, jsonText, textFaultOf } from './json.ts'

const MAX_TEXT = 5_000
const MAX_STAMP = 128
const MAX_ATTRS_BYTES = 4_096

const emit = (event: string, payload: unknown): FrameOut => ({ event, args: [payload] })
const failed = (event: string, data: string): FrameOut => emit(event, { status: 'fail', data })

/** What a message that is not sent is told (§3); both ids are null where they could not be read. */
const unsent = (topic: number | null, stamp: string | null, reason: string): FrameOut =>
  emit('message_events', { event_type: 'fail', data: { stamp_id: stamp, topic_id: topic, reason } })

const malformed = (path: string, reply: FrameOut): Decoded => ({ is: 'malformed', path, reply: [reply] })
const request = (asked: Request): Decoded => ({ is: 'request', request: asked })

/** An integer, or the text of one. */
const wholeIn = (object: Record<string, unknown>, name: string): number | null => {
  const given = field(object, name)
  const value = typeof given === 'string' && /^-?[0-9]{1,15}$/.test(given) ? Number(given) : given
  return Number.isSafeInteger(value) ? (value as number) : null
}

const EVENTS = ['signin_request', 'message_events', 'typing_event', 'join_topic', 'leave_topic'] as const

const decode = ({ event, args }: EventIn, standing: Standing): Decoded => {
  const known = EVENTS.find((each) => each === event)
  if (!known) return { is: 'ignored' }
  const payload = isPlainObject(args[0]) ? args[0] : {}
  if (known === 'signin_request') return signingIn(payload)
  // §4: whoever speaks before it has asked to sign in is told so on the same event, and is gone.
  if (standing === 'connected') {
    return {
      is: 'malformed',
      path: known,
      reply: [failed(known, 'not-authenticated')],
      after: { code: null, reason: null },
    }
  }
  switch (known) {
    case 'message_events':
      return isPlainObject(args[0]) ? sending(payload) : malformed(known, unsent(null, null, 'bad_request'))
    case 'typing_event':
      return typing(payload)
    default:
      return visiting(known, payload)
  }
}

const signingIn = (payload: Record<string, unknown>): Decoded => {
  const token = field(payload, 'token')
  if (typeof token !== 'string' || token === '')
    return malformed('signin_request.token', failed('signin_response', 'token not given'))
  return request({ do: 'sign-in', credential: { token } })
}

const sending = (payload: Record<string, unknown>): Decoded => {
  const topic = wholeIn(payload, 'topic_id')
  const stamp = stampIn(payload)
  const fail = (path: string, reason: string) => malformed(`message_events.${path}`, unsent(topic, stamp.id, reason))
  if (topic === null) return fail('topic_id', 'topic_id not given')
  if (!stamp.reads) return fail('stamp_id', 'bad_request')
  const body = bodyIn(payload)
  if (body === null) return fail('body', 'bad_request')
  const attrs = field(payload, 'attrs') ?? null
  const written = jsonText(attrs)
  if (written === null || Buffer.byteLength(written) > MAX_ATTRS_BYTES) return fail('attrs', 'attrs too big')
  const fault = textFaultOf(body, MAX_TEXT)
  const replyTo = wholeIn(payload, 'reply_to')
  return request({
    do: 'post',
    // Before its text is looked at, the topic says whether this account may write there.
    room: nameOf(topic),
    text: body,
    clientRef: stamp.id,
    // What is no message's id is an unknown message: null, as the text "0" is.
    replyTo: replyTo !== null && replyTo > 0 ? replyTo : null,
    extra: { drivers: { attrs: JSON.parse(written), hasMedia: field(payload, 'has_media') === true } },
    ...(fault ? { fault } : {}),
  })
}

/** An empty stamp tells no two messages apart: it is none. */
const stampIn = (payload: Record<string, unknown>): { readonly id: string | null; readonly reads: boolean } => {
  const given = field(payload, 'stamp_id') ?? null
  if (given === null || given === '') return { id: null, reads: true }
  const reads = typeof given === 'string' && given.length <= MAX_STAMP
  return { id: reads ? given : null, reads }
}

/** A text, or the compact JSON of what a robot sends; null: neither. */
const bodyIn = (payload: Record<string, unknown>): string | null => {
  const body = field(payload, 'body') ?? ''
  if (typeof body === 'string') return body.trim()
  return typeof body === 'object' ? jsonText(body) : null
}

/** §1: whoever it claims to be, the account that signed in is told; by name too, when it gave one. */
const typing = (payload: Record<string, unknown>): Decoded => {
  const topic = wholeIn(payload, 'topic_id')
  if (topic === null) return malformed('typing_event.topic_id', failed('typing_event', 'topic_id not given'))
  const username = field(payload, 'username')
  const named = typeof username === 'string' && username !== ''
  if (!named && wholeIn(payload, 'user_id') === null)
    return malformed('typing_event.user_id', failed('typing_event', 'user_id not given'))
  return request({ do: 'typing', room: nameOf(topic), on: true, ...(named ? { named } : {}) })
}

const visiting = (event: 'join_topic' | 'leave_topic', payload: Record<string, unknown>): Decoded => {
  const topic = wholeIn(payload, 'topic_id')
  if (topic === null) return malformed(`${event}.topic_id`, failed(event, 'topic_id not given'))
  return request({ do: event === 'join_topic' ? 'join' : 'leave', room: nameOf(topic) })
}

const nameOf = (topic: number): string => `drivers:${topic}`
const numberIn = (name: string | null): number | null => (name === null ? null : Number(name.slice('drivers:'.length)))

const rolesOf = (account: AccountRole | null) =>
  account === 'admin' || account === 'robot' ? { roles: { [account]: true } } : {}

const shown = ({ number, username }: Pick<Person, 'number' | 'username'>) => ({ id: number, username })

type Sent = Pick<MessageView, 'id' | 'author' | 'text' | 'at' | 'ref' | 'replyTo' | 'extra'>

/** §2: what other protocols keep beside a text, their references among it, is not shown here. */
export const messageData = (topic: number | null, { id, author, text, at, ref, replyTo, extra }: Sent) => {
  const own = extra?.drivers as { attrs?: unknown; hasMedia?: unknown } | undefined
  return {
    id,
    stamp_id: own ? ref : null,
    topic_id: topic,
    owner: shown(author),
    reply_to: replyTo,
    body: text,
    attrs: own?.attrs ?? null,
    sent_at: at,
    has_media: own?.hasMedia === true,
  }
}

const message = (type: 'sent' | 'deleted', topic: number | null, sent: Sent): FrameOut =>
  emit('message_events', { event_type: type, data: messageData(topic, sent) })

const UNSENT: Readonly<Partial<Record<RefusalCode, string>>> = {
  'unknown-room': 'topic not found',
  'room-archived': 'topic not found',
  'room-closed': 'topic closed',
  'not-a-member': 'not subscribed',
  'not-present': 'not subscribed',
  'text-empty': 'body not given',
  'text-too-long': 'body too long',
  'ref-reused': 'stamp_id already used',
  'rate-limited': 'rate_limited',
  'slow-mode': 'rate_limited',
  'user-required': 'not-authenticated',
  muted: 'muted',
  banned: 'banned',
  'too-many-rooms': 'too many topics',
  blocked: 'message not permitted',
}

const SIGN_IN: Readonly<Partial<Record<RefusalCode, string>>> = {
  'unknown-token': 'invalid token',
  'token-revoked': 'invalid token',
  'already-exists': 'already signed in',
  'rate-limited': 'rate_limited',
  banned: 'banned',
}

const INTERNAL = 'internal error'

const refusal = (asked: Request, code: RefusalCode): FrameOut[] => {
  switch (asked.do) {
    case 'sign-in':
      return [failed('signin_response', SIGN_IN[code] ?? INTERNAL)]
    case 'post':
      return [unsent(numberIn(asked.room), asked.clientRef, UNSENT[code] ?? INTERNAL)]
    case 'join':
      return [failed('join_topic', UNSENT[code] ?? INTERNAL)]
    case 'leave':
      // Whoever is not there has left already.
      return code === 'not-present'
        ? [emit('leave_topic', { status: 'ok' })]
        : [failed('leave_topic', UNSENT[code] ?? INTERNAL)]
    // §3: typing where one may not is dropped.
    default:
      return []
  }
}

const done = (asked: Request, { room, message: first }: Told): FrameOut[] => {
  switch (asked.do) {
    case 'join':
    case 'leave':
      return [emit(`${asked.do}_topic`, { status: 'ok' })]
    case 'post':
      return first ? [message('sent', room && topicNumber(room), first)] : []
    default:
      return []
  }
}

const encode: Dialect['encode'] = (recorded: Fact, { room, message: about, person }) => {
  const topic = topicNumber(room)
  const all = (frame: FrameOut): Addressed[] => [{ frame, to: 'all' }]
  const fact = recorded as RoomFact
  if (fact.type === 'MessagePosted') {
    const { clientRef: ref, ...sent } = fact.data
    return all(message('sent', topic, { ...sent, ref, at: recorded.metadata.at }))
  }
  if (fact.type === 'MessageRemoved') return about ? all(message('deleted', topic, about)) : []
  if (recorded.type === 'TypingStarted' && person) {
    const { named } = recorded.data as { named?: boolean }
    const name = named ? { username: person.username } : {}
    return all(emit('typing_event', { user_id: person.number, topic_id: topic, ...name }))
  }
  return []
}

/** For good, as far as the client is concerned; anything else drops the transport, after which it comes back. */
const FINAL: ReadonlySet<string> = new Set([
  'banned',
  'kicked',
  'admin',
  'auth-failed',
  'auth-timeout',
  'protocol-error',
])

export const drivers: Dialect = {
  name: 'drivers',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 60_000, afkMs: 0, typingMs: 5_000, badFrameStrikes: 0 },
    idleAfterMs: 5 * 60_000,
    history: 0,
    unknownToken: 'may-retry',
    rooms: 'followed-at-sign-in',
    robots: 'everywhere',
    oneRoom: false,
    socketsPerAccount: 0,
    closeCodes: {},
    lostCode: null,
    showsWholeMessages: true,
  },
  events: EVENTS,
  posts: 'message_events',
  path: null,
  greeting: [],
  decode: (frame, standing) => ('event' in frame ? decode(frame, standing) : { is: 'ignored' }),
  welcome: (asked, { account }) =>
    asked.do === 'join'
      ? [emit('join_topic', { status: 'ok' })]
      : [emit('signin_response', { status: 'ok', ...rolesOf(account) })],
  reply: (asked, outcome, _ack, told) => (outcome.ok ? done(asked, told) : refusal(asked, outcome.refusal.code)),
  encode,
  announce: announceTopic,
  closing: (cause) => ({
    frames: cause === 'banned' ? [failed('signin_response', 'banned')] : [],
    how: FINAL.has(cause) ? 'disconnect' : 'drop',
    code: null,
    reason: null,
  }),
}
