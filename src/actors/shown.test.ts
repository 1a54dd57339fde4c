import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { factTypes } from './fact-codec.ts'
import { factsShown, shownFact, withoutCredentials } from './shown.ts'

const fieldsOf = (type: string): string[] =>
  Object.keys((factTypes[type]?.schema as z.ZodObject | undefined)?.shape ?? {})

describe('what the console may show', () => {
  it.each(Object.entries(factsShown))('of %s is named as its schema names it', (type, fields) => {
    expect(fieldsOf(type)).toEqual(expect.arrayContaining([...fields]))
  })

  it('is nothing of a fact or a field that is not named', () => {
    expect(shownFact('TokenIssued', { token: 'id', hash: 'h' })).toEqual({ token: 'id' })
    expect(shownFact('InviteCreated', { code: 'c', by: null })).toEqual({ by: null })
    expect(shownFact('LogBorn', { nameKey: 'k' })).toEqual({})
    expect(shownFact('toString', { nameKey: 'k' })).toEqual({})
  })

  it('is no credential in the words of a refusal, and its ids all the same', () => {
    const token = '0123456789abcdef'.repeat(2)
    const id = '019b76da-a800-7ba6-af87-036989660e60'
    const jwt = `${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`
    expect(withoutCredentials({ [token]: [token.toUpperCase(), `${jwt} x`], id })).toEqual({ '…': ['…', '… x'], id })
  })
})
