// Who moved whom: the facts around the moment as arrows between lanes. Of a connection also what it did in its rooms and
// to its account, found in their lives by the connection that a fact names, or by the correlation of what it led to.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { a, button, div, li, ol, p, span } from './elements.ts'
import { type Kind, type LifeStore, PAGE, type Step } from './life.ts'
import { to } from './place.ts'
import { get, params, useChanges } from './server.ts'
import { clock } from './words.ts'

type Lane = 'client' | Kind | 'log'
const LANES: readonly Lane[] = ['client', 'connection', 'room', 'user', 'log']
const LISTS: Readonly<Record<Kind, string>> = { connection: 'connections', room: 'rooms', user: 'users' }

/** A fact with whose it is; `id` null: of the life that is looked at. */
interface Told {
  readonly kind: Kind
  readonly id: string | null
  readonly step: Step
}

interface Arrow {
  readonly key: string
  readonly at: string
  readonly from: Lane
  readonly to: Lane
  readonly look: 'asks' | 'stores' | 'refuses'
  readonly text: string
  readonly told: Told
  /** where more of it stands; none: at this life's own moment */
  readonly href?: string
}

const place = ({ position }: Pick<Step, 'position'>): number => Number(position.split('-').at(-1))

const MOST_FOLLOWED = 6
const READ_AT_ONCE = 200

interface Elsewhere {
  readonly page: number
  readonly told: readonly Told[]
  /** there is more than was read */
  readonly cut: boolean
}

/** What this connection led to elsewhere from the first of these facts to the last, or, of its last page, on. */
const followed = async (
  connection: string,
  { page, steps, isLast }: { page: number; steps: readonly Step[]; isLast: boolean },
  lives: ReadonlyMap<string, Kind>,
): Promise<Elsewhere> => {
  const [first, last] = [steps[0], steps.at(-1)]
  if (!first || !last) return { page, told: [], cut: false }
  const until = isLast ? Number.POSITIVE_INFINITY : place(last)
  const together = new Set(steps.map(({ correlation }) => correlation))
  let cut = lives.size > MOST_FOLLOWED
  const found = await Promise.all(
    [...lives].slice(0, MOST_FOLLOWED).map(async ([id, kind]): Promise<Told[]> => {
      const path = `/${LISTS[kind]}/${encodeURIComponent(id)}`
      const { revision } = await get<{ revision: number }>(`${path}/life${params({ at: first.position })}`)
      const query = params({ from: revision + 1, limit: READ_AT_ONCE })
      const { items, next } = await get<{ items: readonly Step[]; next: string | null }>(`${path}/timeline${query}`)
      const end = items.at(-1)
      if (next !== null && end && place(end) < until) cut = true
      return items
        .filter((step) => place(step) <= until)
        .filter((step) => step.connection === connection || together.has(step.correlation))
        .map((step) => ({ kind, id, step }))
    }),
  )
  return { page, told: found.flat(), cut }
}

/** Rooms that the connection was in or came to, and its account. */
const livesOf = (context: Readonly<Record<string, unknown>>, steps: readonly Step[]): Map<string, Kind> => {
  const lives = new Map<string, Kind>()
  for (const { changed, data } of [{ changed: context, data: {} }, ...steps]) {
    const { user, rooms } = changed as { user?: { id?: string } | null; rooms?: object | null }
    if (user?.id) lives.set(user.id, 'user')
    for (const room of Object.keys(rooms ?? {})) lives.set(room, 'room')
    const { room } = data as { room?: unknown }
    if (typeof room === 'string') lives.set(room, 'room')
  }
  return lives
}

/** On a connection's record, and no wish of its client. */
const isOwn = ({ type, data }: Step): boolean =>
  type === 'Delivered' || (type === 'ConnectionClosed' && data.cause !== 'client')

const arrowsOf = (kind: Kind, all: readonly Told[]): Arrow[] => {
  /** what came first of a correlation, and where: the rest was led to by it */
  const came = new Map<string, Told>()
  return all.flatMap((told, index): Arrow[] => {
    const { kind: lane, step } = told
    const { id, at, type, cause, data, position } = step
    const source = came.get(step.correlation)
    if (!source) came.set(step.correlation, told)
    const elsewhere = told.id === null ? {} : { href: `${to(LISTS[lane], told.id)}?at=${position}` }
    const arrow = { at, told, ...elsewhere }
    const who: Lane = kind === 'connection' ? 'client' : 'connection'
    const itself = cause.kind === 'timer' || step.connection === null || isOwn(step)
    const from = !itself ? who : source && source.kind !== lane ? source.kind : lane
    const refused = type === 'CommandRefused' || type === 'AuthFailed'
    const { at: decided } = data as { at?: { stream?: string } | null }
    const [decider = ''] = decided?.stream?.split('-') ?? []
    const by: Lane = refused && (LANES as readonly string[]).includes(decider) ? (decider as Lane) : lane
    const name = refused && typeof data.command === 'string' ? data.command : cause.name
    const before = all[index - 1]
    const asked: Arrow = {
      ...arrow,
      ...(from === 'connection' && step.connection !== null
        ? { href: `${to('connections', step.connection)}?at=${position}` }
        : {}),
      key: `${id} asked`,
      from,
      to: by,
      look: 'asks',
      text: cause.kind === 'timer' ? `◷ ${name ?? 'timer'}` : (name ?? 'a command'),
    }
    const did: Arrow = refused
      ? { ...arrow, key: id, from: by, to: who, look: 'refuses', text: `✕ ${String(data.code)}` }
      : { ...arrow, key: id, from: lane, to: 'log', look: 'stores', text: type }
    const isSame = before?.step.cause.id === cause.id && before.kind === lane
    // Of a connection they are facts of its own.
    const refusals = (told.id === null ? (step.refused ?? []) : []).flatMap((refusal): Arrow[] => {
      const { position, command, code, connection } = refusal
      const no = { at: refusal.at, told, href: `${to('connections', connection)}?at=${position}` }
      return [
        { ...no, key: `${position} asked`, from: who, to: lane, look: 'asks', text: command },
        { ...no, key: position, from: lane, to: who, look: 'refuses', text: `✕ ${code}` },
      ]
    })
    return [...(isSame ? [] : [asked]), did, ...refusals]
  })
}

