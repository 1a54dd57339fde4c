// The room's rules, one predicate each. A guard sees a command and the acknowledged state, and nothing else.

import {
  REFERENCE_MS,
  type RoomContext,
  referenceKey,
  type Sanction,
  shownRole,
  textHash,
} from './room.context.ts'
import type { Asker, RoomCommand, RoomFactEvent, TextFault } from './room.facts.ts'

const MAX_MEMBERS = 50_000
const MAX_SANCTIONS = 10_000
/** a year; longer is 'no end' */
const MAX_SECONDS = 31_536_000

export type RoomEvent = RoomCommand | RoomFactEvent

export interface Given {
  readonly context: RoomContext
  readonly event: RoomEvent
}

/** The fields that guards read, whichever command carries them. */
interface Read {
  readonly at: number
  readonly asker: Asker | null
  readonly connection: string | null
  readonly overRate?: boolean
  readonly fault?: TextFault | 'command-invalid'
  readonly entered?: boolean
  readonly clientRef?: string | null
  readonly text?: string
  readonly name?: string
  readonly user?: string
  readonly role?: string
  readonly seconds?: number | null
  readonly due?: number
  readonly leaving?: string
  readonly message?: { author: string; removed: boolean } | null
}

export const read = (event: RoomEvent): Read => event as unknown as Read

const fold = (name: string): string => name.normalize('NFKC').toLowerCase()

const roleOf = ({ context, event }: Given) => {
  const { asker } = read(event)
  return asker ? shownRole(context, asker) : 'server'
}

const isStaff = (given: Given): boolean => ['server', 'owner', 'admin', 'mod'].includes(roleOf(given))
const isChief = (given: Given): boolean => ['server', 'owner', 'admin'].includes(roleOf(given))

const inForce = (sanction: Sanction | undefined, at: number): boolean =>
  sanction !== undefined && (sanction.until === null || sanction.until > at)

export const muteOf = ({ context, event }: Given): Sanction | undefined =>
  context.mutes.get(fold(read(event).asker?.username ?? ''))

const isSelf = ({ event }: Given): boolean => read(event).asker?.id === read(event).user

/** The target's standing: a mod may act on plain members only. */
const targetIsStaff = ({ context, event }: Given): boolean => {
  const role = context.members.get(read(event).user ?? '')
  return role === 'owner' || role === 'mod'
}

const referenceOf = ({ context, event }: Given) => {
  const { asker, clientRef, at } = read(event)
  if (!asker || clientRef === null || clientRef === undefined) return undefined
  const key = referenceKey(asker.id, clientRef)
  const found = context.references.get(key)
  if (!found) return undefined
  const used = context.referenceAges.findLast(([known]) => known === key)
  return used && used[1] >= at - REFERENCE_MS ? found : undefined
}

export const slowWaitMs = ({ context, event }: Given): number => {
  const { asker, at } = read(event)
  const last = asker ? context.lastPosts.get(asker.id) : undefined
  return last === undefined ? 0 : Math.max(0, last + context.slowMs - at)
}

export const firstUse = (given: Given) => referenceOf(given)

export const guards = {
  isRepeated: (given: Given) => {
    const first = referenceOf(given)
    return first !== undefined && first.textHash === textHash(read(given.event).text ?? '')
  },
  isReferenceReused: (given: Given) => referenceOf(given) !== undefined,
  isOverRate: ({ event }: Given) => read(event).overRate === true,
  isBanned: ({ context, event }: Given) => {
    const { asker, at } = read(event)
    return asker !== null && inForce(context.bans.get(asker.id), at)
  },
  isNotPresent: ({ context, event }: Given) => {
    const { entered, connection } = read(event)
    return entered === true && !context.connections.has(connection ?? '')
  },
  isStranger: (given: Given) => {
    const { entered, asker } = read(given.event)
    return entered !== true && asker !== null && !given.context.members.has(asker.id) && !isStaff(given)
  },
  isMuted: (given: Given) => !isStaff(given) && inForce(muteOf(given), read(given.event).at),
  /** a locked room: staff and robots may still write */
  isClosedToAsker: (given: Given) => !isStaff(given) && roleOf(given) !== 'robot',
  isTooSoon: (given: Given) => !isStaff(given) && slowWaitMs(given) > 0,
  hasTextFault: ({ event }: Given) => {
    const { fault } = read(event)
    return fault !== undefined && fault !== 'command-invalid'
  },
  isCommandInvalid: ({ event }: Given) => {
    const { fault, seconds } = read(event)
    return fault === 'command-invalid' || !isDuration(seconds)
  },
  isNotStaff: (given: Given) => !isStaff(given),
  isNotChief: (given: Given) => !isChief(given),
  mayNotActOnTarget: (given: Given) => !isStaff(given) || (targetIsStaff(given) && !isChief(given)),
  mayNotRemoveMember: (given: Given) => !isSelf(given) && (!isStaff(given) || (targetIsStaff(given) && !isChief(given))),
  mayNotAddMember: (given: Given) => (read(given.event).role === 'member' ? !isStaff(given) && !isSelf(given) : !isChief(given)),
  isNotMuted: ({ context, event }: Given) => !context.mutes.has(read(event).name ?? ''),
  isNotBanned: ({ context, event }: Given) => !context.bans.has(read(event).user ?? ''),
  isNotMember: ({ context, event }: Given) => !context.members.has(read(event).user ?? ''),
  isNeitherMemberNorPresent: ({ context, event }: Given) => {
    const user = read(event).user ?? ''
    return !context.members.has(user) && !context.presence.has(user)
  },
  hasRoleAlready: ({ context, event }: Given) => context.members.get(read(event).user ?? '') === read(event).role,
  isMemberAlready: ({ context, event }: Given) => context.members.has(read(event).user ?? ''),
  membersAreFull: ({ context }: Given) => context.members.size >= MAX_MEMBERS,
  mutesAreFull: ({ context, event }: Given) => context.mutes.size >= MAX_SANCTIONS && !context.mutes.has(read(event).name ?? ''),
  bansAreFull: ({ context, event }: Given) => context.bans.size >= MAX_SANCTIONS && !context.bans.has(read(event).user ?? ''),
  hasEntered: ({ context, event }: Given) => context.connections.has(read(event).connection ?? ''),
  isNotHere: ({ context, event }: Given) => !context.connections.has(read(event).leaving ?? ''),
  isUnknownMessage: ({ event }: Given) => !read(event).message,
  isRemovedMessage: ({ event }: Given) => read(event).message?.removed === true,
  isPresentMessage: ({ event }: Given) => read(event).message?.removed === false,
  isNotAuthor: ({ event }: Given) => read(event).message?.author !== read(event).asker?.id,
  isNeitherAuthorNorStaff: (given: Given) =>
    !isStaff(given) && read(given.event).message?.author !== read(given.event).asker?.id,
  /** the timer was armed by a mute or ban that was replaced or lifted since */
  isNotThatMute: ({ context, event }: Given) => context.mutes.get(read(event).name ?? '')?.until !== read(event).due,
  isNotThatBan: ({ context, event }: Given) => context.bans.get(read(event).user ?? '')?.until !== read(event).due,
}

const isDuration = (seconds: number | null | undefined): boolean =>
  seconds === null || seconds === undefined || (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_SECONDS)

export type GuardName = keyof typeof guards
