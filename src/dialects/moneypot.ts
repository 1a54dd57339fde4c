// The Moneypot chat-server's protocol (2015) over socket.io: `auth`, then `new_message`, with `/mute` and `/unmute`
// typed as messages. docs/protocols/moneypot.md has its tables; section numbers below are those of that page.

import type { Fact, Person, ShownRole } from '../actors/fact.ts'
import type { Done, Outcome, Refused } from '../actors/outcome.ts'
import type { RefusalCode } from '../actors/refusals.ts'
import type { RoomFact } from '../actors/room/room.facts.ts'
import type { Addressed, Decoded, Dialect, EventIn, FrameOut, Request, Standing, Welcome } from './dialect.ts'
import { field, isPlainObject, textFaultOf } from './json.ts'

const MAX_TEXT = 350
const MAX_MINUTES = 525_600
const HISTORY = 250

/** A mute without end, in a protocol that knows minutes and an ISO time only. */
const ENDLESS = { mins: MAX_MINUTES, expires_at: '9999-12-31T23:59:59.999Z' } as const

const emit = (event: string, ...args: unknown[]): FrameOut => ({ event, args })
const answer = (ack: number | null, ...args: unknown[]): FrameOut[] => (ack === null ? [] : [{ ack, args }])
const clientError = (text: string): FrameOut => emit('client_error', text)
const systemMessage = (text: string): FrameOut => emit('system_message', text)

const malformed = (path: string, text: string, more: FrameOut[] = []): Decoded => ({
  is: 'malformed',
  path,
  reply: [clientError(text), ...more],
})

const decodeAuth = ({ args, ack }: EventIn, standing: Standing): Decoded => {
  if (standing !== 'connected') return { is: 'ignored' }
  const [payload] = args
  if (!isPlainObject(payload)) return malformed('auth', 'must send data object with `auth` event')
  const app = field(payload, 'app_id')
  if (!Number.isSafeInteger(app)) return malformed('auth.app_id', 'must send app_id integer with `auth` event')
  if (ack === null) return malformed('auth.callback', 'must provide callback to `auth` event')
  const hashed = field(payload, 'hashed_token')
  const token = hashed === undefined || hashed === '' ? field(payload, 'token_hash') : hashed
  return {
    is: 'request',
    request: {
      do: 'enter',
      room: `moneypot:${app}`,
      credential: typeof token === 'string' ? { hashedToken: token } : null,
    },
  }
}

const TEXT_FAULTS = {
  'text-not-a-string': '`new_message` requires string as first argument',
  'text-empty': '`new_message` text must be 1-350 chars',
  'text-too-long': '`new_message` text must be 1-350 chars',
  'callback-invalid': '`new_message` requires a callback',
} as const

const decodeMessage = ({ args }: EventIn): Decoded => {
  const [given, callback] = args
  const text = typeof given === 'string' ? given.trim() : ''
  const unread = callback !== undefined && callback !== null ? 'callback-invalid' : null
  const fault = typeof given !== 'string' ? 'text-not-a-string' : (textFaultOf(text, MAX_TEXT) ?? unread)
  if (fault === null && /^\/(un)?mute/i.test(text)) return { is: 'request', request: decodeCommand(text) }
  return { is: 'request', request: { do: 'post', room: null, text, clientRef: null, ...(fault ? { fault } : {}) } }
}

/** §1.2: `/mute name minutes` and `/unmute name`; anything else that begins so is a command not understood. */
const decodeCommand = (text: string): Request => {
  const command = text.toLowerCase()
  const unmute = /^\/unmute ([a-z0-9_]+)$/.exec(command)
  if (unmute) return { do: 'unmute', room: null, name: unmute[1] as string }
  if (command.startsWith('/unmute')) return { do: 'unmute', room: null, name: '', fault: 'command-invalid' }
  const mute = /^\/mute ([a-z0-9_]+) ([0-9]+)$/.exec(command)
  const minutes = Number(mute?.[2])
  if (mute && minutes >= 1 && minutes <= MAX_MINUTES)
    return { do: 'mute', room: null, name: mute[1] as string, seconds: minutes * 60 }
  return { do: 'mute', room: null, name: '', seconds: null, fault: 'command-invalid' }
}

/** The protocol has four roles. */
const role = (shown: ShownRole): string => (shown === 'robot' ? 'member' : shown)

const listed = ({ number, username, role: shown }: Person) => ({ id: number, uname: username, role: role(shown) })

const muteOf = (name: string, until: number | null, seconds: number | null) => ({
  uname: name,
  ...(until === null || seconds === null
    ? ENDLESS
    : { mins: Math.ceil(seconds / 60), expires_at: new Date(until).toISOString() }),
})

const message = ({ id, author, text }: { id: number; author: Person; text: string }) => ({
  id,
  user: { uname: author.username, role: role(author.role) },
  text,
})

const welcome = (_request: Request, { user, rooms, history }: Welcome, ack: number | null): FrameOut[] => {
  const [view] = rooms
  const users = (view?.present ?? []).map((present) => [present.username, listed(present)] as const)
  const own = view?.present.find(({ id }) => id === user?.id)
  const mutes = [...(view?.room.mutes.values() ?? [])].map(
    ({ name, until, seconds }) => [name, muteOf(name, until, seconds)] as const,
  )
  const shown = {
    users: Object.fromEntries(users),
    history: history.map(message),
    muteList: Object.fromEntries(mutes),
  }
  return answer(ack, null, own ? { user: listed(own), room: shown } : { room: shown })
}

