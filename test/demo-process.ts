// `hansard demo` as a process of its own, and what it leaves.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { foldName } from '../src/actors/names.ts'
import { SqliteLog } from '../src/log/sqlite.ts'
import { DATA, historyOf, saidIn } from './irc-channel.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const LOBBY = 'moneypot:2'
/** The real day that is played. */
const DAY = '2006-06-01'

export interface Demo {
  readonly child: ChildProcess
  out(): string
  err(): string
  /** resolves when it has printed this */
  printed(text: RegExp): Promise<string>
  /** Ctrl-C; resolves with the exit code */
  stop(): Promise<number | null>
}

export const demo = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Demo => {
  const env = { ...process.env, ...environment }
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  let [out, err] = ['', '']
  const heard = new Set<() => void>()
  child.stdout.on('data', (text) => {
    out += text
    for (const look of heard) look()
  })
  child.stderr.on('data', (text) => {
    err += text
    for (const look of heard) look()
  })
  return {
    child,
    out: () => out,
    err: () => err,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const [found] = text.exec(out + err) ?? []
          if (found !== undefined) resolve(found)
        }
        heard.add(look)
        look()
        exited.then(() => reject(new Error(`it ended without ${text}:\n${out}\n${err}`)))
      }),
    stop: async () => {
      child.kill('SIGINT')
      return (await exited)[0]
    },
  }
}

/** What the demo's directory holds when it is over: as a file says it, but without blanks at a message's ends. */
export const historyIn = async (data: string) => {
  const log = await SqliteLog.open(data)
  const history = await historyOf(log, LOBBY)
  await log.close()
  return history.map(({ author, text, kind }) => ({ author: foldName(author), text, kind }))
}
export const asPlayed = (...files: Parameters<typeof saidIn>[0]) =>
  saidIn(files).map(({ author, text, kind }) => ({ author: foldName(author), text: text.trim(), kind }))

/** So many lines of a real day, played as fast as it goes, are in the history as they are in the file. */
export const expectDayPlayed = async (lines: number): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), 'hansard-demo-day-'))
  const text = readFileSync(join(DATA, `${DAY}.log`), 'utf8')
    .split('\n')
    .slice(0, lines)
    .join('\n')
  const path = join(directory, `${DAY}.log`)
  await writeFile(path, text)
  const played = demo(['irc', path, '--speed', 'max', '--data', join(directory, 'data')])
  await played.printed(/until Ctrl-C/)
  expect(played.out()).not.toContain('refused')
  expect(await played.stop()).toBe(0)
  expect(await historyIn(join(directory, 'data'))).toEqual(asPlayed({ name: path, day: DAY, text }))
  await rm(directory, { recursive: true, force: true })
}
