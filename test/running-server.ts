// A whole node in this process, for tests through its doors: real sockets, a real or an in-memory log.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MemberRole } from '../src/actors/fact.ts'
import type { Account } from '../src/actors/identity.ts'
import type { Chance, Clock } from '../src/actors/ports.ts'
import { JsonWebTokens } from '../src/json-web-tokens.ts'
import type { EventLog } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { LocalReadModels, type ReadModels, ThreadedReadModels } from '../src/projections/read-models.ts'
import { SecureChance } from '../src/secure-chance.ts'
import { type RunningServer, type ServerOptions, startServer } from '../src/server.ts'
import { WallClock } from '../src/wall-clock.ts'

export interface TestServer extends RunningServer {
  readonly log: EventLog
  readonly faults: string[]
  readonly ownerTokenText: string
  /** an account with its token's text */
  account(username: string, role?: Account['role']): Promise<{ account: Account; token: string }>
  stop(): Promise<void>
}

export interface TestServerOptions extends Partial<Omit<ServerOptions, 'log' | 'readModels'>> {
  readonly storage?: 'memory' | 'sqlite'
  readonly directory?: string
  /** a log of the test's own */
  readonly log?: EventLog
  /** of a log on a server, for the read models' thread; `directory` is needed too */
  readonly address?: string
}

/** What signs the tokens of another party, in tests. */
export const JWT = { secret: 'a secret of the tests, long enough', audience: 'authenticated', issuer: '' }

const OWNER_TOKEN = '0123456789abcdef0123456789abcdef'

export const runServer = async (options: TestServerOptions = {}): Promise<TestServer> => {
  const { storage = 'memory', directory: given, log: own, address, ...rest } = options
  const wall = rest.clock ? null : new WallClock()
  const clock: Clock = rest.clock ?? (wall as WallClock)
  const chance: Chance = rest.chance ?? new SecureChance(clock)
  const directory = storage === 'sqlite' ? (given ?? (await mkdtemp(join(tmpdir(), 'hansard-')))) : ''
  const log = own ?? (storage === 'sqlite' ? await SqliteLog.open(directory) : new MemoryLog())
  const readModels: ReadModels =
    storage === 'sqlite' || address
      ? new ThreadedReadModels(given ?? directory, address ?? null)
      : await LocalReadModels.open(log, (ms, run) => setTimeout(run, ms))
  const faults: string[] = []
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    node: 'main',
    version: 'test',
    adminToken: OWNER_TOKEN,
    nameKey: '',
    rate: 'off',
    actRate: 'off',
    guests: 'auto',
    origins: [],
    publicUrl: '',
    trustProxy: [],
    maxConnections: 20_000,
    typing: true,
    webhook: null,
    listen: {},
    dialects: { plicAfkSeconds: 0, ayakaMessageCreate: true },
    foreignTokens: { verifier: new JsonWebTokens(clock, { ...JWT, jwksUrl: '' }), provision: false },
    onFault: (where, error) => faults.push(`${where}: ${(error as Error).stack ?? error}`),
    // A clock that is moved on by minutes at once would leave peers no time to answer a ping.
    ...(wall ? {} : { pingIntervalMs: 0 }),
    ...rest,
    log,
    readModels,
    clock,
    chance,
  })
  return {
    ...server,
    log,
    faults,
    ownerTokenText: OWNER_TOKEN,
    account: async (username, role = 'member') => {
      const registered = await server.identity.register({ username, role, guest: false, asker: null })
      if (!registered.ok) throw new Error(`${username}: ${registered.refusal.code}`)
      return { account: registered.account, token: registered.token }
    },
    stop: async () => {
      await server.close('test')
      wall?.stop()
      if (directory && !given) await rm(directory, { recursive: true, force: true })
    },
  }
}

export const openRoom = async (
  server: RunningServer,
  alias: string,
  members: readonly { account: Account; role: MemberRole }[] = [],
) => {
  const opened = await server.rooms.open({ name: alias, aliases: [alias], members, asker: null })
  if (!opened.ok) throw new Error(opened.refusal.code)
  return opened.room
}
