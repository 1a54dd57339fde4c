// Commands run in this process, through the same door as a process's own: arguments in; exit code, what was printed
// and what was said out. A process each would take most of a second.

import { run } from '../src/cli/run.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface CommandLine {
  readonly environment?: Readonly<Record<string, string>>
  readonly terminal?: boolean
  readonly signal?: AbortSignal
  /** hears what is printed while it is */
  heard?(printed: string): void
}

export const hansard = async (args: readonly string[], given: CommandLine = {}): Promise<Ran> => {
  const { environment = {}, terminal = false, signal = new AbortController().signal, heard = () => {} } = given
  let out = ''
  let err = ''
  const code = await run(args, {
    environment,
    terminal,
    print: (text) => {
      out += text
      heard(out)
    },
    say: (text) => {
      err += text
    },
    interrupted: () => signal,
  })
  return { code, out, err }
}
