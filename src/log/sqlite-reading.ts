// The main thread's end of the reader thread. A reader that stopped is started anew by the next question.

import { Worker } from 'node:worker_threads'
import { LogUnavailable } from './event-log.ts'
import type { Chunk } from './sqlite-reader.ts'
import type { Answer, Asked, Question } from './sqlite-reader-thread.ts'

const MAX_WAITING = 50_000

export class Reading {
  readonly #directory: string
  readonly #waiting = new Map<number, { resolve: (chunk: Chunk) => void; reject: (error: Error) => void }>()
  #thread: Worker | null = null
  #number = 0
  #closed = false

  constructor(directory: string) {
    this.#directory = directory
    this.#thread = this.#start()
  }

  /** @throws LogUnavailable */
  ask(question: Question): Promise<Chunk> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new LogUnavailable('the log is closed', 'no')
      if (this.#waiting.size === MAX_WAITING) throw new LogUnavailable(`busy: ${MAX_WAITING} reads wait`, 'no')
      this.#thread ??= this.#start()
      const number = ++this.#number
      this.#waiting.set(number, { resolve, reject })
      this.#thread.postMessage({ number, question } satisfies Asked)
    })
  }

  /** Questions not yet answered reject. */
  async close(): Promise<void> {
    this.#closed = true
    this.#failAll('the log is closed')
    const thread = this.#thread
    if (!thread) return
    const exited = new Promise((resolve) => thread.once('exit', resolve))
    thread.postMessage('close')
    await exited
  }

  #start(): Worker {
    const thread = new Worker(new URL('./sqlite-reader-thread.ts', import.meta.url), {
      workerData: { directory: this.#directory },
    })
    let why = 'it ended'
    thread.on('message', (answer: Answer) => this.#answered(answer))
    thread.on('error', (error) => {
      why = error.message
    })
    thread.on('exit', () => {
      this.#thread = null
      this.#failAll(`the log's reader stopped: ${why}`)
    })
    return thread
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number)
    this.#waiting.delete(answer.number)
    if ('chunk' in answer) waiting?.resolve(answer.chunk)
    else waiting?.reject(new LogUnavailable(`the log cannot be read: ${answer.error}`, 'no'))
  }

  #failAll(why: string): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(new LogUnavailable(why, 'no'))
  }
}
