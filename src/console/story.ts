// One message from its frame to whoever saw it: a page to be read downwards, in the order in which it happened.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import {
  a,
  button,
  code,
  dd,
  div,
  dl,
  dt,
  h1,
  h2,
  li,
  ol,
  p,
  part,
  section,
  span,
  strong,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
  ul,
} from './elements.ts'
import type { Step } from './life.ts'
import { Failed, Waiting } from './parts.ts'
import { to } from './place.ts'
import { type Person, params, useAnswer } from './server.ts'
import type { Message } from './transcript.ts'
import { type Seen, WhoSaw, type Widen, widening } from './witnesses.ts'
import { clock, day, many, short, when, who } from './words.ts'

type StoryFact = Pick<Step, 'id' | 'revision' | 'position' | 'at' | 'type' | 'data' | 'by' | 'connection'>

interface Story {
  readonly message: Message
  readonly came: {
    readonly by: 'frame' | 'request' | 'import' | 'server'
    readonly name: string | null
    readonly connection: string | null
    readonly onRecord: boolean
    readonly dialect: string | null
    readonly version: number | null
    readonly transport: string | null
  }
  readonly command: {
    readonly name: string
    readonly id: string
    readonly correlation: string
    readonly ref: string | null
    readonly at: string
  }
  readonly facts: { readonly items: readonly StoryFact[]; readonly more: number }
  readonly readModels: readonly { readonly name: string; readonly holds: boolean; readonly says: string }[]
  readonly seen: Seen
  readonly position: string
}

/** items of each list that the API gives, if more are asked for */
const MOST = 500

export const StoryPage = ({ room, id }: { room: string; id: string }) => {
  const [again, setAgain] = useState(0)
  const [wide, setWide] = useState(false)
  const { value, error } = useAnswer<Story>(
    `/rooms/${encodeURIComponent(room)}/messages/${encodeURIComponent(id)}/story${params({ limit: wide ? MOST : null })}`,
    again,
  )
  const widen = wide ? null : () => setWide(true)
  const { value: place } = useAnswer<{ name: string }>(`/rooms/${encodeURIComponent(room)}`)
  if (!value) return error ? Failed({ error }) : Waiting()
  const { message, came, command, facts, readModels, seen, position } = value
  const [posted] = facts.items
  const at = posted?.position ?? position
  return div(
    { class: 'page story' },
    div(
      { class: 'title' },
      h1(
        null,
        a({ href: to('rooms') }, 'rooms'),
        span({ class: 'quiet' }, ' / '),
        a({ href: `${to('rooms', room)}?at=${at}` }, place?.name ?? short(room)),
        span({ class: 'quiet' }, ' / '),
        `message ${message.id}`,
      ),
      button({ type: 'button', class: 'plain', onClick: () => setAgain((before) => before + 1) }, 'look again'),
      error && span({ class: 'bad', role: 'status' }, error),
    ),
    part(Said, { message }),
    ol(
      { class: 'stations', 'aria-label': 'Its story' },
      station('frame', 'It came', FrameStation({ came, author: message.author, at })),
      station('command', 'It was a wish', CommandStation({ command })),
      station(
        'fact',
        facts.items.length === 1 ? 'It became a fact' : 'It became facts',
        FactStation({ facts, room, came, widen }),
      ),
      station('models', 'It is in the read models', ModelStation({ readModels, position })),
      station('seen', 'Who saw it', part(WhoSaw, { seen, widen })),
    ),
  )
}

/** Each is one step of its way: a word for what it is there, and what that says. */
const station = (name: string, title: string, content: ComponentChildren) =>
  li(
    { class: 'station', key: name },
    section(
      { class: 'panel', 'aria-labelledby': `station-${name}` },
      h2({ id: `station-${name}` }, title, span({ class: 'kind' }, KINDS[name])),
      content,
    ),
  )

const KINDS: Readonly<Record<string, string>> = {
  frame: 'frame',
  command: 'command',
  fact: 'fact',
  models: 'read models',
  seen: 'deliveries',
}

const Said = ({ message }: { message: Story['message'] }) => {
  const { author, role, text, kind, at, edited, removed } = message
  return div(
    { class: 'said-once' },
    p(
      null,
      a({ href: to('users', author.id) }, strong(null, `@${author.username}`)),
      role !== 'member' && span({ class: 'quiet' }, ` ${role}`),
      span({ class: 'quiet' }, ' · '),
      when(at),
      edited && span({ class: 'mark' }, 'edited'),
      removed && span({ class: 'mark removed' }, 'removed'),
    ),
    removed
      ? p(
          { class: 'quiet' },
          `Its text is not shown: it was removed${removed.by ? ` by @${removed.by.username}` : ''}${removed.reason ? `, “${removed.reason}”` : ''}.`,
        )
      : p({ class: kind === 'action' ? 'text action' : 'text', dir: 'auto' }, text),
  )
}

