// npm run bench: fan-out and append beside bare alternatives in the same run; medians, ratios, and JSON in
// reports/bench.json. Servers run on one core and the load on another (taskset, where there is one).

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureAppend } from './append.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 3)
const RECEIVERS = Number(process.env.RECEIVERS ?? 200)
const SECONDS = 3
const IN_FLIGHT = 60
const TOKEN = '0123456789abcdef0123456789abcdef'

const pinned = (() => {
  try {
    execFileSync('taskset', ['-c', '0', 'true'])
    return cpus().length > 1
  } catch {
    return false
  }
})()
const onCore = (core: number, args: readonly string[]): [string, string[]] =>
  pinned ? ['taskset', ['-c', String(core), process.execPath, ...args]] : [process.execPath, [...args]]

interface Running {
  readonly url: string
  stop(): Promise<void>
}

const start = async (args: readonly string[]): Promise<Running> => {
  const [command, all] = onCore(0, args)
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
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

interface Load {
  readonly deliveriesPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly loaderCpu: number
}

const load = async (url: string, protocol: string, inFlight: number, rate: number, token: string): Promise<Load> => {
  const script = join(import.meta.dirname, 'load.ts')
  const args = [script, url, protocol, RECEIVERS, inFlight, rate, SECONDS, token].map(String)
  const [command, all] = onCore(1, args)
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  await once(child, 'exit')
  return JSON.parse(printed)
}

const subjects = [
  { name: 'bare ws', protocol: 'ws', args: [join(import.meta.dirname, 'bare.ts'), 'ws'], token: '' },
  { name: 'bare ws, gathered', protocol: 'ws', args: [join(import.meta.dirname, 'bare.ts'), 'ws-gathered'], token: '' },
  {
    name: 'bare socket.io',
    protocol: 'socket.io',
    args: [join(import.meta.dirname, 'bare.ts'), 'socket.io'],
    token: '',
  },
  { name: 'hansard, native over ws', protocol: 'native', args: null, token: TOKEN },
  { name: 'hansard, Moneypot over socket.io', protocol: 'socket.io', args: null, token: TOKEN },
] as const

/** The broadcast that keeps nothing, over the same transport. */
const bareOf = (protocol: string): string => (protocol === 'socket.io' ? 'bare socket.io' : 'bare ws')

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const withSubject = async <T>(args: readonly string[] | null, use: (url: string) => Promise<T>): Promise<T> => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-'))
  const main = join(import.meta.dirname, '../src/main.ts')
  const own = [main, 'serve', '--port', '0', '--data', directory, '--admin-token', TOKEN, '--log-level', 'warn']
  const server = await start(args ?? own)
  try {
    return await use(server.url)
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true })
  }
}

const say = (text: string) => process.stderr.write(`${text}\n`)

const closed = new Map<string, Load[]>()
const half = new Map<string, Load[]>()
const idle = new Map<string, Load[]>()
const note = (table: Map<string, Load[]>, name: string, result: Load) =>
  table.set(name, [...(table.get(name) ?? []), result])
for (let round = 1; round <= ROUNDS; round++) {
  for (const { name, protocol, args, token } of subjects) {
    say(`round ${round} of ${ROUNDS}: ${name}`)
    await withSubject(args, async (url) => {
      note(closed, name, await load(url, protocol, IN_FLIGHT, 0, token))
      // Half of what the bare broadcast of the same transport did in this round.
      const bare = closed.get(bareOf(protocol))?.at(-1)
      const rate = (bare?.deliveriesPerSecond ?? 0) / (RECEIVERS + 1) / 2
      note(half, name, await load(url, protocol, 0, rate, token))
      note(idle, name, await load(url, protocol, 0, 40, token))
    })
  }
}
say('append beside fsync')
const append = await measureAppend()

const of = (table: Map<string, Load[]>, name: string, field: keyof Load) =>
  median((table.get(name) ?? []).map((result) => result[field]))
const fanOut = subjects.map(({ name, protocol }) => {
  const bare = bareOf(protocol)
  const deliveries = of(closed, name, 'deliveriesPerSecond')
  return {
    name,
    deliveriesPerSecond: deliveries,
    ofBare: deliveries / of(closed, bare, 'deliveriesPerSecond'),
    ofGathered: deliveries / of(closed, 'bare ws, gathered', 'deliveriesPerSecond'),
    p99AtFull: of(closed, name, 'p99'),
    p50AtHalfOfBare: of(half, name, 'p50'),
    p99AtHalfOfBare: of(half, name, 'p99'),
    p50Idle: of(idle, name, 'p50'),
    loaderCpu: of(closed, name, 'loaderCpu'),
  }
})
const report = {
  settings: {
    rounds: ROUNDS,
    receivers: RECEIVERS,
    seconds: SECONDS,
    inFlight: IN_FLIGHT,
    pinned,
    node: process.version,
    cpu: cpus()[0]?.model,
  },
  fanOut,
  append: {
    ...append,
    oneByOneOfFsync: append.oneByOne / append.fsyncs,
    batchedOfFsync: append.batched / append.fsyncs,
    groupedOfFsync: append.grouped / append.fsyncs,
  },
}
mkdirSync('reports', { recursive: true })
writeFileSync('reports/bench.json', `${JSON.stringify(report, null, 2)}\n`)
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
