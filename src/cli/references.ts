// How commands name accounts and rooms, as paths of the API.

/** A plain name, `@name`, `#number` or an id. */
export const person = (given: string | undefined): string =>
  given === undefined || /^[@#]|^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(given) ? (given ?? '') : `@${given}`

export const ofUser = (given: string | undefined): string => `/users/${encodeURIComponent(person(given))}`
export const ofRoom = (given: string | undefined): string => `/rooms/${encodeURIComponent(given ?? '')}`

/** `?key=value` of those that are given. */
export const query = (given: Readonly<Record<string, string | undefined>>): string => {
  const pairs = Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}
