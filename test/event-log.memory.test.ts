// The faults that the log in memory can be told to have: the two sides of an answer that never came.

import { expect, it } from 'vitest'
import { type Envelope, LastFact, LogUnavailable, type Recorded } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'

const fact = (id: string): Envelope => ({ id, type: 'Noted', v: 1, data: '{}', metadata: '{}' })

const stored = async (log: MemoryLog): Promise<string[]> => {
  const facts: Recorded[] = []
  for await (const each of log.readAll()) facts.push(each)
  return facts.map(({ stream, revision, id }) => `${stream}@${revision} ${id}`)
}

it('stores nothing when it fails before', async () => {
  let reachable = false
  const log = new MemoryLog({
    beforeAppend: async (stream) => {
      if (!reachable) throw new LogUnavailable(`${stream} is out of reach`, 'no')
    },
  })
  await expect(log.append('room-1', [fact('a')], 'no-stream')).rejects.toThrow('room-1 is out of reach')
  expect(await stored(log)).toEqual([])
  reachable = true
  await log.append('room-1', [fact('a')], 'no-stream')
  expect(await stored(log)).toEqual(['room-1@0 a'])
})

it('has stored when it fails after, and takes the repeat for what it is', async () => {
  let answers = false
  const log = new MemoryLog({
    afterAppend: (_, [first]) => {
      if (!answers) throw new LogUnavailable(`no answer for ${first?.id}`, 'unknown')
    },
  })
  await expect(log.append('room-1', [fact('a')], 'no-stream')).rejects.toMatchObject({ stored: 'unknown' })
  expect(await stored(log)).toEqual(['room-1@0 a'])
  answers = true
  expect(await log.append('room-1', [fact('a')], 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
  expect(await stored(log)).toEqual(['room-1@0 a'])
})

it('does not let go of its last fact', async () => {
  const log = new MemoryLog()
  await log.append('room-1', [fact('a')], 'no-stream')
  await log.append('connection-1', [fact('b')], 'no-stream')
  await expect(log.deleteStreams(['room-1', 'connection-1'])).rejects.toThrow(LastFact)
  expect(await stored(log)).toEqual(['room-1@0 a', 'connection-1@0 b'])
})

it('can be given an epoch', async () => {
  expect(await new MemoryLog({ epoch: 'e1' }).epoch()).toBe('e1')
})
