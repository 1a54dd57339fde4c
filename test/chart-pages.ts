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
    const line = lineOf(event, lines)
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

/** Where the event is a key in the chart; spread ones are found where they are built. */
const lineOf = (event: string, lines: readonly string[]): number => {
  const name = event.replace(/^after /, '')
  const key = new RegExp(`^\\s*'?${name.replaceAll('.', '\\.')}'?: `)
  const found = lines.findIndex((line) => key.test(line))
  return (found < 0 ? lines.findIndex((line) => line.includes(`'${name}'`)) : found) + 1
}
