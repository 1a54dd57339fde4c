// A statechart with a place for everything: what the chart draws, and what a page of documentation may print.

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Line {
  readonly kind: 'fact' | 'timer'
  readonly event: string
  readonly text: string
  readonly says: string
  /** what its branches ask */
  readonly guards: readonly string[]
  /** as timelines name them */
  readonly arrows: readonly string[]
}

export interface Node {
  readonly id: string
  readonly key: string
  readonly says: string
  readonly isInitial: boolean
  readonly hasInner: boolean
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly rows: number
  readonly column: number
  readonly lines: readonly Line[]
  /** left upper corner of the first line */
  readonly linesAt: Point
}

export interface Edge {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly event: string
  readonly says: string
  readonly guards: readonly string[]
  readonly arrows: readonly string[]
  readonly points: readonly (readonly Point[])[]
  readonly label: { readonly x: number; readonly y: number; readonly width: number; readonly height: number } | null
}

export interface Drawn {
  readonly width: number
  readonly height: number
  readonly nodes: readonly Node[]
  readonly edges: readonly Edge[]
}

/** Ids of the states a state value is in: `{ a: 'b' }` of `m` is `m.a` and `m.a.b`. */
export const statesIn = (root: string, value: unknown): ReadonlySet<string> => {
  const found = new Set<string>()
  const walk = (prefix: string, inner: unknown): void => {
    if (typeof inner === 'string') found.add(`${prefix}.${inner}`)
    else if (typeof inner === 'object' && inner !== null)
      for (const [key, below] of Object.entries(inner)) {
        found.add(`${prefix}.${key}`)
        walk(`${prefix}.${key}`, below)
      }
  }
  walk(root, value)
  return found
}

/** An orthogonal line with its corners rounded. */
export const rounded = (points: readonly Point[], radius = 6): string => {
  const [first] = points
  if (!first) return ''
  const parts = [`M${first.x} ${first.y}`]
  for (let index = 1; index < points.length; index++) {
    const [before, corner, after] = [points[index - 1] as Point, points[index] as Point, points[index + 1]]
    if (!after) {
      parts.push(`L${corner.x} ${corner.y}`)
      break
    }
    const [into, out] = [towards(corner, before, radius), towards(corner, after, radius)]
    parts.push(`L${into.x} ${into.y}Q${corner.x} ${corner.y} ${out.x} ${out.y}`)
  }
  return parts.join('')
}

const towards = (from: Point, to: Point, most: number): Point => {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1
  const by = Math.min(most, length / 2) / length
  return { x: from.x + (to.x - from.x) * by, y: from.y + (to.y - from.y) * by }
}
