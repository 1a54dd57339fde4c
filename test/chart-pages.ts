// Draws a statechart as a page: a picture (Mermaid), and a table with every arrow, what it means and its line of code.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AnyStateMachine, AnyStateNode } from 'xstate'

const root = join(import.meta.dirname, '..')

export const chartPage = (kind: string, machine: AnyStateMachine): string => {
  const file = `src/actors/${kind}/${kind}.machine.ts`
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
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
    ...states.flatMap((state) => statePart(state, file, lines)),
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

const statePart = (state: AnyStateNode, file: string, lines: readonly string[]): string[] => {
  const branches = Map.groupBy(transitionsOf(state), ({ event }) => event)
  if (branches.size === 0) return []
  const rows = [...branches].map(([event, ways]) => {
    const guards = ways.map(({ guard }) => guard).filter((guard) => guard !== null)
    const targets = [...new Set(ways.flatMap((way) => way.targets.map(nameOf)))]
    const description = [...new Set(ways.map((way) => way.description).filter((text) => text !== ''))].join('; ')
    const line = lineOf(event, state, lines)
    const link = line > 0 ? `[${event}](../../${file}#L${line})` : event
    return `| ${link} | ${targets.join(', ')} | ${guards.join(', ')} | ${description.replaceAll('|', '\\|')} |`
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

/** Where the state answers the event: in its own part of the chart, or where what it spreads there is made. */
const lineOf = (event: string, state: AnyStateNode, lines: readonly string[]): number => {
  const name = event.replace(/^after /, '')
  const key = new RegExp(`(^|[\\s{])'?${name.replaceAll('.', '\\.')}'?: `)
  const [from, to] = ownLines(state.path, lines)
  const own = lines.slice(from, to)
  const found = [own.findIndex((line) => key.test(line)), own.findIndex((line) => line.includes(`'${name}'`))]
  const inside = found.find((index) => index >= 0)
  return (inside === undefined ? lines.findIndex((line) => key.test(line)) : from + inside) + 1
}

/** From the line of a state's key to that of the states within it, else to its end; by indentation, which biome sees to. */
const ownLines = (path: readonly string[], lines: readonly string[]): [from: number, to: number] => {
  const matching = (line: RegExp, from: number): number => from + lines.slice(from).findIndex((text) => line.test(text))
  let [at, indent] = [matching(/createMachine\(\{$/, 0), '']
  for (const key of path) {
    at = matching(new RegExp(`^${indent}  states: \\{$`), at)
    indent += '    '
    at = matching(new RegExp(`^${indent}${key}: \\{`), at)
  }
  const end = lines[at]?.endsWith('},') ? at : matching(new RegExp(`^${indent}(\\}|  states: \\{)`), at)
  return [at, end + 1]
}
