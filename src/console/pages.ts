// One connection, one room, one user: the same page, with its own head and what else belongs to each. And charts alone.

import type { ComponentChildren } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { Bar } from './bar.ts'
import { Chart } from './chart.ts'
import { a, div, h1, h2, nav, p, part, section, span } from './elements.ts'
import { Facts } from './facts.ts'
import { useKeys } from './keys.ts'
import { type Kind, LifeStore, SPEEDS } from './life.ts'
import { Moment } from './moment.ts'
import { Empty, Failed, State, Waiting } from './parts.ts'
import { ask, query, to } from './place.ts'
import { Sequence } from './sequence.ts'
import { type Person, params, useAnswer } from './server.ts'
import { Timeline } from './timeline.ts'
import { Tokens } from './tokens.ts'
import { Transcript } from './transcript.ts'
import { short, when } from './words.ts'

const LISTS: Readonly<Record<Kind, string>> = { connection: 'connections', room: 'rooms', user: 'users' }

interface Tab {
  readonly tab: string
  readonly title: string
  shown(at: string | null, again: number): ComponentChildren
}

interface Looked {
  readonly kind: Kind
  readonly id: string
  readonly head: ComponentChildren
  /** beside the timeline: tabs by name, and what each shows at this moment */
  readonly also?: readonly Tab[]
}

const useLife = (kind: Kind, id: string): LifeStore => {
  const store = useMemo(() => new LifeStore(`/${LISTS[kind]}/${encodeURIComponent(id)}`), [kind, id])
  useEffect(() => {
    void store.open(query('at'))
    return () => store.end()
  }, [store])
  // The address follows the moment that is shown.
  const at = store.live.value ? null : (store.step.value?.position ?? undefined)
  useEffect(() => {
    if (at === undefined || !store.life.value) return
    const timer = setTimeout(() => ask({ at }), 120)
    return () => clearTimeout(timer)
  }, [store, at])
  useKeys([
    { keys: ['ArrowLeft'], says: 'one fact back', run: () => store.move(-1) },
    { keys: ['ArrowRight'], says: 'one fact on', run: () => store.move(1) },
    { keys: ['Shift+ArrowLeft'], says: 'ten facts back', run: () => store.move(-10) },
    { keys: ['Shift+ArrowRight'], says: 'ten facts on', run: () => store.move(10) },
    { keys: ['Home'], says: 'to the first fact', run: () => store.show(0) },
    { keys: ['End'], says: 'to the newest fact', run: () => store.show(Number.MAX_SAFE_INTEGER) },
    { keys: ['l'], says: 'back to live', run: () => store.toLive() },
    { keys: [' '], says: 'play, or stop', run: () => store.play() },
    {
      keys: ['s'],
      says: 'play faster',
      run: () => store.playAt(SPEEDS[(SPEEDS.indexOf(store.speed.value) + 1) % SPEEDS.length] ?? 1),
    },
  ])
  return store
}

const Look = ({ kind, id, head, also = [] }: Looked) => {
  const store = useLife(kind, id)
  const life = store.life.value
  const step = store.step.value
  const tabs: readonly Tab[] = [
    ...also,
    { tab: 'sequence', title: 'Sequence', shown: () => part(Sequence, { store, kind, id }) },
    { tab: 'facts', title: 'Facts', shown: () => part(Facts, { store }) },
  ]
  const other = tabs.find(({ tab }) => tab === query('tab'))
  const tab = other?.tab ?? 'timeline'
  const at = store.live.value ? null : (step?.position ?? null)
  if (!life) return store.error.value ? Failed({ error: store.error.value }) : Waiting()
  if (life.facts === 0) return div({ class: 'page' }, head, Empty({ text: 'Nothing is on record of it.' }))
  const picked = (query('arrow') ?? '').split(' ').filter(Boolean)
  const closed = life.marks.some(({ mark }) => mark === 'end')
  const tabLink = (name: string, title: string) =>
    a(
      {
        key: name,
        href: `?${new URLSearchParams({ ...(at ? { at } : {}), ...(name === 'timeline' ? {} : { tab: name }) })}`,
        'aria-current': tab === name ? 'page' : undefined,
        onClick: (event) => {
          event.preventDefault()
          ask({ tab: name === 'timeline' ? null : name })
        },
      },
      title,
    )
  return div(
    { class: 'page look' },
    div({ class: 'title' }, head, step && State({ state: step.state })),
    part(Bar, { store, closed }),
    store.error.value && p({ class: 'bad', role: 'alert' }, store.error.value),
    div(
      { class: 'panes' },
      section(
        { class: 'panel', 'aria-label': 'Chart' },
        part(Chart, {
          kind,
          hash: life.machine,
          value: step?.value ?? null,
          arrow: step?.arrow ?? null,
          taken: life.arrows,
          picked,
          pick: (arrows) => ask({ arrow: arrows.join(' '), tab: null }),
        }),
      ),
      div(
        { class: 'beside' },
        section(
          { class: 'panel', 'aria-labelledby': 'moment-title' },
          h2({ id: 'moment-title' }, 'At this moment'),
          part(Moment, { store }),
        ),
        section(
          { class: 'panel grows', 'aria-label': 'Timeline and more' },
          nav(
            { class: 'tabs ways', 'aria-label': 'What is shown' },
            tabLink('timeline', 'Timeline'),
            tabs.map(({ tab: name, title }) => tabLink(name, title)),
          ),
          other ? other.shown(at, life.facts) : part(Timeline, { store, only: picked }),
        ),
      ),
    ),
  )
}

