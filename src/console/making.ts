// A room or a user is made here, above the list that then has it.

import { useEffect, useRef, useState } from 'preact/hooks'
import { a, button, div, h2, p, part, section } from './elements.ts'
import { Choice, Field, FormOf, TokenAgain, tokenTyped, useForm } from './form.ts'
import { to } from './place.ts'
import { type Made, Secret } from './secret.ts'
import { type Person, post, signedIn } from './server.ts'

export interface RoomItem {
  readonly id: string
  readonly number: number
  readonly name: string
  readonly kind: string
  readonly mode: string
  readonly aliases: readonly string[]
  readonly openedAt: string
}

export interface UserItem extends Person {
  readonly role: string
  readonly guest: boolean
  readonly registeredAt: string
}

export interface Making<Item> {
  /** it is there: the list shows it */
  readonly made: (item: Item) => void
  readonly close: () => void
}

const list = (text: string | undefined): string[] => (text ?? '').split(/[\s,;]+/).filter((one) => one !== '')
/** A name is what people write: `ana` is meant as `@ana`. */
const user = (text: string): string => (/^[@#]|^[0-9a-f-]{36}$/.test(text) ? text : `@${text}`)

const KINDS = {
  room: 'where people talk',
  space: 'holds rooms; its members are members of each',
}

export const MakeRoom = ({ made, close }: Making<RoomItem>) => {
  const [kind, setKind] = useState('room')
  const [room, setRoom] = useState<RoomItem | null>(null)
  const of = useForm(async (typed) => {
    const [owner = '', parent = ''] = [typed.get('owner'), typed.get('parent')]
    const item = await post<RoomItem>('/rooms', {
      name: typed.get('name'),
      kind,
      aliases: list(typed.get('aliases')),
      members: list(typed.get('members')).map(user),
      ...(owner === '' ? {} : { owner: user(owner) }),
      ...(parent === '' ? {} : { parent }),
    })
    made(item)
    setRoom(item)
  })
  if (room) return part(RoomMade, { room, again: () => setRoom(null), close })
  return section(
    { class: 'panel making', 'aria-labelledby': 'making' },
    h2({ id: 'making' }, 'A new room'),
    part(FormOf, {
      of,
      says: kind === 'space' ? 'Make the space' : 'Make the room',
      leave: close,
      labelledBy: 'making',
      children: [
        Field({
          of,
          name: 'name',
          title: 'Name',
          maxLength: 100,
          placeholder: 'tea',
          hint: 'What people read; two rooms may have the same.',
        }),
        Choice({ name: 'kind', title: 'Kind', values: KINDS, chosen: kind, choose: setKind }),
        Field({
          of,
          name: 'owner',
          title: 'Owner',
          initial: signedIn.value ? `@${signedIn.value.username}` : '',
          hint: 'May change it, and says who keeps order. Empty: admins alone.',
        }),
        Field({
          of,
          name: 'members',
          title: 'Members',
          placeholder: '@ana @bob',
          hint: 'Who belongs to it from the start; more can come later.',
        }),
        Field({
          of,
          name: 'aliases',
          title: 'Known as',
          placeholder: 'moneypot:18',
          hint: 'For protocols that see rooms by number; native clients need none. What moneypot or drivers see, any account may enter.',
        }),
        kind === 'room' &&
          Field({
            of,
            name: 'parent',
            title: 'In the space',
            placeholder: '#3',
            hint: 'By number or id. Empty: in none.',
          }),
      ],
    }),
  )
}

const RoomMade = ({ room, again, close }: { room: RoomItem; again: () => void; close: () => void }) => {
  const head = useRef<HTMLHeadingElement>(null)
  useEffect(() => head.current?.focus(), [])
  const { id, kind, name, number, aliases } = room
  return section(
    { class: 'panel making done', 'aria-labelledby': 'making' },
    h2({ id: 'making', ref: head, tabIndex: -1 }, `The ${kind} ${name} is made`),
    p(
      null,
      `It is #${number}${aliases.length === 0 ? '' : `, also known as ${aliases.join(', ')}`}, and the first fact of its life is on record. `,
      a({ href: to('rooms', id) }, 'Look at it'),
    ),
    div(
      { class: 'sending' },
      button({ type: 'button', class: 'primary', onClick: again }, 'Make another'),
      button({ type: 'button', class: 'plain', onClick: close }, 'Close'),
    ),
  )
}

const ROLES = {
  member: 'talks in the rooms it belongs to',
  robot: 'a program; hears every room that its protocol shows',
  admin: 'may do everything, everywhere',
}

export const MakeUser = ({ made, close }: Making<UserItem>) => {
  const [role, setRole] = useState('member')
  const [secret, setSecret] = useState<(Made & { readonly id: string }) | null>(null)
  const of = useForm(async (typed) => {
    const { token, ...account } = await post<Person & { role: string; token: string }>(
      '/users',
      { username: typed.get('username'), role },
      role === 'member' ? undefined : tokenTyped(typed),
    )
    made({ ...account, guest: false, registeredAt: new Date().toISOString() })
    setSecret({ id: account.id, title: `@${account.username} is made`, token })
  })
  if (secret) {
    return section(
      { class: 'panel making done', 'aria-label': 'A new user' },
      part(Secret, { made: secret, away: () => setSecret(null), put: close }),
      p(
        { class: 'hint' },
        'Lost? Make another on ',
        a({ href: `${to('users', secret.id)}?tab=tokens` }, 'the user’s page'),
        '.',
      ),
    )
  }
  return section(
    { class: 'panel making', 'aria-labelledby': 'making' },
    h2({ id: 'making' }, 'A new user'),
    part(FormOf, {
      of,
      says: 'Make the user',
      leave: close,
      labelledBy: 'making',
      children: [
        Field({
          of,
          name: 'username',
          title: 'Username',
          maxLength: 64,
          placeholder: 'ana',
          hint: 'Letters, digits and _-.[]{}|^`\\ , at most 32; no two are the same.',
        }),
        Choice({ name: 'role', title: 'Role', values: ROLES, chosen: role, choose: setRole }),
        role !== 'member' && TokenAgain({ of, why: `A session alone makes no ${role}, who would outlive it.` }),
      ],
    }),
  )
}
