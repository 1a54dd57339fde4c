import { FactCodec } from '../actors/fact-codec.ts'
import { Ledger } from '../actors/ledger.ts'
import { logStream } from '../actors/node.facts.ts'
import { SqliteLog } from '../log/sqlite.ts'
import type { LogCopy } from '../log/sqlite-backup.ts'
import { SecureChance } from '../secure-chance.ts'
import { WallClock } from '../wall-clock.ts'

/** That a log is a restored one stands in it, above what the backup held. @throws LogUnavailable */
export const noteRestore = async (directory: string, { previous, head }: LogCopy & { previous: string }) => {
  const clock = new WallClock()
  const log = await SqliteLog.open(directory)
  try {
    const ledger = new Ledger(log, new FactCodec(), clock, new SecureChance(clock))
    await ledger.append(logStream, () => ({ type: 'LogRestored', data: { previousEpoch: previous, head } }))
  } finally {
    await log.close()
    clock.stop()
  }
}
