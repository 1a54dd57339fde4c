// A server as a process of its own, started as an operator would, to be stopped or killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export const OWNER_TOKEN = '0123456789abcdef0123456789abcdef'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const FIRST_LINE = /^hansard .* listening on (http:\/\/\S+)$/m
const START_MS = 60_000

export interface ServerProcess {
  readonly url: string
  readonly child: ChildProcess
  /** resolves once it has ended, however */
  readonly ended: Promise<unknown>
  /** everything it printed so far */
  output(): string
  /** SIGKILL, and gone when it resolves */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code */
  stop(): Promise<number | null>
}

export interface ServerProcessOptions {
  /** gets all it printed so far, as it prints */
  heard?(printed: string): void
  /** gets the process before it has started */
  begun?(child: ChildProcess): void
  readonly environment?: Readonly<Record<string, string>>
}

export const startProcess = async (
  directory: string,
  flags: readonly string[] = [],
  { heard = () => {}, begun = () => {}, environment: more = {} }: ServerProcessOptions = {},
): Promise<ServerProcess> => {
  const environment = { ...process.env, HANSARD_ADMIN_TOKEN: OWNER_TOKEN, HANSARD_LOG_LEVEL: 'warn', ...more }
  const args = [
    MAIN,
    'serve',
    '--port',
    '0',
    '--data',
    directory,
    '--rate-messages',
    'off',
    '--rate-acts',
    'off',
    ...flags,
  ]
  const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  begun(child)
  let printed = ''
  child.stderr?.on('data', (text) => {
    printed += text
    heard(printed)
  })
  const exited = once(child, 'exit')
  const url = await new Promise<string>((resolve, reject) => {
    const timeout = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the server did not start in time:\n${printed}`))
    }, START_MS)
    child.stdout?.on('data', (text) => {
      printed += text
      const [, address] = FIRST_LINE.exec(printed) ?? []
      if (!address) return
      clearTimeout(timeout)
      resolve(address)
    })
    exited.then(([code]) => reject(new Error(`the server ended with ${code}:\n${printed}`)))
  })
  return {
    url,
    child,
    ended: exited,
    output: () => printed,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      return (await exited)[0]
    },
  }
}
