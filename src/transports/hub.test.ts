// A hub whose rows come when the test says so: who joins meanwhile hears what their snapshot does not hold, once.

import { beforeEach, describe, expect, it } from 'vitest'
import type { Fact } from '../actors/fact.ts'
import type { Host } from '../actors/host.ts'
import type { Acknowledged } from '../actors/outcome.ts'
import { absentRoom } from '../actors/room/room.context.ts'
import type { Dialect, MessageView } from '../dialects/dialect.ts'
import type { Listener } from './audience.ts'
import { Hub } from './hub.ts'

/** Tells the revision of every fact. */
const dialect = {
  profile: { showsWholeMessages: true },
  encode: ({ revision }: Fact) => [{ frame: { json: revision }, to: 'all' }],
} as unknown as Dialect

class Ear implements Listener {
  readonly id: string
  readonly user = null
  readonly dialect: Dialect
  readonly statuses = true
  readonly heard: unknown[] = []
  overflown = false

  constructor(id: string, spoken: Dialect = dialect) {
    this.id = id
    this.dialect = spoken
  }

  deliver(batch: Parameters<Listener['deliver']>[0]): void {
    this.heard.push(...batch.frames.map((frame) => (frame as { json: unknown }).json))
  }

  overflow(): void {
    this.overflown = true
  }

  untold(): void {
    this.heard.push('untold')
    hub.leave('r', this)
  }
}

const context = { ...absentRoom, room: 'r' }
let acknowledged: (batch: Acknowledged) => void
let rowComes: (row: MessageView | null) => void
let rowFails: (error: Error) => void
let hub: Hub
let faults: unknown[]

beforeEach(() => {
  const host = {
    node: 'main',
    onAcknowledged: (hear: typeof acknowledged) => {
      acknowledged = hear
    },
    peek: () => ({ revision: 0, snapshot: { context } }),
    load: async () => null,
    loadContext: async () => context,
  }
  const row = () =>
    new Promise<MessageView | null>((resolve, reject) => {
      rowComes = resolve
      rowFails = reject
    })
  faults = []
  hub = new Hub(
    host as unknown as Host,
    row,
    async () => null,
    (_where, error) => faults.push(error),
  )
})

const tell = (...facts: [type: string, revision: number][]) => {
  const told = facts.map(([type, revision]) => ({ type, revision, stream: 'room-r', data: { id: 1 } }))
  acknowledged({ kind: 'room', stream: 'room-r', facts: told } as unknown as Acknowledged)
}
const joined = (id: string, after: number, spoken: Dialect = dialect): Ear => {
  const ear = new Ear(id, spoken)
  hub.join('r', ear, after)
  return ear
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('facts that wait for a row', () => {
  it('are told before what came after them, and to nobody whose snapshot holds them', async () => {
    const there = joined('there', 10)
    hub.release('r', there)
    tell(['MessageEdited', 11])
    tell(['MessagePosted', 12])
    const between = joined('between', 11)
    hub.release('r', between)
    const slow = joined('slow', 11)
    const late = joined('late', 12)
    hub.release('r', late)
    await turn()
    expect([there.heard, between.heard, slow.heard, late.heard]).toEqual([[], [], [], []])
    rowComes(null)
    await turn()
    tell(['MessagePosted', 13])
    hub.release('r', slow)
    expect(there.heard).toEqual([11, 12, 13])
    expect(between.heard).toEqual([12, 13])
    expect(slow.heard).toEqual([12, 13])
    expect(late.heard).toEqual([13])
    expect(faults).toEqual([])
  })

  it('are told of one batch in part', async () => {
    const there = joined('there', 10)
    hub.release('r', there)
    tell(['MessageEdited', 11], ['MessagePosted', 12])
    const between = joined('between', 11)
    hub.release('r', between)
    const slow = joined('slow', 11)
    await turn()
    rowComes(null)
    await turn()
    hub.release('r', slow)
    expect([there.heard, between.heard, slow.heard]).toEqual([[11, 12], [12], [12]])
  })
})

describe('a row that cannot be had', () => {
  it('ends whoever is not told for want of it, and keeps nobody else waiting', async () => {
    const [there, plain] = [joined('there', 10), joined('plain', 10, { ...dialect, profile: {} } as Dialect)]
    for (const ear of [there, plain]) hub.release('r', ear)
    tell(['MessageEdited', 11], ['MessagePosted', 12])
    tell(['MessagePosted', 13])
    expect(plain.heard).toEqual([11, 12, 13])
    const held = joined('held', 11)
    const late = joined('late', 13)
    hub.release('r', late)
    await turn()
    rowFails(new Error('away'))
    await turn()
    tell(['MessagePosted', 14])
    expect([there.heard, held.heard, late.heard]).toEqual([['untold'], ['untold'], [14]])
    expect(plain.heard).toEqual([11, 12, 13, 14])
    expect(faults).toEqual([new Error('away')])
  })
})

it('whoever’s snapshot does not leave is held facts for, up to a bound', () => {
  const ear = joined('ear', 0)
  tell(...Array.from({ length: 10_000 }, (_, at): [string, number] => ['MessagePosted', at + 1]))
  expect(ear.overflown).toBe(false)
  tell(['MessagePosted', 10_001])
  expect(ear.overflown).toBe(true)
  expect(ear.heard).toEqual([])
})
