// What an account's actor remembers between facts.

import { Map as PersistentMap } from 'immutable'
import type { AccountRole } from '../fact.ts'

/** A connection that the account is online on. */
export interface Attached {
  readonly node: string
  /** of its CameOnline: an older connection has a smaller one */
  readonly revision: number
}

export interface UserContext {
  readonly user: string
  readonly number: number
  readonly username: string
  readonly role: AccountRole
  readonly guest: boolean
  /** token id → SHA-256 of the hex of the token's SHA-256 */
  readonly tokens: PersistentMap<string, string>
  readonly connections: PersistentMap<string, Attached>
  /** as set last while online; empty: none */
  readonly status: Readonly<Record<string, unknown>>
  readonly ban: { readonly until: number | null; readonly fact: string } | null
}

export const absentUser: UserContext = {
  user: '',
  number: 0,
  username: '',
  role: 'member',
  guest: false,
  tokens: PersistentMap(),
  connections: PersistentMap(),
  status: {},
  ban: null,
}

export const summarise = (context: UserContext): unknown => ({
  ...context,
  tokens: [...context.tokens],
  connections: [...context.connections],
})

export const restoreContext = (json: unknown): UserContext => {
  const plain = json as UserContext & { tokens: Iterable<[string, string]>; connections: Iterable<[string, Attached]> }
  return { ...plain, tokens: PersistentMap(plain.tokens), connections: PersistentMap(plain.connections) }
}
