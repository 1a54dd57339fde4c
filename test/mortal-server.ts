// A server that dies again and again on one log while people talk, mute and ban: what it acknowledged is written down
// here, and looked for after each death, in what it answers, and at the end in the log itself.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'
import { expect } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import type { Recorded } from '../src/log/event-log.ts'
import { openLog } from '../src/log/open-log.ts'
import { asking } from './asking.ts'
import { hansard } from './command-line.ts'
import {
  type Deed,
  gapless,
  holdsEvery,
  nobodyLeftBehind,
  type Said,
  saidIn,
  sanctionsEnded,
  unended,
} from './crash-laws.ts'
import { OperatedServer } from './operated-server.ts'
import { SeededChance } from './seeded-chance.ts'
import { OWNER_TOKEN, startProcess } from './server-process.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Two rooms share one sequence of message ids. */
const ROOMS = ['moneypot:2', 'moneypot:3'] as const
type Alias = (typeof ROOMS)[number]
const SPEAKERS = 4
/** Nobody is ever in the one: nothing but its deadlines wakes it. */
const SANCTIONS = { mute: 'moneypot:4', ban: ROOMS[0] } as const
const KINDS = ['mute', 'ban'] as const
/** a mute or ban that is over soon, and one that outlives the test */
const [SHORT_S, LONG_S] = [1, 86_400]

/** When a process is killed. */
export const deaths = ['under load', 'at its start', 'while it stops', 'while it rebuilds', 'under a backup'] as const
export type Death = (typeof deaths)[number]

export class MortalServer extends OperatedServer {
  readonly #log: string
  readonly #chance: SeededChance
  readonly #hashes: string[] = []
  /** every text that was sent, stored or not */
  readonly #sent = new Set<string>()
  readonly #heard = new Map<Alias, Map<string, string[]>>(ROOMS.map((alias) => [alias, new Map()]))
  readonly #deeds: Deed[] = []
  /** account → its name */
  readonly #names = new Map<string, string>()
  #refused: unknown[] = []
  #rounds = 0

  /** `log`: a setting; one on a server must be new. */
  constructor(log: string, seed: number) {
    super(mkdtempSync(join(tmpdir(), 'hansard-crash-')))
    this.#log = log
    this.#chance = new SeededChance(seed, new VirtualClock())
  }

