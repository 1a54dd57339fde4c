// News of rooms that the read models cannot show yet.

import { expect, it } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import type { Fact } from '../actors/fact.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { LogUnavailable } from '../log/event-log.ts'
import { Announcements } from './announcements.ts'
import type { Session } from './session.ts'
import type { Batch } from './transport.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

const announcing = () => {
  const clock = new VirtualClock()
  const heard: unknown[] = []
  const faults: unknown[] = []
  const away = { asked: 0, still: true }
  const dialect = {
    name: 'd',
    announce: ({ type, revision }: Fact) => [{ json: `${type} ${revision}` }],
  } as unknown as Dialect
  const session = {
    ended: false,
    announce: ({ frames }: Batch) => heard.push(...frames.map((frame) => (frame as { json: unknown }).json)),
  }
  const room = { parent: null, extra: {}, members: new Map(), aliases: ['d:1'] }
  const members = { findKey: () => undefined }
  const options = {
    host: { clock, contextOf: () => room, loadContext: async () => ({ members }) },
    identity: { byId: async () => null },
    readModels: {
      query: async () => {
        away.asked++
        if (away.still) throw new LogUnavailable('behind', 'no')
        return { result: room }
      },
    },
    dialects: [dialect],
    onFault: (_where: string, error: unknown) => faults.push(error),
  }
  const announcements = new Announcements(options as never, () => [session as unknown as Session])
  const hear = (type: string, revision: number) =>
    announcements.hear('room-r', [
      { type, revision, stream: 'room-r', data: {}, metadata: { at: 0 } } as unknown as Fact,
    ])
  return { clock, heard, faults, away, session, hear }
}

it('are told once they can be, in their order', async () => {
  const { clock, heard, faults, away, hear } = announcing()
  hear('RoomOpened', 0)
  hear('RoomChanged', 1)
  for (let second = 0; second < 3; second++) {
    await turn()
    clock.advance(1_000)
  }
  expect([away.asked, heard]).toEqual([3, []])
  away.still = false
  await turn()
  clock.advance(1_000)
  await turn()
  expect(heard).toEqual(['RoomOpened 0', 'RoomChanged 1'])
  expect(faults).toEqual([])
})

it('are asked for no more when nobody is there to be told', async () => {
  const { clock, away, session, hear } = announcing()
  hear('RoomOpened', 0)
  await turn()
  session.ended = true
  clock.advance(1_000)
  await turn()
  expect([away.asked, clock.next()]).toEqual([1, Number.POSITIVE_INFINITY])
})
