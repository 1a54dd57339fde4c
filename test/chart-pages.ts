// Draws a statechart as a page: a picture (Mermaid), and a table with every arrow, what it means and its line of code.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AnyStateMachine, AnyStateNode } from 'xstate'

const root = join(import.meta.dirname, '..')

export const chartPage = (kind: string, machine: AnyStateMachine): string => {
  const file = `src/actors/${kind}/${kind}.machine.ts`
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const guards = guardsOf(kind)
  const states = allStates(machine.root).filter((state) => state.path.length > 0)
  return [
    `# The ${kind}'s statechart`,
    '',
    `Printed from [${file}](../../${file}) by \`npm test\` with UPDATE_CHARTS=1. Solid arrows are facts (they move the chart); commands never do: they are`,
    'listed in the table with what they may be refused for.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...picture(machine.root, '  '),
    '```',
    '',
    ...states.flatMap((state) => statePart(state, { file, lines, guards })),
  ].join('\n')
}

const allStates = (state: AnyStateNode): AnyStateNode[] => [state, ...Object.values(state.states).flatMap(allStates)]
const nameOf = (state: AnyStateNode): string => state.path.join('_')

const picture = (state: AnyStateNode, indent: string): string[] => {
  const children = Object.values(state.states)
  const initial = state.type === 'compound' ? state.initial.target[0] : undefined
  return [
    ...(initial ? [`${indent}[*] --> ${nameOf(initial)}`] : []),
    ...children.flatMap((child, index) => [
      ...(state.type === 'parallel' && index > 0 ? [`${indent}--`] : []),
      ...(Object.keys(child.states).length > 0
        ? [`${indent}state ${nameOf(child)} {`, ...picture(child, `${indent}  `), `${indent}}`]
        : [`${indent}${nameOf(child)}: ${child.key}`]),
    ]),
    ...children.flatMap((child) =>
      arrows(child).map(({ event, target }) => `${indent}${nameOf(child)} --> ${nameOf(target)}: ${event}`),
    ),
  ]
}

/** Arrows that lead somewhere: facts. */
const arrows = (state: AnyStateNode): { event: string; target: AnyStateNode }[] =>
  transitionsOf(state).flatMap(({ event, targets }) => targets.map((target) => ({ event, target })))

interface Branch {
  readonly event: string
  readonly guard: string | null
  readonly description: string
  readonly targets: readonly AnyStateNode[]
}

const transitionsOf = (state: AnyStateNode): Branch[] =>
  [...state.transitions.values()].flat().map(({ eventType, guard, description, target }) => ({
    event: eventType.startsWith('xstate.after') ? `after ${eventType.split('.')[2]}` : eventType,
    guard: typeof guard === 'string' ? guard : guard ? '(see code)' : null,
    description: description ?? '',
    targets: target ?? [],
  }))

interface Sources {
  readonly file: string
  readonly lines: readonly string[]
  /** name → where it is written */
  readonly guards: ReadonlyMap<string, string>
}

const statePart = (state: AnyStateNode, { file, lines, guards }: Sources): string[] => {
  const branches = Map.groupBy(transitionsOf(state), ({ event }) => event)
  if (branches.size === 0) return []
  const rows = [...branches].map(([event, ways]) => {
    const asked = ways.flatMap(({ guard }) => {
      const place = guard === null ? undefined : guards.get(guard)
      return guard === null ? [] : [place ? `[${guard}](../../${place})` : guard]
    })
    const targets = [...new Set(ways.flatMap((way) => way.targets.map(nameOf)))]
    const description = [...new Set(ways.map((way) => way.description).filter((text) => text !== ''))].join('; ')
    const line = lineOf(event, state, lines)
    const link = line > 0 ? `[${event}](../../${file}#L${line})` : event
    return `| ${link} | ${targets.join(', ')} | ${asked.join(', ')} | ${description.replaceAll('|', '\\|')} |`
  })
  return [
    `## ${state.path.join('.')}`,
    '',
    ...(state.description ? [state.description, ''] : []),
    '| Event | Leads to | Asked first, in this order | Meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ]
}

interface Range {
  /** of the line that opens it, and of the one that closes it */
  readonly from: number
  readonly to: number
  readonly indent: number
}

const indentOf = (line: string): number => line.length - line.trimStart().length

/** The block that such a line opens in the range, so much further in: the formatter keeps sources to that. */
const blockIn = (lines: readonly string[], { from, to, indent }: Range, deeper: number, opening: RegExp) => {
  const at = indent + deeper
  const isOpening = (line: string, index: number): boolean =>
    index > from && index < to && indentOf(line) === at && opening.test(line)
  const begin = lines.findIndex(isOpening)
  if (begin < 0) return null
  const end = lines.findIndex((line, index) => index > begin && indentOf(line) === at && /^\s*[}\])]/.test(line))
  return { from: begin, to: end, indent: at }
}

const keyOf = (name: string): RegExp => new RegExp(`^\\s*'?${name.replaceAll('.', '\\.')}'?[:,]`)

/** Where a state is written. Where it is spread, the last one around it that is. */
const rangeOf = (path: readonly string[], lines: readonly string[]): Range => {
  const opening = lines.findIndex((line) => line.includes('.createMachine({'))
  let range: Range = { from: opening, to: lines.length, indent: 0 }
  for (const key of path) {
    const states = blockIn(lines, range, 2, /^\s*states: \{/)
    const state = states && blockIn(lines, states, 2, keyOf(key))
    if (!state) return range
    range = state
  }
  return range
}

/** Where the event is written in this state; one that is spread into it is found where it is built, before all states. */
const lineOf = (event: string, state: AnyStateNode, lines: readonly string[]): number => {
  const name = event.replace(/^after /, '')
  const range = rangeOf(state.path, lines)
  const inner = blockIn(lines, range, 2, /^\s*states: \{/)
  const within = (at: number): boolean =>
    at >= range.from && at < range.to && !(inner && at > inner.from && at < inner.to)
  const isKey = (line: string): boolean => keyOf(name).test(line)
  const isNamed = (line: string): boolean => line.includes(`'${name}'`)
  const ways: readonly ((line: string, at: number) => boolean)[] = [
    (line, at) => within(at) && indentOf(line) === range.indent + 4 && isKey(line),
    (line, at) => within(at) && isNamed(line),
    isKey,
    isNamed,
  ]
  return ways.reduce((found, way) => (found > 0 ? found : lines.findIndex(way) + 1), 0)
}

/** Each guard of an entity, where its condition is written. */
const guardsOf = (kind: string): ReadonlyMap<string, string> => {
  const folder = `src/actors/${kind}`
  const written = readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) =>
      readFileSync(join(root, folder, file), 'utf8')
        .split('\n')
        .flatMap((line, at): [string, string][] => {
          const [, name] = /^\s*(?:export )?(?:const )?([a-zA-Z]+)(?::| =) \(/.exec(line) ?? []
          return name === undefined ? [] : [[name, `${folder}/${file}#L${at + 1}`]]
        }),
    )
  return new Map(written)
}
