// What a connection remembers between facts.

import { Map as PersistentMap } from 'immutable'
import type { Person } from '../fact.ts'
import type { ConnectionLimits, ConnectionOptions } from './connection.facts.ts'

export interface ConnectionContext {
  readonly connection: string
  readonly dialect: string | null
  /** when the socket opened */
  readonly openedAt: number
  readonly limits: ConnectionLimits
  readonly options: ConnectionOptions
  /** null: not signed in, or an anonymous reader */
  readonly user: Person | null
  readonly token: string | null
  /** rooms entered → revision its snapshot was read at */
  readonly rooms: PersistentMap<string, number>
  /** rooms heard without entering → revision that live facts follow above */
  readonly followed: PersistentMap<string, number>
  /** room → the last message it said to have read */
  readonly read: PersistentMap<string, number>
  /** room → since when it is typing there */
  readonly typing: PersistentMap<string, Typing>
  /** room → when it last began to type there, of the last second */
  readonly typed: PersistentMap<string, number>
}

/** ms since 1970; `due` null: it does not end by itself */
export interface Typing {
  readonly at: number
  readonly due: number | null
}

export const absentConnection: ConnectionContext = {
  connection: '',
  dialect: null,
  openedAt: 0,
  limits: { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
  options: { oneRoom: false, socketsPerAccount: 0, closeCodes: {} },
  user: null,
  token: null,
  rooms: PersistentMap(),
  followed: PersistentMap(),
  read: PersistentMap(),
  typing: PersistentMap(),
  typed: PersistentMap(),
}

export const summarise = (context: ConnectionContext): unknown => ({
  ...context,
  rooms: [...context.rooms],
  followed: [...context.followed],
  read: [...context.read],
  typing: [...context.typing],
  typed: [...context.typed],
})

export const restoreContext = (json: unknown): ConnectionContext => {
  const plain = json as Omit<ConnectionContext, 'rooms' | 'followed' | 'read' | 'typing' | 'typed'> & {
    rooms: Iterable<[string, number]>
    followed: Iterable<[string, number]>
    read: Iterable<[string, number]>
    typing: Iterable<[string, Typing]>
    typed: Iterable<[string, number]>
  }
  return {
    ...plain,
    rooms: PersistentMap(plain.rooms),
    followed: PersistentMap(plain.followed),
    read: PersistentMap(plain.read),
    typing: PersistentMap(plain.typing),
    typed: PersistentMap(plain.typed),
  }
}
