// Every golden dialogue, over every transport of its client.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { parseDialogue, playDialogue } from './dialogue.ts'

const folder = join(import.meta.dirname, 'dialogues', 'moneypot')

describe.each(readdirSync(folder))('moneypot/%s', (file) => {
  const path = join(folder, file)
  const { purpose } = parseDialogue(path)
  it.each(['websocket', 'polling'])(`${purpose} (over %s)`, (transport) => playDialogue(path, [transport]))
})
