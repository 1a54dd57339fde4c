// From words that somebody remembers to the message, and to its story.

import { useState } from 'preact/hooks'
import { a, button, div, form, h2, input, label, li, p, part, section, span, strong, ul } from './elements.ts'
import { ask, query, to } from './place.ts'
import { type Person, params, useAnswer } from './server.ts'
import { short, when } from './words.ts'

interface Found {
  readonly id: number
  readonly room: string
  readonly author: Person
  readonly text: string | null
  readonly at: string
}

/** found messages, at first and when more are asked for */
const FEW = 20
const MOST = 500

const Search = () => {
  const words = query('q') ?? ''
  const [wide, setWide] = useState('')
  const most = wide === words ? MOST : FEW
  const { value, error } = useAnswer<{ items: readonly Found[]; next: string | null }>(
    words === '' ? null : `/search${params({ q: words, limit: most })}`,
  )
  const { value: rooms } = useAnswer<{ items: readonly { id: string; name: string }[] }>(
    words === '' ? null : '/rooms?limit=500',
  )
  const names = new Map(rooms?.items.map(({ id, name }) => [id, name]))
  return section(
    { class: 'panel finding', 'aria-labelledby': 'search-title' },
    form(
      {
        role: 'search',
        onSubmit: (event) => {
          event.preventDefault()
          ask({ q: String(new FormData(event.currentTarget).get('q') ?? '').trim() })
        },
      },
      label({ htmlFor: 'q' }, h2({ id: 'search-title' }, 'Find a message, and its whole story')),
      div(
        { class: 'field' },
        input({
          id: 'q',
          name: 'q',
          type: 'search',
          value: words,
          placeholder: 'its words; "two words" together; begin*',
          maxLength: 200,
          spellcheck: false,
          'data-search': 'yes',
        }),
        button({ type: 'submit' }, 'Search'),
      ),
    ),
    error && p({ class: 'bad', role: 'alert' }, `It could not be looked for: ${error}.`),
    words !== '' &&
      value &&
      (value.items.length === 0
        ? p(
            { class: 'quiet', role: 'status' },
            'No message that is shown has these words. What is removed is in its room’s transcript.',
          )
        : ul(
            { class: 'found' },
            value.items.map(({ id, room, author, text, at }) =>
              li(
                { key: `${room} ${id}` },
                a({ href: to('rooms', room, 'messages', String(id)), dir: 'auto', class: 'text' }, text),
                span(
                  { class: 'quiet' },
                  strong(null, `@${author.username}`),
                  ' in ',
                  a({ href: to('rooms', room) }, names.get(room) ?? short(room)),
                  ' · ',
                  when(at),
                ),
              ),
            ),
          )),
    value?.next &&
      words !== '' &&
      p(
        { class: 'quiet' },
        `The newest ${value.items.length} are shown; more words narrow it down. `,
        most === FEW && button({ type: 'button', class: 'plain', onClick: () => setWide(words) }, 'show more'),
      ),
  )
}

export const finding = () => part(Search, {})