/** A link where it is on record: what is forgotten has no page, nor has what an import spoke for. */
const onConnection = (connection: string, at: string, onRecord: boolean) =>
  onRecord
    ? a({ href: `${to('connections', connection)}?at=${at}`, class: 'num', title: connection }, short(connection))
    : code({ title: connection }, short(connection))

const FrameStation = ({ came, author, at }: { came: Story['came']; author: Person; at: string }) => {
  const { by, name, connection, onRecord, dialect, version, transport } = came
  const link = connection !== null && onConnection(connection, at, onRecord)
  const of = onRecord ? ['of ', who(author)] : []
  if (by === 'server') return p(null, 'The server itself said it: there is no connection.')
  if (by === 'import')
    return p(null, 'Out of a log of another chat, which was imported, under the name ', code(null, connection), '.')
  return [
    p(
      { key: 'how' },
      name === null
        ? 'As a frame'
        : by === 'request'
          ? ['As a request, ', code({ key: 'name' }, name)]
          : ['As the frame ', code({ key: 'name' }, name)],
      dialect !== null &&
        by === 'frame' && [' of ', strong({ key: 'dialect' }, dialect), version !== null && `, version ${version},`],
      transport !== null && ` over ${transport}`,
      ', on connection ',
      link,
      ' ',
      of,
      '.',
    ),
    !onRecord &&
      p({ key: 'gone', class: 'quiet' }, 'This connection is forgotten, and with it which protocol it spoke.'),
    p(
      { key: 'raw', class: 'quiet' },
      by === 'request'
        ? 'The request itself is not on record, but what it asked for is, below.'
        : 'Frames themselves are not on record; what a client says from now on is, while ',
      by === 'frame' && code(null, 'hansard log record'),
      by === 'frame' && ' runs.',
    ),
  ]
}

const CommandStation = ({ command }: { command: Story['command'] }) =>
  dl(
    { class: 'pairs' },
    dt(null, 'command'),
    dd(null, code(null, command.name)),
    dt(null, 'decided'),
    dd({ class: 'num' }, `${day(command.at)} ${clock(command.at)}`),
    dt(null, 'its id'),
    dd(null, code(null, command.id)),
    dt(null, 'correlation'),
    dd(null, code(null, command.correlation)),
    dt(null, 'its sender’s reference'),
    dd(null, command.ref === null ? span({ class: 'quiet' }, 'none') : code(null, command.ref)),
  )

const FactStation = ({ facts, room, came, widen }: Pick<Story, 'facts' | 'came'> & { room: string; widen: Widen }) => [
  ul(
    { key: 'facts', class: 'facts' },
    facts.items.map((fact) =>
      li(
        { key: fact.id },
        div(
          { class: 'fact-head' },
          a(
            { href: `${to('rooms', room)}?at=${fact.position}`, title: 'in the room’s timeline, with the raw fact' },
            strong(null, fact.type),
          ),
          span({ class: 'num quiet' }, `#${fact.revision} of the room · position ${fact.position.split('-').at(-1)}`),
          when(fact.at),
        ),
        Did({ fact, onRecord: came.onRecord || fact.connection !== came.connection }),
      ),
    ),
  ),
  facts.more > 0 &&
    p(
      { key: 'more', class: 'quiet' },
      `and ${many(facts.more, 'later change')}, in the room’s timeline `,
      widening(widen),
    ),
]

/** Who did it, on which connection, why, and what it says since. */
const Did = ({ fact, onRecord }: { fact: StoryFact; onRecord: boolean }) => {
  const { author, by, reason, text, removed } = fact.data
  const person = (fact.type === 'MessagePosted' ? author : by) as Person | null
  return p(
    { class: 'did-so' },
    who(person, 'the server'),
    fact.connection !== null && [' on ', onConnection(fact.connection, fact.position, onRecord)],
    typeof reason === 'string' && [': ', span({ key: 'why', dir: 'auto' }, `“${reason}”`)],
    typeof text === 'string' && [' → ', span({ key: 'text', class: 'text', dir: 'auto' }, text)],
    removed === true && span({ class: 'quiet' }, ' → its text is not shown'),
  )
}

const ModelStation = ({ readModels, position }: { readModels: Story['readModels']; position: string }) => [
  table(
    { key: 'models', class: 'models' },
    thead(null, tr(null, th(null, 'Read model'), th(null, 'Now'))),
    tbody(
      null,
      readModels.map(({ name, holds, says }) =>
        tr(
          { key: name },
          td(null, span({ class: holds ? 'state alive' : 'state ended' }, name)),
          td({ class: holds ? undefined : 'quiet' }, says),
        ),
      ),
    ),
  ),
  p(
    { key: 'fresh', class: 'quiet' },
    `They have folded every fact up to position ${position.split('-').at(-1)}, this message’s among them.`,
  ),
]
