// Frames of one connection in the order they came. What only submits a command does not hold back the frames behind
// it; what must be decided first (signing in, a mute) does. Both what waits and what is under way are bounded.

import type { FrameIn } from '../dialects/dialect.ts'

/** Frames that may wait, and their size. */
const MAX_WAITING = 1_000
const MAX_WAITING_CHARACTERS = 128 * 1024
/** of what nests too deep to be measured: as large as a frame may be */
const UNMEASURED = 64 * 1024
/** Commands of one connection in a room's queue, which holds a thousand. */
const MAX_UNDER_WAY = 500

const sizeOf = (frame: FrameIn): number => {
  if (!('args' in frame)) return 'text' in frame ? (frame.text?.length ?? 0) : 0
  try {
    return JSON.stringify(frame.args).length
  } catch {
    // What was parsed step by step is written by recursion, which overflows the stack.
    return UNMEASURED
  }
}

export interface InboxListener {
  /** a promise holds back the frames behind this one */
  take(frame: FrameIn): Promise<void> | null
  overflow(): void
  fault(error: unknown): void
}

export class Inbox {
  readonly #listener: InboxListener
  #waiting: { readonly frame: FrameIn; readonly size: number }[] = []
  #size = 0
  #draining = false
  #underWay = 0
  #resume: (() => void) | null = null

  constructor(listener: InboxListener) {
    this.#listener = listener
  }

  add(frame: FrameIn): void {
    // What is taken at once need not be measured.
    const size = this.#draining ? sizeOf(frame) : 0
    this.#size += size
    if (this.#waiting.push({ frame, size }) > MAX_WAITING || this.#size > MAX_WAITING_CHARACTERS) {
      this.#listener.overflow()
      return
    }
    if (!this.#draining) void this.#drain()
  }

  /** Frames wait, are handled, or have no answer yet. */
  get busy(): boolean {
    return this.#draining || this.#underWay > 0
  }

  /** Counts an answer that is awaited without holding back other frames. */
  follow(answer: Promise<unknown>): void {
    this.#underWay++
    answer.finally(() => {
      this.#underWay--
      this.#resume?.()
    })
  }

  clear(): void {
    this.#waiting = []
    this.#size = 0
  }

  async #drain(): Promise<void> {
    this.#draining = true
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        this.#size -= next.size
        const work = this.#listener.take(next.frame)
        if (work) await work
        while (this.#underWay >= MAX_UNDER_WAY) await this.#oneAnswered()
      }
    } catch (error) {
      this.#listener.fault(error)
    } finally {
      this.#draining = false
    }
  }

  #oneAnswered(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve
    })
  }
}
