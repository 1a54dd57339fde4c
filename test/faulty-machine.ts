// What makes a server run on a machine that fails: test/faulty-machine.c, compiled for the test and preloaded.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Fault {
  readonly call: 'write' | 'sync'
  /** how the file's name ends; `socket`: any socket */
  readonly file: string
  /** which of these calls, counted from when the fault is armed */
  readonly nth: number
  /** the call fails, as do all later ones; or the process is killed instead of it, or right after it */
  readonly what: 'EIO' | 'ENOSPC' | 'before' | 'after'
}

export class FaultyMachine {
  readonly #directory = mkdtempSync(join(tmpdir(), 'hansard-faulty-'))
  readonly #library = join(this.#directory, 'faulty-machine.so')
  readonly #armed = join(this.#directory, 'armed')
  readonly #clock = join(this.#directory, 'clock')

  constructor() {
    const source = join(import.meta.dirname, 'faulty-machine.c')
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', this.#library, source], { stdio: 'pipe' })
  }

  /** For the server's process. The fault waits until it is armed. */
  environment(fault?: Fault): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      FAULT_CLOCK: this.#clock,
      FAULT_WHEN: this.#armed,
      ...(fault ? { FAULT: `${fault.call}:${fault.file}:${fault.nth}:${fault.what}` } : {}),
    }
  }

  arm(): void {
    writeFileSync(this.#armed, '')
  }

  mend(): void {
    rmSync(this.#armed, { force: true })
    this.setClock(0)
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** The wall clock's seconds ahead of the true time. */
  setClock(seconds: number): void {
    writeFileSync(this.#clock, String(seconds))
  }
}
