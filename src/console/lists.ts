// Connections, rooms and users as lists: filters in the address, more on demand, and live while the newest are shown.
// Rooms and users are made here, too (`?new=yes`).

import type { ComponentChildren, FunctionComponent } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import {
  a,
  button,
  div,
  form,
  h1,
  input,
  label,
  option,
  part,
  select,
  span,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
} from './elements.ts'
import { useKeys } from './keys.ts'
import { MakeRoom, MakeUser, type Making, type RoomItem, type UserItem } from './making.ts'
import { Empty, Failed, State, Waiting } from './parts.ts'
import { ask, go, query, to } from './place.ts'
import { get, type Person, params, useAnswer, useChanges } from './server.ts'
import { short, when, who } from './words.ts'

interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

interface ListOf<Item extends { readonly id: string }> {
  readonly title: string
  readonly of: 'connections' | 'rooms' | 'users'
  readonly filters: Readonly<Record<string, string | null>>
  readonly columns: readonly string[]
  readonly empty: string
  cells(item: Item): ComponentChildren[]
  readonly controls: ComponentChildren
  readonly make?: { readonly says: string; readonly form: FunctionComponent<Making<Item>> }
}

const List = <Item extends { readonly id: string }>(list: ListOf<Item>) => {
  const at = query('at')
  const changes = useChanges(list.of, at === null)
  const path = `/${list.of}${params({ ...list.filters, at })}`
  const { value, error } = useAnswer<Page<Item>>(path, changes)
  const [more, setMore] = useState<{ path: string; items: readonly Item[]; next: string | null } | null>(null)
  const [chosen, setChosen] = useState(-1)
  /** made here: on top, wherever else they come in the list */
  const [made, setMade] = useState<readonly Item[]>([])
  const { make } = list
  const making = make !== undefined && query('new') !== null
  const opener = useRef<HTMLButtonElement>(null)
  const body = useRef<HTMLTableSectionElement>(null)
  const later = more?.path === path ? more : null
  const newest = at === null ? made : []
  const items = [
    ...new Map([...newest, ...(value?.items ?? []), ...(later?.items ?? [])].map((item) => [item.id, item])).values(),
  ]
  const next = later ? later.next : (value?.next ?? null)
  const move = (by: number) => setChosen((before) => Math.min(Math.max(before + by, 0), items.length - 1))
  useKeys([
    { keys: ['j'], says: 'next row', run: () => move(1) },
    { keys: ['k'], says: 'row before', run: () => move(-1) },
    {
      keys: ['Enter'],
      says: 'open the row',
      run: () => {
        const item = items[chosen]
        if (item) go(to(list.of, item.id))
      },
    },
    ...(make ? [{ keys: ['n'], says: make.says.toLowerCase(), run: () => ask({ new: 'yes', at: null }) }] : []),
  ])
  useEffect(() => body.current?.children[chosen]?.scrollIntoView({ block: 'nearest' }), [chosen])
  const showMore = async () => {
    const page = await get<Page<Item>>(`/${list.of}${params({ ...list.filters, at, cursor: next })}`)
    setMore({ path, items: [...(later?.items ?? []), ...page.items], next: page.next })
  }
  return div(
    { class: 'page' },
    div(
      { class: 'title' },
      h1(null, list.title),
      at === null && span({ class: 'live' }, 'live'),
      make &&
        button(
          {
            ref: opener,
            type: 'button',
            class: making ? 'new' : 'new primary',
            'aria-expanded': making,
            onClick: () => ask(making ? { new: null } : { new: 'yes', at: null }),
          },
          make.says,
        ),
    ),
    making &&
      part(make.form, {
        made: (item) => setMade((before) => [item, ...before]),
        close: () => {
          ask({ new: null })
          opener.current?.focus()
        },
      }),
    form({ class: 'filters', role: 'search', onSubmit: (event) => event.preventDefault() }, list.controls),
    error && Failed({ error }),
    !value && !error && Waiting(),
    value &&
      items.length === 0 &&
      div(
        { class: 'empty' },
        Empty({ text: list.empty }),
        make && !making && button({ type: 'button', onClick: () => ask({ new: 'yes', at: null }) }, `${make.says} now`),
      ),
    items.length > 0 &&
      div(
        { class: 'panel scroll', tabIndex: 0, role: 'region', 'aria-label': list.title },
        table(
          { class: 'list' },
          thead(
            null,
            tr(
              null,
              list.columns.map((column) => th({ key: column }, column)),
            ),
          ),
          tbody(
            { ref: body },
            items.map((item, index) =>
              tr(
                {
                  key: item.id,
                  class: index === chosen ? 'chosen' : newest.some(({ id }) => id === item.id) ? 'fresh' : undefined,
                  'aria-current': index === chosen || undefined,
                },
                list.cells(item).map((cell, column) => td({ key: column }, cell)),
              ),
            ),
          ),
        ),
      ),
    next && button({ type: 'button', class: 'more', onClick: () => void showMore() }, 'Show more'),
  )
}

