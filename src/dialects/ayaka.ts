// The Ayaka gateway's protocol over raw WebSocket: guilds and their channels are heard here, and spoken to by REST
// (api/ayaka.ts). docs/protocols/ayaka.md has its tables; section numbers in this folder are those of that page.

import type { CloseCause } from '../actors/connection/connection.facts.ts'
import { decode, INVALID_AUTHORIZATION, INVALID_PAYLOAD } from './ayaka/decode.ts'
import { type EncodeOptions, encode, followed, welcome } from './ayaka/encode.ts'
import type { CloseReason, Dialect, Request } from './dialect.ts'

const LOST = { code: 1011, reason: 'keepalive ping timeout' }

const CLOSES: Readonly<Partial<Record<CloseCause, { code: number; reason: string }>>> = {
  'protocol-error': INVALID_PAYLOAD,
  'auth-failed': INVALID_AUTHORIZATION,
  'auth-timeout': INVALID_AUTHORIZATION,
  banned: INVALID_AUTHORIZATION,
  kicked: { code: 1008, reason: 'put out by a moderator' },
  admin: { code: 1008, reason: 'put out by a moderator' },
  flood: { code: 1008, reason: 'too many frames' },
  'slow-consumer': { code: 1013, reason: 'too slow a reader' },
  'server-error': { code: 1011, reason: 'internal error' },
  shutdown: { code: 1001, reason: 'going away' },
}

const closeCodes = Object.fromEntries(Object.entries(CLOSES).map(([cause, { code }]) => [cause, code]))

/** The code was decided with the fact; only the words are ours to add. */
const wordsOf = (cause: CloseCause, { code, reason }: CloseReason): string | null => {
  if (cause === 'slow-consumer' && code === LOST.code) return LOST.reason
  return reason ?? CLOSES[cause]?.reason ?? null
}

const tokenIn = (request: Request): string | null =>
  request.do === 'sign-in' && request.credential && 'token' in request.credential ? request.credential.token : null

export const ayakaWith = (options: EncodeOptions): Dialect => ({
  name: 'ayaka',
  version: 1,
  profile: {
    limits: { authTimeoutMs: 20_000, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
    idleAfterMs: 5 * 60_000,
    history: 0,
    unknownToken: 'closes',
    rooms: 'followed-at-sign-in',
    showsWholeMessages: true,
    tellsOfSpaces: true,
    oneRoom: false,
    socketsPerAccount: 0,
    closeCodes,
    endsUnanswered: true,
    whenFull: { code: 4003, reason: 'Too much users on WebSocket' },
    lostCode: LOST.code,
  },
  events: [],
  posts: null,
  path: '/ayaka',
  greeting: [],
  decode,
  welcome: (request, told) => welcome(told, tokenIn(request)),
  followed,
  // Nothing that may be asked here has an answer of its own: a heartbeat's is decoded with it.
  reply: () => [],
  encode: (fact, view) => encode(fact, view, options),
  closing: (cause, told) => ({
    frames: [],
    how: 'disconnect',
    code: told.code ?? CLOSES[cause]?.code ?? 1000,
    reason: wordsOf(cause, told),
  }),
})

export const ayaka = ayakaWith({ messageCreate: true })
