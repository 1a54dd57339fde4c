// Read models made by other definitions, facts that cannot be folded, and read models made anew while people talk: each
// done to a running server. Rows 60 and 63 of the catalogue of bad input.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { rebuild } from '../src/cli/rebuild-command.ts'
import { OperatedServer } from './operated-server.ts'

// A hundred thousand facts are folded here, on a machine that may have a dozen other tests to run.
vi.setConfig({ testTimeout: 180_000 })

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
    server.fill(80_000)
    // What only the old fold has made shows which of the two answers.
    server.madeByOthers('room-history', 'fold', "update messages set posted_text = 'as it was told before'")
    await server.start()
    expect((await server.ready()).problems).toEqual([
      expect.stringMatching(/^read models are being made anew: \d+ of \d+$/),
    ])
    expect(await server.metric('hansard_rebuild_facts_left')).toBeGreaterThan(0)
    expect(await server.said()).toEqual(['as it was told before'])
    const seen: string[] = []
    let count = 0
    let lastPosition = 0
    while ((await server.ready()).building !== null) {
      await server.say(`meanwhile ${count++}`)
      const { items, position } = (await server.call('GET', '/api/v1/rooms/moneypot:2/messages?limit=500')).body
      expect(items).toHaveLength(count + 1)
      expect(Number(position.split('-').at(-1))).toBeGreaterThanOrEqual(lastPosition)
      lastPosition = Number(position.split('-').at(-1))
      seen.push(items[0].text)
    }
    expect(count).toBeGreaterThan(0)
    expect(await server.said()).toEqual(['before', ...Array.from({ length: count }, (_, at) => `meanwhile ${at}`)])
    // The one, then the other, and never back.
    const order = seen.map((text) => ['as it was told before', 'before'].indexOf(text))
    expect(order).toEqual([...order].sort())
    expect(order).not.toContain(-1)
    expect(await server.ready()).toMatchObject({ ready: true, building: null, problems: [] })
    expect(await server.metric('hansard_rebuild_facts_left')).toBe(0)
    await server.stop()
    expect(existsSync(join(server.directory, 'read.next.db'))).toBe(false)
  })

  it('with other tables answer what does not need those; the rest is not available until then', async () => {
    await server.start()
    await server.say('before')
    await server.stop()
    server.fill(120_000)
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
      db.exec(`delete from messages where position >= ${position}`)
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
})
