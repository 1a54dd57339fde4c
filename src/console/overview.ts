// What is alive, what was refused lately, and whether log and read models are well.

import {
  a,
  code,
  dd,
  div,
  dl,
  dt,
  h1,
  h2,
  li,
  p,
  section,
  span,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
  ul,
} from './elements.ts'
import type { Refusal } from './life.ts'
import { Failed, Waiting } from './parts.ts'
import { to } from './place.ts'
import { finding } from './search.ts'
import { useAnswer, useChanges } from './server.ts'
import { clock, day, many, short, who } from './words.ts'

interface OverviewAnswer {
  readonly version: string
  readonly node: string
  readonly health: {
    readonly ready: boolean
    readonly lag: number | null
    readonly parked: number | null
    readonly quarantined: number
    readonly problems: readonly string[]
  }
  readonly facts: { readonly head: string }
  readonly alive: {
    readonly sockets: number
    readonly connections: number
    readonly online: number
    readonly rooms: number
    readonly users: number
    readonly dialects: readonly { readonly dialect: string; readonly connections: number }[]
  }
  readonly refused: readonly Refusal[]
}

/** Nobody but the owner: what to do first. */
const toBegin = () =>
  section(
    { class: 'panel begin', 'aria-labelledby': 'begin-title' },
    h2({ id: 'begin-title' }, 'To begin'),
    p(null, 'Nobody but you has an account yet.'),
    ul(
      null,
      li(
        null,
        a({ href: `${to('users')}?new=yes` }, 'Make a user'),
        ' and take its token: it signs in with any client.',
      ),
      li(null, a({ href: `${to('rooms')}?new=yes` }, 'Make a room'), ' for them. The lobby is there already.'),
      li(null, 'Every connection appears here with its first frame.'),
    ),
  )

export const Overview = () => {
  const changes = useChanges('all')
  const { value, error } = useAnswer<OverviewAnswer>('/console/overview', changes)
  if (!value) return error ? Failed({ error }) : Waiting()
  const { health, alive, refused } = value
  const figure = (name: string, count: number, href: string, note = '') =>
    a(
      { class: 'figure', href },
      span({ class: 'count num' }, count.toLocaleString('en')),
      span(null, name),
      note && span({ class: 'quiet' }, note),
    )
  return div(
    { class: 'page' },
    div({ class: 'title' }, h1(null, 'Overview'), error && span({ class: 'bad', role: 'status' }, error)),
    section(
      { 'aria-label': 'Alive now', class: 'figures' },
      figure('open connections', alive.connections, `${to('connections')}?live=yes`, many(alive.sockets, 'socket')),
      figure('users online', alive.online, to('users'), `of ${alive.users.toLocaleString('en')}`),
      figure('rooms', alive.rooms, to('rooms')),
      div(
        { class: 'figure' },
        span(
          { class: 'count' },
          span({ class: `state ${health.ready ? 'good' : 'bad'}` }, health.ready ? 'well' : 'not ready'),
        ),
        span(null, 'log and read models'),
        span(
          { class: 'quiet' },
          health.lag === null
            ? 'lag not known'
            : health.lag === 0
              ? 'up to date'
              : `${many(health.lag, 'fact')} behind`,
        ),
      ),
    ),
    alive.users <= 1 && toBegin(),
    health.problems.length > 0 &&
      section(
        { 'aria-label': 'Problems', class: 'panel warning' },
        h2(null, 'To look at'),
        health.problems.map((problem) => p({ key: problem }, problem)),
      ),
    finding(),
    div(
      { class: 'columns' },
      section(
        { class: 'panel', 'aria-labelledby': 'refused-title' },
        h2({ id: 'refused-title' }, 'Refused lately'),
        refused.length === 0
          ? p({ class: 'quiet' }, 'Nothing was refused yet. When a command is, its reason stands here.')
          : div(
              { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Refusals, newest first' },
              table(
                null,
                thead(null, tr(null, th(null, 'When'), th(null, 'Who'), th(null, 'Wanted'), th(null, 'Why not'))),
                tbody(
                  null,
                  refused.map((row) =>
                    tr(
                      { key: row.position },
                      td(
                        { class: 'num' },
                        a(
                          { href: `${to('connections', row.connection)}?at=${row.position}` },
                          clock(row.at).slice(0, 8),
                        ),
                        span({ class: 'quiet' }, ` ${day(row.at)}`),
                      ),
                      td(null, row.user ? who(row.user) : span({ class: 'quiet' }, short(row.connection))),
                      td(null, code(null, row.command), row.count > 1 && span({ class: 'quiet' }, ` × ${row.count}`)),
                      td(
                        null,
                        span({ class: 'refused' }, row.code),
                        row.guard && span({ class: 'quiet' }, ` ${row.guard}`),
                      ),
                    ),
                  ),
                ),
              ),
            ),
      ),
      section(
        { class: 'panel', 'aria-labelledby': 'node-title' },
        h2({ id: 'node-title' }, 'This server'),
        dl(
          { class: 'pairs' },
          dt(null, 'version'),
          dd(null, value.version),
          dt(null, 'node'),
          dd(null, value.node),
          dt(null, 'log is at'),
          dd({ class: 'num' }, value.facts.head.split('-').at(-1)),
          dt(null, 'parked facts'),
          dd({ class: 'num' }, health.parked ?? '–'),
          dt(null, 'actors out of service'),
          dd({ class: 'num' }, health.quarantined),
          alive.dialects.map(({ dialect, connections }) => [
            dt({ key: `t${dialect}` }, dialect === '' ? 'not known yet' : dialect),
            dd(
              { key: `d${dialect}`, class: 'num' },
              a({ href: `${to('connections')}?dialect=${dialect}&live=yes` }, many(connections, 'connection')),
            ),
          ]),
        ),
      ),
    ),
  )
}
