// Who saw a message: what the record proves, what it leaves open, and what clients say themselves, each apart.

import type { ComponentChildren } from 'preact'
import { a, button, div, h3, li, p, span, time, ul } from './elements.ts'
import { to } from './place.ts'
import type { Person } from './server.ts'
import { clock, day, many, short, when, who } from './words.ts'

interface Witness {
  readonly connection: string
  readonly dialect: string
  readonly user: Person | null
  readonly author: boolean
  readonly how: 'live' | 'history'
  readonly why: 'open' | 'ended' | 'left' | 'answered' | 'removed-then' | null
  readonly at: string | null
  readonly position: string
}

interface Group {
  readonly connections: number
  readonly people: number
  readonly items: readonly Witness[]
  readonly more: number
}

interface Mark {
  readonly user: Person
  readonly upTo: number
  readonly at: string
  readonly connection: string | null
}

export interface Seen {
  readonly sure: Group
  readonly maybe: Group
  readonly untold: Group
  readonly marked: { readonly items: readonly Mark[]; readonly more: number }
  readonly unknownBefore: string | null
}

const HOW = { live: 'as it was said', history: 'on entering, as history' } as const

const WHY = {
  open: 'still connected: it is noted when that ends',
  ended: 'ended before it was noted',
  left: 'left the room before it was noted',
  answered: 'asked for older messages; nothing notes that they arrived',
  'removed-then': 'was shown history around its removal',
} as const

/** Asks for longer lists; null: they are as long as they get. */
export type Widen = (() => void) | null

export const widening = (widen: Widen) =>
  widen && button({ type: 'button', class: 'plain', onClick: widen }, 'show more')

export const WhoSaw = ({ seen, widen }: { seen: Seen; widen: Widen }) => {
  const { sure, maybe, untold, marked, unknownBefore } = seen
  return div(
    { class: 'who' },
    group(
      'sure',
      'Surely',
      sure,
      'the network took it from us; nobody knows who looked',
      'Of nobody the record proves it.',
      widen,
    ),
    group(
      'maybe',
      'Maybe',
      maybe,
      'were there, and nothing tells that it arrived',
      'Of nobody else it is open.',
      widen,
    ),
    untold.connections > 0 &&
      group(
        'untold',
        'Knew it already',
        untold,
        'its author’s, to whom this protocol sends an answer and no frame of it',
        '',
        widen,
      ),
    div(
      { class: 'group marked' },
      h3(
        null,
        span({ class: 'sign' }, '✓'),
        'Marked as read',
        span({ class: 'num quiet' }, String(marked.items.length + marked.more)),
      ),
      p(
        { class: 'quiet' },
        marked.items.length === 0 ? 'Nobody’s client said so.' : 'by their own client, up to here or further',
      ),
      marked.items.length > 0 &&
        ul(
          null,
          marked.items.map(({ user, upTo, at, connection }) =>
            li(
              { key: user.id },
              span(null, who(user)),
              connection === null
                ? span({ class: 'quiet' }, 'on a forgotten connection')
                : a({ href: to('connections', connection), class: 'num', title: connection }, short(connection)),
              span({ class: 'quiet' }, `up to ${upTo} · `, when(at)),
            ),
          ),
        ),
      more(marked.more, widen),
    ),
    p(
      { class: 'quiet foot' },
      'What was read over REST is not on record.',
      unknownBefore !== null && [
        ' Connections that closed before ',
        when(unknownBefore),
        ' are forgotten: what they were handed is not known.',
      ],
    ),
  )
}

const SIGNS: Readonly<Record<string, string>> = { sure: '●', maybe: '◐', untold: '○' }

const group = (
  name: string,
  title: string,
  { connections, people, items, more: rest }: Group,
  says: string,
  none: string,
  widen: Widen,
) =>
  div(
    { class: `group ${name}`, key: name },
    h3(
      null,
      span({ class: 'sign', 'aria-hidden': 'true' }, SIGNS[name]),
      title,
      span({ class: 'num quiet' }, connections === 0 ? '0' : counted(connections, people)),
    ),
    p({ class: 'quiet' }, connections === 0 ? none : says),
    items.length > 0 && ul(null, items.map(row)),
    more(rest, widen),
  )

const counted = (connections: number, people: number): string =>
  `${many(people, 'account')} on ${many(connections, 'connection')}`

const more = (count: number, widen: Widen): ComponentChildren =>
  count > 0 && p({ class: 'quiet' }, `and ${count.toLocaleString('en')} more `, widening(widen))

const row = ({ connection, dialect, user, author, how, why, at, position }: Witness) =>
  li(
    { key: connection },
    span(null, user ? who(user) : span({ class: 'quiet' }, 'a reader'), author && span({ class: 'mark' }, 'wrote it')),
    a(
      {
        href: `${to('connections', connection)}?at=${position}`,
        class: 'num',
        title: 'the connection, at the fact that tells',
      },
      `${dialect} ${short(connection)}`,
    ),
    span(
      { class: 'quiet' },
      why === null ? HOW[how] : WHY[why],
      at !== null &&
        why === null && [
          how === 'live' ? ', by ' : ', ',
          time({ dateTime: at, title: at, class: 'num' }, `${day(at)} ${clock(at).slice(0, 8)}`),
        ],
    ),
  )
