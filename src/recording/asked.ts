// What somebody asks over REST, as a step of a dialogue: who asks, and whom and which room it is about, so that the
// player can set the stage for it.

import type { Account, Identity } from '../actors/identity.ts'
import type { Rooms } from '../actors/rooms.ts'
import { type Known, sent } from './placeholders.ts'
import { within } from './secrets.ts'

export interface Asked {
  /** of the request: what it brings about has it as its correlation id */
  readonly id: string
  readonly method: string
  readonly url: string
  /** of its route: `room`, `user`, `topic`, … */
  readonly params: Readonly<Record<string, string>>
  readonly body: unknown
  /** as it was sent: `Bearer <token>`, or a bare token */
  readonly authorization: string | null
}

/** Whom and which rooms it is about, as they are named in it. */
export interface About {
  readonly users: ReadonlyMap<string, Account>
  /** ids */
  readonly rooms: ReadonlyMap<string, string>
}

export const aboutOf = async ({ params, body }: Asked, identity: Identity, rooms: Rooms): Promise<About> => {
  const { user, owner, members } = (body ?? {}) as { user?: unknown; owner?: unknown; members?: unknown }
  const listed = Array.isArray(members) ? members.map((member) => member?.user ?? member) : []
  const about = { users: new Map<string, Account>(), rooms: new Map<string, string>() }
  for (const reference of [params.user, user, owner, ...listed]) {
    const found = typeof reference === 'string' ? await identity.resolve(reference) : null
    if (found) about.users.set(reference as string, found)
  }
  const named = { '': params.room, 'drivers:': params.topic, 'ayaka:': params.channel ?? params.guild }
  for (const [dialect, reference] of Object.entries(named)) {
    const found = reference === undefined ? null : await rooms.resolve(`${dialect}${reference}`)
    if (found) about.rooms.set(`${dialect}${reference}`, found.id)
  }
  return about
}

export interface Answered {
  readonly status: number
  /** the name of the message that it posted */
  readonly message: string | null
}

/** `bearer`: who asks, as far as a Bearer token tells. */
export const askedStep = (
  asked: Asked,
  { status, message }: Answered,
  about: About,
  known: Known,
  bearer: string | null,
): object => {
  const { method, url, body, authorization } = asked
  const token = authorization?.replace(/^.* /s, '') ?? ''
  const headers = { authorization: known.secrets.sent(authorization ?? '', '', token) }
  return {
    who: 'rest',
    dir: 'http',
    ...(bearer !== null ? { as: bearer } : authorization === null ? {} : { headers }),
    req: [method, pathShown(url, about, known), ...(body == null ? [] : [sent(bodyShown(body, about), known)])],
    status,
    // Later steps may name the message, and nobody else might have heard of it.
    ...(message !== null && url.startsWith('/api/v1/') ? { body: { id: message, $more: true } } : {}),
  }
}

/** A number is another one in another run; who has it is not. */
const bodyShown = (body: unknown, { users }: About): unknown => {
  const { user } = body as { user?: unknown }
  const account = typeof user === 'string' && user.startsWith('#') ? users.get(user) : undefined
  return account ? { ...(body as object), user: `@${account.username}` } : body
}

const pathShown = (url: string, about: About, known: Known): string => {
  const [path = '', query] = url.split(/\?(.*)/s, 2)
  const parts = path.split('/')
  const shown = parts.map((part, at) => partShown(part, parts[at - 1] ?? '', about, known)).join('/')
  if (query === undefined) return shown
  const fields = query.split('&').map((field) => {
    const [name = '', value = ''] = field.split(/=(.*)/s, 2)
    const [plain, hidden] = [decoded(value), known.secrets.sent(decoded(value), decoded(name), null)]
    const [key, hiddenKey] = [decoded(name), known.secrets.hidden(decoded(name))]
    return plain === hidden && key === hiddenKey ? field : `${escaped(hiddenKey)}=${escaped(hidden)}`
  })
  return `${shown}?${fields.join('&')}`
}

const partShown = (part: string, before: string, { users, rooms }: About, known: Known): string => {
  const plain = decoded(part)
  const message = before === 'messages' ? known.messages.get(Number(plain)) : undefined
  const room = plain.startsWith('#') && before === 'rooms' ? known.ids.get(rooms.get(plain) ?? '') : undefined
  const placeholder = known.ids.get(plain) ?? message ?? room
  if (placeholder !== undefined) return within(placeholder)
  const account = plain.startsWith('#') && before !== 'rooms' ? users.get(plain) : undefined
  if (account) return `@${encodeURIComponent(account.username)}`
  const hidden = known.secrets.sent(plain, '', null)
  return hidden === plain ? part : escaped(hidden)
}

/** What cannot be read is not shown. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch {
    return ''
  }
}

/** For an address, but for its placeholders: as a part of a text, or whole. */
const escaped = (text: string): string =>
  text.startsWith('$') && !text.startsWith('${')
    ? within(text)
    : text
        .split(/(\$\{[^}]*\})/)
        .map((part, at) => (at % 2 === 1 ? part : encodeURIComponent(part)))
        .join('')