  get acknowledged(): number {
    return [...this.#heard.values()].flatMap((room) => [...room.values()]).flat().length
  }

  override start(): Promise<void> {
    return super.start(['--log', this.#log])
  }

  /** Somebody to talk, and more rooms than the lobby. */
  async begin(): Promise<void> {
    if (this.#log !== 'sqlite:' && (await this.#everything()).length > 0)
      throw new Error('HANSARD_TEST_EVENTSTORE has facts already: give this test a new server')
    await this.start()
    for (const alias of [ROOMS[1], SANCTIONS.mute])
      await this.#done('POST', '/rooms', { name: alias, aliases: [alias] })
    for (let speaker = 0; speaker < SPEAKERS; speaker++) {
      const { token } = await this.#done('POST', '/users', { username: `speaker${speaker}` })
      this.#hashes.push(createHash('sha256').update(token).digest('hex'))
    }
    await this.kill()
  }

  /** Lives, is looked at, is talked to, and dies. */
  async round(death: Death): Promise<void> {
    if (death === 'at its start') await this.#dieStarting()
    await this.start()
    await this.#answersWhatItAcknowledged()
    const sockets = await Promise.all(this.#hashes.map((hash, speaker) => this.#connected(hash, speaker)))
    // A ban wants an account, which takes longer.
    await this.#sanction(this.#rounds % 3 === 0 ? KINDS : ['mute'])
    let stopped = false
    const talking = sockets.map((socket, speaker) => this.#talk(socket, speaker, () => stopped))
    await pause(20 + this.#chance.below(200))
    await this.#die(death)
    stopped = true
    await Promise.all(talking)
    for (const socket of sockets) socket.disconnect()
    this.#rounds++
  }

  async #dieStarting(): Promise<void> {
    const after = this.#chance.below(900)
    await startProcess(this.directory, ['--log', this.#log], {
      begun: (child) => void pause(after).then(() => child.kill('SIGKILL')),
    }).then(
      ({ ended }) => ended,
      () => {},
    )
  }

  async #die(death: Death): Promise<void> {
    const soon = () => pause(this.#chance.below(40))
    if (death === 'while it stops') {
      this.process.child.kill('SIGTERM')
      await soon()
    } else if (death === 'while it rebuilds') {
      expect((await this.call('POST', '/api/v1/read-models/rebuild')).status).toBe(202)
      await soon()
    } else if (death === 'under a backup') {
      const file = join(this.directory, `backup-${this.#rounds}.db`)
      const copying = hansard(['backup', file, '--data', this.directory])
      await soon()
      await this.kill()
      expect(await copying).toMatchObject({ code: 0 })
    }
    await this.kill()
    if (death !== 'while it stops') expect(this.#refused).toEqual([])
    this.#refused = []
  }

  /** The last of all: what was due while nobody ran is late, what is due now is seen to end; then all is looked at in the log. */
  async end(): Promise<void> {
    let overdue = new Set<string>()
    // On a slow machine their second may be over before the process is.
    while (!KINDS.every((kind) => [...overdue].some((name) => name.includes(kind)))) {
      await this.start()
      await this.#sanction()
      await this.kill()
      this.#rounds++
      overdue = unended(await this.#everything(), this.#deeds)
    }
    const due = Date.now() + SHORT_S * 1_000
    while (Date.now() <= due + 1_000) await pause(50)
    await this.start()
    await this.#answersWhatItAcknowledged()
    const listed: Said[] = []
    for (const alias of ROOMS) listed.push(...(await this.#messages(alias)))
    const { items } = await this.#done('GET', '/connections?state=authenticated&limit=500')
    // The only open connection is that of these very requests.
    expect(items.filter(({ dialect }: { dialect: string }) => dialect !== 'rest')).toEqual([])
    await this.#sanction()
    await expect.poll(() => this.#inForce(), { timeout: 5_000 }).toEqual(this.#deedsInForce())
    await this.stop()

    const facts = await this.#everything()
    gapless(facts)
    const said = saidIn(facts, this.#sent)
    expect(listed.toSorted((one, other) => one.id - other.id)).toEqual(said.toSorted((one, other) => one.id - other.id))
    for (const speakers of this.#heard.values()) holdsEvery(said, speakers)
    nobodyLeftBehind(facts)
    sanctionsEnded(facts, this.#deeds, overdue)
    const rows = this.rows()
    await rebuild(this.directory, this.#log === 'sqlite:' ? null : this.#log)
    expect(this.rows()).toBe(rows)
  }

  /** Over REST: each room's acknowledged messages, and each sanction that lasts. */
  async #answersWhatItAcknowledged(): Promise<void> {
    for (const alias of ROOMS) holdsEvery(await this.#messages(alias), this.#heard.get(alias) ?? new Map())
    expect(await this.#inForce()).toEqual(expect.arrayContaining(this.#deedsInForce()))
  }

  #deedsInForce(): string[] {
    return this.#deeds.flatMap(({ is, name }) => (is === 'long' ? [name] : [])).sort()
  }

  async #inForce(): Promise<string[]> {
    const names: string[] = []
    for (const kind of KINDS) {
      const { items, next } = await this.#done('GET', `/rooms/${SANCTIONS[kind]}/${kind}s?limit=500`)
      expect(next).toBe(null)
      for (const { user } of items) names.push(user.username ?? this.#names.get(user))
    }
    return names.sort()
  }

  /** The short ones last: they are to be in force still when the process dies. */
  async #sanction(kinds: readonly Deed['kind'][] = KINDS): Promise<void> {
    const deeds = (['long', 'lifted', 'short'] as const).flatMap((is) =>
      kinds.map((kind): Deed => ({ kind, is, name: `${is}-${kind}-${this.#rounds}` })),
    )
    for (const { kind, name } of deeds) {
      // A name may be muted before it is anybody's.
      if (kind === 'ban') this.#names.set((await this.#done('POST', '/users', { username: name })).id, name)
    }
    for (const deed of deeds) {
      const { kind, is, name } = deed
      const path = `/rooms/${SANCTIONS[kind]}/${kind}s`
      await this.#done('POST', path, { user: `@${name}`, seconds: is === 'short' ? SHORT_S : LONG_S })
      if (is === 'lifted') await this.#done('DELETE', `${path}/@${name}`)
      this.#deeds.push(deed)
    }
  }

  async #talk(socket: Socket, speaker: number, stopped: () => boolean): Promise<void> {
    const room = this.#heard.get(roomOf(speaker)) as Map<string, string[]>
    const own = room.get(`speaker${speaker}`) ?? []
    room.set(`speaker${speaker}`, own)
    while (!stopped()) {
      const text = `speaker${speaker} ${this.#sent.size}`
      this.#sent.add(text)
      const heard = await new Promise<boolean>((resolve) => {
        socket.once('disconnect', () => resolve(false))
        socket.emit('new_message', text, (error: unknown) => {
          if (error !== undefined) this.#refused.push(error)
          resolve(error === undefined)
        })
      })
      if (!heard) return
      socket.removeAllListeners('disconnect')
      own.push(text)
    }
  }

  async #connected(hash: string, speaker: number): Promise<Socket> {
    const socket = io(this.url, { transports: ['websocket'], forceNew: true, reconnection: false })
    const app = Number(roomOf(speaker).split(':')[1])
    await new Promise<void>((resolve, reject) => {
      socket.on('connect', resolve)
      socket.on('connect_error', reject)
    })
    await new Promise<void>((resolve, reject) =>
      socket.emit('auth', { app_id: app, hashed_token: hash }, (error: unknown) => (error ? reject(error) : resolve())),
    )
    return socket
  }

  async #messages(alias: string): Promise<Said[]> {
    const items: Said[] = []
    for (;;) {
      const after = items.at(-1)?.id ?? 0
      const page = (await this.#done('GET', `/rooms/${alias}/messages?limit=500&after=${after}`)).items as Said[]
      if (page.length === 0) return items
      items.push(...page.map(({ id, text }) => ({ id, text })))
    }
  }

  async #done(method: string, path: string, body?: object) {
    const headers = { authorization: `Bearer ${OWNER_TOKEN}` }
    const { status, body: answer } = await asking(`${this.url}/api/v1${path}`, method, headers, body)
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
    return answer
  }

  async #everything(): Promise<Recorded[]> {
    const log = await openLog(this.#log, this.directory)
    const facts: Recorded[] = []
    for await (const fact of log.readAll()) facts.push(fact)
    await log.close()
    return facts
  }

  override async remove(): Promise<void> {
    await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

const roomOf = (speaker: number): Alias => ROOMS[speaker % ROOMS.length] as Alias
