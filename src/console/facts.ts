// The facts as the server tells them, a page at a time: to search in, and to copy as JSON.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { button, code, div, input, label, li, ol, p, span, strong } from './elements.ts'
import { type LifeStore, PAGE, type Step } from './life.ts'
import { ask, query } from './place.ts'
import { clock, many } from './words.ts'

/** What the fact is; what came of it is in the timeline. */
const fact = ({ id, revision, position, at, type, data, by, connection, correlation, cause }: Step) => ({
  id,
  revision,
  position,
  at,
  type,
  data,
  by,
  connection,
  correlation,
  cause,
})

export const Facts = ({ store }: { store: LifeStore }) => {
  const [said, setSaid] = useState('')
  const current = Math.floor(Math.max(0, store.revision.value) / PAGE)
  const [page, setPage] = useState(current)
  useEffect(() => setPage(current), [current])
  useEffect(() => void store.load(page), [store, page])
  const find = query('find') ?? ''
  const facts = store.life.value?.facts ?? 0
  const last = Math.floor(Math.max(0, facts - 1) / PAGE)
  const all = (store.pages.value.get(page)?.items ?? []).map(fact)
  const wanted = find.toLowerCase()
  const found = wanted === '' ? all : all.filter((one) => JSON.stringify(one).toLowerCase().includes(wanted))
  const list = useRef<HTMLOListElement>(null)
  // By hand, so that the page itself stays where it is.
  useLayoutEffect(() => {
    const row = list.current?.querySelector<HTMLElement>('.current')
    if (list.current && row) list.current.scrollTop = row.offsetTop - 8
  }, [store.revision.value, page, all.length])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(`${JSON.stringify(found, null, 2)}\n`)
      setSaid(`${many(found.length, 'fact')} copied.`)
    } catch {
      setSaid('This browser lets a page without TLS copy nothing.')
    }
  }
  const [first, end] = [page * PAGE, Math.min(facts, (page + 1) * PAGE) - 1]
  return div(
    { class: 'facts' },
    div(
      { class: 'sending' },
      label(
        { class: 'find' },
        span({ class: 'quiet' }, 'Find '),
        input({
          type: 'search',
          value: find,
          placeholder: 'a type, an id, a word',
          maxLength: 128,
          spellcheck: false,
          'data-search': 'yes',
          onInput: (event) => ask({ find: event.currentTarget.value }),
        }),
      ),
      button({ type: 'button', disabled: found.length === 0, onClick: () => void copy() }, 'Copy as JSON'),
      span({ role: 'status', class: 'quiet' }, said),
    ),
    p(
      { class: 'quiet' },
      wanted === '' ? `#${first} to #${end} of ${many(facts, 'fact')} ` : `${found.length} of #${first} to #${end} `,
      page > 0 && button({ type: 'button', class: 'link', onClick: () => setPage(page - 1) }, 'earlier'),
      page < last && button({ type: 'button', class: 'link', onClick: () => setPage(page + 1) }, 'later'),
    ),
    ol(
      { ref: list, tabIndex: 0, 'aria-label': 'Facts' },
      found.map((one) =>
        li(
          { key: one.revision, class: one.revision === store.revision.value ? 'current' : undefined },
          button(
            { type: 'button', class: 'row', onClick: () => store.show(one.revision) },
            span({ class: 'num quiet' }, `#${one.revision}`),
            span({ class: 'num' }, clock(one.at)),
            strong(null, one.type),
          ),
          code(null, JSON.stringify(one.data)),
        ),
      ),
    ),
  )
}
