// The same suite on a real server: HANSARD_TEST_EVENTSTORE=esdb://localhost:2113?tls=false, or kurrentdb://…

import { randomUUID } from 'node:crypto'
import { it } from 'vitest'
import { EventStoreLog } from '../src/log/eventstore.ts'
import { keepsTheContract } from './event-log.contract.ts'
import { LogSection } from './log-section.ts'

const address = process.env.HANSARD_TEST_EVENTSTORE

if (address) {
  keepsTheContract('real server', async () => {
    const log = await EventStoreLog.open(address)
    return { log: await LogSection.open(log, `test-${randomUUID()}-`), remove: () => {} }
  })
} else {
  process.stderr.write('NOT RUN: the suite of the log on a real server; set HANSARD_TEST_EVENTSTORE=esdb://…\n')
  it.skip('the suite of the log on a real server: set HANSARD_TEST_EVENTSTORE=esdb://…', () => {})
}
