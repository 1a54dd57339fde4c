// Facts of streams that have no statechart: nodes, claims of names, number series, machine definitions, the log itself.

import { z } from 'zod'
import { type FactsOf, factType, instant } from './fact.ts'
import { rule } from './rules.ts'

export const nodeStream = (name: string): string => `node-${name}`
export const numbersStream = (kind: 'user' | 'room' | 'message'): string => `numbers-${kind}`
export const machinesStream = 'machines'
export const logStream = 'log'

const place = { position: z.int(), at: instant }

export const nodeFacts = {
  NodeStarted: factType(
    'node',
    z.object({
      node: z.string(),
      incarnation: z.string(),
      version: z.string(),
      /** the settings in force as `hansard config` shows them: of a secret, that it was set */
      settings: z.record(z.string(), z.string()).optional(),
    }),
  ),
  NodeStopped: factType('node', z.object({ node: z.string(), incarnation: z.string(), cause: z.string() })),
  /** connections that went before their first frame, and frames beyond limits, counted per minute */
  ConnectionsTurnedAway: factType('node', z.object({ since: instant, counts: z.record(z.string(), z.int()) })),
  /** the log stores again; since then an append had failed on it */
  LogReturned: factType('node', z.object({ since: instant })),
  /**
   * What outlives connections that are about to be forgotten: refused acts of staff, as the moderation log shows them, and
   * how far accounts had read. Each with the position and time of the fact that it was read from.
   */
  ConnectionsRemembered: factType(
    'node',
    z.object({
      acts: z.array(
        z.object({
          ...place,
          room: z.string().nullable(),
          actor: z.string().nullable(),
          detail: z.record(z.string(), z.unknown()),
        }),
      ),
      reads: z.array(
        z.object({ ...place, connection: z.string(), room: z.string(), user: z.string(), message: z.int() }),
      ),
    }),
  ),
  /**
   * These connections, closed before that moment, are out of the log, or will be in a moment; `closings` counts them by
   * cause. Their rows leave every read model on this fact.
   */
  ConnectionsForgotten: factType(
    'node',
    z.object({ before: instant, ids: z.array(z.string()).max(4_000), closings: z.record(z.string(), z.int()) }),
  ),
  /** behind the log's last whole commit this start found so many bytes of another, cut short, and left them out */
  LogTailCut: factType('node', z.object({ bytes: z.int() })),
  ActorQuarantined: factType('node', z.object({ stream: z.string(), revision: z.int(), error: z.string() })),
  /** stream `webhook-<hash of the address>`: everything up to this position was confirmed */
  WebhookDelivered: factType('webhook', z.object({ upTo: z.int() })),
  ClockStepped: factType('node', z.object({ byMs: z.int() })),

  /** stream `rules`: the words blocked in every room, whole at each change */
  RulesSet: factType('rules', z.object({ version: z.int(), rules: z.array(rule) })),

  /** stream `import-<room>-<day>`: so many lines of a log of that day are in the room, with the hash of their text */
  LinesImported: factType('import', z.object({ lines: z.int(), hash: z.string() })),

  /** stream `log`, once: the key that names claims when no setting gives one */
  LogBorn: factType('node', z.object({ nameKey: z.string().nullable(), nameKeyHash: z.string() })),
  /** stream `log`: from here on it is another log than the one of that epoch, whose facts up to `head` it has */
  LogRestored: factType('node', z.object({ previousEpoch: z.string(), head: z.int() })),
  MachineDefined: factType('machines', z.object({ kind: z.string(), hash: z.string(), definition: z.unknown() })),

  NameClaimed: factType('name', z.object({ owner: z.string() })),
  NameReleased: factType('name', z.object({ owner: z.string() })),

  /** the number is the fact's revision + 1 */
  NumberTaken: factType('numbers', z.object({ owner: z.string() })),
  IdsReserved: factType('numbers', z.object({ from: z.int(), count: z.int(), node: z.string() })),
} as const

export type NodeFact = FactsOf<typeof nodeFacts>
export type NodeFactData<T extends keyof typeof nodeFacts> = z.infer<(typeof nodeFacts)[T]['schema']>
