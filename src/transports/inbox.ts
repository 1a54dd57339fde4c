// Frames of one connection in the order they came. What only submits a command does not hold back the frames behind
// it; what must be decided first (signing in, a mute) does, and so does what goes to another stream than the commands
// under way: a log may acknowledge its append before theirs. Both what waits and what is under way are bounded.

import type { ActorKind } from '../actors/fact.ts'
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
  /** where those under way went */
  #to: ActorKind = 'room'
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

  /**
   * Sends a command to an actor of this kind, once those under way are of the same kind. `holds`: what follows it waits
   * for its answer.
   */
  send(to: ActorKind, command: () => Promise<unknown>, holds: boolean): Promise<void> | null {
    const before = this.#underWay > 0 && to !== this.#to ? this.#allAnswered() : null
    if (!before && !holds) {
      void this.#begin(to, command)
      return null
    }
    return (before ?? Promise.resolve()).then(() => {
      const answer = this.#begin(to, command)
      return holds ? answer : undefined
    })
  }

  async #begin(to: ActorKind, command: () => Promise<unknown>): Promise<void> {
    this.#to = to
    this.#underWay++
    await command()
    this.#underWay--
    this.#resume?.()
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

  async #allAnswered(): Promise<void> {
    while (this.#underWay > 0) await this.#oneAnswered()
  }

  #oneAnswered(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve
    })
  }
}
