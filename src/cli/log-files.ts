// Commands on the files of a data directory: copies of the embedded log, and read models made anew.

import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError } from '../config.ts'
import { type Command, DOOR_OPTIONS, progressOn, type Task } from './commands.ts'

const embedded = ({ config }: Task, advice: string): string => {
  if (config.LOG !== 'sqlite:') throw new ConfigError(`the log is not in the data directory: ${advice}`)
  return resolve(config.DATA)
}

const OF_ITS_SERVER = "its server's own backups are the way, see docs/operations.md"

const printCopy = ({ own, print }: Task, verb: string, copy: { epoch: string; facts: number; bytes: number }) => {
  const { epoch, facts, bytes } = copy
  print('json' in own ? `${JSON.stringify(copy)}\n` : `${verb}: ${facts} facts, ${bytes} bytes, epoch ${epoch}\n`)
}

const JSON_OPTION = { json: 'prints JSON' } as const

export const fileCommands: Readonly<Record<string, Command>> = {
  backup: {
    usage: 'backup FILE',
    says: 'copies the embedded log to FILE, also while a server runs, and reads the copy through',
    more: [
      'The copy is the log as it stood when the command began, in one file of mode 0600 that needs nothing beside it. No credential in it works: tokens are stored as hashes of hashes. What people said is in it, and so is the key of claim streams where HANSARD_NAME_KEY does not give one.',
    ],
    words: [1, 1],
    options: JSON_OPTION,
    run: async (task) => {
      const directory = embedded(task, OF_ITS_SERVER)
      const { backupLog } = await import('../log/sqlite-backup.ts')
      const copy = await backupLog(directory, resolve(task.words[0] as string), progressOn(task, 'copying', 'pages'))
      printCopy(task, `backed up to ${task.words[0]}, read through`, copy)
    },
  },
  restore: {
    usage: 'restore FILE [--replace]',
    says: 'puts a backup into the data directory; the server must not be running',
    more: [
      'The log gets another epoch, and the restore is its first new fact (LogRestored): clients, cursors and read models that remember facts which this log never had start over, and are told so.',
    ],
    words: [1, 1],
    options: {
      replace: 'a log that is there is kept as log.db.before-<time>; without it, it is refused',
      ...JSON_OPTION,
    },
    run: async (task) => {
      const directory = embedded(task, OF_ITS_SERVER)
      const [{ restoreLog }, { noteRestore }] = await Promise.all([
        import('../log/sqlite-backup.ts'),
        import('./note-restore.ts'),
      ])
      const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
      const aside = 'replace' in task.own ? `log.db.before-${time}` : null
      const copy = restoreLog({ file: resolve(task.words[0] as string), directory, epoch: randomUUID(), aside })
      await noteRestore(directory, copy)
      if (aside !== null && existsSync(join(directory, aside))) task.say(`the log that was there is ${aside}\n`)
      printCopy(task, `restored ${task.words[0]}`, copy)
    },
  },
  rebuild: {
    usage: 'rebuild',
    says: 'makes the read models anew from the log, of the server that runs or where none does',
    more: [
      'Those in force answer until it is done. A fact that cannot be folded stops it, and is named; --rebuild-poison park leaves such facts out, and goes on.',
    ],
    options: DOOR_OPTIONS,
    run: async (task) => (await import('./rebuild-command.ts')).rebuildCommand(task),
  },
}
