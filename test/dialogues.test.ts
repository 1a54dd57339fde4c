// Every golden dialogue, by every generation of its client and over every transport that they have. None is left out.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { parseDialogue, playDialogue } from './dialogue.ts'
import { type Clients, GENERATIONS, NEWEST, WEB_SOCKETS } from './dialogue-people.ts'

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
      it(`${purpose} (over ${clients.transports.join(', then ')})`, () => playDialogue(path, clients))
    })
  }
  if (steps.some(({ dir }) => dir === 'open')) {
    it.each(bare)(`${purpose} ($webSocket)`, (clients) => playDialogue(path, clients))
  }
})
