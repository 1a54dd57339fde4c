// A start on a log of a million facts with a current read database, and the first entry into its room of a million
// messages, which is not in memory then. The first start of all has no summary of the room, and folds it.

import { connect } from '../src/client/client.ts'
import { million } from './million.ts'
import { quantile, serve, TOKEN } from './processes.ts'

const ROUNDS = 5

export const measureStart = async () => {
  const { directory, alias, facts, messages } = await million()
  const round = async () => {
    const server = await serve(directory)
    const ready = await fetch(`${server.url}/readyz`)
    if (ready.status !== 200) throw new Error(`not ready: ${await ready.text()}`)
    const client = await connect({ url: `${server.url.replace('http', 'ws')}/native`, token: TOKEN })
    const begun = performance.now()
    const room = await client.join(alias)
    const enterMs = performance.now() - begun
    if (room.messages.length === 0) throw new Error('the room is empty')
    client.close()
    await server.stop()
    return { startMs: server.startedMs, enterMs }
  }
  const first = await round()
  const later: { startMs: number; enterMs: number }[] = []
  for (let number = 0; number < ROUNDS; number++) later.push(await round())
  return {
    facts,
    messages,
    withoutSummary: first,
    startMs: quantile(
      later.map(({ startMs }) => startMs),
      0.5,
    ),
    coldRoomMs: quantile(
      later.map(({ enterMs }) => enterMs),
      0.5,
    ),
    worst: {
      startMs: Math.max(...later.map(({ startMs }) => startMs)),
      coldRoomMs: Math.max(...later.map(({ enterMs }) => enterMs)),
    },
  }
}
