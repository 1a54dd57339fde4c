// Whether a file that is held open is still the one at its path, asked before every commit.
//
// The kernel tells where an open file is now (proc(5), /proc/self/fd), without a look at its times. To ask for those makes
// the next write note a new one, exactly (multigrain timestamps, Linux 6.13), and the sync after that write the inode too:
// a quarter of all commits went into that. Where there is no such directory, the file at the path is compared.

import { closeSync, openSync, readlinkSync, type Stats, statSync } from 'node:fs'

export class FileInUse {
  readonly #path: string
  /** its own, never closed before the database is: closing one lets go of the locks of all (sqlite.org/howtocorrupt.html) */
  readonly #file: number
  /** null: it cannot be told here */
  readonly #place: string | null
  readonly #opened: Stats

  constructor(path: string) {
    this.#path = path
    this.#file = openSync(path, 'r')
    this.#place = this.#whereNow()
    this.#opened = statSync(path)
  }

  /** @throws Error saying what to do */
  mustBeThere(): void {
    if (this.#place === null ? this.#isAtItsPath() : this.#whereNow() === this.#place) return
    throw new Error(`${this.#path} was removed or replaced while in use: stop, put it back, start again`)
  }

  close(): void {
    closeSync(this.#file)
  }

  /** of a removed file, its path with ` (deleted)` behind it */
  #whereNow(): string | null {
    try {
      return readlinkSync(`/proc/self/fd/${this.#file}`)
    } catch {
      return null
    }
  }

  #isAtItsPath(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false })
    return now?.ino === this.#opened.ino && now.dev === this.#opened.dev
  }
}
