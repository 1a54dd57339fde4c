// The thread that reads for the main one: one question, one answer, in order.

import { parentPort, workerData } from 'node:worker_threads'
import type { Filter, Position, Revision } from './event-log.ts'
import { type Chunk, SqliteLogReader } from './sqlite-reader.ts'

export type Question =
  | { ask: 'stream'; stream: string; from: Revision; direction: 'forwards' | 'backwards'; maxRows: number }
  | { ask: 'all'; from: Position; to: Position; filter: Filter | undefined; maxRows: number }

export interface Asked {
  readonly number: number
  readonly question: Question
}

export type Answer =
  | { readonly number: number; readonly chunk: Chunk }
  | { readonly number: number; readonly error: string }

if (parentPort) {
  const port = parentPort
  const reader = SqliteLogReader.open((workerData as { directory: string }).directory)
  const answer = (question: Question): Chunk =>
    question.ask === 'stream'
      ? reader.streamChunk(question.stream, question.from, question.direction, question.maxRows)
      : reader.chunk(question.from, question.to, question.filter, question.maxRows)
  port.on('message', (asked: Asked | 'close') => {
    if (asked === 'close') {
      reader.close()
      port.close()
      return
    }
    const { number, question } = asked
    try {
      port.postMessage({ number, chunk: answer(question) } satisfies Answer)
    } catch (error) {
      port.postMessage({ number, error: (error as Error).message } satisfies Answer)
    }
  })
}
