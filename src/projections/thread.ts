// The projections' own thread: it reads the log by itself, folds, and answers queries.

import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { LogUnavailable, type Position } from '../log/event-log.ts'
import { openReader } from './log-reader.ts'
import { type QueryName, runQuery } from './queries.ts'
import { openReadDatabase } from './read-database.ts'
import { type Freshness, Runner } from './runner.ts'

export const READ_FILE = 'read.db'

export interface ThreadData {
  /** of the read database, and of the log when it is embedded */
  readonly directory: string
  /** of the log on a server; null: it is embedded */
  readonly address: string | null
  /** [0]: 1 while news are known here and not yet read; set by the main thread, cleared before each read */
  readonly poked: SharedArrayBuffer
}

export type Question =
  | { readonly number: number; readonly name: QueryName; readonly args: unknown; readonly wants: Freshness | null }
  | { readonly number: number; readonly status: true }

export type Answer =
  | { readonly number: number; readonly result: unknown; readonly position: Position }
  /** `behind`: not as fresh as asked in time, or the log is away */
  | { readonly number: number; readonly error: string; readonly behind: boolean }

export interface Status {
  readonly position: Position
  /** facts in the log that are not folded in; counted to a bound where that costs a read */
  readonly lag: number
  readonly parked: number
}

if (parentPort) {
  const port = parentPort
  const { directory, address, poked } = workerData as ThreadData
  const flag = new Int32Array(poked)
  const log = await openReader(directory, address)
  const db = openReadDatabase(join(directory, READ_FILE), await log.epoch(), await log.head())
  const read = (from: Position, limit: number) => {
    Atomics.store(flag, 0, 0)
    return log.read(from, limit)
  }
  const runner = new Runner(db, { read }, (ms, run) => setTimeout(run, ms).unref())

  const answer = async (question: Question): Promise<void> => {
    const { number } = question
    try {
      if ('status' in question) {
        await runner.run()
        const { position, parked } = runner
        const status: Status = { position, lag: await log.countAfter(position), parked }
        port.postMessage({ number, result: status, position: runner.position } satisfies Answer)
        return
      }
      if (question.wants !== null) await runner.waitFor(question.wants)
      const result = runQuery(db, question.name, question.args)
      port.postMessage({ number, result, position: runner.position } satisfies Answer)
    } catch (error) {
      const behind = error instanceof LogUnavailable
      port.postMessage({ number, error: (error as Error).message, behind } satisfies Answer)
    }
  }

  port.on('message', (message: Question | 'poke' | 'close') => {
    if (message === 'poke') runner.poke()
    else if (message === 'close') {
      runner.stop().then(async () => {
        await log.close()
        port.close()
      })
    } else void answer(message)
  })
  runner.poke()
}
