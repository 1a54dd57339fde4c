// The three statecharts, as the host takes them.

import * as connection from './connection/connection.machine.ts'
import type { ActorDefinition } from './host.ts'
import * as room from './room/room.machine.ts'
import * as user from './user/user.machine.ts'

const sources = (folder: string, ...files: string[]): URL[] =>
  files.map((file) => new URL(`./${folder}/${file}`, import.meta.url))

export const definitions: readonly ActorDefinition[] = [
  {
    kind: 'connection',
    machine: connection.connectionMachine,
    sources: sources('connection', 'connection.machine.ts'),
    summarise: connection.summarise as ActorDefinition['summarise'],
    restoreContext: connection.restoreContext as ActorDefinition['restoreContext'],
  },
]
void room
void user
