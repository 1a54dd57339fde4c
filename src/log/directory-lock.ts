// One process owns a data directory. The lock is a second SQLite file held by `begin exclusive`: the kernel frees it
// with the process, also after SIGKILL, where a pid file would outlive its process. It is not the log's own file,
// because that must stay open to our reading threads and to backups.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LogUnavailable } from './event-log.ts'

const SQLITE_BUSY = 5
const ID_FILE = 'directory-id'

export class DirectoryLocked extends Error {
  readonly directory: string
  constructor(directory: string) {
    super(
      `${directory} is in use by another hansard process: stop that one, or choose another directory (HANSARD_DATA)`,
    )
    this.name = 'DirectoryLocked'
    this.directory = directory
  }
}

export interface DirectoryLock {
  close(): void
}

/** Makes the directory when it is absent. @throws DirectoryLocked, LogUnavailable */
export const lockDirectory = (directory: string): DirectoryLock => {
  const file = join(directory, 'lock.db')
  let lock: DatabaseSync | null = null
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    lock = new DatabaseSync(file)
    lock.exec('begin exclusive')
    chmodSync(file, 0o600)
  } catch (error) {
    lock?.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) throw new DirectoryLocked(directory)
    const why = (error as Error).message
    throw new LogUnavailable(
      `${directory} cannot be locked (is it ours to write, and is ${file} a file?): ${why}. Mend that, or choose another directory (HANSARD_DATA)`,
      'no',
      {
        cause: error,
      },
    )
  }
  const held = lock
  return { close: () => held.close() }
}

/** The data directory's own id, for as long as it is there: a process that had the same one is dead, once it is locked. */
export const directoryId = (directory: string, newId: () => string): string => {
  const file = join(directory, ID_FILE)
  if (!existsSync(file)) writeFileSync(file, `${newId()}\n`, { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}
