import { expect, it } from 'vitest'
import { matching } from './search.ts'

it.each([
  ['one two', '"one" "two"'],
  ['"one two" three', '"one two" "three"'],
  ['begin* "two wor"*', '"begin"* "two wor"*'],
  ['a OR b NOT c', '"a" "OR" "b" "NOT" "c"'],
  ['text:x (y) -z ^w', '"text:x" "(y)" "-z" "^w"'],
  ['"open', '"open"'],
  ['it’s', '"it’s"'],
  ['* ** "" "  " -', null],
])('%j is looked for as %j', (typed, match) => expect(matching(typed)).toBe(match))
