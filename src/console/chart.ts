// A statechart as SVG: the states it is in filled, the last arrow lit, arrows never taken pale and often taken ones thick.
// An arrow says what it means when it is pointed at or has the focus, of which the chart takes one stop: ↑ and ↓ go on.

import { useEffect, useRef, useState } from 'preact/hooks'
import { type Drawn, type Edge, type Line, type Node, rounded, statesIn } from './drawing.ts'
import { defs, div, g, marker, p, path, rect, span, svg, text, title } from './elements.ts'
import { type Definition, drawingOf } from './layout.ts'
import { useAnswer } from './server.ts'
import { many } from './words.ts'

interface Machine {
  readonly hash: string
  readonly definition: Definition
  readonly inForce: boolean
}

export interface ChartView {
  readonly kind: string
  /** the definition that was in force; null: the one of now */
  readonly hash: string | null
  /** where it stands; null: nowhere, the chart alone */
  readonly value: unknown
  readonly arrow: string | null
  readonly taken: Readonly<Record<string, number>>
  /** the arrows that the timeline is narrowed to, and how that is changed; none: nothing to narrow */
  readonly picked?: readonly string[]
  readonly pick?: (arrows: readonly string[]) => void
}

const times = (arrows: readonly string[], taken: ChartView['taken']): number =>
  arrows.reduce((sum, arrow) => sum + (taken[arrow] ?? 0), 0)

const told = ({ event, says, guards }: Pick<Edge, 'event' | 'says' | 'guards'>, count: number): string =>
  [
    `${event}${says ? `: ${says}` : ''}.`,
    guards.length > 0 && `Asks ${guards.join(', ')}.`,
    count === 0 ? 'Never taken.' : `Taken ${many(count, 'time')}.`,
  ]
    .filter(Boolean)
    .join(' ')

const LEAST = 0.7

