// Read models made by other definitions, facts that cannot be folded, and read models made anew while people talk: each
// done to a running server. Rows 60 to 63 and 68 of the catalogue of bad input.

import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { OperatedServer } from './operated-server.ts'

let server: OperatedServer
beforeEach(() => {
  server = new OperatedServer()
})
afterEach(() => server.remove())

describe('read models of other definitions', () => {
  it('answer and follow the log until new ones, made beside them, take their place', async () => {
    await server.start()
    await server.say('before')
    await server.stop()
    server.fill(40_000)
    // What only the old fold has made shows which of the two answers.
    server.madeByOthers('room-history', 'fold', "update texts set text = 'as it was told before'")
    await server.start()
    expect((await server.ready()).problems).toEqual([
      expect.stringMatching(/^read models are being made anew: \d+ of \d+$/),
    ])
    expect(await server.metric('hansard_rebuild_facts_left')).toBeGreaterThan(0)
    expect(await server.said()).toEqual(['as it was told before'])
    const seen = new Set<string>()
    let count = 0
    let lastPosition = 0
    while ((await server.ready()).building !== null) {
      await server.say(`meanwhile ${count++}`)
      const { items, position } = (await server.call('GET', '/api/v1/rooms/moneypot:2/messages?limit=500')).body
      expect(items).toHaveLength(count + 1)
      expect(Number(position.split('-').at(-1))).toBeGreaterThanOrEqual(lastPosition)
      lastPosition = Number(position.split('-').at(-1))
      seen.add(items[0].text)
    }
    expect(count).toBeGreaterThan(0)
    expect(await server.said()).toEqual(['before', ...Array.from({ length: count }, (_, at) => `meanwhile ${at}`)])
    expect([...seen].filter((text) => text !== 'before')).toEqual(['as it was told before'])
    expect(await server.ready()).toMatchObject({ ready: true, building: null, problems: [] })
    expect(await server.metric('hansard_rebuild_facts_left')).toBe(0)
    await server.stop()
    const live = server.rows()
    await rebuild(server.directory)
    expect(server.rows()).toBe(live)
    expect(existsSync(join(server.directory, 'read.next.db'))).toBe(false)
  })

  it('with other tables answer what does not need those; the rest is not available until then', async () => {
    await server.start()
    await server.say('before')
    await server.stop()
    server.fill(40_000)
    server.madeByOthers('reads', 'tables', 'alter table reads rename column message to far')
    await server.start()
    const { number } = (await server.call('GET', '/api/v1/users/@owner')).body
    expect(number).toBe(1)
    expect(await server.said()).toEqual(['before'])
    const reads = await server.call('GET', '/api/v1/rooms/moneypot:2/reads')
    expect([reads.status, reads.body.code]).toEqual([503, 'unavailable'])
    await server.built()
    expect((await server.call('GET', '/api/v1/rooms/moneypot:2/reads')).status).toBe(200)
  })

  it('that a start needs hold it up until new ones are there', async () => {
    await server.start()
    await server.say('before')
    await server.stop()
    server.madeByOthers('people', 'tables', 'alter table users rename column username to nick')
    await server.start()
    expect(await server.said()).toEqual(['before'])
    expect((await server.ready()).problems).toEqual([])
  })
})

