// Every question the read models answer, by name.

import type { DatabaseSync } from 'node:sqlite'
import { connectionQueries } from './connections.ts'
import { deadlineQueries } from './deadlines.ts'
import { storyQueries } from './message-story.ts'
import { moderationQueries } from './moderation.ts'
import { peopleQueries } from './people.ts'
import { plicRoomQueries } from './plic-rooms.ts'
import { presenceQueries } from './presence.ts'
import { readQueries } from './reads.ts'
import { refusalQueries } from './refusals.ts'
import { messageQueries } from './room-history.ts'
import { roomQueries } from './rooms.ts'
import { sanctionQueries } from './sanctions.ts'
import { searchQueries } from './search.ts'
import { topicQueries } from './topics.ts'

/** What the host keeps between a passivated actor's lives; disposable like every row here. */
const summaryQueries = {
  'summary.get': (db: DatabaseSync, { stream, source }: { stream: string; source: string }): unknown => {
    const found = db.prepare('select state from summaries where stream = ? and source = ?').get(stream, source)
    return found ? JSON.parse((found as { state: string }).state) : null
  },
  'summary.put': (
    db: DatabaseSync,
    { stream, source, revision, state }: { stream: string; source: string; revision: number; state: unknown },
  ): null => {
    db.prepare('insert or replace into summaries values (?, ?, ?, ?)').run(
      stream,
      source,
      revision,
      JSON.stringify(state),
    )
    return null
  },
}

export const queries = {
  ...roomQueries,
  ...messageQueries,
  ...plicRoomQueries,
  ...readQueries,
  ...sanctionQueries,
  ...searchQueries,
  ...storyQueries,
  ...topicQueries,
  ...peopleQueries,
  ...presenceQueries,
  ...connectionQueries,
  ...deadlineQueries,
  ...moderationQueries,
  ...refusalQueries,
  ...summaryQueries,
}

export type Queries = typeof queries
export type QueryName = keyof Queries
export type QueryArgs<Name extends QueryName> = Parameters<Queries[Name]>[1]
export type QueryResult<Name extends QueryName> = ReturnType<Queries[Name]>

export const runQuery = (db: DatabaseSync, name: QueryName, args: unknown): unknown =>
  (queries[name] as (db: DatabaseSync, args: unknown) => unknown)(db, args)
