// The tokens of an account, never what they are: which are in force, one more, and the end of one.

import { useRef, useState } from 'preact/hooks'
import { button, div, h2, p, part, section, span } from './elements.ts'
import { FormOf, TokenAgain, tokenTyped, useForm } from './form.ts'
import { Empty } from './parts.ts'
import { type Made, Secret } from './secret.ts'
import { params, post, remove, signedInBy, useAnswer } from './server.ts'
import { short, when } from './words.ts'

interface Token {
  readonly id: string
  readonly label: string | null
  readonly issuedAt: string
  readonly revokedAt: string | null
}

const called = ({ label }: Token) => (label === null ? '' : `${label}: `)

/** What is being done: one more is made, or this one is ended. */
type Doing = { readonly make: true } | { readonly revoke: Token } | null

/** `at`: a position; null: now, where tokens are made and ended. `again` changes when something came. */
export const Tokens = ({ user, at, again }: { user: string; at: string | null; again: number }) => {
  const path = `/users/${encodeURIComponent(user)}/tokens`
  const [done, setDone] = useState(0)
  const { value, error } = useAnswer<{ items: readonly Token[] }>(`${path}${params({ at })}`, again + done)
  const [doing, setDoing] = useState<Doing>(null)
  const [secret, setSecret] = useState<Made | null>(null)
  const [said, setSaid] = useState('')
  const more = useRef<HTMLButtonElement>(null)
  const leave = () => {
    setDoing(null)
    more.current?.focus()
  }
  const make = async (own: string) => {
    const { id, token } = await post<{ id: string; token: string }>(path, undefined, own)
    setSecret({ title: `Token ${short(id)} is made`, token })
    setDoing(null)
    setDone((count) => count + 1)
  }
  const revoke = async ({ id }: Token, own: string) => {
    await remove(`${path}/${id}`, own)
    setSaid(`Token ${short(id)} is revoked; what was signed in by it is closed.`)
    setDone((count) => count + 1)
    leave()
  }
  if (error) return p({ class: 'bad', role: 'alert' }, `They could not be read: ${error}.`)
  if (!value) return div({ class: 'waiting', role: 'status' }, 'Loading…')
  const inForce = value.items.filter(({ revokedAt }) => revokedAt === null)
  const now = at === null
  return div(
    { class: 'tokens' },
    secret && part(Secret, { made: secret, away: () => setSecret(null), put: () => more.current?.focus() }),
    doing && 'make' in doing && part(Asked, { title: 'One more token', says: 'Make the token', run: make, leave }),
    now &&
      div(
        { class: 'sending' },
        button(
          {
            ref: more,
            type: 'button',
            class: inForce.length === 0 ? 'primary' : undefined,
            onClick: () => {
              setSecret(null)
              setDoing({ make: true })
            },
          },
          'New token',
        ),
        span({ role: 'status', class: 'quiet' }, said),
      ),
    value.items.length === 0 && Empty({ text: 'None yet: nobody can sign in as this account.' }),
    div(
      { class: 'rows' },
      value.items.toReversed().map((token) =>
        div(
          { key: token.id },
          span({ class: 'num', title: token.id }, short(token.id)),
          token.revokedAt === null
            ? span(
                { class: 'state alive' },
                called(token),
                token.id === signedInBy.value ? 'in force, you came in by it' : 'in force',
              )
            : span({ class: 'state ended' }, span(null, called(token), 'revoked ', when(token.revokedAt))),
          span({ class: 'issued' }, span({ class: 'quiet' }, 'issued '), when(token.issuedAt)),
          now &&
            token.revokedAt === null &&
            button(
              {
                type: 'button',
                class: 'link',
                'aria-label': `Revoke ${short(token.id)}`,
                onClick: () => setDoing({ revoke: token }),
              },
              'Revoke',
            ),
          doing &&
            'revoke' in doing &&
            doing.revoke.id === token.id &&
            part(Asked, {
              title: `Revoke ${short(token.id)}`,
              says: token.id === signedInBy.value ? 'Revoke it, and sign me out' : 'Revoke it',
              run: (own: string) => revoke(token, own),
              leave,
            }),
        ),
      ),
    ),
  )
}

interface AskedOf {
  readonly title: string
  readonly says: string
  readonly run: (own: string) => Promise<void>
  readonly leave: () => void
}

const Asked = ({ title, says, run, leave }: AskedOf) => {
  const of = useForm((typed) => run(tokenTyped(typed)))
  return section(
    { class: 'asked', 'aria-labelledby': 'asked' },
    h2({ id: 'asked' }, title),
    part(FormOf, {
      of,
      says,
      leave,
      labelledBy: 'asked',
      children: TokenAgain({ of, why: 'A session alone neither gives nor ends what signs in.' }),
    }),
  )
}
