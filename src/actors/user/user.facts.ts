// The user's facts and commands. Fact names and shapes are storage format (see fact.ts).

import { z } from 'zod'
import {
  type AccountRole,
  accountRole,
  by,
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

const reason = personal(z.string().nullable(), 'self')

export const userFacts = {
  UserRegistered: factType(
    'user',
    'the first fact of an account',
    z.object({
      user: z.string(),
      number: z.int(),
      username: personal(z.string(), 'self'),
      role: accountRole,
      guest: z.boolean(),
      machine: z.string(),
    }),
  ),
  UserRenamed: factType('user', 'another username from now on', z.object({ username: personal(z.string(), 'self') })),
  TokenIssued: factType(
    'user',
    'a token that signs in; its text is shown once and never kept',
    z.object({
      token: z.string().describe('its id'),
      hash: z.string().describe("SHA-256 of the hex of the token's SHA-256; shown to no reader"),
      label: personal(z.string(), 'self').optional().describe('what it is for, in the words of whoever had it issued'),
    }),
  ),
  TokenRevoked: factType('user', 'a token signs in no more, and its connections end', z.object({ token: z.string() })),
  ProfileSet: factType(
    'user',
    "fields of a dialect's own; those not named keep their values",
    z.object({ dialect: z.string(), fields: personal(kept, 'self') }),
  ),
  RoleGranted: factType('user', 'what the account may do on the whole server', z.object({ role: accountRole, by })),
  RoleRevoked: factType('user', 'a role was taken away', z.object({ role: accountRole, by })),
  CameOnline: factType(
    'user',
    'a connection signed in as this account',
    z.object({ connection: z.string(), node: z.string(), first: z.boolean().describe('no other was open') }),
  ),
  WentOffline: factType(
    'user',
    'a connection of this account ended',
    z.object({ connection: z.string(), last: z.boolean().describe('no other is open') }),
  ),
  StatusChanged: factType(
    'user',
    'what the account shows of itself to those who share a room with it',
    z.object({ status: personal(kept, 'self') }),
  ),
  UserBanned: factType(
    'user',
    'may not sign in anywhere; its connections end',
    z.object({ by, until: instant.nullable().describe('null: no end'), reason }),
  ),
  BanLifted: factType('user', 'a ban from everywhere was lifted before its end', z.object({ by, reason })),
  BanExpired: factType('user', 'a ban from everywhere came to its end', z.object(fired)),
  UserKicked: factType(
    'user',
    'every connection of the account was closed; it may come back',
    z.object({ by, reason }),
  ),
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
  | (Asked & { type: 'token.issue'; token: string; hash: string; label?: string })
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
