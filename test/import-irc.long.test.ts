// All that there is of a real channel's logs: 24 days, 39,427 lines.

import { describe, it } from 'vitest'
import { expectEqual, isThere } from './irc-channel.ts'

describe.skipIf(!isThere)('the logs of a real channel', () => {
  it('are in the log line for line; tell who was there at 200 moments; and are found by their words', () =>
    expectEqual(24, Date.now() % 1_000_000))
})
