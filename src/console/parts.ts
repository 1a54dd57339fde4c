// What every page has: how it waits, fails and is empty, and how a state looks.

import { div, p, span } from './elements.ts'

export const Waiting = () => div({ class: 'page waiting', role: 'status' }, 'Loading…')

export const Failed = ({ error }: { error: string }) =>
  div({ class: 'page' }, div({ class: 'panel warning', role: 'alert' }, p(null, `This could not be shown: ${error}.`)))

export const Empty = ({ text }: { text: string }) => p({ class: 'empty' }, text)

/** By shape and word as well as by colour. */
export const State = ({ state }: { state: string }) => {
  const ended = /^(closed|archived)/.test(state)
  const look = ended ? 'ended' : /idle|authenticating|locked|slow|offline/.test(state) ? 'waits' : 'alive'
  return span({ class: `state ${look}` }, state)
}
