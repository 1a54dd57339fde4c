// Fan-out to 200 sockets in every protocol, beside bare broadcasts over the same transports in the same run: medians of
// three rounds, ratios of the same round.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Load, LoadSettings } from './load.ts'
import { settle } from './people.ts'
import { onCore, quantile, say, serve, start, TOKEN } from './processes.ts'
import { JWT_SECRET } from './protocols.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 3)
const RECEIVERS = Number(process.env.RECEIVERS ?? 200)
const SECONDS = 3
const IN_FLIGHT = 60

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
const DEFLATING = 'bare ws, deflating per socket'

const subjects: readonly Subject[] = [
  { name: WS, protocol: 'ws', bare: 'ws', beside: WS },
  { name: 'bare ws, gathered', protocol: 'ws', bare: 'ws-gathered', beside: WS },
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
      name === 'bare ws, gathered' ||
      subjects.some((other) => wanted.includes(other.name) && other.beside === name),
  )

const median = (values: readonly number[]): number => quantile(values, 0.5)

const withSubject = async <T>(
  { bare, members = false }: Subject,
  use: (town: Pick<LoadSettings, 'url' | 'sender' | 'accounts'>) => Promise<T>,
): Promise<T> => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-'))
  const server = await (bare
    ? start([join(import.meta.dirname, 'bare.ts'), bare])
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

export const measureFanOut = async (wanted: readonly string[]) => {
  const chosen = chosenOf(wanted)
  const closed = new Map<string, Load[]>()
  const half = new Map<string, Load[]>()
  const idle = new Map<string, Load[]>()
  const note = (table: Map<string, Load[]>, name: string, result: Load) =>
    table.set(name, [...(table.get(name) ?? []), result])
  for (let round = 1; round <= ROUNDS; round++) {
    for (const subject of chosen) {
      const { name, protocol, senderProtocol = null } = subject
      say(`fan-out, round ${round} of ${ROUNDS}: ${name}`)
      await withSubject(subject, async (town) => {
        const settings = { ...town, protocol, senderProtocol, receivers: RECEIVERS, seconds: SECONDS }
        note(closed, name, await load({ ...settings, inFlight: IN_FLIGHT, rate: 0 }))
        // Half of what the bare broadcast of the same transport did in this round.
        const beside = closed.get(subject.beside)?.at(-1)
        const rate = (beside?.deliveriesPerSecond ?? 0) / (RECEIVERS + 1) / 2
        note(half, name, await load({ ...settings, inFlight: 0, rate }))
        note(idle, name, await load({ ...settings, inFlight: 0, rate: Math.min(40, rate) }))
      })
    }
  }
  const of = (table: Map<string, Load[]>, name: string, field: keyof Load) =>
    median((table.get(name) ?? []).map((result) => result[field]))
  /** Of the same round: this machine may be twice as quick in the next. */
  const ofOther = (name: string, other: string) =>
    median(
      (closed.get(name) ?? []).map(
        ({ deliveriesPerSecond }, round) =>
          deliveriesPerSecond / (closed.get(other)?.[round]?.deliveriesPerSecond ?? Number.NaN),
      ),
    )
  const servers = chosen.map(({ name, beside }) => ({
    name,
    deliveriesPerSecond: of(closed, name, 'deliveriesPerSecond'),
    ofBare: ofOther(name, beside),
    ofGathered: ofOther(name, 'bare ws, gathered'),
    p99AtFull: of(closed, name, 'p99'),
    p50AtHalfOfBare: of(half, name, 'p50'),
    p99AtHalfOfBare: of(half, name, 'p99'),
    p50Idle: of(idle, name, 'p50'),
    loaderCpu: of(closed, name, 'loaderCpu'),
  }))
  return { rounds: ROUNDS, receivers: RECEIVERS, seconds: SECONDS, inFlight: IN_FLIGHT, servers }
}
