// A whole day of a real channel, 2,165 lines of 405 people, each a client of their own.

import { describe, it } from 'vitest'
import { expectDayPlayed } from './demo-process.ts'
import { isThere } from './irc-channel.ts'

describe.skipIf(!isThere)('a day of a real channel, 2006-06-01', () => {
  it('played live is the same history as the file', () => expectDayPlayed(Number.POSITIVE_INFINITY))
})
