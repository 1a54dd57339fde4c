// The same suite on a real server: HANSARD_TEST_EVENTSTORE=esdb://localhost:2113?tls=false, or kurrentdb://…

import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { NoSuchPosition, type Recorded } from '../src/log/event-log.ts'
import { EventStoreLog } from '../src/log/eventstore.ts'
import { keepsTheContract } from './event-log.contract.ts'
import { LogSection } from './log-section.ts'

const address = process.env.HANSARD_TEST_EVENTSTORE

if (address) {
  keepsTheContract('real server', async () => {
    const log = await EventStoreLog.open(address)
    return { log: await LogSection.open(log, `test-${randomUUID()}-`), remove: () => {} }
  })

  // A section of the log is a filtered read, which goes another way.
  it('gives the whole log page by page, from its own places alone', async () => {
    const log = await EventStoreLog.open(address)
    const stream = `test-${randomUUID()}`
    const from = await log.head()
    const facts = () =>
      Array.from({ length: 250 }, () => ({ id: randomUUID(), type: 'Noted', v: 1, data: '{}', metadata: '{}' }))
    await log.append(stream, facts(), 'no-stream')
    await log.append(stream, facts(), 249)
    const stored: Recorded[] = []
    for await (const fact of log.readAll({ from })) if (fact.stream === stream) stored.push(fact)
    expect(stored.map(({ revision }) => revision)).toEqual(Array.from({ length: 500 }, (_, n) => n))
    const { position } = stored[100] as Recorded
    for (const made of [position + 1, position - 1, (await log.head()) + 10 ** 9]) {
      await expect(log.readAll({ from: made }).next()).rejects.toThrow(NoSuchPosition)
      await expect(log.subscribe({ from: made }).next()).rejects.toThrow(NoSuchPosition)
    }
    expect((await log.readAll({ from: position }).next()).value).toEqual(stored[101])
    await log.close()
  })
} else {
  process.stderr.write('NOT RUN: the suite of the log on a real server; set HANSARD_TEST_EVENTSTORE=esdb://…\n')
  it.skip('the suite of the log on a real server: set HANSARD_TEST_EVENTSTORE=esdb://…', () => {})
}
