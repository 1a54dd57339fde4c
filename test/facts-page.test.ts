// docs/facts.md shows the facts as they are. UPDATE_FACTS=1 writes the page anew.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { factTypes } from '../src/actors/fact-codec.ts'
import { factsPage } from './facts-page.ts'

const file = join(import.meta.dirname, '../docs/facts.md')

describe('the page of the facts', () => {
  it('shows each as its schema has it', () => {
    const page = factsPage()
    if (process.env.UPDATE_FACTS) writeFileSync(file, page)
    expect(
      existsSync(file) && readFileSync(file, 'utf8'),
      'UPDATE_FACTS=1 npx vitest run test/facts-page.test.ts',
    ).toBe(page)
  })

  it('has every type once, and says whose personal data a field is', () => {
    const titles = [...factsPage().matchAll(/^### ([A-Z]\w+)$/gm)].map(([, name]) => name)
    expect(titles.toSorted()).toEqual(Object.keys(factTypes).toSorted())
    expect(factsPage()).toContain('| `text` | text | `author.id` |')
  })
})
