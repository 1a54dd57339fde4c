// How it stood at the moment that is shown: state, what it remembered, what was armed.

import { dd, div, dl, dt, span } from './elements.ts'
import type { LifeStore } from './life.ts'
import { State } from './parts.ts'
import { clock, length, told } from './words.ts'

export const Moment = ({ store }: { store: LifeStore }) => {
  const step = store.step.value
  const context = store.context.value
  if (!step || !context) return div({ class: 'moment waiting', role: 'status' }, 'Loading…')
  return div(
    { class: 'moment' },
    dl(
      { class: 'pairs' },
      dt(null, 'state'),
      dd(null, State({ state: step.state })),
      step.timers.map(({ timer, due }) => [
        dt({ key: `t${timer}` }, span({ 'aria-label': 'timer' }, '◷ '), timer.split(':')[0]),
        dd(
          { key: `d${timer}`, class: 'num' },
          `due ${clock(due).slice(0, 8)}, in ${length(Date.parse(due) - Date.parse(step.at))}`,
        ),
      ]),
      Object.entries(context).map(([name, value]) => {
        const isChanged = name in step.changed
        return [
          dt(
            { key: `t${name}`, class: isChanged ? 'changed' : undefined },
            isChanged && span({ 'aria-label': 'changed', title: 'changed by this fact' }, 'Δ '),
            name,
          ),
          dd({ key: `d${name}`, class: isChanged ? 'changed' : undefined }, told(name, value)),
        ]
      }),
    ),
  )
}
