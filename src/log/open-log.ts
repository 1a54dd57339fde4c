// The adapter that the setting LOG names.

import { randomUUID } from 'node:crypto'
import type { EventLog } from './event-log.ts'
import { EventStoreLog } from './eventstore.ts'
import { MemoryLog } from './memory.ts'
import { isServerAddress } from './server-address.ts'
import { SqliteLog } from './sqlite.ts'
import { processTimers, type Timers } from './timers.ts'

/**
 * `sqlite:` is the data directory, `sqlite:/path` another one, `memory:` forgets at the end of the process,
 * `esdb://…` and `kurrentdb://…` (`+discover` for a cluster) are connection strings of an EventStoreDB or KurrentDB.
 * @throws DirectoryLocked, NoAddress, LogUnavailable when the store cannot be opened
 */
export const openLog = async (
  setting: string,
  dataDirectory: string,
  timers: Timers = processTimers,
): Promise<EventLog> => {
  if (isServerAddress(setting)) return EventStoreLog.open(setting, { timers })
  const scheme = setting.slice(0, setting.indexOf(':') + 1)
  const rest = setting.slice(scheme.length)
  switch (scheme) {
    case 'sqlite:':
      return SqliteLog.open(rest === '' ? dataDirectory : rest, { timers })
    case 'memory:':
      // Its own epoch: what was made from an earlier log in memory must not be taken for a view of this one.
      if (rest === '') return new MemoryLog({ epoch: randomUUID() })
      break
  }
  throw new Error('HANSARD_LOG names no log: set sqlite:, sqlite:/a/directory, esdb://…, kurrentdb://… or memory:')
}
