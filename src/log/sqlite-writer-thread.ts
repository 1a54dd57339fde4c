// The writer's thread. Group commit: whatever arrived while the last commit ran goes into the next one.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { Born } from './sqlite-file.ts'
import {
  type Append,
  type Deletion,
  type DeletionAnswer,
  type GroupAnswer,
  type Opened,
  SqliteWriter,
} from './sqlite-writer.ts'

export interface WriterData extends Born {
  readonly directory: string
}

export type WriterMessage = { readonly opened: Opened } | { readonly unopened: string } | DeletionAnswer | GroupAnswer

export type WriterRequest = Append | Deletion | 'close'

/** appends in one transaction; their bytes are bounded by what may be in flight */
const MAX_GROUP = 4_096

if (parentPort) {
  const port = parentPort
  const answer = (message: WriterMessage): void => port.postMessage(message)
  const { directory, ...born } = workerData as WriterData

  const serve = (writer: SqliteWriter): void => {
    port.on('message', (first: WriterRequest) => {
      const group: Append[] = []
      let message: WriterRequest | undefined = first
      while (message !== undefined && message !== 'close' && !('streams' in message)) {
        group.push(message)
        message = group.length < MAX_GROUP ? (receiveMessageOnPort(port)?.message as typeof message) : undefined
      }
      if (group.length > 0) {
        answer(writer.commit(group))
        writer.rest()
      }
      if (typeof message === 'object') {
        answer(writer.delete(message))
        writer.rest()
      }
      if (message === 'close') {
        writer.close()
        port.close()
      }
    })
    answer({ opened: writer.opened })
  }

  try {
    serve(new SqliteWriter(directory, born))
  } catch (error) {
    answer({ unopened: (error as Error).message })
    port.close()
  }
}
