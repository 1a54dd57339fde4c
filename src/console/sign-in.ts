// The first screen: what this is, and what is needed to come in.

import { useState } from 'preact/hooks'
import { a, button, code, div, form, h1, h2, input, label, li, main, p, span, ul } from './elements.ts'
import { signIn } from './server.ts'

export const SignIn = () => {
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const field = (event.target as HTMLFormElement).elements.namedItem('token') as HTMLInputElement
    setBusy(true)
    setError(null)
    try {
      await signIn(field.value.trim())
    } catch (refused) {
      setError((refused as Error).message)
      field.select()
    } finally {
      setBusy(false)
    }
  }
  return main(
    { class: 'door' },
    div(
      { class: 'card' },
      h1(null, span({ class: 'logo', 'aria-hidden': 'true' }), 'hansard console'),
      p(
        null,
        'Every connection, room and user of this server is a state machine, and every step it took is on record. Here you look at them: live, or at any moment of their past.',
      ),
      form(
        { onSubmit: (event) => void submit(event as unknown as SubmitEvent) },
        label({ htmlFor: 'token' }, 'Your token'),
        div(
          { class: 'field' },
          input({
            id: 'token',
            name: 'token',
            type: 'password',
            required: true,
            maxLength: 8_192,
            autoComplete: 'off',
            spellcheck: false,
            'aria-describedby': 'token-hint token-error',
            'aria-invalid': error !== null,
          }),
          button({ type: 'submit', class: 'primary', disabled: busy }, busy ? 'Signing in…' : 'Sign in'),
        ),
        p(
          { class: 'hint', id: 'token-hint' },
          'An admin’s. Where the server runs, ',
          code(null, 'npm run hansard -- user token owner'),
          ' makes one. It is not kept here: you get a session of twelve hours, which ends when the token is revoked.',
        ),
        p({ class: 'error', id: 'token-error', role: 'alert' }, error),
      ),
      h2(null, 'What you will find'),
      ul(
        null,
        li(
          null,
          span(null, 'A connection'),
          ' on its statechart: where it stood, what moved it, what it was refused and why.',
        ),
        li(null, span(null, 'A room'), ' as it read at any moment, and who did what there.'),
        li(null, span(null, 'A user'), ' with every connection it had, online or long gone.'),
      ),
      p({ class: 'hint' }, a({ href: '/' }, 'To the chat'), ' · ', a({ href: '/api/v1/openapi.json' }, 'API')),
    ),
  )
}