export const Chart = ({ kind, hash, value, arrow, taken, picked = [], pick }: ChartView) => {
  const { value: machine, error } = useAnswer<Machine>(`/machines/${kind}${hash ? `?hash=${hash}` : ''}`)
  const [drawn, setDrawn] = useState<Drawn | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [told_, setTold] = useState<string | null>(null)
  /** the arrow that a step by Tab comes to */
  const [stop, setStop] = useState<string | null>(null)
  useEffect(() => {
    if (!machine) return
    let wanted = true
    drawingOf(machine.hash, machine.definition).then(
      (drawing) => wanted && setDrawn(drawing),
      (failed: Error) => wanted && setFault(failed.message),
    )
    return () => {
      wanted = false
    }
  }, [machine])
  const frame = useRef<HTMLDivElement>(null)
  const where = JSON.stringify(value ?? null)
  useEffect(() => {
    const box = frame.current?.querySelector('.leaf.active')?.getBoundingClientRect()
    const seen = frame.current?.getBoundingClientRect()
    if (!frame.current || !box || !seen) return
    if (box.left < seen.left || box.right > seen.right)
      frame.current.scrollLeft += box.left - seen.left - seen.width / 2
  }, [drawn, where])
  const failed = error ?? fault
  if (failed) return p({ class: 'empty', role: 'alert' }, `The chart could not be drawn: ${failed}.`)
  if (!drawn || !machine) return div({ class: 'chart waiting', role: 'status' }, 'Drawing the chart…')
  const active = value === null || value === undefined ? new Set<string>() : statesIn(machine.definition.id, value)
  const say = (sentence: string) => ({ onMouseEnter: () => setTold(sentence), onMouseLeave: () => setTold(null) })
  const counted = Object.keys(taken).length > 0
  const leaves = drawn.nodes.filter(({ id, hasInner }) => active.has(id) && !hasInner).map(({ key }) => key)

  /** What moves by ↑ and ↓, in the order of the drawing. */
  const stops = [
    ...drawn.edges.map(({ id }) => id),
    ...drawn.nodes.flatMap(({ id, lines }) =>
      lines.filter((one) => one.kind === 'fact').map((one) => `${id} ${one.event}`),
    ),
  ]
  const first = stop !== null && stops.includes(stop) ? stop : stops[0]
  const moved = (event: KeyboardEvent, id: string, arrows: readonly string[]) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (by !== undefined) {
      const next = stops[(stops.indexOf(id) + by + stops.length) % stops.length]
      frame.current?.querySelector<SVGElement>(`[data-stop="${next}"]`)?.focus()
    } else if (pick && (event.key === 'Enter' || event.key === ' ')) pick(isPicked(arrows) ? [] : arrows)
    else if (pick && event.key === 'Escape') pick([])
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const isPicked = (arrows: readonly string[]) => arrows.some((one) => picked.includes(one))
  const reached = (id: string, arrows: readonly string[], sentence: string) => ({
    ...say(sentence),
    'data-stop': id,
    tabIndex: id === first ? 0 : -1,
    role: pick ? ('button' as const) : ('img' as const),
    'aria-label': sentence,
    ...(pick ? { 'aria-pressed': isPicked(arrows), onClick: () => pick(isPicked(arrows) ? [] : arrows) } : {}),
    onFocus: () => {
      setStop(id)
      setTold(sentence)
    },
    onBlur: () => setTold(null),
    onKeyDown: (event: KeyboardEvent) => moved(event, id, arrows),
  })
  const lookOf = (arrows: readonly string[]) => [pick && 'may', isPicked(arrows) && 'picked']

  const edge = (drawnEdge: Edge) => {
    const { id, event, arrows, points, label } = drawnEdge
    const count = times(arrows, taken)
    const sentence = told(drawnEdge, count)
    const isLast = arrow !== null && arrows.includes(arrow)
    const look = ['edge', isLast && 'last', counted && count === 0 && 'never', ...lookOf(arrows)]
    return g(
      { class: look.filter(Boolean).join(' '), key: id, ...reached(id, arrows, sentence) },
      // What can be pointed at is wider than what is drawn.
      points.map((line, index) => path({ key: `hit${index}`, class: 'hit', d: rounded(line) })),
      points.map((line, index) =>
        path({
          // Anew, so that it moves once more.
          key: isLast ? `last${index}` : index,
          class: 'drawn',
          d: rounded(line),
          'marker-end': `url(#${isLast ? 'arrow-last' : 'arrow'})`,
          'stroke-width': 1.25 + Math.min(1.75, Math.log10(count + 1)),
        }),
      ),
      label &&
        text({ x: label.x + label.width / 2, y: label.y + 13, 'text-anchor': 'middle' }, event, title(null, sentence)),
    )
  }
  const line = (node: Node, drawnLine: Line, index: number) => {
    const { kind: sort, event, text: word, says, arrows } = drawnLine
    const count = times(arrows, taken)
    const isLast = arrow !== null && arrows.includes(arrow)
    const [column, row] = [Math.floor(index / node.rows), index % node.rows]
    const sentence = sort === 'timer' ? `${word}: a timer. ${says}.` : told(drawnLine, count)
    const look = [
      'line',
      sort,
      isLast && 'last',
      counted && sort === 'fact' && count === 0 && 'never',
      ...lookOf(arrows),
    ]
    return text(
      {
        key: event,
        class: look.filter(Boolean).join(' '),
        x: node.linesAt.x + column * node.column,
        y: node.linesAt.y + 14 + row * 18,
        ...(sort === 'timer' ? say(sentence) : reached(`${node.id} ${event}`, arrows, sentence)),
      },
      sort === 'timer' ? '◷ ' : '↻ ',
      word,
      title(null, sentence),
    )
  }
  const box = (node: Node) => {
    const isActive = active.has(node.id)
    const look = ['node', node.hasInner ? 'outer' : 'leaf', isActive && 'active'].filter(Boolean).join(' ')
    return g(
      { class: look, key: node.id },
      rect({
        x: node.x,
        y: node.y,
        width: node.width,
        height: node.height,
        rx: 8,
        ...say(`${node.key}: ${node.says}.`),
      }),
    )
  }
  /** Over the arrows, so that none crosses a word. */
  const words = (node: Node) =>
    g(
      { key: node.id, class: active.has(node.id) ? 'words active' : 'words' },
      text(
        { class: 'name', x: node.x + 12, y: node.y + 20 },
        `${node.isInitial ? '• ' : ''}${node.key}`,
        title(null, node.says),
      ),
      node.lines.map((one, index) => line(node, one, index)),
    )
  const head = (id: string, look?: string) =>
    marker(
      {
        id,
        class: look,
        viewBox: '0 0 8 8',
        refX: 7,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      path({ d: 'M0 0.5L7.5 4L0 7.5z' }),
    )
  return div(
    { class: 'chart' },
    div(
      { ref: frame, class: 'drawing', tabIndex: 0, role: 'region', 'aria-label': `Statechart of the ${kind}` },
      svg(
        {
          viewBox: `0 0 ${drawn.width} ${drawn.height}`,
          width: drawn.width,
          height: drawn.height,
          // Smaller than this nobody reads it: then it is scrolled.
          style: { minWidth: `${Math.round(drawn.width * LEAST)}px` },
          role: 'group',
          'aria-label': leaves.length > 0 ? `The chart; it is in ${leaves.join(' and ')}` : 'The chart',
        },
        defs(null, head('arrow'), head('arrow-last', 'lit')),
        drawn.nodes.map(box),
        drawn.edges.map(edge),
        drawn.nodes.map(words),
      ),
    ),
    p(
      { class: 'said quiet', 'aria-live': 'off' },
      told_ ?? [
        span({ class: 'key' }, '→ a fact that leads on'),
        span({ class: 'key' }, '↻ a fact that stays'),
        span({ class: 'key' }, '◷ a timer'),
        span({ class: 'key' }, `each arrow’s line of code: docs/charts/${kind}.md`),
        !machine.inForce && span({ class: 'key' }, 'an older chart, as it was in force then'),
      ],
    ),
  )
}
