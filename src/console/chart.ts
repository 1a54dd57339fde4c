// A statechart as SVG: the states it is in filled, the last arrow lit, arrows never taken pale and often taken ones thick.

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
}

const times = (arrows: readonly string[], taken: ChartView['taken']): number =>
  arrows.reduce((sum, arrow) => sum + (taken[arrow] ?? 0), 0)

const told = (event: string, says: string, count: number): string =>
  `${event}${says ? `: ${says}` : ''}. ${count === 0 ? 'Never taken' : `Taken ${many(count, 'time')}`}.`

const LEAST = 0.7

export const Chart = ({ kind, hash, value, arrow, taken }: ChartView) => {
  const { value: machine, error } = useAnswer<Machine>(`/machines/${kind}${hash ? `?hash=${hash}` : ''}`)
  const [drawn, setDrawn] = useState<Drawn | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [told_, setTold] = useState<string | null>(null)
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

  const edge = ({ id, event, says, arrows, points, label }: Edge) => {
    const count = times(arrows, taken)
    const isLast = arrow !== null && arrows.includes(arrow)
    const look = ['edge', isLast && 'last', counted && count === 0 && 'never'].filter(Boolean).join(' ')
    return g(
      { class: look, key: isLast ? `${id} last` : id, ...say(told(event, says, count)) },
      points.map((line, index) =>
        path({
          key: index,
          d: rounded(line),
          'marker-end': `url(#${isLast ? 'arrow-last' : 'arrow'})`,
          'stroke-width': 1.25 + Math.min(1.75, Math.log10(count + 1)),
        }),
      ),
      label &&
        text(
          { x: label.x + label.width / 2, y: label.y + 13, 'text-anchor': 'middle' },
          event,
          title(null, told(event, says, count)),
        ),
    )
  }
  const line = (node: Node, { kind: sort, event, text: word, says, arrows }: Line, index: number) => {
    const count = times(arrows, taken)
    const isLast = arrow !== null && arrows.includes(arrow)
    const [column, row] = [Math.floor(index / node.rows), index % node.rows]
    const sentence = sort === 'timer' ? `${word}: a timer. ${says}.` : told(event, says, count)
    const look = ['line', sort, isLast && 'last', counted && sort === 'fact' && count === 0 && 'never']
    return text(
      {
        key: event,
        class: look.filter(Boolean).join(' '),
        x: node.linesAt.x + column * node.column,
        y: node.linesAt.y + 14 + row * 18,
        ...say(sentence),
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
          role: 'img',
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
        !machine.inForce && span({ class: 'key' }, 'an older chart, as it was in force then'),
      ],
    ),
  )
}
