// The adapter that the setting LOG names.

import { randomUUID } from 'node:crypto'
import type { EventLog } from './event-log.ts'
import { EventStoreLog } from './eventstore.ts'
import { MemoryLog } from './memory.ts'
import { isServerAddress } from './server-address.ts'
import { SqliteLog } from './sqlite.ts'
import { processTimers, type Timers } from './timers.ts'

/**
 * `sqlite:` is in the data directory, `memory:` forgets at the end of the process, `esdb://…` and `kurrentdb://…`
 * (`+discover` for a cluster) are connection strings of an EventStoreDB or KurrentDB.
 * @throws DirectoryLocked, NoAddress, LogUnavailable when the store cannot be opened
 */
export const openLog = async (
  setting: string,
  dataDirectory: string,
  timers: Timers = processTimers,
): Promise<EventLog> => {
  if (isServerAddress(setting)) return EventStoreLog.open(setting, { timers })
  if (setting === 'sqlite:') return SqliteLog.open(dataDirectory, { timers })
  // Its own epoch: what was made from an earlier log in memory must not be taken for a view of this one.
  if (setting === 'memory:') return new MemoryLog({ epoch: randomUUID() })
  throw new Error('HANSARD_LOG names no log: set sqlite:, esdb://…, kurrentdb://… or memory:')
}
