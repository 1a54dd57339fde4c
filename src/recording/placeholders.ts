// What of a recorded frame differs from run to run becomes what the player of dialogues fills in or matches by type:
// accounts, rooms and messages by name, times and identifiers by kind. Credentials are never shown.

export interface Known {
  /** credentials shown so far → their placeholder */
  readonly secrets: ReadonlyMap<string, string>
  /** ids of accounts and rooms → their placeholder */
  readonly ids: ReadonlyMap<string, string>
  /** ids of the messages posted since the recording began → their names */
  readonly messages: ReadonlyMap<number, string>
  /** username → number, of whoever has a recorded connection */
  readonly people: ReadonlyMap<string, number>
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/
const MESSAGE_KEYS = new Set(['id', 'message', 'before', 'after', 'reply_to', 'replyTo'])
/** Lists of who and what was there before: as they were only if everything in them was recorded. */
const LISTS = new Set(['users', 'present', 'history', 'messages', 'muteList', 'mutes', 'channels'])
const IDENTIFIERS = new Set(['epoch', 'connection'])
/** Larger integers are times. */
const LARGEST_COUNT = 1e11

type Fields = Readonly<Record<string, unknown>>

const nameIn = (value: unknown): string | null => {
  const { uname, username } = (value ?? {}) as { uname?: unknown; username?: unknown }
  const name = uname ?? username
  return typeof name === 'string' ? name : null
}

/** A placeholder as a part of a text. */
export const within = (placeholder: string): string =>
  placeholder.startsWith('$') ? `\${${placeholder.slice(1)}}` : placeholder

const withoutSecrets = (text: string, { secrets }: Known): string => {
  let shown = text
  for (const [secret, placeholder] of secrets) {
    if (shown === secret) return placeholder
    shown = shown.replaceAll(secret, within(placeholder))
  }
  return shown
}

const isMessage = (value: object): boolean => 'text' in value || 'content' in value || 'body' in value

/** A number of an account or a message, by the company it is in. */
const numberShown = (key: string, value: number, around: Fields, known: Known): string | number => {
  const message = known.messages.get(value)
  if (message !== undefined && MESSAGE_KEYS.has(key) && isMessage(around)) return message
  const name = nameIn(around) ?? nameIn(around.user)
  if (name !== null)
    return (key === 'id' || key === 'number') && known.people.get(name) === value ? `$${name}.number` : value
  // Beside a frame's type it is whom the frame is about: Ayaka's PRESENCE_UPDATE.
  if (key === 'user_id' || key === 'owner' || (key === 'id' && 't' in around)) {
    const [found] = [...known.people].find(([, number]) => number === value) ?? []
    if (found !== undefined) return `$${found}.number`
  }
  return message !== undefined && MESSAGE_KEYS.has(key) && !('title' in around) && !('name' in around) ? message : value
}

/** What a client sent: with references filled in again by the player, and all else as it was. */
export const sent = (value: unknown, known: Known, key = '', around: Fields = {}): unknown => {
  if (typeof value === 'string') return known.ids.get(value) ?? withoutSecrets(value, known)
  if (typeof value === 'number') return numberShown(key, value, around, known)
  if (Array.isArray(value)) return value.map((item) => sent(item, known))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, sent(item, known, name, value as Fields)]),
  )
}

/** What a client was told: with what varies matched by type. */
export const told = (value: unknown, known: Known, key = '', around: Fields = {}): unknown => {
  if (LISTS.has(key) && !wasRecorded(value, known)) return '$any'
  if (typeof value === 'string') {
    const id = known.ids.get(value)
    if (id !== undefined) return id
    if (UUID.test(value) || IDENTIFIERS.has(key)) return '$str'
    return ISO.test(value) ? '$iso' : withoutSecrets(value, known)
  }
  if (typeof value === 'number') {
    if (key === 'revision' || value > LARGEST_COUNT) return '$int'
    return numberShown(key, value, around, known)
  }
  if (Array.isArray(value)) return value.map((item) => told(item, known))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, told(item, known, name, value as Fields)]),
  )
}

/** Everybody in it has a recorded connection, and every message in it was posted since. */
const wasRecorded = (value: unknown, known: Known): boolean => {
  if (typeof value !== 'object' || value === null) return true
  const name = nameIn(value)
  if (name !== null && !known.people.has(name)) return false
  const { id } = value as { id?: unknown }
  if (isMessage(value) && typeof id === 'number' && !known.messages.has(id)) return false
  return Object.values(value).every((item) => wasRecorded(item, known))
}
