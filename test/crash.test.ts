// SIGKILL at random moments under load, again and again on one log. After each restart over REST, and at the end from the
// log itself: every acknowledged message is there once, whole and in the order it was acknowledged, ids still grow, nobody
// is left in a room, mutes and bans end on time (late ones say so), and the read models equal a rebuild.
//
// With HANSARD_TEST_EVENTSTORE=esdb://… the log is on that server, which must be a new one: the test wants the whole of it.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { MortalServer } from './mortal-server.ts'

const ROUNDS = 30

let server: MortalServer
beforeAll(() => {
  server = new MortalServer(process.env.HANSARD_TEST_EVENTSTORE || 'sqlite:', 20_26)
})
afterAll(() => server.remove())

it(`a server killed ${ROUNDS} times keeps everything that it acknowledged`, async () => {
  await server.begin()
  for (let round = 0; round < ROUNDS; round++) await server.round('under load')
  await server.end()
  expect(server.acknowledged).toBeGreaterThan(ROUNDS * 5)
}, 480_000)
