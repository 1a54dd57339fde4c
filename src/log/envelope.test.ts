import { array, assert, boolean, constant, dictionary, double, jsonValue, oneof, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from './envelope.ts'

describe('canonical JSON', () => {
  // RFC 8785 § 3.2.2, and the order of keys of § 3.2.3
  it('writes the examples of the RFC as the RFC does', () => {
    expect(
      canonicalJson({
        numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
        string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
        literals: [null, true, false],
      }),
    ).toBe(
      `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`,
    )
    const names = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 }
    expect(Object.keys(JSON.parse(canonicalJson(names)))).toEqual([
      '1',
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\ud83d\ude00',
      '\ufb33',
    ])
  })

  it('orders keys that look like numbers as texts', () => {
    expect(canonicalJson({ 9: 1, 10: 2, a: [{ c: 1, b: -0 }] })).toBe('{"10":2,"9":1,"a":[{"b":0,"c":1}]}')
  })

  it('leaves undefined keys out', () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}')
    expect(canonicalJson({ z: undefined, b: { c: undefined }, a: 1 })).toBe('{"a":1,"b":{}}')
  })

  it('writes half a surrogate pair as its escape, which reads back unchanged', () => {
    const half = { text: 'a\ud83d', '\udc00': 1 }
    expect(canonicalJson(half)).toBe('{"text":"a\\ud83d","\\udc00":1}')
    expect(JSON.parse(canonicalJson(half))).toEqual(half)
  })

  it.each([
    ['undefined', undefined],
    ['undefined in an array', [undefined]],
    ['a hole', Array(1)],
    ['NaN', { n: Number.NaN }],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['a BigInt', { n: 1n }],
    ['a function', { f: () => 1 }],
    ['a symbol', [Symbol('s')]],
    ['a Date', { at: new Date(0) }],
    ['a Map', new Map()],
    ['what says how it is written', { toJSON: () => 'else' }],
    ['any of them behind keys out of order', { b: 1, a: [Number.NaN] }],
  ])('has no form for %s', (_, value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
  })

  const odd = string({ unit: 'binary' })
  const any = oneof(
    jsonValue(),
    array(oneof(odd, boolean(), constant(null), double({ noNaN: true, noDefaultInfinity: true }))),
    dictionary(odd, odd),
  )

  it('gives back what went in, the same text again, in whatever order the keys came', () => {
    assert(
      property(any, dictionary(odd, any), (value, object) => {
        for (const each of [value, object]) {
          const text = canonicalJson(each)
          expect(canonicalJson(JSON.parse(text))).toBe(text)
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(each)))
        }
        const reversed = Object.fromEntries(Object.entries(object).reverse())
        expect(canonicalJson(reversed)).toBe(canonicalJson(object))
      }),
    )
  })
})
