// A message as the native API shows it.

import type { z } from 'zod'
import type { MessageItem } from '../projections/room-history.ts'
import { iso, positionText } from './position.ts'
import type * as shapes from './shapes.ts'

type Person = z.infer<typeof shapes.person>

/** `asItWas`: also the text of what is removed, for whoever may read it and is on record for it. */
export const messageItem = (epoch: string, found: MessageItem, asItWas = false): z.infer<typeof shapes.message> => {
  const { id, room, author, text, kind, at, position, ref, replyTo, edited } = found
  const removed = found.removed ?? (asItWas ? null : found.removedNow)
  return {
    id,
    room,
    author: { id: author.id, number: author.number, username: author.username },
    role: author.role,
    text: removed && !asItWas ? null : text,
    kind,
    at: iso(at),
    position: positionText(epoch, position),
    ref,
    ...(replyTo === null ? {} : { replyTo }),
    ...(edited ? { edited } : {}),
    ...(removed ? { removed: { by: removed.by as Person | null, reason: removed.reason, at: iso(removed.at) } } : {}),
  }
}
