// Times, names and values as people read them.

import { a, span, time } from './elements.ts'
import { to } from './place.ts'
import type { Person } from './server.ts'

const two = (value: number): string => String(value).padStart(2, '0')

/** Local time of day to the millisecond, as a log has it. */
export const clock = (iso: string): string => {
  const at = new Date(iso)
  const ms = String(at.getMilliseconds()).padStart(3, '0')
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`
}

export const day = (iso: string): string => {
  const at = new Date(iso)
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

const moment = (iso: string): string => `${day(iso)} ${clock(iso).slice(0, 8)}`

/** A time with its date; the exact one on hover. */
export const when = (iso: string | null) =>
  iso === null ? span({ class: 'quiet' }, '–') : time({ dateTime: iso, title: iso, class: 'num' }, moment(iso))

export const length = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${two(Math.floor((seconds % 3_600) / 60))} min`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`
}

/** An id of which only the end differs among neighbours. */
export const short = (id: string): string => (id.length > 12 ? `…${id.slice(-8)}` : id)

export const many = (count: number, one: string, several = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : several}`

export const who = (person: Person | null, nobody = '–') =>
  person ? a({ href: to('users', person.id) }, `@${person.username}`) : span({ class: 'quiet' }, nobody)

const isPerson = (value: object): value is Person => 'username' in value && 'id' in value

/** A value in one line. */
const brief = (value: unknown): string => {
  if (value === null) return 'none'
  if (typeof value === 'string') return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value) ? short(value) : value
  return String(value)
}

const TIMES = new Set(['until', 'due', 'fired', 'since', 'openedAt'])

/** A field in one line: times as times, people by name, of long lists how many there are. */
export const told = (name: string, value: unknown): string => {
  if (TIMES.has(name)) return typeof value === 'number' ? moment(new Date(value).toISOString()) : 'no end'
  if (name.endsWith('Ms') && typeof value === 'number') return value === 0 ? 'off' : length(value)
  if (typeof value !== 'object' || value === null) return brief(value)
  if (isPerson(value)) return `@${value.username}`
  if ('some' in value && 'of' in value) return `${told(name, value.some)} … of ${String(value.of)}`
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((one) => told('', one)).join(', ')
  const entries = Object.entries(value)
  if (entries.length === 0) return 'none'
  return entries.map(([key, inner]) => `${brief(key)} ${told(key, inner)}`).join(' · ')
}
