// What somebody meant who wrote a name that there is not.

/** `, did you mean …?` with the nearest of the known names, or nothing where none is near. */
export const meant = (word: string, known: readonly string[], before = ''): string => {
  const [nearest] = known
    .map((name) => ({ name, distance: distance(word, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 2)))
    .sort((one, other) => one.distance - other.distance)
  return nearest ? `, did you mean ${before}${nearest.name}?` : ''
}

/** Letters to add, take away or change (Levenshtein, by rows). */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1]
    for (let at = 1; at <= to.length; at++) {
      const changed = (row[at - 1] as number) + (letter === to[at - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[at] as number) + 1, (next[at - 1] as number) + 1))
    }
    row = next
  }
  return row[to.length] as number
}
