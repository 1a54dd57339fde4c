// What a start repairs before anybody is let in: every connection that the log holds open belonged to a process that
// is dead (one process a data directory; the lock says so). It is closed with cause node-lost, and whoever it left in
// a room or online leaves. This also repairs what a crash cut between two streams (see policies.ts).

import { connectionStream } from './connection/connection.facts.ts'
import type { Host, Submitted } from './host.ts'
import { roomStream } from './room/room.facts.ts'
import { userStream } from './user/user.facts.ts'

/** What the log holds open, from read models that have caught up with its head. */
export interface LeftOpen {
  readonly connections: readonly string[]
  readonly presences: readonly { room: string; connection: string }[]
  readonly online: readonly { user: string; connection: string }[]
}

const AT_ONCE = 64

/** Returns how many connections it closed. */
export const closeLeftOpen = async (host: Host, { connections, presences, online }: LeftOpen): Promise<number> => {
  const nodeLost = { cause: 'node-lost', code: null, reason: null, late: true } as const
  await inParallel(connections, (connection) =>
    carry(host, connectionStream(connection), { type: 'connection.close', ...nodeLost }),
  )
  await inParallel(presences, ({ room, connection }) =>
    carry(host, roomStream(room), { type: 'presence.leave', leaving: connection, cause: 'node-lost' }),
  )
  await inParallel(online, ({ user, connection }) =>
    carry(host, userStream(user), { type: 'connection.detach', detaching: connection }),
  )
  return connections.length
}

const carry = async (host: Host, stream: string, command: Submitted): Promise<void> => {
  const outcome = await host.send(stream, { ...command, by: 'system' })
  if (!outcome.ok) throw new Error(`${stream} could not be closed after a crash: ${outcome.refusal.code}`)
  await host.letGo(stream)
}

const inParallel = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
}
