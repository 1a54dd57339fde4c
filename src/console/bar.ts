// The whole life as a bar: how many facts when, and where something stands out. Where it is pulled to, that is shown.

import { button, div, input, label, rect, span, svg } from './elements.ts'
import { type LifeAnswer, type LifeStore, SPEEDS } from './life.ts'
import { clock, day, length } from './words.ts'

const HEIGHT = 40
const BASE = 30
/** places of the slider within a bucket */
const FINE = 20

/** Where a fact is on the bar, in buckets: by its bucket's time, and in order within it. */
const placeOf = (buckets: readonly number[], revision: number): number => {
  let before = 0
  for (const [index, count] of buckets.entries()) {
    if (revision < before + count) return index + (revision - before + 0.5) / count
    before += count
  }
  return buckets.length
}

/** The last fact up to a place on the bar. */
const revisionAt = (buckets: readonly number[], place: number): number => {
  let before = 0
  for (const [index, count] of buckets.entries()) {
    if (place < index + 1) return before + Math.floor((place - index) * count) - 1
    before += count
  }
  return before
}

const before = (ms: number): string => `${ms < 1_000 ? `${ms} ms` : length(ms)} before the newest`

export const Bar = ({ store, closed }: { store: LifeStore; closed: boolean }) => {
  const life = store.life.value
  const step = store.step.value
  const revision = store.revision.value
  if (!life) return div({ class: 'life' })
  const { buckets } = life
  const place = revision === life.facts - 1 ? buckets.length : placeOf(buckets, revision)
  const live = store.live.value
  return div(
    { class: 'life' },
    div(
      { class: 'track' },
      density(life, place),
      input({
        type: 'range',
        min: 0,
        max: buckets.length * FINE,
        step: 1,
        value: Math.round(place * FINE),
        disabled: life.facts < 2,
        'aria-label': 'Moment shown',
        'aria-valuetext': step ? `fact ${revision}, ${step.type}, ${clock(step.at)}` : `fact ${revision}`,
        onInput: (event) => store.show(revisionAt(buckets, Number(event.currentTarget.value) / FINE)),
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
      button(
        { type: 'button', class: 'play', disabled: life.facts < 2, onClick: () => store.play() },
        store.playing.value ? 'Stop' : 'Play',
      ),
      div(
        { class: 'speeds', role: 'group', 'aria-label': 'Speed' },
        SPEEDS.map((speed) =>
          button(
            {
              key: speed,
              type: 'button',
              'aria-pressed': store.speed.value === speed,
              onClick: () => store.playAt(speed),
            },
            `${speed}×`,
          ),
        ),
      ),
      label(
        { class: 'idle', title: 'when nothing happens for longer than a second, play on' },
        input({
          type: 'checkbox',
          checked: store.skipsIdle.value,
          onChange: (event) => store.playAt(store.speed.value, event.currentTarget.checked),
        }),
        'skip idle',
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
            step && life.last ? before(Date.parse(life.last) - Date.parse(step.at)) : 'in the past',
            ' ',
            button(
              { type: 'button', class: 'link', onClick: () => store.toLive() },
              closed ? 'to its end' : 'back to live',
            ),
          ),
    ),
  )
}

const density = ({ marks, buckets, first, last }: LifeAnswer, place: number) => {
  const most = Math.max(1, ...buckets)
  const width = buckets.length
  const from = first ? Date.parse(first) : 0
  const span = Math.max(1, (last ? Date.parse(last) : from) - from + 1)
  return svg(
    { class: 'density', viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    buckets.map((count, index) => {
      const height = count === 0 ? 0 : 4 + (count / most) * (BASE - 8)
      const look = index < place ? 'bucket past' : 'bucket'
      return rect({ key: index, class: look, x: index + 0.1, y: BASE - height, width: 0.8, height })
    }),
    rect({ class: 'base', x: 0, y: BASE, width, height: 1 }),
    rect({ class: 'seen', x: 0, y: BASE, width: Math.min(place, width), height: 1 }),
    marks.map(({ revision, mark, at }) =>
      rect({
        key: revision,
        class: `mark ${mark}`,
        x: ((Date.parse(at) - from) / span) * width + 0.2,
        y: BASE + 3,
        width: 0.4,
        height: 6,
      }),
    ),
  )
}
