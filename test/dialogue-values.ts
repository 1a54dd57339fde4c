// Values in a dialogue: `"$x"` captures on first use and must be equal later; `"$int"`, `"$ms"`, `"$iso"`, `"$str"`,
// `"$any"` match by type; `"${bob.token}"` stands for a part of a text, `"${dollar}"` for a dollar. Key order never matters.

import { isDeepStrictEqual } from 'node:util'

export class Values {
  readonly #values = new Map<string, unknown>([['$dollar', '$']])

  set(name: string, value: unknown): void {
    this.#values.set(`$${name}`, value)
  }

  filled(value: unknown): unknown {
    if (typeof value === 'string') {
      if (this.#values.has(value)) return this.#values.get(value)
      return value.replace(/\$\{([^}]+)\}/g, (_all, name: string) => String(this.#values.get(`$${name}`)))
    }
    if (Array.isArray(value)) return value.map((item) => this.filled(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.filled(item)]))
  }

  match(expected: unknown, actual: unknown): void {
    if (!this.#matches(expected, actual)) {
      throw new Error(`expected ${JSON.stringify(this.filled(expected))}\n     got ${JSON.stringify(actual)}`)
    }
  }

  #matches(expected: unknown, actual: unknown): boolean {
    if (typeof expected === 'string' && expected.startsWith('$') && !expected.startsWith('${')) {
      if (expected === '$any') return actual !== undefined
      if (expected === '$int' || expected === '$ms') return Number.isInteger(actual)
      if (expected === '$str') return typeof actual === 'string'
      if (expected === '$iso') return typeof actual === 'string' && new Date(actual).toISOString() === actual
      if (this.#values.has(expected)) return isDeepStrictEqual(this.#values.get(expected), actual)
      this.#values.set(expected, actual)
      return actual !== undefined
    }
    if (Array.isArray(expected)) {
      return (
        Array.isArray(actual) &&
        actual.length === expected.length &&
        expected.every((item, at) => this.#matches(item, actual[at]))
      )
    }
    if (typeof expected !== 'object' || expected === null) return this.filled(expected) === actual
    if (typeof actual !== 'object' || actual === null) return false
    const keys = Object.keys(expected)
    // `"$more": true` lets an answer have keys that the dialogue does not show.
    const open = keys.includes('$more')
    const shown = keys.filter((key) => key !== '$more')
    return (
      (open || Object.keys(actual).length === shown.length) &&
      shown.every((key) =>
        this.#matches((expected as Record<string, unknown>)[key], (actual as Record<string, unknown>)[key]),
      )
    )
  }
}
