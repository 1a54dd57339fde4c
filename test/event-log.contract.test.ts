// The suite of event-log.contract.ts, on every adapter but one (see event-log.kurrentdb.long.test.ts).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventStoreLog } from '../src/log/eventstore.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { keepsTheContract } from './event-log.contract.ts'
import { EventStoreServer } from './eventstore-server.ts'

keepsTheContract('memory', async () => ({ log: new MemoryLog(), remove: () => {} }))

keepsTheContract('sqlite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-log-'))
  return { log: await SqliteLog.open(directory), remove: () => rmSync(directory, { recursive: true }) }
})

keepsTheContract('EventStoreDB', async () => {
  const server = await EventStoreServer.start('esdb')
  return { log: await EventStoreLog.open(server.address), remove: () => server.stop() }
})
