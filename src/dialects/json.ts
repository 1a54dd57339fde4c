// Reading JSON that strangers wrote. A field is an own one: what the prototype chain has is nobody's.

import type { TextFault } from '../actors/room/room.facts.ts'

const MAX_DEPTH = 64

/** undefined: no JSON, or nested deeper than anybody means, which would overflow the stack when it is written again. */
export const parseJson = (text: string | null): unknown => {
  if (text === null || nestsTooDeep(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Compact JSON; null: it has none, or nests deeper than `parseJson` reads. */
export const jsonText = (value: unknown): string | null => {
  try {
    const text = JSON.stringify(value) as string | undefined
    return text === undefined || nestsTooDeep(text) ? null : text
  } catch {
    return null
  }
}

/** As JSON says it, to be kept: a number beyond all numbers (1e400) is null. undefined: see `jsonText`. */
export const asJson = (value: unknown): unknown => {
  const text = jsonText(value)
  return text === null ? undefined : JSON.parse(text)
}

export const nestsTooDeep = (text: string): boolean => depthOf(text) > MAX_DEPTH

/** How deep brackets nest, outside strings. */
const depthOf = (text: string): number => {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (quoted) {
      if (unit === 0x5c) at++
      else if (unit === 0x22) quoted = false
    } else if (unit === 0x22) quoted = true
    else if (unit === 0x5b || unit === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (unit === 0x5d || unit === 0x7d) depth--
  }
  return deepest
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const field = (object: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined

/** A whole number from 0 that no rounding can have changed; null: it is none. */
export const numberIn = (object: Record<string, unknown>, name: string): number | null => {
  const value = field(object, name)
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null
}

/** Of a text already trimmed; null: there is none. Text with NUL is refused as an empty one is. */
export const textFaultOf = (text: string, most: number): TextFault | null => {
  if (text === '' || text.includes('\0')) return 'text-empty'
  return text.length > most ? 'text-too-long' : null
}
