// Imports follow one direction. This table and the drawing in docs/architecture.md change together.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { definitions } from '../src/actors/definitions.ts'

const source = resolve(import.meta.dirname, '../src')

/** part → parts it may import from (itself always) */
const mayImport: Record<string, readonly string[]> = {
  log: [],
  actors: ['log'],
  projections: ['actors', 'log'],
  dialects: ['actors'],
  transports: ['dialects', 'actors', 'log', 'projections'],
  recording: ['actors', 'dialects', 'transports'],
  import: ['actors', 'log'],
  demo: ['actors', 'client', 'import'],
  api: ['actors', 'projections', 'log', 'dialects', 'transports', 'recording'],
  client: [],
  page: [],
  console: [],
}

/** Only the composition root knows adapters by name, and how the read models' own thread reads the same log. */
const adapters = ['log/sqlite.ts', 'log/eventstore.ts', 'log/memory.ts', 'log/open-log.ts']

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
)

const importsOf = (file: string): string[] =>
  [...readFileSync(join(source, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) =>
    relative(source, resolve(source, dirname(file), path as string)),
  )

/** Without what is there for the compiler alone. */
const runsWith = (file: string, seen = new Set<string>()): Set<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  const code = readFileSync(join(source, file), 'utf8').replace(/^import type [^']*'[^']*'/gm, '')
  for (const [, path] of code.matchAll(/from\s*'(\.[^']+)'/g))
    runsWith(relative(source, resolve(source, dirname(file), path as string)), seen)
  return seen
}

const partOf = (file: string): string | null => (file.includes('/') ? (file.split('/')[0] as string) : null)

describe('the layers', () => {
  it('are those of the drawing', () => {
    const parts = new Set(files.map(partOf).filter((part) => part !== null && part !== 'cli'))
    expect([...parts].sort()).toEqual(
      Object.keys(mayImport)
        .filter((part) => part !== 'page')
        .sort(),
    )
  })

  for (const file of files) {
    const part = partOf(file)
    if (part === null || part === 'cli') continue
    it(`${file} imports only what ${part} may`, () => {
      for (const imported of importsOf(file)) {
        const from = partOf(imported)
        expect([part, ...(mayImport[part] ?? [])], `${file} → ${imported}`).toContain(from)
        if (part !== 'log' && file !== 'projections/log-reader.ts') expect(adapters).not.toContain(imported)
      }
    })
  }

  it.each(definitions.map(({ kind, sources }) => [kind, sources] as const))(
    'know the %s’s statechart by the hash of all that decides in it',
    (kind, sources) => {
      const hashed = sources.map((url) => relative(source, fileURLToPath(url)))
      expect(hashed).toEqual(expect.arrayContaining([...runsWith(`actors/${kind}/${kind}.machine.ts`)]))
    },
  )

  it('keep dialects by name out of the transports', () => {
    for (const file of files.filter((name) => name.startsWith('transports/'))) {
      const imported = importsOf(file).filter((path) => path.startsWith('dialects/'))
      expect(imported.filter((path) => path !== 'dialects/dialect.ts')).toEqual([])
    }
  })
})
