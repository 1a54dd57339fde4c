import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockedBy, settableRules } from './rules.ts'

const meets = (rule: string, text: string): boolean =>
  blockedBy({ version: 1, rules: [{ name: 'it', text: rule }] }, 'room', text) !== null

describe('a rule', () => {
  it.each([
    ['spam', 'Spam!', true],
    ['spam', 'spammer', false],
    ['spam', 'antispam', false],
    ['spam*', 'spammers here', true],
    ['spam*', 'antispam', false],
    ['*coin', 'a shitcoin.', true],
    ['*coin', 'coins', false],
    ['*oi*', 'coins', true],
    ['buy now', 'Buy -- NOW, please', true],
    ['buy now', 'buy it now', false],
    ['Straße', 'straße', true],
    ['ＳＰＡＭ', 'spam', true],
    ['spam', 'sp\u200bam', true],
    ['क्या', 'क्या हाल', true],
    ['.*', 'anything', false],
    ['(a+)+$', 'aaaa', false],
  ])('%j and the text %j: %j', (rule, text, met) => expect(meets(rule, text)).toBe(met))

  it('of one whole word meets the texts in which the word stands, and no others', () => {
    const word = fc.stringMatching(/^[a-c]{1,3}$/)
    fc.assert(
      fc.property(word, fc.array(word), (rule, said) => {
        expect(meets(rule, said.join(' '))).toBe(said.includes(rule))
      }),
    )
  })
})

describe('a set of rules', () => {
  const fault = (rules: unknown): string | undefined => settableRules.safeParse(rules).error?.issues[0]?.message

  it('names the first rule met', () => {
    const rules = ['a', 'b'].map((text) => ({ name: `no ${text}`, text }))
    expect(blockedBy({ version: 3, rules }, 'all', 'b a')).toEqual({ rule: 'no a', version: 3, scope: 'all' })
    expect(blockedBy({ version: 3, rules }, 'all', 'c')).toBeNull()
  })

  it('is checked before it is set', () => {
    expect(fault([{ name: 'a', text: '**' }])).toBe('at least one letter or digit')
    expect(fault([{ name: 'a', text: 'a*b' }])).toBe('a * stands first or last only')
    expect(fault(['a', 'b'].map((text) => ({ name: 'same', text })))).toBe('a name is used twice')
    expect(fault(Array.from({ length: 201 }, (_, at) => ({ name: `${at}`, text: 'x' })))).toContain('200')
    expect(fault([{ name: 'a', text: '*ok*' }])).toBeUndefined()
  })
})
