import type { EventLog } from './event-log.ts'
import { MemoryLog } from './memory.ts'
import { SqliteLog } from './sqlite.ts'

/** The adapter that the setting LOG names. @throws DirectoryLocked, LogUnavailable */
export const openLog = async (setting: 'sqlite:' | 'memory:', directory: string): Promise<EventLog> =>
  setting === 'memory:' ? new MemoryLog() : SqliteLog.open(directory)
