// The process: its arguments, its streams, its signals, its exit code.

import { run } from './cli/run.ts'

// Whoever reads may have enough (`hansard log export | head`): that is no fault, and nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const code = await run(process.argv.slice(2), {
  environment: process.env,
  terminal: process.stderr.isTTY === true,
  print: (text) => process.stdout.write(text),
  say: (text) => process.stderr.write(text),
  interrupted: () => {
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
    return stop.signal
  },
})
// A server that was started goes on; what failed may have left something open.
if (code === 0) process.exitCode = 0
else process.exit(code)
