// The composition root of a node: opens everything in order, repairs what a crash left, lets people in, and closes in
// reverse. Adapters are chosen by the caller (main.ts, tests).

import type { AddressInfo } from 'node:net'
import type { Summary } from './actors/actor.ts'
import { bear, OWNER, readNameKey } from './actors/birth.ts'
import { Claims } from './actors/claims.ts'
import { Deadlines } from './actors/deadlines.ts'
import { definitions } from './actors/definitions.ts'
import { FactCodec } from './actors/fact-codec.ts'
import { Holder, type Tenant } from './actors/holder.ts'
import { Host } from './actors/host.ts'
import { type ForeignTokens, Identity } from './actors/identity.ts'
import { holderStream, nodeStream } from './actors/node.facts.ts'
import { Policies } from './actors/policies.ts'
import type { Chance, Clock } from './actors/ports.ts'
import { type Rate, RateLimits } from './actors/rate.ts'
import { closeLeftOpen } from './actors/recovery.ts'
import { Retention, type RetentionSource } from './actors/retention.ts'
import { roomOf, roomStream } from './actors/room/room.facts.ts'
import { Rooms } from './actors/rooms.ts'
import { type ApiDependencies, buildApi } from './api/server.ts'
import { type WebhookOptions, Webhooks } from './api/webhooks.ts'
import type { MessageView } from './dialects/dialect.ts'
import { type DialectSettings, dialectsBy } from './dialects/dialects.ts'
import type { EventLog } from './log/event-log.ts'
import type { ReadModels } from './projections/read-models.ts'
import { addressesBehind } from './transports/callers.ts'
import { Hub, type MessageOf } from './transports/hub.ts'
import { type Address, AddressRefused, listenFor, serveSockets } from './transports/listeners.ts'
import { allowedOrigin } from './transports/origins.ts'
import { Sessions } from './transports/sessions.ts'

export interface ServerOptions {
  readonly log: EventLog
  readonly readModels: ReadModels
  readonly clock: Clock
  readonly chance: Chance
  readonly host: string
  readonly port: number
  readonly node: string
  readonly version: string
  readonly adminToken: string
  readonly nameKey: string
  /** of messages */
  readonly rate: Rate | 'off'
  /** of what else a client has stored */
  readonly actRate: Rate | 'off'
  readonly guests: 'auto' | 'on' | 'off'
  /** default: refuse */
  readonly driversSignupExisting?: 'refuse' | 'return'
  readonly origins: readonly string[]
  readonly publicUrl: string
  readonly trustProxy: readonly string[]
  /** default 0: closed connections are never forgotten */
  readonly retentionDays?: number
  readonly maxConnections: number
  readonly typing: boolean
  readonly dialects: DialectSettings
  readonly foreignTokens: ForeignTokens
  /** dialect → an address of its own */
  readonly listen: Readonly<Record<string, Address>>
  /** null: nobody is told */
  readonly webhook: WebhookOptions | null
  /** speaks for the owner as long as this process lives */
  readonly processToken?: string
  /** as `hansard config` shows them; they go on record */
  readonly settings?: Readonly<Record<string, string>>
  readonly pingIntervalMs?: number
  /** of a log on a server, which nothing else keeps other nodes away from */
  readonly alone?: {
    readonly machine: string
    /** id of the data directory */
    readonly directory: string
    onWaiting(text: string): void
    /** another node has taken the log: this process must end */
    onLost(by: Tenant): void
  }
  /** the owner's token, made at this start, before it can fail any more */
  ownerTokenMade?(token: string): void
  /** what said 'not ready' on the address makes room; returns the port */
  beforeListening?(): Promise<number>
  /** for the operator: nothing failed, something should be looked at */
  onWarning?(text: string): void
  onFault(where: string, error: unknown): void
}

