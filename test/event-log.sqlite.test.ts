// What only a log on a disk can suffer: dead processes, full disks, files that vanish or are damaged.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DirectoryLocked } from '../src/log/directory-lock.ts'
import {
  type Envelope,
  LastFact,
  LogBusy,
  LogUnavailable,
  type Recorded,
  WrongExpectedRevision,
} from '../src/log/event-log.ts'
import { openLog } from '../src/log/open-log.ts'
import { SqliteLog, type SqliteLogOptions } from '../src/log/sqlite.ts'
import { SqliteLogReader } from '../src/log/sqlite-reader.ts'

const source = (file: string): string => JSON.stringify(new URL(`../src/log/${file}`, import.meta.url).href)

let made = 0
const fact = (bytes = 10): Envelope => {
  made++
  const data = JSON.stringify('x'.repeat(bytes))
  return { id: `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`, type: 'Noted', v: 1, data, metadata: '{}' }
}

const all = async (iterable: AsyncIterable<Recorded>): Promise<Recorded[]> => {
  const items: Recorded[] = []
  for await (const item of iterable) items.push(item)
  return items
}

describe('the embedded log', () => {
  let directory: string
  let file: string
  const opened: SqliteLog[] = []
  const children: ChildProcess[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hansard-log-'))
    file = join(directory, 'log.db')
  })

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await Promise.all(opened.splice(0).map((log) => log.close()))
    rmSync(directory, { recursive: true })
  })

  const open = async (options?: SqliteLogOptions): Promise<SqliteLog> => {
    const log = await SqliteLog.open(directory, options)
    opened.push(log)
    return log
  }

  /** Runs a module in another process, optionally with its files limited to so many KiB. */
  const child = (script: string, fileLimitKiB: number | 'unlimited' = 'unlimited'): ChildProcess => {
    const module = join(directory, 'child.mjs')
    writeFileSync(module, `const directory = ${JSON.stringify(directory)}\n${script}`)
    const limited = `ulimit -f ${fileLimitKiB}; exec "$0" "$@"`
    const started = spawn('bash', ['-c', limited, process.execPath, module], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(started)
    return started
  }

  const lines = (from: ChildProcess) => createInterface(from.stdout as NodeJS.ReadableStream)

  const firstLine = async (from: ChildProcess): Promise<string> => {
    for await (const line of lines(from)) return line
    throw new Error('the other process ended without a word')
  }

  const killed = async (other: ChildProcess): Promise<void> => {
    if (other.exitCode !== null || other.signalCode !== null) return
    const exited = once(other, 'exit')
    other.kill('SIGKILL')
    await exited
  }

  describe('its directory', () => {
    it('belongs to one process, and is free again after SIGKILL', async () => {
      const other = child(`
        const { SqliteLog } = await import(${source('sqlite.ts')})
        await SqliteLog.open(directory)
        console.log('open')
      `)
      await firstLine(other)
      const refused = SqliteLog.open(directory)
      await expect(refused).rejects.toThrow(DirectoryLocked)
      await expect(refused).rejects.toThrow(directory)
      await killed(other)
      expect(await (await open()).head()).toBe(0)
    })

    it('is refused to a second opener in the same process until the first closes', async () => {
      const log = await open()
      await expect(SqliteLog.open(directory)).rejects.toThrow(DirectoryLocked)
      await log.append('room-1', [fact()], 'no-stream')
      await log.close()
      expect(await (await open()).head()).toBe(1)
    })

    it('is made when absent, for its owner only', async () => {
      const made = join(directory, 'a', 'b')
      const log = await openLog('sqlite:', made)
      await log.append('room-1', [fact()], 'no-stream')
      const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)
      expect(mode(made)).toBe('700')
      expect(['log.db', 'log.db-wal', 'log.db-shm', 'lock.db'].map((name) => mode(join(made, name)))).toEqual(
        Array(4).fill('600'),
      )
      await log.close()
      expect(existsSync(join(made, 'log.db-wal'))).toBe(false)
    })
  })

  describe('after a restart', () => {
    it('has its facts, its epoch and its memory of what was appended', async () => {
      const first = await open({ newId: () => 'born' })
      const repeated = [fact(), fact()]
      await first.append('room-1', repeated, 'no-stream')
      await first.append('room-1', [fact()], 1)
      await first.close()
      const between = SqliteLogReader.open(directory)
      expect([between.epoch(), between.head()]).toEqual(['born', 3])
      between.close()
      const second = await open({ newId: () => 'not again' })
      expect(await second.epoch()).toBe('born')
      expect(await second.head()).toBe(3)
      expect(await second.append('room-1', repeated, 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 1 })
      await expect(second.append('room-1', [fact()], 1)).rejects.toMatchObject({ actual: 2 })
      await second.append('room-1', [fact()], 2)
      expect((await all(second.readAll())).map(({ position }) => position)).toEqual([1, 2, 3, 4])
    })

    it('has everything that was acknowledged before SIGKILL, at its place, without gaps', async () => {
      const writer = child(`
        const { SqliteLog } = await import(${source('sqlite.ts')})
        const { writeSync } = await import('node:fs')
        const log = await SqliteLog.open(directory)
        // A full pipe takes a part of a text, or nothing and says EAGAIN.
        const say = (text) => {
          for (let rest = Buffer.from(text); rest.length > 0; ) {
            try {
              rest = rest.subarray(writeSync(1, rest))
            } catch (error) {
              if (error.code !== 'EAGAIN') throw error
            }
          }
        }
        const write = async (stream) => {
          let last = 'no-stream'
          for (let n = 0; ; n++) {
            const facts = Array.from({ length: 1 + (n % 3) }, () => (
              { id: crypto.randomUUID(), type: 'Noted', v: 1, data: String(n), metadata: '{}' }))
            const { firstRevision, lastRevision } = await log.append(stream, facts, last)
            for (const [i, { id }] of facts.entries()) say(stream + ' ' + (firstRevision + i) + ' ' + id + '\\n')
            last = lastRevision
          }
        }
        for (let n = 0; n < 8; n++) write('room-' + n)
      `)
      const acknowledged: string[] = []
      for await (const line of lines(writer)) {
        acknowledged.push(line)
        if (acknowledged.length === 2_000) writer.kill('SIGKILL')
      }
      expect(acknowledged.length).toBeGreaterThanOrEqual(2_000)
      const withoutWriter = SqliteLogReader.open(directory)
      expect(withoutWriter.head()).toBeGreaterThanOrEqual(1_999)
      withoutWriter.close()
      const log = await open()
      const stored = await all(log.readAll())
      const places = new Set(stored.map(({ stream, revision, id }) => `${stream} ${revision} ${id}`))
      // The last line may have been cut in the middle.
      for (const line of acknowledged.slice(0, -1)) expect(places).toContain(line)
      const next = new Map<string, number>()
      for (const { stream, revision } of stored) {
        expect(revision).toBe(next.get(stream) ?? 0)
        next.set(stream, revision + 1)
      }
      for (const [stream, revision] of next) await log.append(stream, [fact()], revision - 1)
    })
  })

  describe('appends', () => {
    it('that arrive together share a commit', async () => {
      const log = await open()
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => log.append(`room-${n}`, [fact()], 'no-stream')))
      expect(log.commits).toBeLessThan(200)
      expect(await log.head()).toBe(1_000)
    })

    it('over 64 MiB in flight are refused as busy; the others are stored', async () => {
      const log = await open()
      const settled = await Promise.allSettled(
        Array.from({ length: 140 }, (_, n) => log.append(`room-${n}`, [fact(250_000), fact(250_000)], 'no-stream')),
      )
      const refused = settled.filter((each) => each.status === 'rejected')
      expect(refused.length).toBeGreaterThan(0)
      for (const { reason } of refused) {
        expect(reason).toBeInstanceOf(LogBusy)
        expect(reason).toMatchObject({ stored: 'no', message: expect.stringContaining('busy') })
      }
      expect(await log.head()).toBe(2 * (140 - refused.length))
      await log.append('room-139', [fact()], 'no-stream')
    })

    it('are seen by a reader in another thread once acknowledged', async () => {
      const log = await open()
      const thread = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads')
         import(${source('sqlite-reader.ts')}).then(({ SqliteLogReader }) => {
           const reader = SqliteLogReader.open(workerData)
           parentPort.on('message', (from) => parentPort.postMessage(reader.readChunk(from, undefined, 100)))
           parentPort.postMessage(reader.epoch())
         })`,
        { eval: true, workerData: directory },
      )
      const heard = async () => (await once(thread, 'message'))[0]
      expect(await heard()).toBe(await log.epoch())
      for (let n = 0; n < 100; n++) {
        const sent = fact()
        await log.append('room-1', [sent], n === 0 ? 'no-stream' : n - 1)
        thread.postMessage(n)
        expect(await heard()).toEqual([{ ...sent, stream: 'room-1', revision: n, position: n + 1 }])
      }
      await thread.terminate()
    })
  })

  it('does not let go of its last fact, whose position would be given again', async () => {
    const log = await open()
    await log.append('room-1', [fact()], 'no-stream')
    await log.append('connection-1', [fact()], 'no-stream')
    await expect(log.deleteStreams(['room-1', 'connection-1'])).rejects.toThrow(LastFact)
    expect(await log.head()).toBe(2)
    await log.append('room-1', [fact()], 0)
    await log.deleteStreams(['connection-1'])
    await log.close()
    const again = await open()
    expect(await again.head()).toBe(3)
    await again.close()
  })

  it('overwrites what it deletes, and takes the stream for one that never was', async () => {
    const log = await open()
    const words = 'what somebody said and wants forgotten '.repeat(20)
    const said = { ...fact(), data: JSON.stringify(words) }
    await log.append('connection-1', [said], 'no-stream')
    await log.append('room-1', [fact()], 'no-stream')
    await log.deleteStreams(['connection-1'])
    expect(await log.append('connection-1', [fact()], 'no-stream')).toEqual({ firstRevision: 0, lastRevision: 0 })
    await log.close()
    expect(readFileSync(file).includes(words.slice(0, 40))).toBe(false)
  })

  it('lets its readers pass a filter over long stretches where nothing matches', async () => {
    const log = await open()
    let last: number | 'no-stream' = 'no-stream'
    for (let n = 0; n < 200; n++) {
      const batch = Array.from({ length: 256 }, () => fact(1))
      last = (await log.append('room-1', batch, last)).lastRevision
    }
    await log.append('user-1', [{ ...fact(), type: 'Rare' }], 'no-stream')
    const reader = SqliteLogReader.open(directory)
    for (const filter of [{ types: ['Rare', 'None'] }, { streamPrefixes: ['user-'] }]) {
      expect(reader.readChunk(0, filter, 100).map(({ position }) => position)).toEqual([51_201])
      expect(reader.readChunk(51_201, filter, 100)).toEqual([])
      expect([...reader.readAll({ filter })]).toEqual(await all(log.readAll({ filter })))
    }
    expect(
      [...reader.readStream('room-1', { direction: 'backwards', limit: 600 })].map(({ revision }) => revision),
    ).toEqual(Array.from({ length: 600 }, (_, n) => 51_199 - n))
    reader.close()
  })

  it('keeps its write-ahead log short, also beside reads that were left in the middle', async () => {
    const log = await open()
    await log.append(
      'room-0',
      Array.from({ length: 200 }, () => fact()),
      'no-stream',
    )
    const reader = SqliteLogReader.open(directory)
    const left = [log.readAll(), log.subscribe({ from: 0 })].map((iterable) => iterable[Symbol.asyncIterator]())
    for (const reading of left) await reading.next()
    const inThisThread = [
      reader.readAll(),
      reader.readAll({ filter: { types: ['Noted'] } }),
      reader.readStream('room-0'),
    ]
    for (const reading of inThisThread) reading.next()
    for (let n = 1; n <= 160; n++) await log.append(`room-${n}`, [fact(240_000), fact(240_000)], 'no-stream')
    expect(statSync(`${file}-wal`).size).toBeLessThan(32 * 1024 * 1024)
    for (const reading of inThisThread) expect([...reading].length).toBeGreaterThanOrEqual(199)
    reader.close()
  })

  describe('when the disk fails', () => {
    /** Appends until one fails. */
    const fill = async (log: SqliteLog): Promise<{ stored: number; error: unknown }> => {
      for (let stored = 0; ; stored++) {
        try {
          await log.append(`room-${stored}`, [fact(2_000)], 'no-stream')
        } catch (error) {
          return { stored, error }
        }
      }
    }

    it('full: says so, stores nothing more, reads on, and goes on after a restart with room', async () => {
      const log = await open({ maxPages: 100 })
      const { stored, error } = await fill(log)
      expect(error).toMatchObject({ name: 'LogUnavailable', stored: 'no', message: expect.stringContaining('full') })
      await expect(log.append('small', [fact()], 'no-stream')).rejects.toMatchObject({ stored: 'no' })
      expect(await all(log.readAll())).toHaveLength(stored)
      expect(await log.head()).toBe(stored)
      await log.close()
      const again = await open()
      expect(await again.head()).toBe(stored)
      await again.append(`room-${stored}`, [fact(2_000)], 'no-stream')
    })

    it('full: stores nothing behind what failed, however small', async () => {
      const log = await open({ maxPages: 100 })
      const sent: Promise<unknown>[] = []
      let failed = false
      const send = (bytes: number) => {
        const append = log.append(`room-${sent.length}`, [fact(bytes)], 'no-stream')
        append.catch(() => {
          failed = true
        })
        sent.push(append)
      }
      while (!failed) {
        send(100_000)
        for (let n = 0; n < 5; n++) {
          await setImmediate()
          send(10)
        }
      }
      const fates = (await Promise.allSettled(sent)).map(({ status }) => status)
      const first = fates.indexOf('rejected')
      expect(fates.slice(first)).toEqual(Array(fates.length - first).fill('rejected'))
      expect(await log.head()).toBe(first)
    })

    it('at a commit: says that the outcome is unknown, also to a repeat, and tells of nothing that is not there', async () => {
      const report = child(
        `
        const { SqliteLog } = await import(${source('sqlite.ts')})
        process.on('SIGXFSZ', () => {})
        const log = await SqliteLog.open(directory)
        const fact = () => ({ id: crypto.randomUUID(), type: 'Noted', v: 1, data: JSON.stringify('x'.repeat(2000)), metadata: '{}' })
        const failure = (facts, stream) => log.append(stream, facts, 'no-stream').then(() => null, ({ name, stored }) => ({ name, stored }))
        let stored = 0
        let lost
        let failed = null
        while (!failed) failed = await failure((lost = [fact()]), 'room-' + stored++)
        let read = 0
        for await (const _ of log.readAll()) read++
        console.log(JSON.stringify({
          stored: stored - 1, failed, read,
          repeat: await failure(lost, 'room-' + (stored - 1)), other: await failure([fact()], 'other'),
        }))
        `,
        400,
      )
      const { stored, failed, read, repeat, other } = JSON.parse(await firstLine(report))
      expect(failed).toEqual({ name: 'LogUnavailable', stored: 'unknown' })
      expect(repeat).toEqual({ name: 'LogUnavailable', stored: 'unknown' })
      expect(other).toEqual({ name: 'LogUnavailable', stored: 'no' })
      expect(read).toBe(stored)
      await killed(report)
      const again = await open()
      expect(await again.head()).toBeGreaterThanOrEqual(stored)
      expect(await again.head()).toBeLessThanOrEqual(stored + 1)
    })

    it.each(['log.db', 'log.db-wal'])('%s removed or replaced: stops acknowledging, reads on', async (name) => {
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      const path = join(directory, name)
      renameSync(path, `${path}.away`)
      copyFileSync(`${path}.away`, path)
      const refused = log.append('room-1', [fact()], 0)
      await expect(refused).rejects.toMatchObject({ name: 'LogUnavailable', stored: 'no' })
      await expect(refused).rejects.toThrow(`${path} was removed or replaced`)
      renameSync(`${path}.away`, path)
      await expect(log.append('room-1', [fact()], 0)).rejects.toMatchObject({ stored: 'no' })
      expect(await all(log.readStream('room-1'))).toHaveLength(1)
    })
  })

  describe('opening what is not a whole log', () => {
    const filled = async (): Promise<void> => {
      const log = await open()
      for (let n = 0; n < 20; n++) await log.append(`room-${n}`, [fact(20_000)], 'no-stream')
      await log.close()
    }

    const refusal = async (): Promise<string> => {
      const error = await SqliteLog.open(directory).then(
        () => null,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(LogUnavailable)
      expect((error as Error).message).toContain(file)
      return (error as Error).message
    }

    it('refuses a torn file, and says what to do', async () => {
      await filled()
      truncateSync(file, statSync(file).size - 4_096 * 10)
      expect(await refusal()).toMatch(/torn|malformed/)
      // The lock is given back: another try is not told of another process.
      expect(await refusal()).toMatch(/put back a copy/)
    })

    it('refuses garbage', async () => {
      writeFileSync(file, 'this is a letter, not a log. '.repeat(500))
      expect(await refusal()).toMatch(/not a database.*put back a copy/)
    })

    it("refuses another program's database, and another format", async () => {
      const other = new DatabaseSync(file)
      other.exec('create table birds (name text)')
      other.close()
      expect(await refusal()).toMatch(/something else/)
      unlinkSync(file)
      await filled()
      const later = new DatabaseSync(file)
      later.exec('pragma user_version = 2')
      later.close()
      expect(await refusal()).toMatch(/format is 2/)
    })

    it('refuses a write-ahead log without its file', async () => {
      const log = await open()
      await log.append('room-1', [fact()], 'no-stream')
      copyFileSync(`${file}-wal`, `${file}-copy`)
      await log.close()
      unlinkSync(file)
      renameSync(`${file}-copy`, `${file}-wal`)
      expect(await refusal()).toMatch(/put the file back/)
      expect(existsSync(`${file}-wal`)).toBe(true)
    })

    it('has nothing to read where no log is', () => {
      expect(() => SqliteLogReader.open(directory)).toThrow(LogUnavailable)
    })
  })

  it('that cannot be read says so to whoever asks how far it is, and goes on once it can', async () => {
    const before = await open()
    await before.append('room-1', [fact()], 'no-stream')
    await before.close()
    const log = await open()
    const other = new DatabaseSync(file)
    other.exec('alter table facts rename to hidden')
    const stop = new AbortController()
    const heard: Recorded[] = []
    const listening = (async () => {
      for await (const item of log.subscribe({ from: 0, signal: stop.signal }))
        if (!('caughtUp' in item)) heard.push(item)
    })()
    const said = () => log.head().then(String, String)
    await expect.poll(said, { timeout: 5_000 }).toMatch(/cannot be read: no such table/)
    other.exec('alter table hidden rename to facts')
    other.close()
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(1)
    expect(await log.head()).toBe(1)
    stop.abort()
    await listening
  })

  it('is named by the setting LOG', async () => {
    const memory = await openLog('memory:', directory)
    expect(existsSync(file)).toBe(false)
    await memory.close()
    const embedded = await openLog('sqlite:', directory)
    await expect(embedded.append('room-1', [fact()], 3)).rejects.toThrow(WrongExpectedRevision)
    expect(existsSync(file)).toBe(true)
    await embedded.close()
    await expect(openLog('postgres://x', directory)).rejects.toThrow(/memory:/)
    await expect(openLog('', directory)).rejects.toThrow(/memory:/)
  })
})
