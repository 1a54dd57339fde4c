// The same as in crash.test.ts, with deaths at other times than under load: at the start, while it stops, while read models
// are made anew, and under a backup.

import { afterEach, expect, it } from 'vitest'
import { deaths, MortalServer } from './mortal-server.ts'

const ROUNDS = Number(process.env.HANSARD_TEST_ROUNDS ?? 6)
const seed = Number(process.env.HANSARD_TEST_SEED ?? Date.now() % 1_000_000)

let server: MortalServer
afterEach(() => server.remove())

it(`a server killed at any time keeps everything that it acknowledged: HANSARD_TEST_SEED=${seed} npm run test:long`, async () => {
  server = new MortalServer('sqlite:', seed)
  await server.begin()
  for (let round = 0; round < ROUNDS; round++) for (const death of deaths) await server.round(death)
  await server.end()
  expect(server.acknowledged).toBeGreaterThan(ROUNDS * deaths.length * 5)
}, 1_200_000)
