// Servers on one core and the load on another (taskset, where there is one and two cores).

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

export const TOKEN = '0123456789abcdef0123456789abcdef'

export const pinned = (() => {
  try {
    execFileSync('taskset', ['-c', '0', 'true'])
    return cpus().length > 1
  } catch {
    return false
  }
})()

export const onCore = (core: number, args: readonly string[]): [string, string[]] =>
  pinned ? ['taskset', ['-c', String(core), process.execPath, ...args]] : [process.execPath, [...args]]

export interface Running {
  readonly url: string
  /** ms from its start until it said where it listens */
  readonly startedMs: number
  /** bytes resident; NaN where the system does not tell */
  memory(): number
  stop(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }
/** Node's, of `npm start` */
const FLAGS = scripts.start.split(' ').filter((word) => word.startsWith('--'))
const SERVE = [...FLAGS, join(ROOT, 'src/main.ts'), 'serve']

/** A server of ours on this directory. */
export const serve = (directory: string, more: readonly string[] = []): Promise<Running> =>
  start([...SERVE, '--port', '0', '--data', directory, '--admin-token', TOKEN, '--log-level', 'warn', ...more])

export const start = async (args: readonly string[]): Promise<Running> => {
  const [command, all] = onCore(0, args)
  const begun = performance.now()
  const child: ChildProcess = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const url = await new Promise<string>((resolve, reject) => {
    let printed = ''
    child.stdout?.on('data', (text) => {
      printed += text
      const [, address] = /listening on (http:\/\/\S+)/.exec(printed) ?? []
      if (address) resolve(address)
    })
    exited.then(() => reject(new Error(`it did not start: ${printed}`)))
  })
  return {
    url,
    startedMs: performance.now() - begun,
    memory: () => memoryOf(child.pid as number),
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

const memoryOf = (pid: number): number => {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    return Number.NaN
  }
}

export const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

export const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
