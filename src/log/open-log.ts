// The adapter that the setting LOG names.

import { randomUUID } from 'node:crypto'
import type { EventLog } from './event-log.ts'
import { MemoryLog } from './memory.ts'
import { SqliteLog } from './sqlite.ts'

/**
 * `sqlite:` is the data directory, `sqlite:/path` another one, `memory:` forgets at the end of the process.
 * @throws DirectoryLocked, LogUnavailable when the store cannot be opened
 */
export const openLog = async (setting: string, dataDirectory: string): Promise<EventLog> => {
  const scheme = setting.slice(0, setting.indexOf(':') + 1)
  const rest = setting.slice(scheme.length)
  switch (scheme) {
    case 'sqlite:':
      return SqliteLog.open(rest === '' ? dataDirectory : rest)
    case 'memory:':
      // Its own epoch: what was made from an earlier log in memory must not be taken for a view of this one.
      if (rest === '') return new MemoryLog({ epoch: randomUUID() })
      break
    case 'esdb:':
    case 'kurrentdb:':
      throw new Error(
        `this build has no EventStoreDB adapter (it comes in a later version), so a log at ${scheme} cannot be opened: set HANSARD_LOG=sqlite:`,
      )
  }
  throw new Error('HANSARD_LOG names no log that this build knows: set sqlite:, sqlite:/a/directory or memory:')
}
