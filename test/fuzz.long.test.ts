import { describe, it } from 'vitest'
import { fuzz, fuzzed } from './fuzz.ts'

const FRAMES = 100_000
const seed = Number(process.env.HANSARD_TEST_SEED ?? Date.now() % 1_000_000)

describe.each(fuzzed)('$dialect', (subject) => {
  it(
    `survives ${FRAMES} random and mutated frames: HANSARD_TEST_SEED=${seed} npm run test:long`,
    { timeout: 600_000 },
    () => fuzz(subject, FRAMES, seed),
  )
})
