// What the server is asked, and how what it says is kept. Nothing is folded here.

import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'

export interface Person {
  readonly id: string
  readonly number: number
  readonly username: string
  readonly role?: string
}

/** undefined: not known yet; null: nobody */
export const signedIn = signal<Person | null | undefined>(undefined)
/** the id of the token that this session was opened with */
export const signedInBy = signal<string | null>(null)

type Values = Readonly<Record<string, unknown>>

/** What the server said no with: its words, and what it looked at. */
export class Refused extends Error {
  /** 0: it was not reached */
  readonly status: number
  readonly code: string
  readonly values: Values
  constructor(status: number, detail: string, code = '', values: Values = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.values = values
  }
}

const API = '/api/v1'

/** `token`: for what a session may not do; sent with this one request. */
const ask = async <T>(method: string, path: string, body?: unknown, token?: string): Promise<T> => {
  const response = await fetch(`${API}${path}`, {
    method,
    headers: {
      'x-hansard-console': '1',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Refused(0, 'the server cannot be reached')
  })
  if (response.status === 204) return undefined as T
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer as T
  // A token that was typed is wrong by itself; without one, the session is over.
  if (response.status === 401 && path !== '/console/session' && token === undefined) signedIn.value = null
  const { detail = `the server answered ${response.status}`, code, values } = answer as Partial<ProblemAnswer>
  throw new Refused(response.status, detail, code, values)
}

interface ProblemAnswer {
  readonly detail: string
  readonly code: string
  readonly values: Values
}

export const get = <T>(path: string): Promise<T> => ask<T>('GET', path)
export const post = <T>(path: string, body?: unknown, token?: string): Promise<T> => ask<T>('POST', path, body, token)
export const remove = (path: string, token: string): Promise<void> => ask('DELETE', path, undefined, token)

export const params = (values: Readonly<Record<string, string | number | null | undefined>>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

interface Session {
  readonly user: Person | null
  readonly token: string | null
}

const came = ({ user, token }: Session): void => {
  signedInBy.value = token
  signedIn.value = user
}

export const signIn = async (token: string): Promise<void> => {
  came(await ask<Session>('POST', '/console/session', { token }))
}

export const signOut = async (): Promise<void> => {
  await ask('DELETE', '/console/session').catch(() => {})
  signedIn.value = null
}

export const whoIsIt = async (): Promise<void> => {
  try {
    came(await get<Session>('/console/session'))
  } catch {
    signedIn.value = null
  }
}

export interface Answer<T> {
  /** the last one that came; stays while another is asked for, so that nothing jumps */
  readonly value: T | null
  readonly error: string | null
}

/** What is at this path, asked for anew when the path or `again` changes; null asks nothing. */
export const useAnswer = <T>(path: string | null, again = 0): Answer<T> => {
  const [answer, setAnswer] = useState<Answer<T> & { path: string | null }>({ path, value: null, error: null })
  useEffect(() => {
    if (path === null) return
    let wanted = true
    get<T>(path).then(
      (value) => wanted && setAnswer({ path, value, error: null }),
      (error: Error) => wanted && setAnswer((before) => ({ ...before, path, error: error.message })),
    )
    return () => {
      wanted = false
    }
  }, [path, again])
  return answer
}

/** The server tells of changes at most every half second, and of none that follow within it: we look a little later. */
const LOOK_AFTER_MS = 700

/** A tab in the background hears nothing; it looks anew when somebody comes back to it. */
export const visible = signal(!document.hidden)
document.addEventListener('visibilitychange', () => {
  visible.value = !document.hidden
})

/** Counts up when something changed in these lists, while somebody looks. */
export const useChanges = (of: 'connections' | 'rooms' | 'users' | 'all', live = true): number => {
  const [count, setCount] = useState(0)
  const seen = visible.value
  useEffect(() => {
    if (!live || !seen) return
    let timer: ReturnType<typeof setTimeout> | null = null
    // What changed while nobody looked, or while the stream was being opened.
    setCount((before) => before + 1)
    const close = listen(`/console/changes?of=${of}`, {
      changed: () => {
        timer ??= setTimeout(() => {
          timer = null
          setCount((before) => before + 1)
        }, LOOK_AFTER_MS)
      },
    })
    return () => {
      close()
      if (timer !== null) clearTimeout(timer)
    }
  }, [of, live, seen])
  return count
}

/** Server-sent events; the browser resumes by itself from the last id. Returns what ends it. */
export const listen = (
  path: string,
  on: Readonly<Record<string, (data: never) => void>>,
  state: (open: boolean) => void = () => {},
): (() => void) => {
  const source = new EventSource(`${API}${path}`)
  for (const [event, heard] of Object.entries(on)) {
    source.addEventListener(event, (message) => heard(JSON.parse((message as MessageEvent<string>).data) as never))
  }
  source.onopen = () => state(true)
  source.onerror = () => {
    state(false)
    // Closed for good: most likely the session is over.
    if (source.readyState === EventSource.CLOSED) void whoIsIt()
  }
  return () => source.close()
}
