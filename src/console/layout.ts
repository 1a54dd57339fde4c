// Where everything of a statechart is drawn: its definition as recorded becomes a graph, elkjs lays it out in a worker,
// and the result is kept by the definition's hash. Facts that lead somewhere are arrows; those that stay, and timers, are
// lines in their state's box.

import type { Drawn, Edge, Line, Node } from './drawing.ts'

interface Branch {
  readonly target?: readonly string[]
  readonly guard?: unknown
  readonly description?: string
}

export interface Definition {
  readonly id: string
  readonly key: string
  readonly type: string
  readonly description?: string
  readonly initial?: { readonly target?: readonly string[] }
  readonly states: Readonly<Record<string, Definition>>
  readonly on: Readonly<Record<string, readonly Branch[]>>
}

interface ElkLabel {
  readonly text: string
  readonly width: number
  readonly height: number
  readonly x?: number
  readonly y?: number
}

interface ElkNode {
  readonly id: string
  readonly width?: number
  readonly height?: number
  readonly x?: number
  readonly y?: number
  readonly children?: readonly ElkNode[]
  readonly layoutOptions?: Readonly<Record<string, string>>
}

interface Point {
  readonly x: number
  readonly y: number
}

interface ElkEdge {
  readonly id: string
  readonly sources: readonly string[]
  readonly targets: readonly string[]
  readonly labels: readonly ElkLabel[]
  readonly sections?: readonly { startPoint: Point; endPoint: Point; bendPoints?: readonly Point[] }[]
}

const FONT = '12px system-ui, sans-serif'
const TITLE_FONT = '600 13px system-ui, sans-serif'
const LAST_FONT = '600 12px system-ui, sans-serif'
const LINE = 18
const PADDING = 12
const TITLE = 28
/** a state with more lines than this has them in columns */
const MOST_LINES = 12

const OPTIONS: Readonly<Record<string, string>> = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.spacing.nodeNode': '32',
  'elk.layered.spacing.nodeNodeBetweenLayers': '32',
  'elk.spacing.edgeNode': '20',
  'elk.spacing.edgeEdge': '14',
  'elk.spacing.edgeLabel': '4',
  'elk.layered.spacing.edgeNodeBetweenLayers': '20',
  'elk.edgeLabels.inline': 'true',
}

const measuring = document.createElement('canvas').getContext('2d')
const widthOf = (text: string, font = FONT): number => {
  if (!measuring) return text.length * 7
  measuring.font = font
  return Math.ceil(measuring.measureText(text).width) + 2
}

const isFact = (event: string): boolean => !event.includes('.')
const timerOf = (event: string): string | null => /^xstate\.after\.([^.]+)\./.exec(event)?.[1] ?? null
const said = (branches: readonly Branch[]): string =>
  [...new Set(branches.map(({ description }) => description).filter(Boolean))].join('; ')

/** As XState writes it down: a name, or an object with one. */
const guardsOf = (branches: readonly Branch[]): string[] => [
  ...new Set(
    branches.flatMap(({ guard }) => {
      const name = typeof guard === 'object' && guard !== null ? (guard as { type?: unknown }).type : guard
      return typeof name === 'string' ? [name] : []
    }),
  ),
]

const allOf = (state: Definition): Definition[] => [state, ...Object.values(state.states).flatMap(allOf)]

/** Facts that leave the state where it is, timers, and how many commands are answered. */
const linesOf = (state: Definition): Line[] =>
  Object.entries(state.on).flatMap(([event, branches]): Line[] => {
    const timer = timerOf(event)
    if (timer) return [{ kind: 'timer', event, text: timer, says: said(branches), guards: [], arrows: [] }]
    if (!isFact(event)) return []
    const arrows = branches.flatMap(({ target }, index) => (target ? [] : [`${state.id}|${event}|${index}`]))
    const guards = guardsOf(branches.filter(({ target }) => !target))
    return arrows.length === 0 ? [] : [{ kind: 'fact', event, text: event, says: said(branches), guards, arrows }]
  })

/** Arrows from one state to another are one for each fact, however many branches lead there. */
const edgesOf = (state: Definition): Edge[] => {
  const edges = new Map<string, Edge & { arrows: string[] }>()
  for (const [event, branches] of Object.entries(state.on).filter(([name]) => isFact(name))) {
    branches.forEach((branch, index) => {
      const { target, description } = branch
      for (const to of target ?? []) {
        const id = `${state.id}|${event}|${to.slice(1)}`
        const edge = edges.get(id) ?? {
          id,
          from: state.id,
          to: to.slice(1),
          event,
          says: '',
          guards: [],
          arrows: [],
          points: [],
          label: null,
        }
        edge.arrows.push(`${state.id}|${event}|${index}`)
        edges.set(id, {
          ...edge,
          says: [edge.says, description].filter(Boolean).join('; '),
          guards: [...new Set([...edge.guards, ...guardsOf([branch])])],
        })
      }
    })
  }
  return [...edges.values()]
}