const crumb = (list: string, title: string) => [a({ href: to(list) }, list), span({ class: 'quiet' }, ' / '), title]

export const ConnectionPage = ({ id }: { id: string }) => {
  return part(Look, {
    kind: 'connection',
    id,
    head: h1({ title: id }, crumb('connections', short(id))),
  })
}

export const RoomPage = ({ id }: { id: string }) => {
  const { value: room } = useAnswer<{ name: string; number: number }>(`/rooms/${encodeURIComponent(id)}`)
  return part(Look, {
    kind: 'room',
    id,
    head: h1({ title: id }, crumb('rooms', room?.name ?? short(id))),
    also: [{ tab: 'transcript', title: 'Transcript', shown: (at, again) => part(Transcript, { room: id, at, again }) }],
  })
}

interface ConnectionItem {
  readonly id: string
  readonly dialect: string | null
  readonly state: string
  readonly openedAt: string
  readonly user: Person | null
}

export const UserPage = ({ id }: { id: string }) => {
  const { value: user } = useAnswer<Person>(`/users/${encodeURIComponent(id)}`)
  return part(Look, {
    kind: 'user',
    id,
    head: h1({ title: id }, crumb('users', user ? `@${user.username}` : short(id))),
    also: [
      { tab: 'connections', title: 'Connections', shown: (at, again) => part(TheirConnections, { id, at, again }) },
      { tab: 'tokens', title: 'Tokens', shown: (at, again) => part(Tokens, { user: id, at, again }) },
    ],
  })
}

const TheirConnections = ({ id, at, again }: { id: string; at: string | null; again: number }) => {
  const { value, error } = useAnswer<{ items: readonly ConnectionItem[] }>(
    `/connections${params({ user: id, at, limit: 100 })}`,
    again,
  )
  if (error) return p({ class: 'bad', role: 'alert' }, `They could not be read: ${error}.`)
  if (!value) return div({ class: 'waiting', role: 'status' }, 'Loading…')
  if (value.items.length === 0) return Empty({ text: 'None at this moment.' })
  return div(
    { class: 'rows' },
    value.items.map((item) =>
      div(
        { key: item.id },
        a({ href: to('connections', item.id), class: 'num' }, short(item.id)),
        span(null, item.dialect ?? '–'),
        State({ state: item.state }),
        when(item.openedAt),
      ),
    ),
  )
}

const KINDS: readonly Kind[] = ['connection', 'room', 'user']

export const MachinePage = ({ kind }: { kind: string }) =>
  div(
    { class: 'page look' },
    div(
      { class: 'title' },
      h1(null, `The ${kind}’s statechart`),
      nav(
        { class: 'tabs ways', 'aria-label': 'Charts' },
        KINDS.map((other) =>
          a({ key: other, href: to('machines', other), 'aria-current': other === kind ? 'page' : undefined }, other),
        ),
      ),
    ),
    p(
      { class: 'quiet' },
      'Only facts move a chart. Commands are wishes: a guard refuses them, or they become facts. Hover an arrow to read what it means.',
    ),
    div({ class: 'panel' }, part(Chart, { kind, hash: query('hash'), value: null, arrow: null, taken: {} })),
  )