/** A field whose value is in the address once it is left, or Enter is pressed. */
const filter = (name: string, title: string, hint: string, search = false) =>
  label(
    null,
    span(null, title),
    input({
      type: 'search',
      name,
      value: query(name) ?? '',
      placeholder: hint,
      spellcheck: false,
      maxLength: 128,
      'data-search': search ? 'yes' : undefined,
      onChange: (event) => ask({ [name]: event.currentTarget.value.trim() }),
    }),
  )

const choice = (name: string, title: string, any: string, values: readonly string[]) =>
  label(
    null,
    span(null, title),
    select(
      { name, value: query(name) ?? '', onChange: (event) => ask({ [name]: event.currentTarget.value }) },
      option({ value: '' }, any),
      values.map((value) => option({ value, key: value }, value)),
    ),
  )

const moment = () => filter('at', 'As of', 'now; or 2026-01-31T12:00Z')

const DIALECTS = ['native', 'moneypot', 'drivers', 'plic', 'ayaka', 'maint', 'rest']
const STATES = ['authenticating', 'authenticated', 'authenticated.active', 'authenticated.idle', 'closed']
const CAUSES =
  'client auth-timeout auth-failed afk banned kicked admin new-device protocol-error flood slow-consumer server-error shutdown node-lost'.split(
    ' ',
  )

interface ConnectionItem {
  readonly id: string
  readonly dialect: string | null
  readonly user: Person | null
  readonly state: string
  readonly openedAt: string
  readonly closedAt: string | null
  readonly code: number | null
  readonly cause: string | null
  readonly refusals: number
}

export const Connections = () => {
  const live = query('live')
  return List<ConnectionItem>({
    title: 'Connections',
    of: 'connections',
    filters: {
      user: query('user'),
      dialect: query('dialect'),
      state: query('state') ?? (live === null ? null : 'authenticated'),
      cause: query('cause'),
    },
    columns: ['Connection', 'Protocol', 'User', 'State', 'Opened', 'Closed', 'Why', 'Refused'],
    empty: 'No connection matches. They appear here when their first frame comes.',
    cells: (item) => [
      a({ href: to('connections', item.id), class: 'num', title: item.id }, short(item.id)),
      item.dialect ?? span({ class: 'quiet' }, 'not known yet'),
      who(item.user, 'nobody'),
      State({ state: item.state }),
      when(item.openedAt),
      when(item.closedAt),
      item.cause ? `${item.cause}${item.code === null ? '' : ` (${item.code})`}` : span({ class: 'quiet' }, '–'),
      item.refusals > 0 ? span({ class: 'refused num' }, item.refusals) : span({ class: 'quiet num' }, 0),
    ],
    controls: [
      filter('user', 'User', '@name, #number or id', true),
      choice('dialect', 'Protocol', 'any', DIALECTS),
      choice('state', 'State', live === null ? 'any' : 'signed in', STATES),
      choice('cause', 'Closed for', 'anything', CAUSES),
      moment(),
    ],
  })
}

export const Rooms = () =>
  List<RoomItem>({
    title: 'Rooms',
    of: 'rooms',
    filters: {},
    columns: ['#', 'Room', 'State', 'Known as', 'Opened'],
    empty: 'There was no room at that moment.',
    cells: (item) => [
      span({ class: 'num quiet' }, item.number),
      a({ href: to('rooms', item.id) }, item.name),
      State({ state: item.mode }),
      item.aliases.join(', ') || span({ class: 'quiet' }, item.kind),
      when(item.openedAt),
    ],
    controls: [reach('Room', '#number, id or moneypot:2', 'rooms'), moment()],
    make: { says: 'New room', form: MakeRoom },
  })

export const Users = () =>
  List<UserItem>({
    title: 'Users',
    of: 'users',
    filters: {},
    columns: ['#', 'User', 'Role', 'Registered'],
    empty: 'There was no account at that moment.',
    cells: (item) => [
      span({ class: 'num quiet' }, item.number),
      who(item),
      item.guest ? `${item.role}, guest` : item.role,
      when(item.registeredAt),
    ],
    controls: [reach('User', '@name, #number or id', 'users'), moment()],
    make: { says: 'New user', form: MakeUser },
  })

/** Goes to whatever is named. */
const reach = (title: string, hint: string, of: 'rooms' | 'users') =>
  label(
    null,
    span(null, title),
    input({
      type: 'search',
      placeholder: hint,
      spellcheck: false,
      maxLength: 128,
      'data-search': 'yes',
      onKeyDown: (event) => {
        const { value } = event.currentTarget
        if (event.key === 'Enter' && value.trim() !== '') go(to(of, value.trim()))
      },
    }),
  )
