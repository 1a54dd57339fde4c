// The timeline: a row a fact, with what it came of and what it did, or why it did not. The row of the moment is open.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { a, button, code, dd, div, dl, dt, li, ol, p, span, strong } from './elements.ts'
import { type LifeStore, PAGE, type Refusal, type Step } from './life.ts'
import { ask, to } from './place.ts'
import { clock, day, many, short, told } from './words.ts'

const MOST_PAGES = 5

/** `only`: the arrows that are shown; empty: all. */
export const Timeline = ({ store, only = [] }: { store: LifeStore; only?: readonly string[] }) => {
  const life = store.life.value
  const revision = store.revision.value
  const pages = store.pages.value
  const current = Math.floor(Math.max(0, revision) / PAGE)
  const [range, setRange] = useState({ from: current, to: current })
  const rows = useRef<HTMLOListElement>(null)
  useEffect(() => {
    if (current < range.from || current > range.to) {
      const beside = current === range.to + 1 || current === range.from - 1
      setRange(
        beside
          ? fitted(Math.min(range.from, current), Math.max(range.to, current), current)
          : { from: current, to: current },
      )
    }
  }, [current, range.from, range.to])
  useLayoutEffect(() => {
    const list = rows.current
    const row = list?.querySelector<HTMLElement>('[aria-current]')
    if (!list || !row) return
    // By hand, so that the page itself stays where it is.
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight]
    if (top < list.scrollTop) list.scrollTop = top - 8
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight + 8
  }, [revision, pages, range])
  if (!life) return null
  const last = Math.floor(Math.max(0, life.facts - 1) / PAGE)
  const shown = Array.from(
    { length: range.to - range.from + 1 },
    (_, index) => pages.get(range.from + index)?.items ?? [],
  )
  const all = shown.flat()
  const items = only.length === 0 ? all : all.filter(({ arrow }) => arrow !== null && only.includes(arrow))
  const show = (number: number) => {
    void store.load(number)
    setRange(fitted(Math.min(range.from, number), Math.max(range.to, number), number))
  }
  return div(
    { class: 'timeline' },
    life.fault &&
      p(
        { class: 'bad', role: 'alert' },
        `Fact #${life.fault.revision} cannot be folded by this version, and what follows is not shown: ${life.fault.error}`,
      ),
    only.length > 0 &&
      p(
        { class: 'only', role: 'status' },
        'Only ',
        strong(null, [...new Set(only.map((arrow) => arrow.split('|')[1]))].join(', ')),
        `: ${items.length.toLocaleString('en')} of ${many(all.length, 'fact')} here `,
        button({ type: 'button', class: 'link', onClick: () => ask({ arrow: null }) }, 'show all'),
      ),
    ol(
      { ref: rows, tabIndex: 0, 'aria-label': 'Timeline' },
      range.from > 0 &&
        li(
          { class: 'more', key: 'earlier' },
          button(
            { type: 'button', class: 'link', onClick: () => show(range.from - 1) },
            `earlier: ${many(range.from * PAGE, 'fact')}`,
          ),
        ),
      items.map((step, index) => row(store, step, step.revision === revision, items[index - 1])),
      range.to < last &&
        li(
          { class: 'more', key: 'later' },
          button(
            { type: 'button', class: 'link', onClick: () => show(range.to + 1) },
            `later: ${many(life.facts - (range.to + 1) * PAGE, 'fact')}`,
          ),
        ),
    ),
  )
}

/** As many pages as stay quick, with this one among them. */
const fitted = (from: number, upTo: number, wanted: number) => {
  if (upTo - from < MOST_PAGES) return { from, to: upTo }
  return wanted === from ? { from, to: from + MOST_PAGES - 1 } : { from: upTo - MOST_PAGES + 1, to: upTo }
}

const row = (store: LifeStore, step: Step, isCurrent: boolean, before: Step | undefined) => {
  const { revision, at, type, cause } = step
  const refused = type === 'CommandRefused' || type === 'AuthFailed'
  const together = before?.cause.id === cause.id
  const isNewDay = before === undefined || day(before.at) !== day(at)
  return li(
    { key: revision, class: isCurrent ? 'current' : undefined, 'aria-current': isCurrent ? 'step' : undefined },
    isNewDay && div({ class: 'day quiet' }, day(at)),
    button(
      { type: 'button', class: refused ? 'row no' : 'row', onClick: () => store.show(revision) },
      span({ class: 'place num quiet' }, `#${revision}`),
      span({ class: 'num' }, clock(at)),
      span(
        { class: 'came' },
        together
          ? span({ class: 'quiet' }, 'and')
          : cause.kind === 'timer'
            ? `◷ ${cause.name ?? 'timer'}`
            : (cause.name ?? span({ class: 'quiet' }, 'a command')),
      ),
      refused
        ? span(
            { class: 'did' },
            span({ class: 'refused' }, `✕ ${String(step.data.code)}`),
            ' ',
            span({ class: 'quiet' }, why(step)),
          )
        : span(
            { class: 'did' },
            span({ class: 'quiet', 'aria-label': 'became' }, '→ '),
            strong(null, type),
            ' ',
            span({ class: 'quiet' }, gist(step)),
          ),
    ),
    isCurrent && opened(step, store.life.value?.stream ?? ''),
    step.refused?.map(refusal),
  )
}

