// Where we are. Everything that can be looked at has an address, and the address says all of it.

import { computed, signal } from '@preact/signals'

const ROOT = '/console'

const address = signal(location.pathname + location.search)
addEventListener('popstate', () => {
  address.value = location.pathname + location.search
})

const url = computed(() => new URL(address.value, location.origin))

/** `['connections', '<id>']` */
export const steps = computed(() =>
  url.value.pathname.slice(ROOT.length).split('/').filter(Boolean).map(decodeURIComponent),
)
export const query = (name: string): string | null => url.value.searchParams.get(name)

export const to = (...parts: readonly string[]): string => [ROOT, ...parts.map(encodeURIComponent)].join('/')

export const go = (target: string): void => {
  history.pushState(null, '', target)
  address.value = target
  scrollTo(0, 0)
}

/** Changes what the address asks for, without a step in the history: `null` takes it out. */
export const ask = (changes: Readonly<Record<string, string | null>>): void => {
  const next = new URL(url.value)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.searchParams.delete(name)
    else next.searchParams.set(name, value)
  }
  const target = next.pathname + next.search
  if (target === address.value) return
  history.replaceState(null, '', target)
  address.value = target
}

/** Links stay links; those within the console need no new page. */
document.addEventListener('click', (event) => {
  const link = (event.target as Element).closest('a')
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
  const target = new URL(link.href)
  if (target.origin !== location.origin || !`${target.pathname}/`.startsWith(`${ROOT}/`) || link.target) return
  event.preventDefault()
  go(target.pathname + target.search)
})
