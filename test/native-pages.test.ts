// What is printed from the native protocol's schema is as the schema is. UPDATE_NATIVE=1 prints it anew.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clientFrames, nativeTables } from './native-pages.ts'

const page = join(import.meta.dirname, '../docs/protocols/native.md')
const frames = join(import.meta.dirname, '../src/client/frames.ts')
const TABLES = /(<!-- printed from the schema -->\n)[\s\S]*?(<!-- end -->)/
/** What the formatter may move aside. */
const words = (text: string): string => text.replace(/[\s;|()]+/g, '')

describe('the native protocol', () => {
  it('has its tables in docs/protocols/native.md', () => {
    const text = readFileSync(page, 'utf8')
    const current = text.replace(TABLES, (_all, begin, end) => `${begin}${nativeTables()}\n${end}`)
    if (process.env.UPDATE_NATIVE) writeFileSync(page, current)
    expect(readFileSync(page, 'utf8')).toBe(current)
  })

  it('has its types in the client', () => {
    if (process.env.UPDATE_NATIVE) writeFileSync(frames, clientFrames())
    expect(words(readFileSync(frames, 'utf8'))).toBe(words(clientFrames()))
  })
})
