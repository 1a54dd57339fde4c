// Fan-out to 200 sockets in every protocol, beside bare broadcasts over the same transports in the same run: medians of
// three rounds, ratios of the same round. The ceiling, a broadcast that gathers a tick into one write, runs right after
// each protocol, with payloads as large as those of that protocol.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { restingFsyncMs } from './disk.ts'
import type { Load, LoadSettings } from './load.ts'
import { settle } from './people.ts'
import { onCore, quantile, say, serve, start, TOKEN } from './processes.ts'
import { JWT_SECRET } from './protocols.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 3)
const RECEIVERS = Number(process.env.RECEIVERS ?? 200)
const SECONDS = 3
/** for the load before: what a server has compiled by then it keeps */
const WARM_UP_SECONDS = 5
const STILL_WARM_SECONDS = 1
const IN_FLIGHT = 60
/** messages a second that leave a server idle between them */
const IDLE_RATE = 40

const load = async (settings: LoadSettings): Promise<Load> => {
  const [command, all] = onCore(1, [join(import.meta.dirname, 'load.ts'), JSON.stringify(settings)])
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  await once(child, 'exit')
  return JSON.parse(printed)
}

interface Subject {
  readonly name: string
  readonly protocol: LoadSettings['protocol']
  /** mode of the bare server; absent: hansard */
  readonly bare?: string
  /** the subject that keeps nothing, over the same transport */
  readonly beside: string
  /** receivers are accounts that belong to the room; else nobody in particular, in the lobby */
  readonly members?: boolean
  readonly senderProtocol?: LoadSettings['senderProtocol']
}

const WS = 'bare ws'
const SOCKET_IO = 'bare socket.io'
const POLLING = 'bare socket.io, polling'
const GATHERED = 'bare ws, gathered'
const DEFLATING = 'bare ws, deflating per socket'

const subjects: readonly Subject[] = [
  { name: WS, protocol: 'ws', bare: 'ws', beside: WS },
  { name: GATHERED, protocol: 'ws', bare: 'ws-gathered', beside: WS },
  { name: DEFLATING, protocol: 'ws', bare: 'ws-deflating', beside: DEFLATING },
  { name: SOCKET_IO, protocol: 'socket.io', bare: 'socket.io', beside: SOCKET_IO },
  { name: POLLING, protocol: 'polling', bare: 'socket.io', beside: POLLING },
  { name: 'native', protocol: 'native', beside: WS },
  { name: 'Moneypot', protocol: 'socket.io', beside: SOCKET_IO },
  { name: 'Moneypot, polling', protocol: 'polling', beside: POLLING },
  { name: 'drivers.uz', protocol: 'drivers', beside: SOCKET_IO, members: true },
  { name: 'PLIC', protocol: 'plic', beside: WS, members: true },
  { name: 'Maint', protocol: 'maint', beside: WS, members: true },
  { name: 'Ayaka', protocol: 'ayaka', beside: WS, members: true, senderProtocol: 'maint' },
  { name: 'Ayaka, zlib', protocol: 'ayaka-zlib', beside: DEFLATING, members: true, senderProtocol: 'maint' },
]
export const subjectNames = subjects.map(({ name }) => name)

/** These, with what they are measured beside; none: all. */
const chosenOf = (wanted: readonly string[]) =>
  subjects.filter(
    ({ name }) =>
      wanted.length === 0 ||
      wanted.includes(name) ||
      subjects.some((other) => wanted.includes(other.name) && other.beside === name),
  )

const median = (values: readonly number[]): number => quantile(values, 0.5)

const withSubject = async <T>(
  { bare, members = false, bytes }: Pick<Subject, 'bare' | 'members'> & { readonly bytes?: number },
  use: (town: Pick<LoadSettings, 'url' | 'sender' | 'accounts'>) => Promise<T>,
): Promise<T> => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-'))
  const server = await (bare
    ? start([join(import.meta.dirname, 'bare.ts'), bare, String(bytes ?? 0)])
    : serve(directory, ['--jwt-secret', JWT_SECRET]))
  const { url } = server
  try {
    if (bare) return await use({ url, sender: null, accounts: [] })
    if (!members) return await use({ url, sender: { id: '', token: TOKEN }, accounts: [] })
    const { owner, accounts } = await settle(url, TOKEN, RECEIVERS)
    return await use({ url, sender: owner, accounts })
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true })
  }
}

