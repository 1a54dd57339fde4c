// The projections' own thread: it reads the log by itself, folds, and answers queries.

import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { LogUnavailable, type Position } from '../log/event-log.ts'
import { type AtPoison, Generations, nextTo, type Progress } from './generations.ts'
import { type LogReader, openReader } from './log-reader.ts'
import { type Parked, PoisonFact } from './poison.ts'
import type { QueryName } from './queries.ts'
import { checkpointIn, discard } from './read-database.ts'
import type { Freshness } from './runner.ts'

export const READ_FILE = 'read.db'

export interface ThreadData {
  /** of the read database, and of the log when it is embedded */
  readonly directory: string
  /** of the log on a server; null: it is embedded */
  readonly address: string | null
  readonly atPoison: AtPoison
  /** [0]: 1 while news are known here and not yet read; set by the main thread, cleared before each read */
  readonly poked: SharedArrayBuffer
}

export type Question = { readonly number: number } & (
  | { readonly name: QueryName; readonly args: unknown; readonly wants: Freshness | null; readonly patient: boolean }
  | { readonly ask: 'status' }
  | { readonly ask: 'rebuild'; readonly atPoison: AtPoison }
  | { readonly ask: 'settled' }
)

export type Answer =
  | { readonly number: number; readonly result: unknown; readonly position: Position }
  /** `behind`: not as fresh as asked in time, being made anew, or the log is away */
  | { readonly number: number; readonly error: string; readonly behind: boolean; readonly poison: Parked | null }

export interface Status extends Progress {
  /** facts in the log that are not folded in; counted to a bound where that costs a read */
  readonly lag: number
}

/** One that cannot go on in this log: the same facts stand elsewhere in a copy that another server holds. */
const discardLost = async (file: string, log: LogReader): Promise<void> => {
  const checkpoint = checkpointIn(file)
  if (checkpoint !== null && !(await log.isPlace(checkpoint))) discard(file)
}

if (parentPort) {
  const port = parentPort
  const { directory, address, poked, atPoison } = workerData as ThreadData
  const flag = new Int32Array(poked)
  const log = await openReader(directory, address)
  const file = join(directory, READ_FILE)
  for (const each of [file, nextTo(file)]) await discardLost(each, log)
  const generations = new Generations({
    file,
    seen: { epoch: await log.epoch(), head: await log.head() },
    source: {
      read: (from, limit) => {
        Atomics.store(flag, 0, 0)
        return log.read(from, limit)
      },
    },
    later: (ms, run) => (ms === 0 ? setImmediate(run) : setTimeout(run, ms).unref()),
    atPoison,
    head: () => log.head(),
  })

  const answerTo = async (question: Question): Promise<{ result: unknown; position: Position }> => {
    if ('name' in question) return generations.ask(question.name, question.args, question)
    if (question.ask === 'rebuild') generations.rebuild(question.atPoison)
    if (question.ask === 'settled') await generations.settled()
    const progress = await generations.progress()
    const { position } = progress
    return { result: { ...progress, lag: await log.countAfter(position) } satisfies Status, position }
  }

  const answer = async (question: Question): Promise<void> => {
    const { number } = question
    try {
      port.postMessage({ number, ...(await answerTo(question)) } satisfies Answer)
    } catch (error) {
      const behind = error instanceof LogUnavailable
      const poison = error instanceof PoisonFact ? error.parked : null
      port.postMessage({ number, error: (error as Error).message, behind, poison } satisfies Answer)
    }
  }

  port.on('message', (message: Question | 'poke' | 'close') => {
    if (message === 'poke') generations.poke()
    else if (message === 'close') {
      generations.stop().then(async () => {
        await log.close()
        port.close()
      })
    } else void answer(message)
  })
  generations.poke()
}
