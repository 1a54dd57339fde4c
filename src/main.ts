// The process: its arguments, its streams, its signals, its exit code.

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// What Node made of the sources is kept beside what is installed, and a start is a third quicker. Node's own choice, a
// directory for temporary files, is open to other users of the machine. Where it cannot be written nothing is kept, and
// nothing lost. Threads look for it in the environment.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '../node_modules/.cache/hansard')
enableCompileCache()
const { run } = await import('./cli/run.ts')

// Whoever reads may have enough (`hansard log export | head`): that is no fault, and nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

/** npm hands on to its child what the terminal has sent the child already: one Ctrl-C is two signals. */
const SAME_WISH_MS = 1_000

/** The first signal is a wish. Who repeats it later does not want to wait. */
const interrupted = (): AbortSignal => {
  const stop = new AbortController()
  let wishedAt = 0
  const hear = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (!stop.signal.aborted) {
      wishedAt = now
      stop.abort(signal)
    } else if (now - wishedAt > SAME_WISH_MS) {
      process.stderr.write(`hansard: ended at once, by a second ${signal}\n`)
      process.exit(2)
    }
  }
  process.on('SIGINT', hear).on('SIGTERM', hear)
  return stop.signal
}

const code = await run(process.argv.slice(2), {
  environment: process.env,
  terminal: process.stderr.isTTY === true,
  print: (text) => process.stdout.write(text),
  say: (text) => process.stderr.write(text),
  interrupted,
})
// A server that was started goes on; what failed may have left something open.
if (code === 0) process.exitCode = 0
else process.exit(code)
