// A real channel's logs, where they are there, and what an import of them must be equal to.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { foldName, nameFault } from '../src/actors/names.ts'
import { type IrcFile, importIrc } from '../src/import/import-irc.ts'
import { readIrcLog } from '../src/import/irc-log.ts'
import type { EventLog } from '../src/log/event-log.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { dump } from '../src/projections/read-database.ts'
import { LocalReadModels } from '../src/projections/read-models.ts'
import { SecureChance } from '../src/secure-chance.ts'
import { SeededChance } from './seeded-chance.ts'
import { VirtualClock } from './virtual-clock.ts'

export const ROOM = 'moneypot:100'

export const run = (log: EventLog, files: readonly IrcFile[], room = ROOM) =>
  importIrc({
    log,
    chance: (clock) => new SecureChance(clock),
    nameKey: '',
    node: 'main',
    files,
    room,
    roomName: '#ubuntu',
  })

export const file = (day: string, ...lines: string[]): IrcFile => ({
  name: `${day}.log`,
  day,
  text: `${lines.join('\n')}\n`,
})

export const models = (log: EventLog) => LocalReadModels.open(log, (ms, later) => setTimeout(later, ms))

interface Said {
  readonly at: number
  readonly author: string
  readonly text: string
  readonly kind: string
}

/** The room's whole history, a page at a time; `nick` as written where it differs from the account's name. */
export const historyOf = async (log: EventLog, alias = ROOM): Promise<Said[]> => {
  const readModels = await models(log)
  const { result: rooms } = await readModels.query('rooms.list', { limit: 10 }, { atLeast: await log.head() })
  const room = rooms.find(({ aliases }) => aliases.includes(alias))?.id ?? ''
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

export const saidIn = (files: readonly IrcFile[]): Said[] =>
  files.flatMap(({ text, day }) =>
    readIrcLog(text, day).flatMap((line) =>
      line.is === 'said'
        ? [{ at: line.at, author: line.nick, text: line.text.toWellFormed(), kind: line.action ? 'action' : 'text' }]
        : [],
    ),
  )

export const DATA = join(import.meta.dirname, '../../shared/data/irc-ubuntu')
export const isThere = existsSync(DATA)
if (!isThere) console.warn(`SKIPPED: the logs of a real channel are not at ${DATA}`)

/** The first so many days: line for line; who was there at 200 moments, from a seed; and found by their words. */
export const expectEqual = async (days: number, given: number): Promise<void> => {
  const seed = Number(process.env.HANSARD_TEST_SEED ?? given)
  console.log(`moments of the channel: HANSARD_TEST_SEED=${seed}`)
  const directory = await mkdtemp(join(tmpdir(), 'hansard-irc-'))
  const log = await SqliteLog.open(directory)
  try {
    await compare(log, days, new SeededChance(seed, new VirtualClock()))
  } finally {
    await log.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const compare = async (log: EventLog, days: number, chance: SeededChance): Promise<void> => {
  const files = readdirSync(DATA)
    .filter((name) => name.endsWith('.log'))
    .slice(0, days)
    .map((name) => ({ name, day: name.slice(0, 10), text: readFileSync(join(DATA, name), 'utf8') }))
  expect(files).toHaveLength(days)
  // Read models that fold while the lines come.
  const live = await models(log)
  const following = setInterval(() => live.poke(), 20)
  const started = performance.now()
  const report = await run(log, files)
  console.log(`${report.lines} lines in ${Math.round(performance.now() - started)} ms`)
  const said = saidIn(files)
  expect(report).toMatchObject({ messages: said.length, known: 0 })
  expect(await historyOf(log)).toEqual(said)

  const readModels = await models(log)
  const { result: rooms } = await readModels.query('rooms.list', { limit: 10 }, { atLeast: await log.head() })
  const room = rooms.find(({ aliases }) => aliases.includes(ROOM))?.id ?? ''
  const lines = files.flatMap(({ text, day }) => readIrcLog(text, day))
  const first = lines[0]?.at ?? 0
  // In the last minute everybody leaves with the log.
  const span = (lines.at(-1)?.at ?? 0) - first
  for (let sample = 0; sample < 200; sample++) {
    const at = first + chance.below(span)
    const { result } = await readModels.query('room.presence', { room, at: { time: at } })
    const names = result.map(({ user }) => foldName(user.username)).filter((name) => !name.startsWith('nick-'))
    expect(new Set(names), new Date(at).toISOString()).toEqual(presentAt(lines, at))
    const { result: shown } = await readModels.query('room.messages', { room, limit: 20, at: { time: at } })
    const then = said.filter((each) => each.at <= at).slice(-20)
    expect(shown.map(({ text }) => text)).toEqual(then.map(({ text }) => text))
    const [earliest] = shown
    if (!earliest) continue
    const { result: cut } = await readModels.query('room.messages', {
      room,
      limit: 3,
      at: { position: earliest.position },
    })
    expect(cut.at(-1)).toEqual(earliest)
  }
  const words = new Set(said.flatMap(({ text }) => text.match(/\b[a-z]{4,12}\b/g) ?? []))
  const { result: all } = await readModels.query('room.messages', { room, limit: 100_000 })
  for (const word of [...words].filter((_word, at) => at % 37 === 0)) {
    const { result } = await readModels.query('messages.search', { room, words: word, limit: 100_000 })
    const plain = all.filter(({ text }) =>
      text
        .toLowerCase()
        .split(/[^\p{L}\p{N}]+/u)
        .includes(word),
    )
    expect(result.map(({ id }) => id).reverse(), word).toEqual(plain.map(({ id }) => id))
  }
  const rebuilt = dump(readModels.generations.db)
  await readModels.close()
  clearInterval(following)
  await live.query('rooms.list', { limit: 1 }, { atLeast: await log.head() })
  expect(dump(live.generations.db) === rebuilt, 'tables folded live and tables made anew are the same bytes').toBe(true)
  await live.close()
}

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
