// The three statecharts, as the host takes them.

import * as connection from './connection/connection.machine.ts'
import type { ActorDefinition } from './host.ts'
import * as room from './room/room.machine.ts'
import * as user from './user/user.machine.ts'

/** What every chart decides with. */
const SHARED = ['alias.ts', 'chart.ts', 'decide.ts', 'fact.ts', 'names.ts', 'refusals.ts', 'rules.ts']

/** A context's own type is the chart's affair; the host only hands it back. */
const define = <Context>(
  kind: ActorDefinition['kind'],
  machine: ActorDefinition['machine'],
  part: { summarise(context: Context): unknown; restoreContext(json: unknown): Context },
  files: readonly string[],
): ActorDefinition => ({
  kind,
  machine,
  sources: [...files.map((file) => `${kind}/${file}`), ...SHARED].map((file) => new URL(file, import.meta.url)),
  summarise: (context) => part.summarise(context as Context),
  restoreContext: part.restoreContext,
})

export const definitions: readonly ActorDefinition[] = [
  define('connection', connection.connectionMachine, connection, [
    'connection.facts.ts',
    'connection.machine.ts',
    'connection.branches.ts',
    'connection.context.ts',
    'connection.guards.ts',
  ]),
  define('user', user.userMachine, user, [
    'user.facts.ts',
    'user.machine.ts',
    'user.branches.ts',
    'user.context.ts',
    'user.guards.ts',
  ]),
  define('room', room.roomMachine, room, [
    'room.facts.ts',
    'room.machine.ts',
    'room.branches.ts',
    'room.context.ts',
    'room.guards.ts',
  ]),
]
