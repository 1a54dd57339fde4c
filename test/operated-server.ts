// A server as its operator has it: a process on a data directory, stopped, killed and started again, with its files
// touched while it is down.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { dump } from '../src/projections/read-database.ts'
import { type Answer, asking } from './asking.ts'
import { OWNER_TOKEN, type ServerProcess, startProcess } from './server-process.ts'

const MESSAGES = '/api/v1/rooms/moneypot:2/messages'

export class OperatedServer {
  readonly directory: string
  #process: ServerProcess | null = null

  constructor(directory = mkdtempSync(join(tmpdir(), 'hansard-operated-'))) {
    this.directory = directory
  }

  get url(): string {
    return this.process.url
  }

  get process(): ServerProcess {
    if (!this.#process) throw new Error('it does not run')
    return this.#process
  }

  async start(
    flags: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
    heard: (printed: string) => void = () => {},
  ): Promise<void> {
    this.#process = await startProcess(this.directory, flags, { environment, heard })
  }

  async stop(): Promise<void> {
    expect(await this.process.stop()).toBe(0)
    this.#process = null
  }

  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = null
  }

  /** Resolves once it has ended by itself. */
  async ended(): Promise<void> {
    await this.process.ended
    this.#process = null
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }

  call(method: string, path: string, body?: object): Promise<Answer> {
    return asking(`${this.url}${path}`, method, { authorization: `Bearer ${OWNER_TOKEN}` }, body)
  }

  /** Says something in the lobby; a repeat of `ref` is the same message. */
  post(text: string, ref = text): Promise<Answer> {
    return this.call('POST', MESSAGES, { text, ref })
  }

  async say(text: string): Promise<void> {
    const { status, body } = await this.post(text)
    expect([status, body?.code]).toEqual([201, undefined])
  }

  /** What stands in the lobby. */
  async said(): Promise<string[]> {
    const texts: string[] = []
    for (let after = 0; ; ) {
      const { body } = await this.call('GET', `${MESSAGES}?limit=500&after=${after}`)
      if (body.items.length === 0) return texts
      texts.push(...body.items.map(({ text }: { text: string }) => text))
      after = body.items.at(-1).id
    }
  }

  async ready() {
    return (await this.call('GET', '/readyz')).body
  }

  /** Nothing is being made anew any more. */
  async built(): Promise<void> {
    await expect.poll(async () => (await this.ready()).building, { timeout: 60_000 }).toBe(null)
  }

  async metric(name: string): Promise<number> {
    const page: string = (await this.call('GET', '/metrics')).body
    const line = page.split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.slice(name.length))
  }

  /** The facts of these types, oldest first. */
  async facts(types: readonly string[]): Promise<{ type: string; data: Record<string, never>; at: string }[]> {
    return (await this.call('GET', `/api/v1/facts?limit=500&type=${types.join(',')}`)).body.items
  }

  onFile<Result>(name: string, work: (db: DatabaseSync) => Result): Result {
    const db = new DatabaseSync(join(this.directory, name))
    try {
      return work(db)
    } finally {
      db.close()
    }
  }

  /** Every row of the read models. */
  rows(): string {
    return this.onFile('read.db', dump)
  }

  /** As an earlier version would have left the read models: made by another fold, or with other tables. */
  madeByOthers(projection: string, what: 'fold' | 'tables', alter = ''): void {
    this.onFile('read.db', (db) => {
      const { definitions } = db.prepare('select definitions from meta').get() as { definitions: string }
      const changed = JSON.parse(definitions)
      changed[projection][what] = 'another'
      db.prepare('update meta set definitions = ?').run(JSON.stringify(changed))
      db.exec(alter)
    })
  }

  /** Many facts beside those of people, so that making the rows anew takes a while. */
  fill(count: number): void {
    this.onFile('log.db', (db) => {
      db.exec(`
        insert into streams (name) values ('room-filled');
        with recursive n (i) as (select 0 union all select i + 1 from n where i < ${count - 1})
        insert into facts select (select max(position) from facts) + 1 + i, (select max(id) from streams), i, 'filled-' || i,
          'UserMuted', 1, json_object('user', null, 'name', 'n' || i, 'by', null, 'reason', null, 'until', null, 'seconds', null),
          json_object('at', 1767225600000 + i, 'by', null, 'connection', null) from n`)
    })
  }

  /** The data of the last fact of this type becomes this text; returns its position. */
  spoil(type: string, data: string): number {
    return this.onFile('log.db', (db) => {
      const found = db.prepare('select max(position) as position from facts where type = ?').get(type)
      const { position } = found as { position: number }
      db.prepare('update facts set data = ? where position = ?').run(data, position)
      return position
    })
  }
}
