// docs/charts/ shows the statecharts as they are. UPDATE_CHARTS=1 writes the pages anew.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { definitions } from '../src/actors/definitions.ts'
import { chartPage } from './chart-pages.ts'

const folder = join(import.meta.dirname, '../docs/charts')

describe('the pages of the statecharts', () => {
  it.each(definitions)('show the $kind as it is, with a line of code for every arrow', ({ kind, machine }) => {
    const page = chartPage(kind, machine)
    const file = join(folder, `${kind}.md`)
    if (process.env.UPDATE_CHARTS) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(file, page)
    }
    expect(
      existsSync(file) && readFileSync(file, 'utf8'),
      'UPDATE_CHARTS=1 npx vitest run test/chart-pages.test.ts',
    ).toBe(page)
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Event'))
    expect(rows.filter((row) => !row.startsWith('| ['))).toEqual([])
    const code = readFileSync(join(folder, `../../src/actors/${kind}/${kind}.machine.ts`), 'utf8').split('\n')
    for (const row of rows) {
      const [, event = '', line] = /^\| \[(?:after )?([^\]]+)\]\([^)]*#L(\d+)\)/.exec(row) ?? []
      expect(code[Number(line) - 1], row).toContain(event)
    }
    // What is answered in another way in another state stands elsewhere.
    const ways = Map.groupBy(rows, (row) => row.slice(0, row.indexOf(')')))
    for (const [link, same] of ways) expect(new Set(same).size, link).toBe(1)
  })
})
