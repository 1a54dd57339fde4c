// Names of people: what is allowed, when two are the same, and when one only looks like another.

const ALLOWED = /^[\p{L}\p{M}\p{Nd}_\-.[\]{}|^`\\]{1,32}$/u

/** Names are unique after this: Unicode compatibility form, lower case. */
export const foldName = (name: string): string => name.normalize('NFKC').toLowerCase()

/** Why a name cannot be taken, or null. */
export const nameFault = (name: string): string | null => {
  if ([...name].length > 32) return 'at most 32 characters'
  if (!ALLOWED.test(name)) return 'letters, digits and _-.[]{}|^`\\ only'
  if (!/[\p{L}\p{Nd}]/u.test(name)) return 'at least one letter or digit'
  return null
}

// The letters that pass for another at a glance, from Unicode's confusables (UTS 39) as far as names of staff
// written in Latin letters need them.
const LOOKS_LIKE: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'l',
  i: 'l',
  '|': 'l',
  '5': 's',
  а: 'a',
  е: 'e',
  о: 'o',
  р: 'p',
  с: 'c',
  у: 'y',
  х: 'x',
  і: 'l',
  ј: 'j',
  ѕ: 's',
  к: 'k',
  м: 'm',
  т: 't',
  н: 'h',
  в: 'b',
  ο: 'o',
  α: 'a',
  ν: 'v',
  ρ: 'p',
  τ: 't',
  υ: 'u',
  ι: 'l',
  κ: 'k',
  ı: 'l',
}

/** Two names with one skeleton are hard to tell apart. */
export const skeleton = (name: string): string =>
  [...foldName(name).normalize('NFD').replace(/\p{M}/gu, '')]
    .map((letter) => LOOKS_LIKE[letter] ?? letter)
    .join('')
    .replace(/[_\-.]/g, '')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w')
