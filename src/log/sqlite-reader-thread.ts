// The thread that reads for the main one: one question, one answer, in order.

import { parentPort, workerData } from 'node:worker_threads'
import type { Filter } from './event-log.ts'
import { SqliteLogReader } from './sqlite-reader.ts'

export type ReadRequest =
  | { ask: 'stream'; stream: string; from: number; direction: 'forwards' | 'backwards'; limit: number }
  | { ask: 'all'; from: number; to: number; filter: Filter | undefined; maxRows: number }
  | { ask: 'head' }
  | { ask: 'epoch' }

if (parentPort) {
  const port = parentPort
  const reader = SqliteLogReader.open((workerData as { directory: string }).directory)
  const answer = (request: ReadRequest): unknown => {
    switch (request.ask) {
      case 'stream':
        return reader.readStream(request.stream, request.from, request.direction, request.limit)
      case 'all':
        return reader.readAll(request.from, request.to, request.filter, request.maxRows)
      case 'head':
        return reader.head()
      case 'epoch':
        return reader.epoch()
    }
  }
  port.on('message', ({ number, request }: { number: number; request: ReadRequest }) => {
    try {
      port.postMessage({ number, result: answer(request) })
    } catch (error) {
      port.postMessage({ number, error: (error as Error).message })
    }
  })
}
