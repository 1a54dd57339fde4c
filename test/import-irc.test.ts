// Logs of an IRC channel in the event log: their lines once and in order, with their own times; and against a real
// channel's logs, where they are there.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readIrcLog } from '../src/import/irc-log.ts'
import { type EventLog, LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { hansard } from './command-line.ts'
import { expectEqual, file, historyOf, isThere, models, ROOM, run, saidIn } from './irc-channel.ts'
import { runServer } from './running-server.ts'

const factsIn = async (log: EventLog): Promise<number> => {
  let count = 0
  for await (const _fact of log.readAll()) count++
  return count
}

describe('a line', () => {
  const [first, ...rest] = readIrcLog(
    [
      '=== ann  has joined #ubuntu',
      '[23:58] <ann> hi',
      '[23:59]  * bob waves',
      '=== bob is now known as bobby',
      '[00:01] <g[r] eek> after midnight',
      '=== g[r]eek  has left #Ubuntu ["Leaving"]',
      '=== mode/#ubuntu [+b *!*@x]  by op',
      '[00:02] -op:#ubuntu- notice',
      '=== ann says something else',
      '[00:02] <ann> ',
    ].join('\n'),
    '2006-06-01',
  )
  it('has its time, or that of the line before; a smaller one is the next day’s', () => {
    expect(new Date(first?.at ?? 0).toISOString()).toBe('2006-06-01T23:58:00.000Z')
    expect(rest.map(({ at }) => new Date(at).toISOString().slice(8, 16))).toEqual([
      ...['01T23:58', '01T23:59', '01T23:59', '02T00:01', '02T00:01', '02T00:01', '02T00:02', '02T00:02', '02T00:02'],
    ])
  })
  it('is an act, or none', () => {
    expect(rest.map(({ line: _line, at: _at, raw: _raw, ...act }) => act)).toEqual([
      { is: 'said', nick: 'ann', text: 'hi', action: false },
      { is: 'said', nick: 'bob', text: 'waves', action: true },
      { is: 'renamed', nick: 'bob', to: 'bobby' },
      { is: 'said', nick: 'g[r]eek', text: 'after midnight', action: false },
      { is: 'left', nick: 'g[r]eek' },
      { is: 'ban', by: 'op' },
      { is: 'other' },
      { is: 'other' },
      { is: 'said', nick: 'ann', text: '', action: false },
    ])
  })
})

describe('an import', () => {
  const day1 = file(
    '2006-06-01',
    '=== Ann  has joined #ubuntu',
    '[11:22] <Ann> hello',
    '[11:22] <bob> was here before',
    '[11:23]  * Ann waves',
    '=== bob is now known as bobby',
    '[11:24] <bobby> still me',
    '=== Ann  has left #ubuntu',
    '=== nobody  has left #ubuntu',
  )
  const day2 = file('2006-06-05', '[09:00] <ann> in another case', '[09:01] <owner> not the server’s')
  const log = () => new MemoryLog({ epoch: 'e' })

  it('is the log’s lines, with their times and nicks as written', async () => {
    const into = log()
    expect(await run(into, [day2, day1])).toEqual({ lines: 10, messages: 6, known: 0, bans: 0, passedOver: 0 })
    expect(await historyOf(into)).toEqual(saidIn([day1, day2]))
  })

  it('stores a line once, however often it is given, and goes on with what was added', async () => {
    const into = log()
    await run(into, [day1])
    const before = await factsIn(into)
    expect(await run(into, [day1])).toMatchObject({ lines: 8, messages: 0, known: 8 })
    expect(await factsIn(into)).toBe(before)
    const grown = { ...day1, text: `${day1.text}[11:30] <bobby> one more\n` }
    expect(await run(into, [grown, day2])).toMatchObject({ messages: 3, known: 8 })
    expect(await historyOf(into)).toEqual(saidIn([grown, day2]))
  })

  it('goes on where a run was cut off, at whatever append', async () => {
    for (const cut of [1, 2, 3, 5, 8, 13]) {
      let left = Number.POSITIVE_INFINITY
      const into = new MemoryLog({
        epoch: 'e',
        beforeAppend: async (stream) => {
          if (stream.startsWith('room-') && --left < 0) throw new LogUnavailable('cut off', 'no')
        },
      })
      await run(into, [file('2006-05-01', '[00:00] <x> so that the room is there')])
      left = cut
      await run(into, [day1, day2]).catch(() => {})
      left = Number.POSITIVE_INFINITY
      await run(into, [day1, day2])
      expect((await historyOf(into)).slice(1)).toEqual(saidIn([day1, day2]))
    }
  })

  it('puts no words into the mouth of an account that is somebody’s', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hansard-irc-'))
    const server = await runServer({ storage: 'sqlite', directory })
    await server.account('ann')
    await server.stop()
    const into = await SqliteLog.open(directory)
    await run(into, [file('2036-01-01', '[09:00] <Ann> not me', '[09:01] <owner> nor me')])
    expect((await historyOf(into)).map(({ author }) => author)).toEqual(['Ann', 'owner'])
    await into.close()
    const again = await runServer({ storage: 'sqlite', directory })
    const room = (await again.rooms.byAlias(ROOM))?.id ?? ''
    const atLeast = await again.log.head()
    const { result } = await again.readModels.query('room.messages', { room, limit: 10 }, { atLeast })
    expect(result.map(({ author }) => author.username)).toEqual(['Ann[irc]', 'owner[irc]'])
    await again.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('goes into a room of the channel’s own and name where no other is named, the same one each time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hansard-irc-'))
    const files = join(directory, 'files')
    const data = join(directory, 'data')
    await mkdir(files)
    const importing = async ({ name, text }: { name: string; text: string }) => {
      await writeFile(join(files, name), text)
      return hansard(['import', 'irc', join(files, name), '--data', data])
    }
    expect(await importing(day1)).toMatchObject({ code: 0 })
    const again = await importing({ ...day2, text: `=== x  has joined #Ubuntu\n${day2.text}` })
    expect(again.err).toContain('2006-06-05.log: 3 of 3 lines')
    const into = await SqliteLog.open(data)
    const readModels = await models(into)
    const { result } = await readModels.query('rooms.list', { limit: 10 }, { atLeast: await into.head() })
    expect(result.map(({ name }) => name)).toEqual(['#ubuntu'])
    expect(await historyOf(into, result[0]?.aliases[0])).toHaveLength(6)
    const nowhere = await importing({ name: '2006-06-06.log', text: '[09:00] <ann> nowhere\n' })
    expect([nowhere.code, nowhere.err]).toEqual([
      2,
      expect.stringContaining('the files name no channel: say where to with --room'),
    ])
    await into.close()
    await readModels.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('refuses what is older than the room, and another log of a day', async () => {
    const into = log()
    await run(into, [day2])
    await expect(run(into, [day1])).rejects.toThrow('2006-06-01.log, line 1, is of 2006-06-01T11:22')
    const other = { ...day2, text: day2.text.replace('another', 'no other') }
    await expect(run(into, [other])).rejects.toThrow('another log of 2006-06-05')
  })
})

describe.skipIf(!isThere)('the logs of a real channel, two days of them', () => {
  it('are in the log line for line; tell who was there at 200 moments; and are found by their words', () =>
    expectEqual(2, 2_006))
})