const ceiling = (bytes: number): Promise<Load> =>
  withSubject({ bare: 'ws-gathered', bytes }, (town) =>
    load({
      ...town,
      protocol: 'ws',
      senderProtocol: null,
      ...{ receivers: RECEIVERS, seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS, inFlight: IN_FLIGHT, rate: 0 },
    }),
  )

export const measureFanOut = async (wanted: readonly string[]) => {
  const chosen = chosenOf(wanted)
  const closed = new Map<string, Load[]>()
  const half = new Map<string, Load[]>()
  const idle = new Map<string, Load[]>()
  const gathered = new Map<string, Load[]>()
  const note = (table: Map<string, Load[]>, name: string, result: Load) =>
    table.set(name, [...(table.get(name) ?? []), result])
  const restingFsyncs: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    restingFsyncs.push(await restingFsyncMs(tmpdir(), IDLE_RATE, SECONDS))
    for (const subject of chosen) {
      const { name, protocol, senderProtocol = null } = subject
      say(`fan-out, round ${round} of ${ROUNDS}: ${name}`)
      await withSubject(subject, async (town) => {
        const more = { receivers: RECEIVERS, seconds: SECONDS, warmUpSeconds: STILL_WARM_SECONDS }
        const settings = { ...town, protocol, senderProtocol, ...more }
        const full = { inFlight: IN_FLIGHT, rate: 0, warmUpSeconds: WARM_UP_SECONDS }
        note(closed, name, await load({ ...settings, ...full }))
        // Half of what the bare broadcast of the same transport did in this round.
        const beside = closed.get(subject.beside)?.at(-1)
        const rate = (beside?.deliveriesPerSecond ?? 0) / (RECEIVERS + 1) / 2
        note(half, name, await load({ ...settings, inFlight: 0, rate }))
        note(idle, name, await load({ ...settings, inFlight: 0, rate: Math.min(IDLE_RATE, rate) }))
      })
      const bytes = closed.get(name)?.at(-1)?.bytes ?? 0
      if (subject.bare === undefined) note(gathered, name, await ceiling(bytes))
    }
  }
  const of = (table: Map<string, Load[]>, name: string, field: keyof Load) =>
    median((table.get(name) ?? []).map((result) => result[field]))
  /** Of the same round: this machine may be twice as quick in the next. */
  const ratio = (name: string, others: readonly Load[] = []) =>
    median(
      (closed.get(name) ?? []).map(
        ({ deliveriesPerSecond }, round) => deliveriesPerSecond / (others[round]?.deliveriesPerSecond ?? Number.NaN),
      ),
    )
  const servers = chosen.map(({ name, beside }) => ({
    name,
    deliveriesPerSecond: of(closed, name, 'deliveriesPerSecond'),
    bytes: of(closed, name, 'bytes'),
    ofBare: ratio(name, closed.get(beside)),
    ofGathered: ratio(name, gathered.get(name)),
    p99AtFull: of(closed, name, 'p99'),
    p50AtHalfOfBare: of(half, name, 'p50'),
    p99AtHalfOfBare: of(half, name, 'p99'),
    p50Idle: of(idle, name, 'p50'),
    p50IdleOverBare: of(idle, name, 'p50') - of(idle, beside, 'p50'),
    loaderCpu: of(closed, name, 'loaderCpu'),
    // Close to 1: the load could count no more, and the ceiling is higher.
    loaderCpuGathered: of(gathered, name, 'loaderCpu'),
  }))
  const restingFsync = median(restingFsyncs)
  return { rounds: ROUNDS, receivers: RECEIVERS, seconds: SECONDS, inFlight: IN_FLIGHT, restingFsync, servers }
}
