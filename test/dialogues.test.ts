// Every golden dialogue, over every transport of its client.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { parseDialogue, playDialogue } from './dialogue.ts'

const folder = join(import.meta.dirname, 'dialogues')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.dialogue'))

describe.each(files.sort())('%s', (file) => {
  const path = join(folder, file)
  const { purpose, steps } = parseDialogue(path)
  // Only socket.io has more than one.
  const transports = steps.some(({ ev }) => ev !== undefined) ? ['websocket', 'polling'] : ['websocket']
  it.each(transports)(`${purpose} (over %s)`, (transport) => playDialogue(path, [transport]))
})