export interface RunningServer {
  readonly url: string
  /** addresses of one dialect each */
  readonly listeners: readonly { readonly dialect: string; readonly url: string }[]
  readonly port: number
  readonly host: Host
  readonly identity: Identity
  readonly rooms: Rooms
  readonly sessions: Sessions
  readonly readModels: ReadModels
  /** made at this start, for the operator to keep; null when there was an owner already */
  readonly ownerToken: string | null
  /** connections of a dead process that this start closed */
  readonly recovered: number
  /** resolves when every consequence of what was acknowledged so far has been carried out */
  settled(): Promise<void>
  /** the wall clock was set by so much; time here follows slowly */
  noteClockStep(byMs: number): void
  /** tells clients, finishes what is under way, closes everything it was given too */
  close(cause: string): Promise<void>
}

export const startServer = async (options: ServerOptions): Promise<RunningServer> => {
  const { log, readModels, clock, chance, node, onFault } = options
  const incarnation = chance.uuid()
  const host = new Host({
    log,
    codec: new FactCodec(),
    clock,
    chance,
    node,
    definitions,
    store: storeIn(readModels),
    onFault,
  })
  host.onAcknowledged(() => readModels.poke())
  const { alone } = options
  const self = alone && { node, incarnation, machine: alone.machine, directory: alone.directory }
  const holder = alone && self && (await Holder.take({ ...alone, host, log, self, onFault }))
  await host.start()
  const nameKey = await readNameKey(host.ledger, options.nameKey, chance)
  const claims = new Claims(host.ledger, clock, nameKey)
  const identity = new Identity(host, claims, options.foreignTokens)
  const rooms = new Rooms(host, claims)
  const policies = new Policies(host, onFault)

  const head = await log.head()
  // What was made by other definitions may not know how to answer these.
  const open = { atLeast: head, patient: true }
  const { result: staff } = await readModels.query('users.list', { role: 'admin', limit: 10_000 }, open)
  identity.guardStaffNames(staff)
  const recovered = await closeLeftOpen(host, {
    connections: (await readModels.query('connections.open', {}, open)).result,
    presences: (await readModels.query('presence.open', {}, open)).result,
    online: (await readModels.query('online.open', {}, open)).result,
  })
  await policies.settled()
  const ownerToken = await bear(identity, rooms, options.adminToken)
  if (ownerToken) options.ownerTokenMade?.(ownerToken)
  const owner = options.processToken === undefined ? null : await identity.byName(OWNER)
  if (owner && options.processToken !== undefined) identity.lend(options.processToken, owner)
  const { version, settings } = options
  const started = { node, incarnation, version, ...(settings ? { settings } : {}) }
  await host.ledger.append(nodeStream(node), () => ({ type: 'NodeStarted', data: started }))
  const { cutAtOpening: bytes = 0 } = log
  if (bytes > 0) await host.ledger.append(nodeStream(node), () => ({ type: 'LogTailCut', data: { bytes } }))
  const deadlines = new Deadlines(
    host,
    async (before) => (await readModels.query('deadlines.due', { before, limit: 10_000 }, { patient: true })).result,
    onFault,
  )
  await deadlines.start()
  const retention = new Retention({
    host,
    log,
    source: retentionIn(readModels, nodeStream(node)),
    days: options.retentionDays ?? 0,
    onFault,
  })
  retention.start()

  const dialects = dialectsBy(options.dialects)
  const rates = new RateLimits(options.rate, clock)
  const acts = new RateLimits(options.actRate, clock)
  const hub = new Hub(host, messageIn(readModels), (name) => identity.byName(name), onFault)
  const { maxConnections } = options
  const around = { host, identity, rooms, rates, acts, readModels, node, incarnation, onFault }
  const sessions = new Sessions({
    ...around,
    hub,
    dialects,
    maxConnections,
    typing: options.typing,
    head: () => log.head(),
    epoch: await log.epoch(),
  })
  const mayCall = allowedOrigin(options.origins, options.publicUrl)
  const dependencies: ApiDependencies = {
    ...around,
    log,
    sessions,
    dialects,
    clock,
    chance,
    guests: options.guests,
    adminToken: options.adminToken,
    driversSignupExisting: options.driversSignupExisting ?? 'refuse',
    trustProxy: options.trustProxy,
    version: options.version,
    publicUrl: options.publicUrl,
    allowedOrigin: mayCall,
    onWarning: options.onWarning ?? (() => {}),
  }
  const api = await buildApi(dependencies)
  await api.ready()
  const socketOptions = {
    clock,
    allowedOrigin: mayCall,
    newConnectionId: () => chance.uuid(),
    addressOf: addressesBehind(options.trustProxy),
    ...(options.pingIntervalMs === undefined ? {} : { pingIntervalMs: options.pingIntervalMs }),
  }
  const stopSockets = serveSockets(api.server, sessions, dialects, socketOptions)
  const webhooks = options.webhook && new Webhooks(log, host, options.webhook, dependencies)
  await webhooks?.start()
  const address = { host: options.host, port: (await options.beforeListening?.()) ?? options.port }
  await api.listen(address).catch((error: Error) => {
    throw new AddressRefused('HANSARD_HOST and HANSARD_PORT', address, error)
  })
  const listeners = await Promise.all(
    dialects.flatMap((dialect) => {
      const address = options.listen[dialect.name]
      return address ? [listenFor(dialect, address, api.routing, sessions, socketOptions)] : []
    }),
  )
  const { port } = api.server.address() as AddressInfo
  const shown = options.host.includes(':') ? `[${options.host}]` : options.host

  let closing: Promise<void> | null = null
  const close = async (cause: string): Promise<void> => {
    deadlines.stop()
    retention.stop()
    await sessions.stop()
    await policies.settled()
    await webhooks?.stop()
    await Promise.all([stopSockets(), ...listeners.map((listener) => listener.stop())])
    await api.close()
    // Of the last sockets and requests.
    await policies.settled()
    await host.ledger
      .append(nodeStream(node), () => ({ type: 'NodeStopped', data: { node, incarnation, cause } }))
      .catch((error) => onFault(nodeStream(node), error))
    await holder?.leave().catch((error) => onFault(holderStream, error))
    policies.stop()
    await host.close()
    await readModels.close()
    await log.close()
  }
  return {
    url: `http://${shown}:${port}`,
    listeners,
    port,
    host,
    identity,
    rooms,
    sessions,
    readModels,
    ownerToken,
    recovered,
    settled: () => policies.settled(),
    noteClockStep: (byMs) => {
      host.ledger
        .append(nodeStream(node), () => ({ type: 'ClockStepped', data: { byMs: Math.round(byMs) } }))
        .catch((error) => onFault(nodeStream(node), error))
    },
    close: (cause) => {
      closing ??= close(cause)
      return closing
    },
  }
}