/** As many columns as keep them short. */
const shapeOf = (lines: readonly Line[]) => {
  const columns = Math.ceil(lines.length / MOST_LINES) || 1
  const column = Math.max(0, ...lines.map(({ text }) => widthOf(text, LAST_FONT) + 24))
  return { rows: Math.ceil(lines.length / columns), column, width: columns * column }
}

/** Lines of a state with others in it are a box among those, so that arrows keep clear of them. */
const LINES = ' lines'

const elkNode = (state: Definition): ElkNode => {
  const { rows, width } = shapeOf(linesOf(state))
  const least = Math.max(widthOf(state.key, TITLE_FONT) + 40, width + PADDING)
  const children = Object.values(state.states).map(elkNode)
  if (children.length === 0) return { id: state.id, width: least, height: TITLE + (rows > 0 ? rows * LINE + 10 : 4) }
  const lines = rows === 0 ? [] : [{ id: `${state.id}${LINES}`, width, height: rows * LINE + 4 }]
  return {
    id: state.id,
    children: [...lines, ...children],
    layoutOptions: { ...OPTIONS, 'elk.padding': `[top=${TITLE + 8},left=16,bottom=16,right=16]` },
  }
}

const flat = (node: ElkNode): ElkNode[] => [node, ...(node.children ?? []).flatMap(flat)]

// --- the worker ---

let worker: Worker | null = null
let asked = 0
const waiting = new Map<number, { resolve: (data: unknown) => void; reject: (error: Error) => void }>()

/** The protocol is elkjs's own (elk-api.js): numbered requests. */
const elk = (message: object): Promise<unknown> => {
  if (!worker) {
    worker = new Worker('/console/files/libraries/elk-worker.js')
    worker.onmessage = ({ data }: MessageEvent<{ id: number; data?: unknown; error?: { message?: string } }>) => {
      const { resolve, reject } = waiting.get(data.id) ?? {}
      waiting.delete(data.id)
      if (data.error) reject?.(new Error(data.error.message ?? 'the layout failed'))
      else resolve?.(data.data)
    }
    worker.onerror = () => {
      for (const { reject } of waiting.values()) reject(new Error('the layout could not be loaded'))
      waiting.clear()
    }
    void elk({ cmd: 'register', algorithms: ['layered'] }).catch(() => {})
  }
  const to = worker
  return new Promise((resolve, reject) => {
    const id = ++asked
    waiting.set(id, { resolve, reject })
    to.postMessage({ id, ...message })
  })
}

const drawings = new Map<string, Promise<Drawn>>()

export const drawingOf = (hash: string, definition: Definition): Promise<Drawn> => {
  const known = drawings.get(hash)
  if (known) return known
  const drawing = draw(definition)
  drawings.set(hash, drawing)
  drawing.catch(() => drawings.delete(hash))
  return drawing
}

const draw = async (definition: Definition): Promise<Drawn> => {
  const states = allOf(definition).slice(1)
  const edges = allOf(definition).flatMap(edgesOf)
  const graph = {
    id: definition.id,
    layoutOptions: { ...OPTIONS, 'elk.padding': '[top=8,left=8,bottom=8,right=8]' },
    children: Object.values(definition.states).map(elkNode),
    edges: edges.map(
      ({ id, from, to, event }): ElkEdge => ({
        id,
        sources: [from],
        targets: [to],
        labels: [{ text: event, width: widthOf(event) + 8, height: LINE }],
      }),
    ),
  }
  const laid = (await elk({ cmd: 'layout', graph, layoutOptions: {}, options: {} })) as ElkNode & {
    readonly edges?: readonly ElkEdge[]
  }
  const boxes = new Map(flat(laid).map((node) => [node.id, node]))
  const routes = new Map((laid.edges ?? []).map((edge) => [edge.id, edge]))
  const initial = new Set(
    allOf(definition).flatMap(({ type, initial: first }) => (type === 'compound' ? (first?.target ?? []) : [])),
  )
  return {
    width: Math.ceil(laid.width ?? 0),
    height: Math.ceil(laid.height ?? 0),
    nodes: states.map((state): Node => {
      const { x = 0, y = 0, width = 0, height = 0 } = boxes.get(state.id) ?? { id: state.id }
      const lines = linesOf(state)
      const inner = boxes.get(`${state.id}${LINES}`)
      const { rows, column } = shapeOf(lines)
      return {
        id: state.id,
        key: state.key,
        says: state.description ?? '',
        isInitial: initial.has(`#${state.id}`),
        hasInner: Object.keys(state.states).length > 0,
        x,
        y,
        width,
        height,
        rows,
        column,
        lines,
        linesAt: inner ? { x: inner.x ?? 0, y: inner.y ?? 0 } : { x: x + PADDING, y: y + TITLE },
      }
    }),
    edges: edges.map((edge): Edge => {
      const { sections, labels } = routes.get(edge.id) ?? { labels: [] }
      const [label] = labels
      return {
        ...edge,
        points: (sections ?? []).map(({ startPoint, bendPoints = [], endPoint }) => [
          startPoint,
          ...bendPoints,
          endPoint,
        ]),
        label: label ? { x: label.x ?? 0, y: label.y ?? 0, width: label.width, height: label.height } : null,
      }
    }),
  }
}
