// docs/charts/ shows the statecharts as they are. UPDATE_CHARTS=1 writes the pages anew.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { definitions } from '../src/actors/definitions.ts'
import { chartPage } from './chart-pages.ts'

const folder = join(import.meta.dirname, '../docs/charts')

describe('the pages of the statecharts', () => {
  it.each(definitions)(
    'show the $kind as it is, with the line of code of every arrow and guard',
    ({ kind, machine }) => {
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
      for (const [, name = '', path = '', line] of page.matchAll(/\[([\w. ]+)\]\(\.\.\/\.\.\/(src\S+)#L(\d+)\)/g)) {
        const written = readFileSync(join(folder, '../..', path), 'utf8').split('\n')[Number(line) - 1]
        expect(written, `${name} at ${path}:${line}`).toContain(name.replace(/^after /, ''))
      }
      // Each state's own: what stands in the chart itself stands there once.
      const source = readFileSync(join(folder, `../../src/actors/${kind}/${kind}.machine.ts`), 'utf8').split('\n')
      const chart = source.findIndex((line) => line.includes('.createMachine({'))
      const own = rows
        .map((row) => row.split(' | ')[0])
        .filter((link) => Number(/machine\.ts#L(\d+)/.exec(link ?? '')?.[1]) > chart)
      expect(own.filter((link, at) => own.indexOf(link) < at)).toEqual([])
      // A guard without a name is written where its event is.
      const guards = rows.flatMap((row) => row.split(' | ')[2]?.split(', ') ?? []).filter((guard) => /^\w/.test(guard))
      expect(guards).toEqual([])
    },
  )
})