/** A message as fan-out shows it, at least as fresh as the fact about it. */
const messageIn =
  (readModels: ReadModels): MessageOf =>
  async (room, id, revision) => {
    const atLeast = { stream: roomStream(room), revision }
    const { result } = await readModels.query('room.message', { room, id }, { atLeast })
    return result as MessageView | null
  }

/** Which connections are old enough stands in the read models, which know what the node's stream says of them. */
const retentionIn = (readModels: ReadModels, stream: string): RetentionSource => {
  const fresh = (revision: number | null) => (revision === null ? {} : { atLeast: { stream, revision } })
  return {
    forgettable: async (before, limit, atLeast) =>
      (await readModels.query('connections.forgettable', { before, limit }, fresh(atLeast))).result,
    forgottenLast: async (atLeast) =>
      (await readModels.query('connections.forgotten', { stream }, fresh(atLeast))).result,
  }
}

/** Summaries and message rows stand in the read database. */
const storeIn = (readModels: ReadModels) => ({
  summary: async (stream: string, source: string) =>
    (await readModels.query('summary.get', { stream, source })).result as Summary | null,
  keepSummary: (stream: string, source: string, summary: Summary) => {
    readModels.query('summary.put', { stream, source, revision: summary.revision, state: summary }).catch(() => {})
  },
  message: async (roomStream: string, revision: number, id: number) => {
    const room = roomOf(roomStream)
    const { result } = await readModels.query(
      'room.message',
      { room, id },
      { atLeast: { stream: roomStream, revision } },
    )
    return (
      result && {
        id,
        revision: result.revision,
        author: result.author.id,
        text: result.text,
        removed: result.removed !== null,
      }
    )
  },
})
