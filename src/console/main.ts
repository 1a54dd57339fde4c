// The console: a frame with the way around, and one page in it.

import { render } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { a, button, dd, dialog, div, dl, dt, h1, h2, header, kbd, main, nav, p, part, span } from './elements.ts'
import { helpShown, keysNow, useKeys } from './keys.ts'
import { Connections, Rooms, Users } from './lists.ts'
import { Overview } from './overview.ts'
import { ConnectionPage, MachinePage, RoomPage, UserPage } from './pages.ts'
import { steps, to } from './place.ts'
import { signedIn, signOut, whoIsIt } from './server.ts'
import { SignIn } from './sign-in.ts'
import { StoryPage } from './story.ts'

const SECTIONS = [
  { name: 'Overview', path: [] },
  { name: 'Connections', path: ['connections'] },
  { name: 'Rooms', path: ['rooms'] },
  { name: 'Users', path: ['users'] },
  { name: 'Charts', path: ['machines', 'connection'] },
] as const

const page = () => {
  const [section, id, within, message] = steps.value
  if (section === undefined) return part(Overview, {})
  if (section === 'connections') return id ? part(ConnectionPage, { id, key: id }) : part(Connections, {})
  if (section === 'rooms' && id && within === 'messages' && message)
    return part(StoryPage, { room: id, id: message, key: `${id} ${message}` })
  if (section === 'rooms') return id ? part(RoomPage, { id, key: id }) : part(Rooms, {})
  if (section === 'users') return id ? part(UserPage, { id, key: id }) : part(Users, {})
  if (section === 'machines' && id) return part(MachinePage, { kind: id, key: id })
  return div(
    { class: 'page' },
    h1(null, 'Nothing here'),
    p(null, 'This address leads to no page of the console. ', a({ href: to() }, 'To the overview')),
  )
}

const NAMES: Readonly<Record<string, string>> = {
  ' ': 'space',
  ArrowLeft: '←',
  ArrowRight: '→',
  Home: 'home',
  End: 'end',
}
const named = (key: string): string => {
  const [last = key] = key.split('+').slice(-1)
  return key.startsWith('Shift+') ? `shift ${NAMES[last] ?? last}` : (NAMES[key] ?? key)
}

const Help = () => {
  const ref = useRef<HTMLDialogElement>(null)
  const shown = helpShown.value
  useEffect(() => {
    if (shown && !ref.current?.open) ref.current?.showModal()
    if (!shown && ref.current?.open) ref.current.close()
  }, [shown])
  return dialog(
    {
      ref,
      class: 'help',
      'aria-labelledby': 'help-title',
      onClose: () => {
        helpShown.value = false
      },
    },
    h2({ id: 'help-title' }, 'Keys on this page'),
    dl(
      null,
      (shown ? keysNow() : []).map(({ keys, says }) =>
        div(
          { key: says },
          dt(
            null,
            keys.map((key) => kbd({ key }, named(key))),
          ),
          dd(null, says),
        ),
      ),
    ),
    button({ type: 'button', onClick: () => ref.current?.close() }, 'Close'),
  )
}

const Shell = () => {
  useEffect(() => void whoIsIt(), [])
  useKeys([
    {
      keys: ['/'],
      says: 'search',
      run: () => document.querySelector<HTMLElement>('[data-search]')?.focus(),
    },
    {
      keys: ['?'],
      says: 'this help',
      run: () => {
        helpShown.value = !helpShown.value
      },
    },
  ])
  const user = signedIn.value
  if (user === undefined) return div({ class: 'waiting', role: 'status' }, 'Loading…')
  if (user === null) return part(SignIn, {})
  const [section] = steps.value
  return div(
    { class: 'shell' },
    a({ class: 'skip', href: '#page' }, 'To the page'),
    header(
      { class: 'bar' },
      a({ class: 'brand', href: to() }, span({ class: 'logo', 'aria-hidden': 'true' }), 'hansard'),
      nav(
        { class: 'ways', 'aria-label': 'Console' },
        SECTIONS.map(({ name, path }) =>
          a({ href: to(...path), 'aria-current': section === path[0] ? 'page' : undefined, key: name }, name),
        ),
      ),
      div(
        { class: 'self' },
        button(
          {
            type: 'button',
            class: 'plain',
            'aria-label': 'Keys on this page',
            onClick: () => {
              helpShown.value = true
            },
          },
          '?',
        ),
        a({ href: to('users', user.id), class: 'quiet' }, `@${user.username}`),
        button({ type: 'button', class: 'plain', onClick: () => void signOut() }, 'Sign out'),
      ),
    ),
    main({ id: 'page', tabIndex: -1 }, page()),
    part(Help, {}),
  )
}

const root = document.getElementById('app')
if (root) render(part(Shell, {}), root)
