// A token that was made: shown once, in this part's state alone. It has no address, is stored nowhere, and is gone with the
// part: when it is put away, at another page, at signing out, and when the browser puts the page aside.

import { useEffect, useRef, useState } from 'preact/hooks'
import { button, code, div, h2, p, span } from './elements.ts'

export interface Made {
  readonly title: string
  readonly token: string
}

/** Selected for whoever copies by hand, where a page without TLS has no clipboard. */
const select = (element: HTMLElement): void => {
  const range = document.createRange()
  range.selectNodeContents(element)
  getSelection()?.removeAllRanges()
  getSelection()?.addRange(range)
}

interface SecretOf {
  readonly made: Made
  /** drops it */
  readonly away: () => void
  /** what comes then, when somebody put it away */
  readonly put: () => void
}

export const Secret = ({ made, away, put }: SecretOf) => {
  const [said, setSaid] = useState('')
  const head = useRef<HTMLHeadingElement>(null)
  const text = useRef<HTMLElement>(null)
  useEffect(() => head.current?.focus(), [made])
  useEffect(() => {
    // A page that is put aside can come back with all it held.
    addEventListener('pagehide', away)
    return () => removeEventListener('pagehide', away)
  }, [away])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.token)
      setSaid('Copied.')
    } catch {
      if (text.current) select(text.current)
      setSaid('Selected: copy it with Ctrl C or ⌘ C.')
    }
  }
  const putAway = () => {
    away()
    put()
  }
  return div(
    { class: 'secret' },
    h2({ ref: head, tabIndex: -1 }, made.title),
    p(null, 'Its token signs in as this account. It is shown once: nobody can show it again, also not here.'),
    code({ ref: text, class: 'token' }, made.token),
    div(
      { class: 'sending' },
      button({ type: 'button', class: 'primary', onClick: () => void copy() }, 'Copy the token'),
      button({ type: 'button', onClick: putAway }, 'I have it'),
      span({ role: 'status', class: 'quiet' }, said),
    ),
  )
}
