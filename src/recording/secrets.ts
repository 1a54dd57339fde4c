// What nobody may read in a recording: credentials, wherever somebody put them. A frame that is refused, an address and
// a message hold them as well as a sign-in does, so they are found by their form and not by where they stand. Whose they
// are is said in their place; what nobody has becomes another of the same length, the same one each time.
//
// A word of this form that is no credential changes too, in all that is recorded alike, so that it plays all the same.

import type { Account, Identity } from '../actors/identity.ts'
import type { Credential } from '../dialects/dialect.ts'

/** Hex as long as a token of ours, its hash or an invite; and two parts of a JSON Web Token, or more. */
export const FORM = /[0-9a-f]{32,}|(?<![\w-])[\w-]{16,}(?:\.[\w-]{16,})+(?:\.[\w-]*)*/gi
const HASHED = /^[0-9a-f]{64}$/i
const TOKEN = /^[0-9a-f]{32}$/
/** What is said under these names is a credential whatever its form: of ours, or of a push service. */
const FIELD = /token|secret|password|session_id|authorization/i

/** A placeholder as a part of a text. */
export const within = (placeholder: string): string =>
  placeholder.startsWith('$') ? `\${${placeholder.slice(1)}}` : placeholder

/** The player fills it in again: what somebody wrote is no placeholder, whatever it looks like. */
const literal = (text: string): string =>
  text.startsWith('$') || text.includes('${') ? text.replaceAll('$', () => within('$dollar')) : text

export class Secrets {
  readonly #identity: Identity
  /** of whichever form, if the operator chose it */
  readonly #adminToken: string
  readonly #meet: (account: Account) => void
  /** credential → its placeholder, or one that nobody has */
  readonly #shown = new Map<string, string>()
  readonly #wrong = new Set<string>()

  constructor(identity: Identity, adminToken: string, meet: (account: Account) => void) {
    this.#identity = identity
    this.#adminToken = adminToken
    this.#meet = meet
  }

  /** Finds out whose the credentials in a value are. */
  async learn(value: unknown): Promise<void> {
    const found = textsIn(value).flatMap((text) => [
      ...(text.match(FORM) ?? []),
      ...(this.#isIn(text) ? [this.#adminToken] : []),
    ])
    for (const text of new Set(found)) {
      if (HASHED.test(text)) await this.#learn(text, text, 'hash')
      else if (TOKEN.test(text) || text === this.#adminToken) {
        await this.#learn(text, this.#identity.hashToken(text), 'token')
      }
    }
  }

  async #learn(text: string, hashed: string, form: 'hash' | 'token'): Promise<void> {
    if (this.#shown.get(text)?.startsWith('$')) return
    const known = await this.#identity.byToken(hashed)
    if (known) this.is(text, known.account, form)
  }

  /** Of a credential whose bearer is known already. */
  is(text: string, account: Account, form: 'hash' | 'token' | 'jwt'): void {
    this.#meet(account)
    this.#shown.set(text, `$${account.username}.${form}`)
  }

  /** Whose credential it is: `$ann.token`; or one that nobody has. */
  of(text: string): string {
    return this.#shown.get(text) ?? this.#instead(text)
  }

  /**
   * What a client sent, under the name of a field. `credential`: what it signs in with, which may be of any form; only
   * the frame itself says so, since a wrong one may be any word.
   */
  sent(text: string, field: string, credential: string | null): string {
    if (text === '') return text
    if (text === credential || this.#shown.get(text)?.startsWith('$')) return this.of(text)
    if (credential && text.endsWith(` ${credential}`))
      return `${literal(text.slice(0, -credential.length))}${within(this.of(credential))}`
    const hidden = this.hidden(literal(text))
    return FIELD.test(field) && hidden === literal(text) ? this.#instead(text) : hidden
  }

  /** What a client was told: what nobody sent before is of that run alone. */
  told(text: string, field: string): string {
    const known = this.#shown.get(text)
    if (known !== undefined || text === '') return known ?? text
    const isNew = FIELD.test(field) || text.match(FORM)?.some((found) => !this.#shown.has(found))
    return isNew ? '$str' : this.hidden(literal(text))
  }

  /** A text without the credentials in it. */
  hidden(text: string): string {
    const rest = this.#isIn(text) ? text.replaceAll(this.#adminToken, within(this.of(this.#adminToken))) : text
    return rest.replace(FORM, (found) => within(this.of(found)))
  }

  /** A line without the credentials in it: the last thing before it leaves. */
  swept<T>(line: T): T {
    if (typeof line === 'string') return this.hidden(line) as T
    if (Array.isArray(line)) return line.map((item) => this.swept(item)) as T
    if (typeof line !== 'object' || line === null) return line
    return Object.fromEntries(Object.entries(line).map(([name, item]) => [this.hidden(name), this.swept(item)])) as T
  }

  #isIn(text: string): boolean {
    return this.#adminToken !== '' && text.includes(this.#adminToken)
  }

  /** Two words stay two words; of what has no such form, which may be any word, nothing is kept in mind. */
  #instead(text: string): string {
    if (this.#wrong.has(text)) return text
    if (text.match(FORM)?.[0] !== text) return '0'.repeat(text.length)
    const wrong = `${this.#wrong.size}`.padStart(text.length, '0').slice(-text.length)
    this.#wrong.add(wrong)
    this.#shown.set(text, wrong)
    return wrong
  }
}

/** All texts in a value, the names of its fields too. */
const textsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsIn(item)])
}

/** Its text, and the form that it is known by. */
export const partsOf = (credential: Credential): { text: string; form: 'hash' | 'token' | 'jwt' } => {
  if ('token' in credential) return { text: credential.token, form: 'token' }
  if ('hashedToken' in credential) return { text: credential.hashedToken, form: 'hash' }
  return { text: credential.jwt, form: 'jwt' }
}
