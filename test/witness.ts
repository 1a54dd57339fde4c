// Somebody who was there all along, while others send what they should not: still talks and is heard, nothing faulted, and
// of the others the log holds that they came, what they were refused and that they went.

import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { type Client, connect, type Room } from '../src/client/client.ts'
import type { TestServer } from './running-server.ts'

/** What anybody leaves on the log who says nothing that is stored. */
const TRACES = [
  ...['ConnectionOpened', 'DialectChosen', 'AuthSucceeded', 'AuthFailed', 'CommandRefused', 'ConnectionClosed'],
  ...['CameOnline', 'WentOffline', 'PresenceEntered', 'PresenceLeft', 'RoomEntered', 'RoomsFollowed', 'RoomLeft'],
  ...['Delivered', 'ConnectionsTurnedAway'],
]

export class Witness {
  readonly room: Room
  readonly #client: Client
  readonly server: TestServer
  readonly user: string
  /** facts in the log when it came */
  readonly #before: number

  private constructor(server: TestServer, client: Client, room: Room, user: string, before: number) {
    this.server = server
    this.#client = client
    this.room = room
    this.user = user
    this.#before = before
  }

  /** Opens a room of these aliases and members, and is in it. */
  static async in(server: TestServer, aliases: readonly string[], others: readonly string[] = []): Promise<Witness> {
    const { account, token } = await server.account('witness')
    const found = await Promise.all([account.id, ...others].map((id) => server.identity.byId(id)))
    const members = found.flatMap((each) => (each ? [{ account: each, role: 'member' as const }] : []))
    const opened = await server.rooms.open({ name: 'r', aliases: [...aliases], members, asker: null })
    if (!opened.ok) throw new Error(opened.refusal.code)
    const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token })
    const room = await client.join(opened.room.id)
    return new Witness(server, client, room, account.id, await counted(server))
  }

  async unharmed(): Promise<void> {
    await this.room.post('still here')
    await expect.poll(() => this.room.messages.at(-1)?.text).toBe('still here')
    expect(this.server.faults).toEqual([])
  }

  /** Beside what it said itself, whoever else came left nothing but traces. */
  async sawNothingStored(): Promise<void> {
    const types = new Set<string>()
    let at = 0
    for await (const { type, stream, metadata } of this.server.log.readAll({})) {
      if (at++ < this.#before || !/^(connection|room|user|node)-/.test(stream)) continue
      if ((JSON.parse(metadata) as { by: unknown }).by !== this.user) types.add(type)
    }
    expect(TRACES).toEqual(expect.arrayContaining([...types]))
  }

  leave(): void {
    this.#client.close()
  }
}

/**
 * Around every specification of a file: what the server counts starts anew, the offender is gone at its end and the witness
 * is unharmed; after all of them nothing was stored, and the server stops.
 */
export const witnessed = (witness: () => Witness): void => {
  beforeEach(() => {
    const { sessions } = witness().server
    sessions.counters.clear()
    sessions.refusals.clear()
  })
  afterEach(async () => {
    await expect.poll(() => witness().server.sessions.size).toBe(1)
    await witness().unharmed()
  })
  afterAll(async () => {
    await witness().sawNothingStored()
    witness().leave()
    await witness().server.stop()
  })
}

const counted = async ({ log }: TestServer): Promise<number> => {
  let count = 0
  for await (const _ of log.readAll({})) count++
  return count
}

/** The sum of a metric's series with these labels, as the page of metrics says. */
export const metric = async ({ url }: TestServer, series: string): Promise<number> => {
  const page = await (await fetch(`${url}/metrics`)).text()
  return Number(
    page
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length) ?? 0,
  )
}
