// What every form has: one request at a time, what the server refused said at the field it is about, and the focus there.

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { button, div, fieldset, form, input, label, legend, p, span } from './elements.ts'
import { Refused } from './server.ts'

export interface Fault {
  /** null: about the form as a whole */
  readonly field: string | null
  readonly text: string
}

/** What was typed, by field; and what is wrong with it. */
interface Form {
  readonly busy: boolean
  readonly fault: Fault | null
  onSubmit(event: Event): void
}

/** Names that the server's values may hold of what it looked at, said after its words. */
const NAMED = ['alias', 'user', 'room'] as const

/** In the server's words, at the field that it names; of a token that was typed, at that. */
const faultOf = (error: unknown, fields: readonly string[]): Fault => {
  if (!(error instanceof Refused)) throw error
  const { status, values, message } = error
  if (status === 0) return { field: null, text: `${message}; look whether it is there before you try again` }
  const named = typeof values.field === 'string' ? (values.field.split('.')[0] ?? '') : null
  const field = named ?? (status === 401 || status === 403 ? TOKEN_FIELD : null)
  const rule = error.code === 'malformed' && typeof values.rule === 'string' ? values.rule : message
  const what = NAMED.map((name) => values[name]).find((value) => typeof value === 'string')
  const text = what === undefined ? rule : `${rule}: ${what}`
  return field !== null && fields.includes(field) ? { field, text } : { field: null, text: message }
}

export const useForm = (send: (typed: ReadonlyMap<string, string>) => Promise<void>): Form => {
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<Fault | null>(null)
  /** at once, where the state of the part comes with its next rendering */
  const sending = useRef(false)
  const here = useRef<HTMLFormElement | null>(null)
  useEffect(() => {
    if (fault?.field) here.current?.querySelector<HTMLElement>(`[name="${fault.field}"]`)?.focus()
  }, [fault])
  const onSubmit = async (event: Event) => {
    event.preventDefault()
    if (sending.current) return
    sending.current = true
    const target = event.currentTarget as HTMLFormElement
    here.current = target
    const typed = new Map([...new FormData(target)].map(([name, value]) => [name, String(value).trim()]))
    setBusy(true)
    setFault(null)
    try {
      await send(typed)
    } catch (error) {
      setFault(faultOf(error, [...typed.keys()]))
    } finally {
      sending.current = false
      setBusy(false)
    }
  }
  return { busy, fault, onSubmit: (event) => void onSubmit(event) }
}

/** `says` is what its button does; `leave` what another does instead. */
export const FormOf = ({
  of,
  says,
  leave,
  labelledBy,
  children,
}: {
  readonly of: Form
  readonly says: string
  readonly labelledBy: string
  readonly leave: () => void
  readonly children: ComponentChildren
}) => {
  const first = useRef<HTMLFormElement>(null)
  useEffect(() => first.current?.querySelector<HTMLElement>('input')?.focus(), [])
  const { busy, fault } = of
  return form(
    {
      ref: first,
      class: 'fields',
      // The server says what is wrong, in one way for everybody.
      noValidate: true,
      autoComplete: 'off',
      'aria-labelledby': labelledBy,
      'aria-busy': busy,
      onSubmit: of.onSubmit,
    },
    children,
    div(
      { class: 'sending' },
      button({ type: 'submit', class: 'primary', disabled: busy }, busy ? 'A moment…' : says),
      button({ type: 'button', class: 'plain', onClick: leave }, 'Cancel'),
      p({ class: 'error', role: 'alert' }, fault?.field === null && fault.text),
    ),
  )
}

interface FieldOf {
  readonly of: Form
  readonly name: string
  readonly title: string
  readonly hint?: ComponentChildren
  readonly placeholder?: string
  /** what stands in it at first */
  readonly initial?: string
  readonly maxLength?: number
  readonly secret?: boolean
}

export const Field = ({ of, name, title, hint, initial, secret = false, ...rest }: FieldOf) => {
  const wrong = of.fault?.field === name ? of.fault.text : null
  return div(
    { class: 'field' },
    label({ htmlFor: `field-${name}` }, title),
    input({
      id: `field-${name}`,
      name,
      type: (secret ? 'password' : 'text') as 'text',
      defaultValue: initial,
      autoComplete: 'off',
      autoCapitalize: 'none',
      spellcheck: false,
      'aria-invalid': wrong !== null,
      'aria-describedby': `hint-${name} fault-${name}`,
      ...rest,
    }),
    p({ class: 'error', id: `fault-${name}`, role: 'alert' }, wrong),
    p({ class: 'hint', id: `hint-${name}` }, hint),
  )
}

/** One of a few, each with what it means. */
export const Choice = ({
  name,
  title,
  values,
  chosen,
  choose,
}: {
  readonly name: string
  readonly title: string
  readonly values: Readonly<Record<string, string>>
  readonly chosen: string
  readonly choose: (value: string) => void
}) =>
  fieldset(
    { class: 'choice' },
    legend(null, title),
    Object.entries(values).map(([value, means]) =>
      label(
        { key: value },
        input({ type: 'radio', name, value, checked: value === chosen, onChange: () => choose(value) }),
        span(null, span({ class: 'value' }, value), span({ class: 'hint' }, means)),
      ),
    ),
  )

const TOKEN_FIELD = 'authorization'

/** The session does not do for this: see console-sessions.ts. */
export const TokenAgain = ({ of, why }: { readonly of: Form; readonly why: string }) =>
  Field({
    of,
    name: TOKEN_FIELD,
    title: 'Your token, once more',
    secret: true,
    maxLength: 8_192,
    hint: `${why} The token goes with this one request, and is not kept.`,
  })

export const tokenTyped = (typed: ReadonlyMap<string, string>): string => {
  const token = typed.get(TOKEN_FIELD) ?? ''
  // What could not be sent in a header is no token either.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Refused(401, 'type the token you signed in with', 'user-required')
  return token
}
