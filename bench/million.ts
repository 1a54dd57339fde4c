// A log of a million messages in one room, made quickly and the same each time but for ids, through the log itself and
// the codec of facts. Made once a run, for all benches that want it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bear, readNameKey } from '../src/actors/birth.ts'
import { Claims } from '../src/actors/claims.ts'
import { definitions } from '../src/actors/definitions.ts'
import type { Fact, Person } from '../src/actors/fact.ts'
import { FactCodec } from '../src/actors/fact-codec.ts'
import { Host } from '../src/actors/host.ts'
import { Identity } from '../src/actors/identity.ts'
import type { Clock } from '../src/actors/ports.ts'
import { roomStream } from '../src/actors/room/room.facts.ts'
import { Rooms } from '../src/actors/rooms.ts'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { SecureChance } from '../src/secure-chance.ts'
import { say, TOKEN } from './processes.ts'

const MESSAGES = Number(process.env.MESSAGES ?? 1_000_000)
const PEOPLE = 200
/** 2024-01-01 */
const BEGIN = 1_704_067_200_000
const STEP_MS = 20_000
const AN_APPEND = 250
const IN_FLIGHT = 8
const WORDS = 'tea pot kettle leaf water morning train thanks how why broken again maybe never package driver'.split(
  ' ',
)

export interface Million {
  readonly directory: string
  readonly room: string
  readonly alias: string
  readonly messages: number
  readonly facts: number
  /** ms since 1970 of its first and last fact */
  readonly from: number
  readonly to: number
}

class StandingClock implements Clock {
  time = BEGIN
  now(): number {
    return this.time
  }
  at(): () => void {
    return () => {}
  }
  soon(run: () => void): void {
    setImmediate(run)
  }
}

let made: Promise<Million> | null = null
/** Absent until first asked for. Its read database is current. */
export const million = (): Promise<Million> => {
  made ??= make()
  return made
}
export const removeMillion = async (): Promise<void> => {
  if (made) rmSync((await made).directory, { recursive: true, force: true })
}

const make = async (): Promise<Million> => {
  const directory = mkdtempSync(join(tmpdir(), 'hansard-bench-million-'))
  const log = await SqliteLog.open(directory)
  const clock = new StandingClock()
  const chance = new SecureChance(clock)
  const codec = new FactCodec()
  const host = new Host({
    log,
    codec,
    clock,
    chance,
    node: 'main',
    definitions,
    store: { summary: async () => null, keepSummary: () => {}, message: async () => null },
    onFault: (_where, error) => {
      throw error
    },
  })
  await host.start()
  const claims = new Claims(host.ledger, clock, await readNameKey(host.ledger, '', chance))
  const identity = new Identity(host, claims)
  const rooms = new Rooms(host, claims)
  await bear(identity, rooms, TOKEN)
  const people: Person[] = []
  for (let number = 0; number < PEOPLE; number++) {
    const made = await identity.register({ username: `user${number}`, role: 'member', guest: false, asker: null })
    if (!made.ok) throw new Error(made.refusal.code)
    const { id, number: own, username } = made.account
    people.push({ id, number: own, username, role: 'member' })
  }
  const alias = 'moneypot:2'
  const room = (await rooms.byAlias(alias))?.id ?? ''
  const stream = roomStream(room)
  let revision = (await host.load(stream)).revision
  await host.close()

  const begun = performance.now()
  let message = 0
  let seed = 1
  const random = (below: number): number => {
    // Numerical Recipes' generator: only its sequence being the same each time matters.
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const fact = (type: string, data: object): Fact => {
    const id = chance.uuid()
    clock.time += STEP_MS / 1_000
    const by = (data as { author?: Person }).author?.id ?? null
    const metadata = { at: Math.floor(clock.time), by, connection: 'bench', $correlationId: id, $causationId: id }
    return { id, stream, revision: ++revision, type, v: 1, data: data as Fact['data'], metadata }
  }
  const next = (): Fact => {
    const place = revision % 100
    const user = people[Math.floor(revision / 100) % PEOPLE] as Person
    const connection = `c${Math.floor(revision / 100)}`
    if (place === 10) return fact('PresenceEntered', { user, account: 'member', connection, node: 'main', first: true })
    if (place === 20) {
      const until = Math.floor(clock.time) + 3_600_000
      return fact('UserMuted', { name: user.username, user: user.id, by: null, seconds: 3600, until, reason: null })
    }
    if (place === 70) return fact('UserUnmuted', { name: user.username, by: null })
    if (place === 90) return fact('PresenceLeft', { user, connection, last: true, cause: 'left' })
    const author = people[random(PEOPLE)] as Person
    const text = Array.from({ length: 3 + random(15) }, () => WORDS[random(WORDS.length)]).join(' ')
    const id = ++message
    return fact('MessagePosted', { id, author, text, kind: 'text', clientRef: null, replyTo: null, extra: null })
  }
  const flying: Promise<unknown>[] = []
  let shown = 0
  while (message < MESSAGES) {
    const expected = revision
    const facts: Fact[] = []
    while (facts.length < AN_APPEND && message < MESSAGES) facts.push(next())
    flying.push(log.append(stream, await codec.encode(facts), expected))
    if (flying.length >= IN_FLIGHT) await flying.shift()
    if (message - shown >= 100_000) {
      shown = message
      say(`a log of a million messages: ${message}`)
    }
  }
  await Promise.all(flying)
  const facts = Number(await log.head())
  await log.close()
  const seconds = (performance.now() - begun) / 1_000
  say(`${facts} facts in ${seconds.toFixed(0)} s (${Math.round(facts / seconds)} a second)`)
  await rebuild(directory)
  return { directory, room, alias, messages: message, facts, from: BEGIN, to: Math.floor(clock.time) }
}
