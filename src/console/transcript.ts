// What stood in a room at the moment that is shown, as whoever looked then would have read it.

import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { a, button, div, li, ol, p, part, span, strong } from './elements.ts'
import { Empty } from './parts.ts'
import { to } from './place.ts'
import { get, type Person, params, useAnswer } from './server.ts'
import { clock, day } from './words.ts'

export interface Message {
  readonly id: number
  readonly author: Person
  readonly role: string
  readonly text: string | null
  readonly kind: string
  readonly at: string
  readonly position: string
  readonly edited?: boolean
  readonly removed?: { readonly by: Person | null; readonly reason: string | null }
}

const PAGE = 50

/** `at`: a position; null: now. `again` changes when something came. */
export const Transcript = ({ room, at, again }: { room: string; at: string | null; again: number }) => {
  const path = `/rooms/${encodeURIComponent(room)}/messages${params({ at, limit: PAGE })}`
  const { value, error } = useAnswer<{ items: readonly Message[] }>(path, again)
  const [earlier, setEarlier] = useState<{ at: string | null; items: readonly Message[]; end: boolean }>({
    at,
    items: [],
    end: false,
  })
  const before = earlier.at === at ? earlier : { at, items: [], end: false }
  const newest = value?.items ?? []
  const list = useRef<HTMLOListElement>(null)
  // The newest is at the end, and that is where one looks.
  useLayoutEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight
  }, [value])
  const items = [...before.items, ...newest]
  const showEarlier = async () => {
    const page = await get<{ items: readonly Message[] }>(
      `/rooms/${encodeURIComponent(room)}/messages${params({ at, limit: PAGE, before: items[0]?.id })}`,
    )
    setEarlier({ at, items: [...page.items, ...before.items], end: page.items.length < PAGE })
  }
  if (error) return p({ class: 'bad', role: 'alert' }, `The transcript could not be read: ${error}.`)
  if (!value) return div({ class: 'waiting', role: 'status' }, 'Loading…')
  if (items.length === 0) return Empty({ text: 'Nothing had been said here at this moment.' })
  return div(
    { class: 'transcript' },
    newest.length === PAGE &&
      !before.end &&
      button({ type: 'button', class: 'link', onClick: () => void showEarlier() }, 'earlier messages'),
    ol(
      { ref: list, tabIndex: 0, 'aria-label': 'Transcript' },
      items.map((message, index) => row(room, at, message, items[index - 1])),
    ),
  )
}

const row = (room: string, moment: string | null, message: Message, before: Message | undefined) => {
  const { id, author, role, text, kind, at, position, edited, removed } = message
  return li(
    { key: id },
    (before === undefined || day(before.at) !== day(at)) && div({ class: 'day quiet' }, day(at)),
    div(
      { class: 'said' },
      a({ class: 'num quiet', href: `?at=${position}`, title: 'show the room at this message' }, clock(at).slice(0, 8)),
      div(
        null,
        a({ href: to('users', author.id) }, strong(null, `@${author.username}`)),
        role !== 'member' && span({ class: 'quiet' }, ` ${role}`),
        ' ',
        removed
          ? part(Removed, { key: `${id} ${moment}`, room, at: moment, message })
          : span({ class: kind === 'action' ? 'text action' : 'text', dir: 'auto' }, text),
        edited && span({ class: 'quiet' }, ' (edited)'),
      ),
      a(
        { class: 'quiet', href: to('rooms', room, 'messages', String(id)), 'aria-label': `Story of message ${id}` },
        'story',
      ),
    ),
  )
}

/** Who took it down and why. Its text is asked for by itself: that somebody reads it is put on record. */
const Removed = ({ room, at, message }: { room: string; at: string | null; message: Message }) => {
  const { id, removed } = message
  const [read, setRead] = useState<string | null>(null)
  const [error, setError] = useState<string | null>(null)
  const show = async () => {
    const only = params({ at, removed: 'read', after: id - 1, before: id + 1 })
    try {
      const { items } = await get<{ items: readonly Message[] }>(`/rooms/${encodeURIComponent(room)}/messages${only}`)
      setRead(items[0]?.text ?? '')
    } catch (fault) {
      setError((fault as Error).message)
    }
  }
  return span(
    { class: 'quiet' },
    `removed${removed?.by ? ` by @${removed.by.username}` : ''}${removed?.reason ? `: ${removed.reason}` : ''} `,
    read === null &&
      button(
        {
          type: 'button',
          class: 'link',
          'aria-label': `read it: message ${id}, on record`,
          title: 'that you read it is put on record',
          onClick: () => void show(),
        },
        'read it',
      ),
    span({ role: 'status' }, read !== null && span({ class: 'text taken', dir: 'auto' }, read), error),
  )
}
