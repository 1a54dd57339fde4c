// The log as the projections read it: beside the embedded log straight from its file, else through the log's own
// adapter.

import { type EventLog, isPlaceIn, type Position, type Recorded } from '../log/event-log.ts'
import { openLog } from '../log/open-log.ts'
import { SqliteLogReader } from '../log/sqlite-reader.ts'

type Soon<T> = T | Promise<T>

export interface LogReader {
  epoch(): Soon<string>
  head(): Soon<Position>
  /** whether one can go on from there */
  isPlace(from: Position): Soon<boolean>
  /** facts after `from`, in order, at most `limit` */
  read(from: Position, limit: number): Soon<readonly Recorded[]>
  /** how many facts come after `from`, counted to COUNTED_TO at most: on a server positions have gaps */
  countAfter(from: Position): Soon<number>
  close(): Soon<void>
}

export const COUNTED_TO = 10_001

export const readerOf = (log: EventLog): LogReader => ({
  epoch: () => log.epoch(),
  head: () => log.head(),
  isPlace: (from) => isPlaceIn(log, from),
  read: async (from, limit) => {
    const facts: Recorded[] = []
    for await (const fact of log.readAll({ from, limit })) facts.push(fact)
    return facts
  },
  countAfter: async (from) => {
    let count = 0
    for await (const _ of log.readAll({ from, limit: COUNTED_TO })) count++
    return count
  },
  close: () => log.close(),
})

/** `address`: the log's, on a server; null: the embedded log in `directory`. @throws LogUnavailable */
export const openReader = async (directory: string, address: string | null): Promise<LogReader> => {
  if (address !== null) return readerOf(await openLog(address, directory))
  const log = SqliteLogReader.open(directory)
  return {
    epoch: () => log.epoch(),
    head: () => log.head(),
    isPlace: (from) => from <= log.head(),
    read: (from, limit) => log.readChunk(from, undefined, limit),
    countAfter: (from) => log.head() - from,
    close: () => log.close(),
  }
}
