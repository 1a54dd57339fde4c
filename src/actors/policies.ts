// Policies: an acknowledged fact of one stream leads to a command to another.
//
// Each is at least once: its command id is made of fact, policy and target, and the target's chart answers a repeat
// with nothing. What a crash cuts off is repaired at the next start, which reconciles from state (recovery.ts).
// docs/architecture.md has the table of every invariant that spans two streams.

import { createHash } from 'node:crypto'
import { LogUnavailable } from '../log/event-log.ts'
import { isOpenToAll } from './alias.ts'
import { absentConnection, type ConnectionContext } from './connection/connection.context.ts'
import { type CloseCause, connectionStream } from './connection/connection.facts.ts'
import type { Fact } from './fact.ts'
import type { Host, Submitted } from './host.ts'
import type { Acknowledged } from './outcome.ts'
import { pause } from './ports.ts'
import { isAway } from './refusals.ts'
import type { RoomContext } from './room/room.context.ts'
import { roomStream } from './room/room.facts.ts'
import { roleIn } from './rooms.ts'
import type { UserContext } from './user/user.context.ts'
import { userStream } from './user/user.facts.ts'

interface Consequence {
  readonly stream: string
  readonly command: Submitted
}

type Policy = (fact: Fact, host: Host) => Consequence[] | Promise<Consequence[]>

/** How a close looks to the dialect is the dialect's; the cause is ours. */
const close = (connection: string, cause: CloseCause): Consequence => ({
  stream: connectionStream(connection),
  command: { type: 'connection.close', code: null, reason: null, cause, late: false },
})

const connectionsOf = async (host: Host, stream: string): Promise<string[]> => [
  ...(await host.loadContext<UserContext>(stream)).connections.keys(),
]

const closeAll =
  (cause: CloseCause): Policy =>
  async ({ stream }, host) =>
    (await connectionsOf(host, stream)).map((connection) => close(connection, cause))

const connectionOf = (host: Host, connection: string): ConnectionContext | undefined =>
  host.peek(connectionStream(connection))?.snapshot.context as ConnectionContext | undefined

type PutOut = 'kicked' | 'banned'

/** A room that an account hears on one of its connections. */
interface Heard {
  readonly connection: string
  readonly room: string
  /** with a presence there; else it follows */
  readonly entered: boolean
}

/** A socket of a dialect that lives in one room goes with it; others lose the room only. */
const lose = (host: Host, { connection, room, entered }: Heard, after: PutOut | undefined): Consequence[] => {
  const command = { type: 'presence.leave', leaving: connection, cause: after ?? 'left' } as const
  return [
    ...(entered ? [{ stream: roomStream(room), command }] : []),
    connectionOf(host, connection)?.options.oneRoom
      ? close(connection, after ?? 'kicked')
      : { stream: connectionStream(connection), command: { type: 'room.leave', room } },
  ]
}

/** Whoever is put out is a plain member no more; owners and mods keep their role, which an owner takes back by itself. */
const putOut =
  (cause: PutOut): Policy =>
  async ({ stream, data }, host) => {
    const { user } = data as { user: string }
    const { room, members } = await host.loadContext<RoomContext>(stream)
    const removed: Consequence[] =
      members.get(user) === 'member'
        ? [{ stream, command: { type: 'member.remove', asker: null, user, after: cause } }]
        : []
    const heard = await heardIn(host, user, room)
    return [
      ...heard.flatMap((each) => lose(host, each, cause)),
      ...removed,
      ...(await loseChannels(host, user, room, cause)),
    ]
  }

/** Whoever belongs to a room no more hears it no more, on any connection; nor the channels of a space. */
const removed: Policy = async ({ stream, data }, host) => {
  const { user, after } = data as { user: string; after?: PutOut }
  const { room, parent, members } = await host.loadContext<RoomContext>(stream)
  const channels = await loseChannels(host, user, room, after)
  if (parent !== null && (await roleIn(host, { id: parent, parent: null }, user)) !== null) return channels
  const visits = members.has(user) || (await mayVisit(host, user, room))
  const lost = (await heardIn(host, user, room)).filter(({ entered }) => !entered || !visits)
  return [...lost.flatMap((each) => lose(host, each, after)), ...channels]
}

/** Of a space that the account belongs to no more; what it belongs to itself it keeps. */
const loseChannels = async (host: Host, user: string, space: string, after?: PutOut): Promise<Consequence[]> => {
  if ((await host.loadContext<RoomContext>(roomStream(space))).kind !== 'space') return []
  const lost: Consequence[] = []
  for (const heard of await heardBy(host, user)) {
    const { parent, members } = await host.loadContext<RoomContext>(roomStream(heard.room))
    if (parent !== space || members.has(user)) continue
    if (!heard.entered || !(await mayVisit(host, user, heard.room))) lost.push(...lose(host, heard, after))
  }
  return lost
}

