// Keys, one table: what is pressed, what it does, and how the help says it. They are silent while somebody types.

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

export interface Key {
  /** as `KeyboardEvent.key`, with `Shift+` before it where that is held */
  readonly keys: readonly string[]
  readonly says: string
  run(): void
}

export const helpShown = signal(false)
/** as the last rendering of each part had them */
const tables = signal<readonly { readonly current: readonly Key[] }[]>([])
export const keysNow = (): readonly Key[] => tables.value.flatMap(({ current }) => current)

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input:not([type=range], [type=checkbox]), textarea, select')

/** Space and Enter belong to the control that has the focus. */
const isPressed = (target: EventTarget | null, key: string): boolean =>
  (key === ' ' || key === 'Enter') &&
  target instanceof Element &&
  target.closest('button, a, summary, [type=checkbox], [role=button]') !== null

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
  if (isPressed(event.target, event.key)) return
  if (document.querySelector('dialog[open]') && event.key !== '?') return
  const pressed = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key
  const found = keysNow().find(({ keys }) => keys.includes(pressed))
  if (!found) return
  event.preventDefault()
  found.run()
})

/** Its keys hold while the part is on the page. */
export const useKeys = (keys: readonly Key[]): void => {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    tables.value = [...tables.peek(), latest]
    return () => {
      tables.value = tables.peek().filter((other) => other !== latest)
    }
  }, [])
}
