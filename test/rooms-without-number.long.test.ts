// Row 33 of the catalogue of bad input with its real number: one account enters fifty thousand rooms. A member is in a
// thousand of them and refused the others, a robot is in all; and what rests leaves memory.

import { afterEach, beforeEach, expect, it } from 'vitest'
import WebSocket from 'ws'
import { heapBytes } from './heap.ts'
import { runServer, type TestServer } from './running-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const ROOMS = 50_000
const MOST_MS = 240_000
/** of memory that a room leaves which nobody is in: its facts, as the log in memory keeps them, and its rows */
const BYTES_A_ROOM = 8_000

let clock: VirtualClock
let server: TestServer
beforeEach(async () => {
  clock = new VirtualClock()
  server = await runServer({ clock, pingIntervalMs: 0 })
}, MOST_MS)
afterEach(async () => {
  expect(server.faults).toEqual([])
  await server.stop()
}, MOST_MS)

/** Enters every room; the answers by their kind. */
const enterAll = async (token: string): Promise<{ socket: WebSocket; answers: Record<string, number> }> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/native`)
  const answers: Record<string, number> = {}
  let waiting = 0
  let goOn = () => {}
  socket.on('message', (data) => {
    const { is, code } = JSON.parse(String(data)) as { is: string; code?: string }
    if (is !== 'joined' && is !== 'refused') return
    const kind = code ?? is
    answers[kind] = (answers[kind] ?? 0) + 1
    if (--waiting === 0) goOn()
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ do: 'sign-in', token }))
  for (let at = 0; at < ROOMS; at += 500) {
    waiting = 500
    const answered = new Promise<void>((resolve) => {
      goOn = resolve
    })
    for (let more = 0; more < 500; more++)
      socket.send(JSON.stringify({ do: 'join', room: `moneypot:${1_000 + at + more}` }))
    await answered
    // Rooms that rest for a minute leave memory.
    clock.advance(1_000)
  }
  return { socket, answers }
}

const gone = async (socket: WebSocket): Promise<void> => {
  socket.close()
  const present = async () => {
    await server.settled()
    const atLeast = await server.log.head()
    return (await server.readModels.query('presence.open', {}, { atLeast })).result.length
  }
  await expect.poll(present, { timeout: 120_000, interval: 200 }).toBe(0)
  clock.advance(5 * 60_000)
}

it('fifty thousand rooms are entered by one account', { timeout: 2 * MOST_MS }, async () => {
  const open = (at: number) => server.rooms.open({ name: `r${at}`, aliases: [`moneypot:${1_000 + at}`], asker: null })
  for (let at = 0; at < ROOMS; at += 250) {
    await Promise.all(Array.from({ length: 250 }, (_, more) => open(at + more)))
    clock.advance(1_000)
  }
  await server.readModels.query('rooms.list', { limit: 1 }, { atLeast: await server.log.head() })
  clock.advance(5 * 60_000)
  const before = heapBytes()

  const ann = await server.account('ann')
  const member = await enterAll(ann.token)
  expect(member.answers).toEqual({ joined: 1_000, 'too-many-rooms': ROOMS - 1_000 })
  expect(server.host.counts().actors).toBeLessThan(1_000 + 60 * 500 + 1_000)
  await gone(member.socket)
  expect(server.host.counts().actors).toBeLessThan(100)

  const bot = await server.account('bot', 'robot')
  const robot = await enterAll(bot.token)
  expect(robot.answers).toEqual({ joined: ROOMS })
  await gone(robot.socket)
  expect(server.host.counts().actors).toBeLessThan(100)
  expect(heapBytes() - before).toBeLessThan(ROOMS * BYTES_A_ROOM)
})
