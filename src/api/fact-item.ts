// A fact as readers outside see it. Credentials, and what could verify them, never leave the log.

import type { Recorded } from '../log/event-log.ts'
import { iso, positionText } from './position.ts'

const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  TokenIssued: ['hash'],
  InviteCreated: ['code'],
  LogBorn: ['nameKey'],
}

export const factItem = (epoch: string, { id, stream, revision, position, type, v, data, metadata }: Recorded) => {
  const shown = JSON.parse(data) as Record<string, unknown>
  for (const field of HIDDEN[type] ?? []) delete shown[field]
  const parsed = JSON.parse(metadata) as { at: number }
  return {
    id,
    stream,
    revision,
    position: positionText(epoch, position),
    type,
    v,
    at: iso(parsed.at),
    data: shown,
    metadata: parsed,
  }
}
