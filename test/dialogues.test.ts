// Every golden dialogue, by every generation of its client and over every transport that they have. None is left out.
//
// With HANSARD_TEST_EVENTSTORE=esdb://… or kurrentdb://… all of them run on that server, which may have facts already:
// each dialogue has a section of its log for itself, and in it every number begins anew.

import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import type { EventLog } from '../src/log/event-log.ts'
import { EventStoreLog } from '../src/log/eventstore.ts'
import { MemoryLog } from '../src/log/memory.ts'
import { parseDialogue, playDialogue } from './dialogue.ts'
import { type Clients, GENERATIONS, NEWEST, WEB_SOCKETS } from './dialogue-people.ts'
import { LogSection } from './log-section.ts'

const address = process.env.HANSARD_TEST_EVENTSTORE
const onServer = address ? await EventStoreLog.open(address) : null
afterAll(() => onServer?.close())
const newLog = async (): Promise<EventLog> =>
  onServer ? LogSection.open(onServer, `dialogue-${randomUUID()}-`, { shared: true }) : new MemoryLog()
const play = async (path: string, clients: Clients) => playDialogue(path, clients, { log: await newLog() })

const folder = join(import.meta.dirname, 'dialogues')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.dialogue'))

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']]

const socketIo: readonly Clients[] = GENERATIONS.flatMap((generation) =>
  TRANSPORTS.map((transports) => ({ ...NEWEST, generation, transports })),
)
const bare: readonly Clients[] = WEB_SOCKETS.map((webSocket) => ({ ...NEWEST, webSocket }))

describe.each(files.sort())('%s', (file) => {
  const path = join(folder, file)
  const { purpose, steps } = parseDialogue(path)
  if (steps.some(({ ev }) => ev !== undefined)) {
    describe.each(socketIo)('$generation', (clients) => {
      it(`${purpose} (over ${clients.transports.join(', then ')})`, () => play(path, clients))
    })
  }
  if (steps.some(({ dir }) => dir === 'open')) {
    it.each(bare)(`${purpose} ($webSocket)`, (clients) => play(path, clients))
  }
})

// Appends to several streams may be acknowledged in another order than they were sent in.
describe.each(['room-', 'connection-'])('where the log acknowledges what goes to %s later than all else', (late) => {
  const lateLog = () =>
    new MemoryLog({
      afterAppend: async (stream) => {
        if (stream.startsWith(late)) for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
      },
    })

  it.each(['drivers/messages-and-typing', 'drivers/sent-before-connected'])('%s', (name) =>
    playDialogue(join(folder, `${name}.dialogue`), NEWEST, { log: lateLog() }),
  )
})
