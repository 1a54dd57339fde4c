// The writes of one bearer share a connection in the log, as a socket's commands do: its refusals stand there, and
// its facts name it. Opened with the first write, closed after a quarter of an hour without one.

import { connectionStream } from '../actors/connection/connection.facts.ts'
import type { Host } from '../actors/host.ts'
import type { Account } from '../actors/identity.ts'
import type { Outcome } from '../actors/outcome.ts'
import { RefusalRecord } from '../transports/refusal-record.ts'
import { untilStored } from '../transports/until-stored.ts'
import { refusalProblem } from './problem.ts'

const IDLE_MS = 15 * 60_000

export interface RestConnection {
  readonly id: string
  readonly refusals: RefusalRecord
}

interface Held extends RestConnection {
  readonly opened: Promise<readonly Outcome[]>
  usedAt: number
}

export class RestConnections {
  readonly #host: Host
  readonly #incarnation: string
  readonly #held = new Map<string, Held>()
  #stopping = false

  constructor(host: Host, incarnation: string) {
    this.#host = host
    this.#incarnation = incarnation
  }

  /** The connection of this account's requests, open on the log when it resolves. @throws Problem when it cannot be */
  async of(account: Account): Promise<RestConnection> {
    let held = this.#held.get(account.id)
    if (!held) {
      held = this.#open(account)
      this.#held.set(account.id, held)
      this.#closeWhenIdle(account.id, held)
      void this.#dropUnopened(account.id, held)
    }
    held.usedAt = this.#host.clock.now()
    const refused = (await held.opened).find((outcome) => !outcome.ok)
    if (refused && !refused.ok) throw refusalProblem(refused.refusal.code, refused.refusal.values)
    return held
  }

  #open(account: Account): Held {
    const { chance, node } = this.#host
    const id = chance.uuid()
    const stream = connectionStream(id)
    const from = { by: account.id, connection: id }
    const opening = this.#host.send(stream, {
      type: 'connection.open',
      ...from,
      connection: id,
      dialect: 'rest',
      version: 1,
      transport: 'http',
      limits: { authTimeoutMs: 0, afkMs: 0, typingMs: 0, badFrameStrikes: 0 },
      options: { oneRoom: false, socketsPerAccount: 0, closeCodes: {} },
      since: this.#host.clock.now(),
      node,
      incarnation: this.#incarnation,
      machine: this.#host.machineHash('connection'),
    })
    const { id: user, number, username, role } = account
    const signing = this.#host.send(stream, {
      type: 'auth.succeed',
      ...from,
      user: { id: user, number, username, role },
      token: null,
    })
    const refusals = new RefusalRecord(this.#host, id, () => account.id)
    return { id, refusals, opened: Promise.all([opening, signing]), usedAt: this.#host.clock.now() }
  }

  /** One that could not be opened for sure is tried no more, and not left open should the log have stored it. */
  async #dropUnopened(user: string, held: Held): Promise<void> {
    if ((await held.opened).every(({ ok }) => ok)) return
    await untilStored(this.#host, () => this.#stopping, connectionStream(held.id), closing('server-error'))
    this.#held.delete(user)
  }

  #closeWhenIdle(user: string, held: Held): void {
    this.#host.clock.at(held.usedAt + IDLE_MS, () => {
      if (this.#held.get(user) !== held) return
      if (this.#host.clock.now() - held.usedAt < IDLE_MS) this.#closeWhenIdle(user, held)
      else void this.#close(user, held, 'afk')
    })
  }

  async #close(user: string, held: Held, cause: 'afk' | 'shutdown'): Promise<void> {
    this.#held.delete(user)
    await held.refusals.flush()
    await this.#host.send(connectionStream(held.id), closing(cause))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#held].map(([user, held]) => this.#close(user, held, 'shutdown')))
  }
}

const closing = (cause: 'afk' | 'shutdown' | 'server-error') =>
  ({ type: 'connection.close', code: null, reason: null, cause, late: false }) as const
