// Every golden dialogue, by every generation of its client and over every transport that they have.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { parseDialogue, playDialogue } from './dialogue.ts'
import { GENERATIONS, type IoClient, NEWEST } from './dialogue-people.ts'

const folder = join(import.meta.dirname, 'dialogues')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.dialogue'))

const socketIo = GENERATIONS.flatMap((generation) =>
  [['websocket'], ['polling'], ['polling', 'websocket']].map((transports) => ({ generation, transports })),
)

describe.each(files.sort())('%s', (file) => {
  const path = join(folder, file)
  const { purpose, steps } = parseDialogue(path)
  const clients: readonly IoClient[] = steps.some(({ ev }) => ev !== undefined) ? socketIo : [NEWEST]
  // Over a WebSocket without socket.io there is one client: ws.
  it.each(clients)(`${purpose} ($generation over $transports)`, (client) => playDialogue(path, client))
})
