// Deadlines of a running server: far away, over restarts, and across what calendars do. Rows 36, 38, 39 and 41 of the
// catalogue of bad input; row 37, a clock that is set, is in faults.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { asking } from './asking.ts'
import { OperatedServer } from './operated-server.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let directory: string
let clock: VirtualClock
let server: TestServer | null = null
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hansard-deadlines-'))
  clock = new VirtualClock()
})
afterEach(async () => {
  await server?.stop()
  server = null
  rmSync(directory, { recursive: true, force: true })
})

const start = async (): Promise<void> => {
  server = await runServer({ storage: 'sqlite', directory, clock })
}
const stop = async (): Promise<void> => {
  await server?.stop()
  server = null
}
const call = (method: string, path: string, body?: object) =>
  asking(`${server?.url}${path}`, method, { authorization: `Bearer ${server?.ownerTokenText}` }, body)
const MUTES = '/api/v1/rooms/moneypot:2/mutes'
const mute = async (seconds: number): Promise<void> =>
  expect((await call('POST', MUTES, { user: '@ana', seconds })).status).toBe(201)
const muted = async (): Promise<string[]> =>
  (await call('GET', MUTES)).body.items.map(({ until }: { until: string }) => until)
const expired = async () =>
  (await call('GET', '/api/v1/facts?type=MuteExpired')).body.items.map(
    ({ data, at }: { data: { due: number; fired: number; late: boolean }; at: string }) => ({
      due: data.due,
      fired: data.fired,
      late: data.late,
      at: Date.parse(at),
    }),
  )
/** Moves on in steps, as time does: what falls due in one may have to be read and stored before the next. */
const passes = async (ms: number, step = ms): Promise<void> => {
  for (let left = ms; left > 0; left -= step) {
    clock.advance(Math.min(step, left))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The same when a deadline is near: whoever sleeps is woken within the half minutes before, in real turns. */
const comes = async (ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 10_000) {
    clock.advance(Math.min(10_000, left))
    await muted()
  }
}

it('a mute of 60 days, farther than any timer of the machine, ends after 60 days', async () => {
  await start()
  const until = clock.now() + 60 * DAY
  await mute(60 * 86_400)
  await passes(60 * DAY - 6 * MINUTE, HOUR)
  await comes(5 * MINUTE)
  expect(await muted()).toEqual([new Date(until).toISOString()])
  await comes(MINUTE)
  await expect.poll(expired).toEqual([{ due: until, fired: until, late: false, at: until }])
  await expect.poll(muted).toEqual([])
})

it('and does not end at once on the real clock, whose timers are 32 bits', async () => {
  const operated = new OperatedServer()
  try {
    await operated.start()
    expect((await operated.call('POST', MUTES, { user: '@ana', seconds: 60 * 86_400 })).status).toBe(201)
    for (let turn = 0; turn < 20; turn++) await operated.ready()
    expect((await operated.call('GET', MUTES)).body.items).toHaveLength(1)
    expect(operated.process.output()).not.toContain('TimeoutOverflowWarning')
  } finally {
    await operated.remove()
  }
})

it('a mute whose end came while the server was down ends at the start, once, late, with both times', async () => {
  await start()
  const until = clock.now() + HOUR
  await mute(3_600)
  await stop()
  clock.advance(3 * HOUR)
  await start()
  const ended = { due: until, fired: until + 2 * HOUR, late: true, at: until + 2 * HOUR }
  await expect.poll(expired).toEqual([ended])
  await expect.poll(muted).toEqual([])
  await stop()
  await start()
  await passes(HOUR, MINUTE)
  expect(await expired()).toEqual([ended])
})

it('a mute outlives restarts, and ends at its own time after them', async () => {
  await start()
  const until = clock.now() + HOUR
  await mute(3_600)
  for (let count = 0; count < 3; count++) {
    await stop()
    clock.advance(10 * MINUTE)
    await start()
    expect(await muted()).toEqual([new Date(until).toISOString()])
  }
  await passes(25 * MINUTE, MINUTE)
  await comes(5 * MINUTE - 1)
  expect(await expired()).toEqual([])
  await passes(1)
  await expect.poll(expired).toEqual([{ due: until, fired: until, late: false, at: until }])
})

const { TZ } = process.env
afterEach(() => {
  if (TZ === undefined) delete process.env.TZ
  else process.env.TZ = TZ
})
it.each([
  ['clocks go forward in New York', 'America/New_York', '2026-03-08T06:59:30.000Z'],
  ['clocks go back in New York', 'America/New_York', '2026-11-01T05:59:30.000Z'],
  ['a leap second was put in', 'UTC', '2016-12-31T23:59:30.000Z'],
  ['seconds since 1970 leave 31 bits', 'Asia/Tokyo', '2038-01-19T03:13:40.000Z'],
])('a mute of a minute takes a minute when %s', async (_what, zone, from) => {
  process.env.TZ = zone
  clock = new VirtualClock(setImmediate, Date.parse(from))
  await start()
  const until = Date.parse(from) + MINUTE
  await mute(60)
  expect(await muted()).toEqual([new Date(until).toISOString()])
  await passes(MINUTE - 1, 1_000)
  expect(await expired()).toEqual([])
  await passes(1)
  await expect.poll(expired).toEqual([{ due: until, fired: until, late: false, at: until }])
  const at = encodeURIComponent(new Date(until - 1).toISOString())
  expect((await call('GET', `${MUTES}?at=${at}`)).body.items).toHaveLength(1)
  await expect.poll(muted).toEqual([])
})
