import { ConfigError } from '../config.ts'
import { type Command, DOOR_OPTIONS, rows, type Task } from './commands.ts'
import { type Answer, type Door, every, openDoor } from './door.ts'

const MINUTE_MS = 60_000

export const debugCommand: Command = {
  usage: 'debug connection ID | --user NAME --at TIME [--out FILE]',
  says: 'everything about one connection in one file: its facts with the state after each and the timers set, its refusals with guard and values, what it led to in rooms and in its account, the limits and settings that were in force',
  more: [
    'A connection is found by its id, or by account and minute; where several were open then, they are listed. No credential is in the file; what people said is.',
  ],
  words: [0, 1],
  options: {
    user: 'NAME  whose connection',
    at: 'TIME  the minute it was open in, with its zone: 2026-01-31T12:00Z',
    out: 'FILE  where to; - prints it; without it, connection-<id>.txt here',
    json: 'the same as JSON',
    ...DOOR_OPTIONS,
  },
  run: async (task) => {
    const wanted = wantedOf(task)
    const door = await openDoor(task)
    try {
      const id = typeof wanted === 'string' ? wanted : await foundBy(door, wanted)
      const [{ dossierOf }, { dossierText }] = await Promise.all([import('./dossier.ts'), import('./dossier-text.ts')])
      const hidden = [door.token, task.config.ADMIN_TOKEN].filter((token) => token !== '')
      const dossier = await dossierOf(door, id, hidden)
      const isJson = 'json' in task.own
      const text = isJson ? `${JSON.stringify(dossier, null, 2)}\n` : dossierText(dossier)
      if (task.own.out === '-') return task.print(text)
      const file = task.own.out ?? `connection-${id}.${isJson ? 'json' : 'txt'}`
      const { writeFileSync } = await import('node:fs')
      try {
        writeFileSync(file, text, { mode: 0o600 })
      } catch (error) {
        throw new ConfigError(`${file} could not be written: ${(error as Error).message}`)
      }
      task.print(`${file}: ${dossier.life.length} facts, ${dossier.refusals.length} refusals\n`)
    } finally {
      await door.close()
    }
  },
}

interface Minute {
  readonly user: string
  readonly at: string
  /** its beginning, ms since 1970 */
  readonly from: number
}

/** An id, or whose connection when. @throws ConfigError */
const wantedOf = ({ words, own }: Task): string | Minute => {
  const [id] = words
  if (id !== undefined) return id
  const { user, at } = own
  if (user === undefined || at === undefined)
    throw new ConfigError('usage: hansard debug connection ID, or --user NAME --at TIME')
  const time = /(Z|[+-]\d{2}:?\d{2})$/.test(at) ? Date.parse(at) : Number.NaN
  if (Number.isNaN(time)) throw new ConfigError(`--at ${at}: a time with its zone, e.g. 2026-01-31T12:00Z`)
  return { user, at, from: time - (time % MINUTE_MS) }
}

/** The one connection that an account had open in a minute. @throws ConfigError listing them, where there are more */
const foundBy = async (door: Door, { user, at, from }: Minute): Promise<string> => {
  const open: Answer[] = []
  for await (const item of every(door, `/connections?limit=500&user=${encodeURIComponent(`@${user}`)}`)) {
    const closed = item.closedAt === null ? Number.POSITIVE_INFINITY : Date.parse(item.closedAt)
    if (Date.parse(item.openedAt) < from + MINUTE_MS && closed >= from) open.push(item)
  }
  if (open.length === 1) return open[0].id
  if (open.length === 0) throw new ConfigError(`${user} had no connection open in the minute of ${at}`)
  const lines = open.map(({ id, dialect, openedAt, closedAt, cause }) => [
    ...[id, dialect ?? '?', openedAt, closedAt ?? 'open', cause ?? ''],
  ])
  throw new ConfigError(
    `${user} had ${open.length} connections open then; name one by its id\n${rows(lines)}`.trimEnd(),
  )
}