export const Sequence = ({ store, kind, id }: { store: LifeStore; kind: Kind; id: string }) => {
  const page = Math.floor(Math.max(0, store.revision.value) / PAGE)
  const steps = store.pages.value.get(page)?.items ?? []
  const context = store.pages.value.get(page)?.context ?? {}
  const [found, setFound] = useState<Elsewhere | null>(null)
  const elsewhere = found?.page === page ? found : null
  const [error, setError] = useState<string | null>(null)
  // What it says in a room leaves no fact of its own.
  const changes = useChanges('all', kind === 'connection' && store.live.value)
  useEffect(() => {
    if (kind !== 'connection' || steps.length === 0) return
    let wanted = true
    const isLast = (page + 1) * PAGE >= (store.life.peek()?.facts ?? 0)
    followed(id, { page, steps, isLast }, livesOf(context, steps)).then(
      (those) => wanted && setFound(those),
      (failed: Error) => wanted && setError(failed.message),
    )
    return () => {
      wanted = false
    }
  }, [kind, id, page, steps.length, changes])
  const own = steps.map((step): Told => ({ kind, id: null, step }))
  const all = [...own, ...(elsewhere?.told ?? [])].sort((one, other) => place(one.step) - place(other.step))
  const arrows = arrowsOf(kind, all)
  const used = new Set(arrows.flatMap(({ from, to: end }) => [from, end]))
  const lanes = LANES.filter((lane) => used.has(lane))
  const rows = useRef<HTMLDivElement>(null)
  // By hand, so that the page itself stays where it is.
  useLayoutEffect(() => {
    const shown = [...(rows.current?.querySelectorAll<HTMLElement>('.current') ?? [])].at(-1)
    if (rows.current && shown) rows.current.scrollTop = shown.offsetTop - rows.current.clientHeight / 2
  }, [store.revision.value, arrows.length])
  if (steps.length === 0) return div({ class: 'waiting', role: 'status' }, 'Loading…')
  return div(
    { class: 'sequence', style: { '--lanes': lanes.length } },
    error && p({ class: 'bad', role: 'alert' }, `What it led to elsewhere could not be read: ${error}.`),
    elsewhere?.cut && p({ class: 'quiet' }, 'More happened in its rooms meanwhile than is followed here.'),
    div(
      { ref: rows, class: 'stretch', tabIndex: 0, role: 'region', 'aria-label': `Facts from #${page * PAGE} on` },
      div(
        { class: 'lanes', 'aria-hidden': 'true' },
        span(null),
        lanes.map((lane) => span({ key: lane }, lane)),
      ),
      ol(
        null,
        arrows.map((arrow) => row(store, lanes, arrow)),
      ),
    ),
  )
}

const row = (store: LifeStore, lanes: readonly Lane[], { key, at, from, to: end, look, text, told, href }: Arrow) => {
  const [start, stop] = [lanes.indexOf(from), lanes.indexOf(end)]
  const [left, right] = [Math.min(start, stop), Math.max(start, stop)]
  const self = start === stop
  const isCurrent = told.id === null && told.step.revision === store.revision.value
  const attributes = {
    class: ['arrow', look, self ? 'self' : start < stop ? 'right' : 'left'].join(' '),
    style: { gridColumn: `${left + 2} / ${right + 3}`, '--span': right - left + 1 },
    title: text,
    'aria-label': self ? `${end} itself: ${text}` : `${from} to ${end}: ${text}`,
  }
  return li(
    { key, class: isCurrent ? 'current' : undefined },
    span({ class: 'num quiet' }, clock(at).slice(0, 8)),
    lanes.map((lane, index) =>
      span({ key: lane, class: 'lifeline', 'aria-hidden': 'true', style: { gridColumn: `${index + 2}` } }),
    ),
    href === undefined
      ? button({ type: 'button', ...attributes, onClick: () => store.show(told.step.revision) }, span(null, text))
      : a({ href, ...attributes }, span(null, text)),
  )
}
