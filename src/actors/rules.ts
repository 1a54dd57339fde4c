// Blocking rules: words and phrases that may not be posted, in one room or in all. A rule is matched in time linear in
// the text, whatever anybody writes into it: it is no regular expression.

import { z } from 'zod'
import { shape } from './fact.ts'

const MAX_RULES = 200
const MAX_RULE_TEXT = 100

/** Words in order; `*` before the first or behind the last lets that word go on: `spam*`, `*coin`, `buy now`. */
export const rule = shape(
  'rule',
  'words in order; `*` before the first or behind the last lets that word go on',
  z.object({ name: z.string().min(1).max(64), text: z.string().min(1).max(MAX_RULE_TEXT) }),
)
export type Rule = z.infer<typeof rule>

/** What may be set: names are told to whoever is refused, so each is there once, and each rule says a word. */
export const settableRules = z
  .array(
    z.strictObject({
      name: z.string().trim().min(1).max(64),
      text: z
        .string()
        .trim()
        .max(MAX_RULE_TEXT)
        .refine((text) => words(text) !== '', 'at least one letter or digit')
        .refine((text) => !text.slice(1, -1).includes('*'), 'a * stands first or last only'),
    }),
  )
  .max(MAX_RULES)
  .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'a name is used twice')

export interface RuleSet {
  /** 0: never set; one more with each change */
  readonly version: number
  readonly rules: readonly Rule[]
}

export const NO_RULES: RuleSet = { version: 0, rules: [] }

/** Which rule of which version refused a text. */
export interface Blocked {
  readonly rule: string
  readonly version: number
  readonly scope: 'room' | 'all'
}

/** Compatibility form, lower case, no invisible characters, one space between words. */
const words = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Cf}/gu, '')
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim()

const patterns = new WeakMap<readonly Rule[], readonly (string | null)[]>()

/** What of ` one two three ` a rule is a part of; null where it says no word. */
const patternOf = ({ text }: Rule): string | null => {
  const said = words(text)
  return said === '' ? null : `${text.startsWith('*') ? '' : ' '}${said}${text.endsWith('*') ? '' : ' '}`
}

const patternsOf = (rules: readonly Rule[]): readonly (string | null)[] => {
  const known = patterns.get(rules)
  if (known) return known
  const made = rules.map(patternOf)
  patterns.set(rules, made)
  return made
}

/** The first rule of the set that the text meets, or null. */
export const blockedBy = ({ rules, version }: RuleSet, scope: Blocked['scope'], text: string): Blocked | null => {
  if (rules.length === 0) return null
  const said = ` ${words(text)} `
  const at = patternsOf(rules).findIndex((pattern) => pattern !== null && said.includes(pattern))
  const met = rules[at]
  return met ? { rule: met.name, version, scope } : null
}

export const sameRules = (a: readonly Rule[], b: readonly Rule[]): boolean =>
  a.length === b.length && a.every(({ name, text }, index) => name === b[index]?.name && text === b[index]?.text)
