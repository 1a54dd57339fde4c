// The same suite through KurrentDB's client, in a process of its own: the generated code of the two clients meets in one
// global `proto`, where whichever is loaded last puts its classes in the place of the other's.

import { EventStoreLog } from '../src/log/eventstore.ts'
import { keepsTheContract } from './event-log.contract.ts'
import { EventStoreServer } from './eventstore-server.ts'

keepsTheContract('KurrentDB', async () => {
  const server = await EventStoreServer.start('kurrentdb')
  return { log: await EventStoreLog.open(server.address), remove: () => server.stop() }
})
