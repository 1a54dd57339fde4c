// The user's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import {
  type AccountRole,
  accountRole,
  type CommandFields,
  type FactEventsOf,
  type FactsOf,
  factType,
  fired,
  instant,
  kept,
  personal,
} from '../fact.ts'
import type { Asker } from '../room/room.facts.ts'

export const userStream = (user: string): string => `user-${user}`

const by = z.object({ id: z.string(), number: z.int(), username: personal(z.string(), 'id') }).nullable()
const reason = personal(z.string().nullable(), 'self')

export const userFacts = {
  UserRegistered: factType(
    'user',
    z.object({
      user: z.string(),
      number: z.int(),
      username: personal(z.string(), 'self'),
      role: accountRole,
      guest: z.boolean(),
      machine: z.string(),
    }),
  ),
  UserRenamed: factType('user', z.object({ username: personal(z.string(), 'self') })),
  /** `hash` is SHA-256 of the hex of the token's SHA-256; never shown to any reader */
  TokenIssued: factType('user', z.object({ token: z.string(), hash: z.string() })),
  TokenRevoked: factType('user', z.object({ token: z.string() })),
  /** fields of a dialect's own; those not named keep their values */
  ProfileSet: factType('user', z.object({ dialect: z.string(), fields: personal(kept, 'self') })),
  RoleGranted: factType('user', z.object({ role: accountRole, by })),
  RoleRevoked: factType('user', z.object({ role: accountRole, by })),
  CameOnline: factType('user', z.object({ connection: z.string(), node: z.string(), first: z.boolean() })),
  WentOffline: factType('user', z.object({ connection: z.string(), last: z.boolean() })),
  StatusChanged: factType('user', z.object({ status: personal(kept, 'self') })),
  UserBanned: factType('user', z.object({ by, until: instant.nullable(), reason })),
  BanLifted: factType('user', z.object({ by, reason })),
  BanExpired: factType('user', z.object(fired)),
  UserKicked: factType('user', z.object({ by, reason })),
} as const

export type UserFact = FactsOf<typeof userFacts>
export type UserFactEvent = FactEventsOf<typeof userFacts>

interface Asked extends CommandFields {
  readonly asker: Asker | null
}

export type UserCommand =
  | (Asked & {
      type: 'user.register'
      user: string
      number: number
      username: string
      role: AccountRole
      guest: boolean
      machine: string
      token: { id: string; hash: string } | null
      /** what a dialect asks of whoever registers */
      profile?: { readonly dialect: string; readonly fields: Readonly<Record<string, unknown>> } | null
    })
  | (Asked & { type: 'user.rename'; username: string })
  | (Asked & { type: 'token.issue'; token: string; hash: string })
  | (Asked & { type: 'token.revoke'; token: string })
  | (Asked & { type: 'profile.set'; dialect: string; fields: Readonly<Record<string, unknown>> })
  | (Asked & { type: 'role.set'; role: AccountRole })
  /** may this account have a connection now? refused `banned`, or `token-revoked` when `token` is not in force */
  | (CommandFields & { type: 'connection.attach'; attaching: string; node: string; token: string | null })
  | (CommandFields & { type: 'connection.detach'; detaching: string })
  | (CommandFields & { type: 'status.set'; status: Readonly<Record<string, unknown>> })
  | (Asked & { type: 'user.ban'; seconds: number | null; reason: string | null })
  | (Asked & { type: 'user.unban'; reason: string | null })
  | (Asked & { type: 'user.kick'; reason: string | null })
  // timer
  | (CommandFields & { type: 'ban.expire'; due: number })