/** May the account be there without belonging to it? */
const mayVisit = async (host: Host, user: string, room: string): Promise<boolean> =>
  (await host.loadContext<UserContext>(userStream(user))).role === 'admin' ||
  isOpenToAll(await host.loadContext<RoomContext>(roomStream(room)))

const heardBy = async (host: Host, user: string): Promise<Heard[]> =>
  (await connectionsOf(host, userStream(user))).flatMap((connection) => {
    const { rooms, followed } = connectionOf(host, connection) ?? absentConnection
    return [
      ...[...rooms.keys()].map((room) => ({ connection, room, entered: true })),
      ...[...followed.keys()].map((room) => ({ connection, room, entered: false })),
    ]
  })

/** Also where it has entered and its connection does not say so yet. */
const heardIn = async (host: Host, user: string, room: string): Promise<Heard[]> => {
  const { presence } = await host.loadContext<RoomContext>(roomStream(room))
  const followed = (await heardBy(host, user)).filter((heard) => heard.room === room && !heard.entered)
  const entered = [...(presence.get(user)?.connections.keys() ?? [])]
  return [...entered.map((connection) => ({ connection, room, entered: true })), ...followed]
}

/** In the order in which the account came online on them, which is the same for everybody. */
const closeOlder: Policy = ({ stream, data }, host) => {
  const own = host.contextOf<ConnectionContext>(stream)
  const { user } = data as { user: { id: string } | null }
  if (!user || own.options.socketsPerAccount === 0) return []
  const { connections } = host.contextOf<UserContext>(userStream(user.id))
  const since = connections.get(own.connection)?.revision ?? 0
  const older = [...connections]
    .filter(([other, { revision }]) => revision < since && connectionOf(host, other)?.dialect === own.dialect)
    .sort(([, one], [, other]) => one.revision - other.revision)
  return older
    .slice(0, Math.max(0, older.length + 1 - own.options.socketsPerAccount))
    .map(([other]) => close(other, 'new-device'))
}

const policies: Readonly<Record<string, Policy>> = {
  ConnectionClosed: ({ stream }, host) => {
    const { connection, user, rooms } = host.contextOf<ConnectionContext>(stream)
    const left = [...rooms.keys()].map(
      (room): Consequence => ({
        stream: roomStream(room),
        command: { type: 'presence.leave', leaving: connection, cause: 'closed' },
      }),
    )
    if (!user) return left
    return [...left, { stream: userStream(user.id), command: { type: 'connection.detach', detaching: connection } }]
  },
  AuthSucceeded: closeOlder,
  UserBanned: closeAll('banned'),
  UserKicked: closeAll('kicked'),
  TokenRevoked: async ({ stream, data }, host) => {
    const { token } = data as { token: string }
    const using = (await connectionsOf(host, stream)).filter((connection) => {
      return connectionOf(host, connection)?.token === token
    })
    return using.map((connection) => close(connection, 'auth-failed'))
  },
  MemberRemoved: removed,
  MemberKicked: putOut('kicked'),
  MemberBanned: putOut('banned'),
}

const RETRY_MS = 500

export class Policies {
  readonly #host: Host
  readonly #onFault: (where: string, error: unknown) => void
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(host: Host, onFault: (where: string, error: unknown) => void) {
    this.#host = host
    this.#onFault = onFault
    host.onAcknowledged((batch) => this.#hear(batch))
  }

  #hear({ facts }: Acknowledged): void {
    for (const fact of facts) {
      const policy = policies[fact.type]
      if (!policy) continue
      const run = this.#run(fact, policy).catch((error) => this.#onFault(`policy on ${fact.type}`, error))
      this.#running.add(run)
      run.finally(() => this.#running.delete(run))
    }
  }

  async #run(fact: Fact, policy: Policy): Promise<void> {
    const consequences = await this.#consequences(fact, policy)
    await Promise.all(consequences.map((consequence) => this.#carry(fact, consequence)))
  }

  /** What a policy asks may be on a log that is away. */
  async #consequences(fact: Fact, policy: Policy): Promise<Consequence[]> {
    while (!this.#stopped) {
      try {
        return await policy(fact, this.#host)
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error
      }
      await pause(this.#host.clock, RETRY_MS)
    }
    return []
  }

  async #carry(fact: Fact, { stream, command }: Consequence): Promise<void> {
    const target = `${fact.id}\n${stream}\n${JSON.stringify(command)}`
    const commandId = createHash('sha256').update(target).digest('hex').slice(0, 32)
    const { $correlationId: correlationId } = fact.metadata
    while (!this.#stopped) {
      const outcome = await this.#host.send(stream, { ...command, commandId, correlationId, by: 'system' })
      const away = !outcome.ok && isAway(outcome.refusal.code)
      if (!away || this.#stopped) return
      await pause(this.#host.clock, RETRY_MS)
    }
  }

  /** Resolves when every consequence heard so far, and what follows from it, has been carried out. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  stop(): void {
    this.#stopped = true
  }
}