/** What the sender of a refused frame is told, and the constant its callback gets. */
const refusedTexts: Partial<Record<RefusalCode, { frame: FrameOut; constant: string }>> = {
  muted: { frame: systemMessage('You are muted'), constant: 'MUTED' },
  blocked: { frame: systemMessage('This message is not permitted'), constant: 'NOT_PERMITTED' },
  'rate-limited': { frame: systemMessage('You are sending messages too fast'), constant: 'RATE_LIMITED' },
  'slow-mode': { frame: systemMessage('You are sending messages too fast'), constant: 'RATE_LIMITED' },
  'room-closed': { frame: systemMessage('This room is closed'), constant: 'ROOM_CLOSED' },
  'room-archived': { frame: systemMessage('This room is closed'), constant: 'ROOM_CLOSED' },
  'not-authorized': { frame: systemMessage('You are not authorized to do that'), constant: 'NOT_AUTHORIZED' },
  'text-not-a-string': { frame: clientError(TEXT_FAULTS['text-not-a-string']), constant: 'INVALID_TEXT' },
  'text-empty': { frame: clientError(TEXT_FAULTS['text-empty']), constant: 'INVALID_TEXT' },
  'text-too-long': { frame: clientError(TEXT_FAULTS['text-too-long']), constant: 'INVALID_TEXT' },
  'callback-invalid': { frame: clientError(TEXT_FAULTS['callback-invalid']), constant: 'INVALID_TEXT' },
}

const refusal = (request: Request, { refusal: { code } }: Refused, ack: number | null): FrameOut[] => {
  if (request.do === 'enter') {
    if (code === 'unknown-room' || code === 'room-archived')
      return [clientError('no app found with the app_id you sent to `auth` event')]
    return answer(ack, 'INTERNAL_ERROR')
  }
  if (code === 'user-required' || code === 'not-present') return answer(ack, 'USER_REQUIRED')
  if (code === 'not-muted' && request.do === 'unmute') {
    return [systemMessage(`User "${request.name}" not in mutelist`), ...answer(ack, 'NOT_MUTED')]
  }
  if (code === 'command-invalid') {
    return [
      systemMessage(`Invalid ${request.do === 'unmute' ? 'unmute' : 'mute'} command`),
      ...answer(ack, 'INVALID_COMMAND'),
    ]
  }
  const told = refusedTexts[code]
  return told ? [told.frame, ...answer(ack, told.constant)] : answer(ack, 'INTERNAL_ERROR')
}

const done = (request: Request, _outcome: Done, ack: number | null): FrameOut[] => {
  if (request.do === 'mute') {
    return [systemMessage(`User "${request.name}" muted for ${(request.seconds ?? 0) / 60} minutes`), ...answer(ack)]
  }
  if (request.do === 'unmute') return [systemMessage(`User "${request.name}" unmuted`), ...answer(ack)]
  return answer(ack)
}

const encode = (recorded: Fact): Addressed[] => {
  const fact = recorded as RoomFact
  switch (fact.type) {
    case 'MessagePosted':
      return [{ frame: emit('new_message', message(fact.data)), to: 'all' }]
    case 'PresenceEntered':
      if (!fact.data.first) return []
      return [{ frame: emit('user_joined', listed(fact.data.user)), to: { except: fact.data.connection } }]
    case 'PresenceLeft':
      if (!fact.data.last) return []
      return [{ frame: emit('user_left', listed(fact.data.user)), to: { except: fact.data.connection } }]
    case 'UserMuted':
      return [{ frame: emit('user_muted', muteOf(fact.data.name, fact.data.until, fact.data.seconds)), to: 'all' }]
    case 'UserUnmuted':
    case 'MuteExpired':
      return [{ frame: emit('user_unmuted', { uname: fact.data.name }), to: 'all' }]
    default:
      return []
  }
}

export const moneypot: Dialect = {
  name: 'moneypot',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
    idleAfterMs: 5 * 60_000,
    history: HISTORY,
    unknownToken: 'reads',
    rooms: 'asked-for',
    oneRoom: true,
    socketsPerAccount: 0,
    closeCodes: {},
    lostCode: null,
    showsWholeMessages: false,
  },
  events: ['auth', 'new_message'],
  posts: 'new_message',
  path: null,
  greeting: [],
  decode: (frame, standing) => {
    if (!('event' in frame)) return { is: 'ignored' }
    if (frame.event === 'auth') return decodeAuth(frame, standing)
    if (frame.event === 'new_message') return decodeMessage(frame)
    return { is: 'ignored' }
  },
  welcome,
  reply: (request: Request, outcome: Outcome, ack) =>
    outcome.ok ? done(request, outcome, ack) : refusal(request, outcome, ack),
  encode,
  closing: (cause) => {
    const ends = ['banned', 'kicked', 'admin', 'auth-failed'].includes(cause)
    const frames = cause === 'banned' ? [clientError('you are banned')] : []
    return { frames, how: ends ? 'disconnect' : 'drop', code: null, reason: null }
  },
}
