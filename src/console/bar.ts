// The whole life as a bar: how many facts when, and where something stands out. Where it is pulled to, that is shown.

import { button, div, input, rect, span, svg } from './elements.ts'
import type { LifeAnswer, LifeStore } from './life.ts'
import { clock, day, span_ } from './words.ts'

const HEIGHT = 32

const GLYPHS: Readonly<Record<string, string>> = {
  birth: 'born',
  'sign-in': 'signed in',
  refused: 'refused',
  timer: 'by a timer',
  sanction: 'an act of staff',
  end: 'closed',
}

export const Bar = ({ store, closed }: { store: LifeStore; closed: boolean }) => {
  const life = store.life.value
  const step = store.step.value
  const revision = store.revision.value
  if (!life) return div({ class: 'life' })
  const live = store.live.value
  return div(
    { class: 'life' },
    div(
      { class: 'track' },
      density(life, revision),
      input({
        type: 'range',
        min: 0,
        max: Math.max(0, life.facts - 1),
        step: 1,
        value: revision,
        disabled: life.facts < 2,
        'aria-label': 'Moment shown, fact by fact',
        'aria-valuetext': step ? `fact ${revision}, ${step.type}, ${clock(step.at)}` : `fact ${revision}`,
        onInput: (event) => store.show(Number(event.currentTarget.value)),
      }),
    ),
    div(
      { class: 'steps' },
      button(
        { type: 'button', 'aria-label': 'One fact back', disabled: revision <= 0, onClick: () => store.move(-1) },
        '←',
      ),
      button(
        {
          type: 'button',
          'aria-label': 'One fact on',
          disabled: revision >= life.facts - 1,
          onClick: () => store.move(1),
        },
        '→',
      ),
      span(
        { class: 'at num' },
        span({ class: 'fact-number' }, `#${Math.max(0, revision)}`),
        span({ class: 'quiet' }, ` of ${Math.max(0, life.facts - 1)} `),
        step && span(null, `${day(step.at)} ${clock(step.at)}`),
      ),
      live
        ? span(
            { class: closed ? 'now' : 'live', role: 'status' },
            closed ? 'at its end' : store.connected.value ? 'live' : 'connecting again…',
          )
        : span(
            { class: 'past', role: 'status' },
            step && life.last
              ? `${span_(Date.parse(life.last) - Date.parse(step.at))} before the newest`
              : 'in the past',
            ' ',
            button(
              { type: 'button', class: 'link', onClick: () => store.toLive() },
              closed ? 'to its end' : 'back to live',
            ),
          ),
    ),
  )
}

/** One unit of width a fact's place, so that it fits the slider: facts in the order they came. */
const density = ({ facts, marks, buckets, first, last }: LifeAnswer, revision: number) => {
  const most = Math.max(1, ...buckets)
  const width = buckets.length
  const from = first ? Date.parse(first) : 0
  const length = Math.max(1, (last ? Date.parse(last) : from) - from + 1)
  const place = (index: number) => (facts < 2 ? 0 : (index / (facts - 1)) * width)
  return svg(
    {
      class: 'density',
      viewBox: `0 0 ${width} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
      'data-length': String(length),
    },
    buckets.map((count, index) => {
      const height = count === 0 ? 0 : 3 + (count / most) * (HEIGHT - 14)
      return rect({ key: index, class: 'bucket', x: index + 0.1, y: HEIGHT - 4 - height, width: 0.8, height })
    }),
    rect({ class: 'base', x: 0, y: HEIGHT - 4, width, height: 1 }),
    rect({ class: 'seen', x: 0, y: HEIGHT - 4, width: place(Math.max(0, revision)), height: 1 }),
    marks.map(({ revision: at, mark }) =>
      rect({
        key: at,
        class: `mark ${mark}`,
        x: place(at) - 0.2,
        y: HEIGHT - 3,
        width: 0.4,
        height: 3,
        'data-says': GLYPHS[mark],
      }),
    ),
  )
}
