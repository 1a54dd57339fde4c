// Logs of an IRC channel in the event log: their lines once and in order, with their own times; and against a real
// channel's logs, where they are there.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { foldName, nameFault } from '../src/actors/names.ts'
import { type IrcFile, importIrc } from '../src/import/import-irc.ts'
import { readIrcLog } from '../src/import/irc-log.ts'
import { type EventLog, LogUnavailable } from '../src/log/event-log.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { LocalReadModels } from '../src/projections/read-models.ts'
import { SecureChance } from '../src/secure-chance.ts'
import { runServer } from './running-server.ts'

const ROOM = 'moneypot:100'

const run = (log: EventLog, files: readonly IrcFile[], room = ROOM) =>
  importIrc({
    log,
    chance: (clock) => new SecureChance(clock),
    nameKey: '',
    node: 'main',
    files,
    room,
    roomName: '#ubuntu',
  })

const file = (day: string, ...lines: string[]): IrcFile => ({ name: `${day}.log`, day, text: `${lines.join('\n')}\n` })

const models = (log: EventLog) => LocalReadModels.open(log, (ms, later) => setTimeout(later, ms))

interface Said {
  readonly at: number
  readonly author: string
  readonly text: string
  readonly kind: string
}

/** The room's whole history, a page at a time; `nick` as written where it differs from the account's name. */
const historyOf = async (log: EventLog): Promise<Said[]> => {
  const readModels = await models(log)
  const { result: rooms } = await readModels.query('rooms.list', { limit: 10 }, { atLeast: await log.head() })
  const room = rooms.find(({ aliases }) => aliases.includes(ROOM))?.id ?? ''
  const found: Said[] = []
  for (let after = 0; ; ) {
    const { result } = await readModels.query('room.messages', { room, limit: 500, after })
    for (const { at, author, text, kind, extra } of result) {
      const { nick = author.username } = (extra?.irc ?? {}) as { nick?: string }
      found.push({ at, author: nick, text, kind })
    }
    if (result.length < 500) break
    after = result.at(-1)?.id ?? 0
  }
  await readModels.close()
  return found
}

const saidIn = (files: readonly IrcFile[]): Said[] =>
  files.flatMap(({ text, day }) =>
    readIrcLog(text, day).flatMap((line) =>
      line.is === 'said'
        ? [{ at: line.at, author: line.nick, text: line.text.toWellFormed(), kind: line.action ? 'action' : 'text' }]
        : [],
    ),
  )

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
      { is: 'other' },
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
    expect(await run(into, [day2, day1])).toEqual({ lines: 10, messages: 6, known: 0, passedOver: 0 })
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

  it('refuses what is older than the room, and another log of a day', async () => {
    const into = log()
    await run(into, [day2])
    await expect(run(into, [day1])).rejects.toThrow('2006-06-01.log, line 1, is of 2006-06-01T11:22')
    const other = { ...day2, text: day2.text.replace('another', 'no other') }
    await expect(run(into, [other])).rejects.toThrow('another log of 2006-06-05')
  })
})

// ---

const DATA = join(import.meta.dirname, '../../shared/data/irc-ubuntu')
const isThere = existsSync(DATA)
if (!isThere) console.warn(`SKIPPED: the logs of a real channel are not at ${DATA}`)

describe.skipIf(!isThere)('the logs of a real channel', () => {
  let directory: string
  let log: EventLog
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hansard-irc-'))
    log = await SqliteLog.open(directory)
  })
  afterEach(async () => {
    await log.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('are in the log line for line; tell who was there at any moment; and are found by their words', async () => {
    const files = readdirSync(DATA)
      .filter((name) => name.endsWith('.log'))
      .map((name) => ({ name, day: name.slice(0, 10), text: readFileSync(join(DATA, name), 'utf8') }))
    expect(files).toHaveLength(24)
    const started = performance.now()
    const report = await run(log, files)
    console.log(`${report.lines} lines in ${Math.round(performance.now() - started)} ms`)
    const said = saidIn(files)
    expect(report).toMatchObject({ lines: 39_427, messages: said.length })
    expect(await historyOf(log)).toEqual(said)

    const readModels = await models(log)
    const { result: rooms } = await readModels.query('rooms.list', { limit: 10 }, { atLeast: await log.head() })
    const room = rooms.find(({ aliases }) => aliases.includes(ROOM))?.id ?? ''
    const lines = files.flatMap(({ text, day }) => readIrcLog(text, day))
    for (let sample = 0; sample < 200; sample++) {
      const { at } = lines[(sample * 7_919) % lines.length] as (typeof lines)[number]
      const { result } = await readModels.query('room.presence', { room, at: { time: at } })
      const names = result.map(({ user }) => foldName(user.username)).filter((name) => !name.startsWith('nick-'))
      expect(new Set(names), new Date(at).toISOString()).toEqual(presentAt(lines, at))
    }
    const words = new Set(said.flatMap(({ text }) => text.match(/\b[a-z]{4,12}\b/g) ?? []))
    const { result: all } = await readModels.query('room.messages', { room, limit: 100_000 })
    for (const word of [...words].filter((_word, at) => at % 397 === 0)) {
      const { result } = await readModels.query('room.search', { room, words: word, limit: 100_000 })
      const plain = all.filter(({ text }) =>
        text
          .toLowerCase()
          .split(/[^\p{L}\p{N}]+/u)
          .includes(word),
      )
      expect(result.map(({ id }) => id).reverse(), word).toEqual(plain.map(({ id }) => id))
    }
    await readModels.close()
  }, 240_000)
})

/** An independent fold of the files: who had come or spoken, and not left, when the minute was over. */
const presentAt = (lines: readonly ReturnType<typeof readIrcLog>[number][], until: number): Set<string> => {
  const present = new Set<string>()
  for (const line of lines) {
    if (line.at > until) break
    if (line.is === 'said' || line.is === 'joined') present.add(foldName(line.nick))
    if (line.is === 'left') present.delete(foldName(line.nick))
    if (line.is === 'renamed') {
      present.delete(foldName(line.nick))
      present.add(foldName(line.to))
    }
  }
  // A nick that is no name here has another one.
  return new Set([...present].filter((nick) => nameFault(nick) === null))
}
