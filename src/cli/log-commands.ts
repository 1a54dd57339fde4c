// `hansard log …`: the facts themselves, and conversations as they happen.

import { ConfigError } from '../config.ts'
import { type Command, DOOR_OPTIONS, type Task } from './commands.ts'
import { type Door, openDoor } from './door.ts'
import { pieces } from './pieces.ts'

const FILTERS = {
  type: 'TYPES  only of these types, comma separated',
  stream: 'PREFIX  only of streams whose names begin so, e.g. room- or user-<id>',
} as const

const facts = async (task: Task, end: 'caught-up' | 'stopped') => {
  const { own, print } = task
  const signal = task.interrupted()
  // What happens from now on happens on a server that runs.
  const door = await openDoor(task, { running: end === 'stopped' })
  try {
    const { position } = await door.ask('GET', '/facts?limit=1')
    const query = new URLSearchParams({
      ...(own.type === undefined ? {} : { type: own.type }),
      ...(own.stream === undefined ? {} : { stream: own.stream }),
      ...(end === 'stopped' ? { from: position } : {}),
    })
    for await (const event of events(door, query, signal)) {
      if (event.type === 'fact') print(`${event.data}\n`)
      else if (event.type === end) return
    }
  } finally {
    await door.close()
  }
}

export const logCommands: Readonly<Record<string, Command>> = {
  'log export': {
    usage: 'log export [--type TYPES] [--stream PREFIX]',
    says: 'every fact as a line of JSON, in the order of the log',
    options: { ...FILTERS, ...DOOR_OPTIONS },
    run: (task) => facts(task, 'caught-up'),
  },
  'log tail': {
    usage: 'log tail [--type TYPES] [--stream PREFIX]',
    says: 'the same from now on, until it is stopped; of a server that runs',
    options: { ...FILTERS, ...DOOR_OPTIONS },
    run: (task) => facts(task, 'stopped'),
  },
  'log record': {
    usage: 'log record FILE [--seconds N] [--user NAME] [--room ROOM] [--dialect NAME]',
    says: 'what happens on connections opened from now on, both ways, and what is asked over REST, as a dialogue that plays again; credentials are not in it',
    words: [1, 1],
    options: {
      seconds: 'N  for so long; without it, until it is stopped',
      user: 'NAME  of this account only',
      room: 'ROOM  of connections that come to hear this room only',
      dialect: 'NAME  of this protocol only',
      ...DOOR_OPTIONS,
    },
    run: async (task) => {
      const { words, own, say } = task
      const [file = ''] = words
      const { room, dialect } = own
      const seconds = own.seconds === undefined ? null : Number(own.seconds)
      if (seconds !== null && !(seconds > 0)) throw new ConfigError(`--seconds ${own.seconds}: a number above 0`)
      const user = own.user === undefined ? undefined : `@${own.user}`
      const signal = task.interrupted()
      const { record } = await import('./record-command.ts')
      const { url, token } = await openDoor(task, { running: true })
      await record({ file, url, token, seconds, user, room, dialect, signal, say })
    },
  },
}

/** Server-sent events until the signal. */
export async function* events(door: Door, query: URLSearchParams, signal: AbortSignal) {
  const response = await fetch(`${door.url}/api/v1/facts?${query}`, {
    headers: { authorization: `Bearer ${door.token}`, accept: 'text/event-stream' },
    signal,
  })
  if (!response.ok || !response.body) throw new ConfigError(`the server refuses: ${response.statusText}`)
  try {
    for await (const block of pieces(response.body, '\n\n')) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)))
      // A quiet stream says nothing now and then, in a line of its own (WHATWG HTML § 9.2.7).
      if (fields.data !== undefined) yield { type: fields.event as string, data: fields.data }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