describe('a fact that cannot be folded', () => {
  const MALFORMED = '{"id":99,"author":"my secret"'

  it('is parked and named while others go on, and stops a rebuild, which keeps what is in force', async () => {
    await server.start()
    await server.say('one')
    await server.say('two')
    await server.stop()
    const position = server.spoil('MessagePosted', MALFORMED)
    // The checkpoint goes back to before it, so that it is folded while the server runs.
    server.onFile('read.db', (db) => {
      for (const table of ['messages', 'texts']) {
        const column = table === 'messages' ? 'position' : 'from_position'
        db.exec(`delete from ${table} where ${column} >= ${position}`)
      }
      db.exec(`delete from search where rowid >= ${position}; update meta set checkpoint = ${position - 1}`)
      db.exec(`delete from connections where opened_position >= ${position}`)
    })
    await server.start()
    const problem = `room-history could not fold MessagePosted at position ${position}: not JSON`
    const told = await server.ready()
    expect(told).toMatchObject({ ready: true, parked: 1 })
    expect(told.problems).toContain(problem)
    expect(JSON.stringify(told)).not.toContain('secret')
    expect(await server.metric('hansard_parked_facts')).toBe(1)
    // The room itself cannot be folded any more; other rooms can.
    const opened = await server.call('POST', '/api/v1/rooms', { name: 'other', aliases: ['native:7'] })
    expect(opened.status).toBe(201)
    expect((await server.call('POST', '/api/v1/rooms/native:7/messages', { text: 'three' })).status).toBe(201)
    expect(await server.said()).toEqual(['one'])

    expect((await server.call('POST', '/api/v1/read-models/rebuild')).status).toBe(202)
    await expect
      .poll(async () => (await server.ready()).building?.stopped)
      .toContain(`MessagePosted at position ${position}`)
    expect(await server.ready()).toMatchObject({ ready: true, parked: 1, building: { position: position - 1 } })
    expect(await server.said()).toEqual(['one'])
    expect((await server.call('POST', '/api/v1/read-models/rebuild', { atPoison: 'park' })).status).toBe(202)
    await server.built()
    expect((await server.ready()).problems).toContain(problem)
    expect(await server.said()).toEqual(['one'])
    await server.stop()
    await expect(rebuild(server.directory)).rejects.toThrow(
      `room-history cannot fold MessagePosted at position ${position}`,
    )
    expect(server.onFile('read.db', (db) => db.prepare('select count(*) as n from messages').get())).toEqual({ n: 2 })
  })

  it('ends a start that has nothing else to answer from, with what to do; a mended fold clears it', async () => {
    await server.start()
    await server.say('one')
    await server.stop()
    copyFileSync(join(server.directory, 'log.db'), join(server.directory, 'whole.db'))
    const position = server.spoil('MessagePosted', MALFORMED)
    rmSync(join(server.directory, 'read.db'))
    await expect(server.start()).rejects.toThrow(
      `room-history cannot fold MessagePosted at position ${position}: not JSON; --rebuild-poison park`,
    )
    await server.start(['--rebuild-poison', 'park'])
    expect(await server.ready()).toMatchObject({ ready: true, parked: 1 })
    await server.stop()
    // As if the fold could now read it: the fact is whole, and the definition another.
    copyFileSync(join(server.directory, 'whole.db'), join(server.directory, 'log.db'))
    server.madeByOthers('room-history', 'fold')
    await server.start()
    await server.built()
    expect(await server.ready()).toMatchObject({ ready: true, parked: 0, problems: [] })
    expect(await server.said()).toEqual(['one'])
  })
})

it('positions that the log does not have are passed over, and nothing else is', async () => {
  await server.start()
  for (const text of ['one', 'two', 'three']) await server.say(text)
  await server.stop()
  server.fill(5)
  server.onFile('log.db', (db) => {
    db.exec("update facts set position = position + 1000 where id like 'filled-%'")
    db.exec("delete from facts where id in ('filled-1', 'filled-2')")
  })
  await server.start()
  expect(await server.ready()).toMatchObject({ ready: true, lag: 0, problems: [] })
  await server.say('four')
  expect(await server.said()).toEqual(['one', 'two', 'three', 'four'])
  expect((await server.call('POST', '/api/v1/read-models/rebuild')).status).toBe(202)
  await server.built()
  expect(await server.said()).toEqual(['one', 'two', 'three', 'four'])
  await server.stop()
  expect(
    server.onFile('read.db', (db) => db.prepare("select name from mutes where room = 'filled' order by name").all()),
  ).toEqual(['n0', 'n3', 'n4'].map((name) => ({ name })))
})