/** What a room or user refused stands on the record of whoever asked: there it leads. */
const refusal = ({ position, at, connection, user, command, code: why, guard, count }: Refusal) =>
  a(
    { key: position, class: 'row no', href: `${to('connections', connection)}?at=${position}` },
    span({ class: 'place' }),
    span({ class: 'num' }, clock(at)),
    span({ class: 'came' }, command),
    span(
      { class: 'did' },
      span({ class: 'refused' }, `✕ ${why}`),
      ' ',
      span(
        { class: 'quiet' },
        [user ? `@${user.username}` : null, guard, count > 1 ? `× ${count}` : null].filter(Boolean).join(' · '),
      ),
    ),
  )

const why = ({ data }: Step): string => {
  const { guard, values, count } = data as { guard?: string | null; values?: Record<string, unknown>; count?: number }
  const saw = Object.entries(values ?? {}).map(([name, value]) => `${name} ${told(name, value)}`)
  return [guard, ...saw, count && count > 1 ? `× ${count}` : null].filter(Boolean).join(' · ')
}

/** What somebody who knows the fact's name still wants to read at once. */
const gist = ({ data }: Step): string => {
  if (typeof data.text === 'string') return data.text
  if (data.removed === true) return 'removed since'
  const names = ['username', 'name', 'user', 'room', 'dialect', 'cause', 'mode', 'until', 'role', 'id']
  return names
    .filter((name) => data[name] !== undefined && data[name] !== null)
    .slice(0, 3)
    .map((name) => told(name, data[name]))
    .join(' · ')
}

const STREAMS: Readonly<Record<string, string>> = { connection: 'connections', room: 'rooms', user: 'users' }

/** A value that names something with a page of its own is a link to it. */
const linked = (name: string, value: unknown, position: string) => {
  if (name === 'connection' && typeof value === 'string')
    return a({ href: `${to('connections', value)}?at=${position}` }, short(value))
  if (name === 'room' && typeof value === 'string')
    return a({ href: `${to('rooms', value)}?at=${position}` }, short(value))
  const person =
    typeof value === 'object' && value !== null && 'username' in value ? (value as unknown as { id: string }) : null
  if (person) return a({ href: `${to('users', person.id)}?at=${position}` }, told(name, value))
  const place =
    typeof value === 'object' && value !== null && 'stream' in value
      ? (value as { stream: string; revision: number })
      : null
  if (place) {
    const [kind = '', ...id] = place.stream.split('-')
    return a(
      { href: `${to(STREAMS[kind] ?? kind, id.join('-'))}?at=${position}` },
      `${kind} ${short(id.join('-'))} at its #${place.revision}`,
    )
  }
  return told(name, value)
}

/** Facts of a room that are about a message. */
const OF_A_MESSAGE = /^Message(Posted|Edited|Removed|Restored)$/

const opened = (step: Step, stream: string) => {
  const { data, position, by, connection, cause, id, type } = step
  const rest: [string, unknown][] = Object.entries(data).filter(([, value]) => value !== undefined)
  return dl(
    { class: 'pairs opened' },
    rest.map(([name, value]) => [
      dt({ key: `t${name}` }, name),
      dd({ key: `d${name}` }, linked(name, value, position)),
    ]),
    by !== null && [
      dt({ key: 'by' }, 'asked by'),
      dd(
        { key: 'by-' },
        by === 'system' ? 'the server itself' : a({ href: `${to('users', by)}?at=${position}` }, short(by)),
      ),
    ],
    connection !== null && [
      dt({ key: 'on' }, 'on connection'),
      dd({ key: 'on-' }, linked('connection', connection, position)),
    ],
    OF_A_MESSAGE.test(type) && [
      dt({ key: 'story' }, 'message'),
      dd(
        { key: 'story-' },
        a({ href: to('rooms', stream.slice('room-'.length), 'messages', String(data.id)) }, 'its whole story'),
      ),
    ],
    dt(null, 'cause'),
    dd(null, code({ title: cause.id }, short(cause.id))),
    dt(null, 'fact'),
    dd(null, code({ title: id }, short(id)), ' at position ', span({ class: 'num' }, position.split('-').at(-1))),
  )
}
