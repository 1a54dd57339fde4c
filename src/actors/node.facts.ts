// Facts of streams that have no statechart: nodes, claims of names, number series, machine definitions, the log itself.

import { z } from 'zod'
import { type FactsOf, factType, instant } from './fact.ts'
import { rule } from './rules.ts'

export const nodeStream = (name: string): string => `node-${name}`
export const numbersStream = (kind: 'user' | 'room' | 'message'): string => `numbers-${kind}`
export const machinesStream = 'machines'
export const logStream = 'log'
export const holderStream = 'holder'

const tenant = z.object({
  node: z.string(),
  incarnation: z.string(),
  machine: z.string().describe('its name'),
  directory: z.string().describe('an id of its data directory, which one process at a time has'),
})

const place = { position: z.int(), at: instant }

export const nodeFacts = {
  NodeStarted: factType(
    'node',
    'a process began to serve the log',
    z.object({
      node: z.string(),
      incarnation: z.string(),
      version: z.string(),
      settings: z
        .record(z.string(), z.string())
        .optional()
        .describe('the settings in force as `hansard config` shows them: of a secret, that it was set'),
    }),
  ),
  NodeStopped: factType(
    'node',
    'the process ended in order; after a crash there is none',
    z.object({ node: z.string(), incarnation: z.string(), cause: z.string() }),
  ),
  ConnectionsTurnedAway: factType(
    'node',
    'connections that went before their first frame, and frames beyond limits, counted per minute',
    z.object({ since: instant, counts: z.record(z.string(), z.int()) }),
  ),
  LogReturned: factType(
    'node',
    'the log stores again; since then an append had failed on it',
    z.object({ since: instant }),
  ),
  ConnectionsRemembered: factType(
    'node',
    'what outlives connections that are about to be forgotten: refused acts of staff, as the moderation log shows them, and how far accounts had read; each with the position and time of the fact that it was read from',
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
  ConnectionsForgotten: factType(
    'node',
    'these connections, closed before that moment, are out of the log, or will be in a moment; their rows leave every read model on this fact',
    z.object({
      before: instant,
      ids: z.array(z.string()).max(4_000),
      closings: z.record(z.string(), z.int()).describe('how many closed, by cause'),
    }),
  ),
  LogTailCut: factType(
    'node',
    "behind the log's last whole commit this start found so many bytes of another, cut short, and left them out",
    z.object({ bytes: z.int() }),
  ),
  ActorQuarantined: factType(
    'node',
    'an actor could not fold a fact of its stream and is out of service until a version can',
    z.object({ stream: z.string(), revision: z.int(), error: z.string() }),
  ),
  WebhookDelivered: factType('webhook', 'everything up to this position was confirmed', z.object({ upTo: z.int() })),
  ClockStepped: factType('node', "the machine's clock jumped", z.object({ byMs: z.int() })),

  RulesSet: factType(
    'rules',
    'the words blocked in every room, whole at each change',
    z.object({ version: z.int().describe('counts the changes'), rules: z.array(rule) }),
  ),

  LinesImported: factType(
    'import',
    'so many lines of a log of that day are in the room, with the hash of their text',
    z.object({ lines: z.int(), hash: z.string() }),
  ),

  LogBorn: factType(
    'node',
    'stream `log`, once: the key that names claims when no setting gives one',
    z.object({ nameKey: z.string().nullable(), nameKeyHash: z.string() }),
  ),
  LogRestored: factType(
    'node',
    'stream `log`: from here on it is another log than the one of that epoch, whose facts up to `head` it has',
    z.object({ previousEpoch: z.string(), head: z.int() }),
  ),
  LogTaken: factType('node', 'stream `holder`: from here on this node serves a log that is on a server', tenant),
  LogWanted: factType('node', 'stream `holder`: another would, and asks whether the one that does still lives', tenant),
  LogKept: factType('node', 'stream `holder`: it does, so the other ends', tenant),
  LogLeft: factType('node', 'stream `holder`: it ended in order; the log is free', tenant),
  MachineDefined: factType(
    'machines',
    'a statechart as it was when lives began under it',
    z.object({
      kind: z.string(),
      hash: z.string().describe('of the sources that it decides with'),
      definition: z.unknown(),
    }),
  ),

  NameClaimed: factType(
    'name',
    'a name, alias, phone number or token has an owner, once the owner confirms it in a stream of its own',
    z.object({ owner: z.string() }),
  ),
  NameReleased: factType('name', 'the owner gave it up', z.object({ owner: z.string() })),

  NumberTaken: factType('numbers', "the number is the fact's revision + 1", z.object({ owner: z.string() })),
  IdsReserved: factType(
    'numbers',
    'a block of message ids that a node may give out',
    z.object({ from: z.int(), count: z.int(), node: z.string() }),
  ),
} as const

export type NodeFact = FactsOf<typeof nodeFacts>
export type NodeFactData<T extends keyof typeof nodeFacts> = z.infer<(typeof nodeFacts)[T]['schema']>
