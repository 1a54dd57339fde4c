// What a new log is born with: the key that names its claim streams, the owner, and a room to talk in.

import { createHash } from 'node:crypto'
import { LogUnavailable } from '../log/event-log.ts'
import type { Identity } from './identity.ts'
import type { Ledger } from './ledger.ts'
import { logStream } from './node.facts.ts'
import type { Outcome, Refused } from './outcome.ts'
import type { Chance } from './ports.ts'
import type { Rooms } from './rooms.ts'

/** The owner's and the lobby's names are doors: scripts and first-time visitors rely on them. */
export const OWNER = 'owner'
const LOBBY = { name: 'lobby', aliases: ['moneypot:2'] } as const

export class WrongNameKey extends Error {
  constructor() {
    super(
      'HANSARD_NAME_KEY is not the key this log was made with: its names could not be found. Give the key it was made with.',
    )
    this.name = 'WrongNameKey'
  }
}

/** The log's key: given by setting, or made at birth and kept in the log. @throws WrongNameKey, LogUnavailable */
export const readNameKey = async (ledger: Ledger, given: string, chance: Chance): Promise<string> => {
  await ledger.append(logStream, (last) => {
    if (last) return null
    const nameKey = given || chance.token() + chance.token()
    return { type: 'LogBorn', data: { nameKey: given ? null : nameKey, nameKeyHash: keyHash(nameKey) } }
  })
  const born = (await ledger.at(logStream, 0))?.data as { nameKey: string | null; nameKeyHash: string }
  const key = given || born.nameKey
  if (!key || keyHash(key) !== born.nameKeyHash) throw new WrongNameKey()
  return key
}

const keyHash = (key: string): string => createHash('sha256').update(`hansard name key\n${key}`).digest('hex')

/**
 * Registers the owner and opens the lobby where they are missing. Returns the owner's token if one was made now.
 * @throws LogUnavailable
 */
export const bear = async (identity: Identity, rooms: Rooms, adminToken: string): Promise<string | null> => {
  const owner = await identity.byName(OWNER)
  let made: string | null = null
  if (!owner) {
    const own = adminToken ? { token: adminToken } : {}
    const registered = born(
      await identity.register({ username: OWNER, role: 'admin', guest: false, asker: null, ...own }),
    )
    if (!adminToken) made = registered.token
  } else if (adminToken && !(await identity.byToken(identity.hashToken(adminToken)))) {
    born(await identity.issueToken(owner, null, adminToken))
  }
  if (!(await rooms.byAlias(LOBBY.aliases[0]))) {
    const account = await identity.byName(OWNER)
    born(await rooms.open({ ...LOBBY, asker: null, members: account ? [{ account, role: 'owner' }] : [] }))
  }
  return made
}

const born = <T extends { ok: true } | Outcome>(outcome: T | Refused): Exclude<T, Refused> => {
  if (!outcome.ok) throw new LogUnavailable(`the log could not be set up: ${outcome.refusal.code}`, 'no')
  return outcome as Exclude<T, Refused>
}
