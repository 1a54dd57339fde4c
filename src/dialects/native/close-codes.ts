// Close codes of the native protocol, in ranges: 41xx come back soon, 42xx come back after a while, 43xx do not come
// back by yourself. docs/protocols/codes.md has them beside those of the other dialects.

import type { CloseCause } from '../../actors/connection/connection.facts.ts'

export interface CloseCode {
  readonly code: number
  readonly reason: string
  /** may it come back by itself, and after how long (the client adds jitter)? null: no */
  readonly comeBackAfterMs: number | null
}

const soon = (code: number, reason: string): CloseCode => ({ code, reason, comeBackAfterMs: 1_000 })
const later = (code: number, reason: string): CloseCode => ({ code, reason, comeBackAfterMs: 30_000 })
const never = (code: number, reason: string): CloseCode => ({ code, reason, comeBackAfterMs: null })

export const closeCodes: Readonly<Record<CloseCause, CloseCode>> = {
  shutdown: soon(4100, 'the server stops'),
  'server-error': soon(4101, 'an unexpected fault'),
  'slow-consumer': soon(4102, 'too much was left unread'),
  'node-lost': soon(4103, 'the node is gone'),
  client: soon(4104, 'no answer to a ping'),
  afk: soon(4105, 'idle for too long'),
  flood: later(4200, 'too many frames at once'),
  'auth-timeout': later(4201, 'nobody signed in in time'),
  'protocol-error': never(4300, 'frames that could not be read'),
  'auth-failed': never(4301, 'this token is not in force'),
  banned: never(4302, 'banned'),
  kicked: never(4303, 'put out by a moderator'),
  admin: never(4304, 'closed by an admin'),
  'new-device': never(4305, 'signed in elsewhere'),
}
