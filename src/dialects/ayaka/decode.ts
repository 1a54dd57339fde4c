// What Ayaka's clients send (§2): first who they are, then heartbeats and presences. Messages go by REST.

import type { ConnectionOptions, Decoded, FrameIn, Standing } from '../dialect.ts'
import { field, isPlainObject, parseJson } from '../json.ts'

const MAX_DESCRIPTION = 5_000
const PRESENCE_TYPES: readonly unknown[] = [1, 2, 3, 4]

export const INVALID_PAYLOAD = { code: 4002, reason: 'Invalid Payload Type' }
export const INVALID_AUTHORIZATION = { code: 4002, reason: 'Invalid authorization' }
const INVALID_ENCODING = { code: 4004, reason: 'Invalid encoding' }
const INVALID_DISPATCH = { code: 4004, reason: 'Invalid Dispatch Sent' }
const INVALID_PRESENCES = { code: 4001, reason: 'Presence has to be a bool.' }

type Frame = Record<string, unknown>

const closing = (path: string, after: { code: number; reason: string }): Decoded => ({
  is: 'malformed',
  path,
  reply: [],
  after,
})

const DROPPED: Decoded = { is: 'ignored' }

export const decode = (incoming: FrameIn, standing: Standing, connection = ''): Decoded => {
  const given = 'text' in incoming ? parseJson(incoming.text) : undefined
  if (!isPlainObject(given)) return closing('frame', INVALID_PAYLOAD)
  // The first answer may be under way: what follows it waits for its outcome.
  if (standing === 'connected') return identifying(given)
  switch (field(given, 't')) {
    case 'HEARTBEAT':
      return acknowledging(given, connection)
    case 'PRESENCE':
      return presence(given)
    case 'DISPATCH':
    case 'DISPATCH_TO':
    case 'DISPATCH_TO_GUILD':
      return closing('t', INVALID_DISPATCH)
    default:
      return DROPPED
  }
}

/** In this order: encoding, session, presences (§5). */
const identifying = (given: Frame): Decoded => {
  const encoding = field(given, 'encoding') ?? 'json'
  if (encoding !== 'json' && encoding !== 'zlib') return closing('encoding', INVALID_ENCODING)
  const session = field(given, 'session_id')
  const presences = field(given, 'presences') ?? true
  const options: ConnectionOptions = { zlib: encoding === 'zlib', statuses: presences !== false }
  return {
    is: 'request',
    request: {
      do: 'sign-in',
      // What has another form is answered like a session that is over.
      credential: { token: typeof session === 'string' ? session : '' },
      options,
      ...(typeof presences === 'boolean' ? {} : { fault: INVALID_PRESENCES }),
    },
  }
}

/** `s` is the client's own count of what it has seen. */
const acknowledging = (given: Frame, connection: string): Decoded => {
  const seen = field(given, 's')
  const s = typeof seen === 'string' || typeof seen === 'number' ? seen : ''
  return { is: 'request', request: { do: 'answer', frames: [{ json: { t: 'ACK', _s: connection, s, d: null } }] } }
}

const presence = (given: Frame): Decoded => {
  const type = field(given, 'type')
  const description = field(given, 'description')
  const emoji = field(given, 'emoji') ?? null
  const embed = embedOf(field(given, 'embed') ?? null)
  if (!PRESENCE_TYPES.includes(type) || !isText(description) || embed === undefined) return DROPPED
  if (emoji !== null && !Number.isSafeInteger(emoji)) return DROPPED
  return { is: 'request', request: { do: 'status', status: { ayaka: { type, description, emoji, embed } } } }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_DESCRIPTION

/** As it is shown again; undefined: it is none. */
const embedOf = (given: unknown): object | null | undefined => {
  if (given === null) return null
  if (!isPlainObject(given)) return undefined
  const optional = [field(given, 'banner_url'), field(given, 'top_text'), field(given, 'bottom_text')]
  const [banner_url, top, bottom] = optional.map((text) => text ?? null)
  const [name, description] = [field(given, 'name'), field(given, 'description')]
  if (!isText(name) || !isText(description)) return undefined
  if (![banner_url, top, bottom].every((text) => text === null || isText(text))) return undefined
  return { name, description, banner_url, text: { top, bottom } }
}
