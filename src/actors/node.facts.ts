// Facts of streams that have no statechart: nodes, claims of names, number series, machine definitions, the log itself.

import { z } from 'zod'
import { type FactsOf, factType, instant } from './fact.ts'
import { rule } from './rules.ts'

export const nodeStream = (name: string): string => `node-${name}`
export const numbersStream = (kind: 'user' | 'room' | 'message'): string => `numbers-${kind}`
export const machinesStream = 'machines'
export const logStream = 'log'

export const nodeFacts = {
  NodeStarted: factType('node', z.object({ node: z.string(), incarnation: z.string(), version: z.string() })),
  NodeStopped: factType('node', z.object({ node: z.string(), incarnation: z.string(), cause: z.string() })),
  /** connections that went before their first frame, and frames beyond limits, counted per minute */
  ConnectionsTurnedAway: factType('node', z.object({ since: instant, counts: z.record(z.string(), z.int()) })),
  /** the log stores again; since then an append had failed on it */
  LogReturned: factType('node', z.object({ since: instant })),
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
  MachineDefined: factType('machines', z.object({ kind: z.string(), hash: z.string(), definition: z.unknown() })),

  NameClaimed: factType('name', z.object({ owner: z.string() })),
  NameReleased: factType('name', z.object({ owner: z.string() })),

  /** the number is the fact's revision + 1 */
  NumberTaken: factType('numbers', z.object({ owner: z.string() })),
  IdsReserved: factType('numbers', z.object({ from: z.int(), count: z.int(), node: z.string() })),
} as const

export type NodeFact = FactsOf<typeof nodeFacts>
