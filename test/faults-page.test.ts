// The page of faults names tests that are there.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

it('docs/faults.md names tests that are there, by the beginnings or parts of their names', () => {
  const page = readFileSync(join(root, 'docs/faults.md'), 'utf8')
  const rows = page.split('\n').filter((line) => /^\| \d/.test(line))
  expect(rows.length).toBeGreaterThan(20)
  for (const row of rows) {
    const named = [...(row.split('|')[4] ?? '').matchAll(/`([^`]+)`(?:: ([^`]+?))?(?=; `| \|?$|\s*$)/g)]
    expect(named.length, row).toBeGreaterThan(0)
    for (const [, file = '', names = ''] of named) {
      const path = [join(root, `${file}.test.ts`), join(root, 'test', `${file}.test.ts`)].find(existsSync)
      expect(path, `${file} in ${row}`).toBeDefined()
      const source = readFileSync(path as string, 'utf8')
      for (const name of names.split('; ').filter((part) => part.trim() !== '')) expect(source).toContain(name.trim())
    }
  }
})
