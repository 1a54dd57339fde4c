// Questions about a moment in a log of a million facts, through the read models' thread as the server asks them; ms.

import { ThreadedReadModels } from '../src/projections/read-models.ts'
import { million } from './million.ts'
import { quantile } from './processes.ts'

const TIMES = 500

export const measureAsOf = async () => {
  const { directory, room, from, to, facts } = await million()
  const models = new ThreadedReadModels(directory)
  await models.status()
  const timed = async (ask: (at: { time: number }) => Promise<unknown>) => {
    const took: number[] = []
    for (let round = 0; round < TIMES; round++) {
      // All over the log, in no order.
      const at = { time: from + Math.floor((to - from) * ((round * 0.618_033_988_75) % 1)) }
      const begun = performance.now()
      await ask(at)
      took.push(performance.now() - begun)
    }
    return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
  }
  const figures = {
    messages: await timed((at) => models.query('room.messages', { room, limit: 50, at })),
    mutes: await timed((at) => models.query('room.mutes', { room, limit: 50, at })),
    presence: await timed((at) => models.query('room.presence', { room, at })),
  }
  await models.close()
  return { facts, ...figures }
}
