// The room's rules, one predicate each. A guard sees a command and the acknowledged state, and nothing else.

import { isDeepStrictEqual } from 'node:util'
import { isOpenToAll } from '../alias.ts'
import { MAX_SANCTION_SECONDS } from '../fact.ts'
import { foldName } from '../names.ts'
import { type Blocked, blockedBy, sameRules } from '../rules.ts'
import {
  inForce,
  type Mute,
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
/** a day */
const MAX_SLOW_MS = 86_400_000
/** one append holds 256 facts: the birth and these */
const MAX_MEMBERS_AT_BIRTH = 255
/** where mode `slow` is asked for without a length */
const DEFAULT_SLOW_MS = 10_000

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
  readonly robotsWrite?: boolean
  readonly clientRef?: string | null
  readonly text?: string
  readonly blocked?: Blocked | null
  readonly name?: string
  readonly user?: string | null
  readonly holds?: string
  readonly role?: string
  readonly seconds?: number | null
  readonly due?: number
  readonly leaving?: string
  readonly message?: { author: string; removed: boolean } | null
}

export const read = (event: RoomEvent): Read => event as unknown as Read

const roleOf = ({ context, event }: Given) => {
  const { asker } = read(event)
  return asker ? shownRole(context, asker) : 'server'
}

const isStaff = (given: Given): boolean => ['server', 'owner', 'admin', 'mod'].includes(roleOf(given))
const isChief = (given: Given): boolean => ['server', 'owner', 'admin'].includes(roleOf(given))

/** The account's own, under whatever name; else that of the name it has. */
export const muteOf = ({ context: { mutes }, event }: Given): Mute | undefined => {
  const { asker, at } = read(event)
  const own = mutes.get(asker?.id ?? '')
  return inForce(own, at) ? own : mutes.get(foldName(asker?.username ?? ''))
}

/** Whom a mute of this name, or of this account, holds. */
export const heldBy = (event: RoomEvent): string => read(event).user ?? read(event).name ?? ''

/** Whom the mute that is meant holds: the account, whichever name it had then; else whoever is listed under the name. */
export const liftedOf = ({ context: { mutes }, event }: Given): string | undefined => {
  const { name } = read(event)
  return mutes.has(heldBy(event)) ? heldBy(event) : mutes.findKey((mute) => mute.name === name)
}

const isSelf = ({ event }: Given): boolean => read(event).asker?.id === read(event).user

export const banOf = ({ context, event }: Given): Sanction | undefined => context.bans.get(read(event).asker?.id ?? '')

/** an admin's account stands above the room's bans */
const isBannedHere = (given: Given): boolean =>
  read(given.event).asker?.account !== 'admin' && inForce(banOf(given), read(given.event).at)

/** The target's standing: a mod may act on plain members only. An admin is known as one while present. */
const targetIsStaff = ({ context, event }: Given): boolean => {
  const user = read(event).user ?? ''
  const role = context.members.get(user)
  return role === 'owner' || role === 'mod' || context.presence.get(user)?.account === 'admin'
}

/** What a `room.change` would really change. In mode `slow` the fact says how slow. */
export const changesOf = ({ context, event }: Given) => {
  const { name, mode, slowMs, aliases, extra = {} } = event as Extract<RoomCommand, { type: 'room.change' }>
  const slow = (mode ?? context.mode) === 'slow'
  const kept = Object.entries(extra).filter(([dialect, said]) => !isDeepStrictEqual(said, context.extra[dialect]))
  const pace = slow ? (slowMs ?? (context.slowMs || DEFAULT_SLOW_MS)) : 0
  return {
    ...(name !== undefined && name !== context.name ? { name } : {}),
    ...(mode !== undefined && mode !== context.mode ? { mode } : {}),
    ...(slow && pace !== context.slowMs ? { slowMs: pace } : {}),
    ...(aliases !== undefined && aliases.join() !== context.aliases.join() ? { aliases: [...aliases] } : {}),
    ...(kept.length > 0 ? { extra: Object.fromEntries(kept) } : {}),
  }
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

/** The room's own rules come before those for all. */
export const blockOf = ({ context, event }: Given): Blocked | null =>
  blockedBy(context.rules, 'room', read(event).text ?? '') ?? read(event).blocked ?? null

export const firstUse = (given: Given) => referenceOf(given)

export const guards = {
  isRepeated: (given: Given) => {
    const first = referenceOf(given)
    return first !== undefined && first.textHash === textHash(read(given.event).text ?? '')
  },
  isReferenceReused: (given: Given) => referenceOf(given) !== undefined,
  isOverRate: ({ event }: Given) => read(event).overRate === true,
  isBanned: (given: Given) => isBannedHere(given),
  /** whoever is banned may go all the same */
  isBannedAndNotSelf: (given: Given) => isBannedHere(given) && !isSelf(given),
  /** it holds rooms; nobody talks in it */
  isSpace: ({ context }: Given) => context.kind === 'space',
  isNotPresent: ({ context, event }: Given) => {
    const { entered, connection, asker } = read(event)
    return entered === true && context.connections.get(connection ?? '') !== asker?.id
  },
  isStranger: (given: Given) => {
    const { entered, asker, robotsWrite } = read(given.event)
    const member = asker === null || given.context.members.has(asker.id) || asker.spaceRole !== undefined
    const robot = robotsWrite === true && asker?.account === 'robot'
    // Who entered as a member may be one no more.
    return !member && !robot && !isStaff(given) && !(entered === true && isOpenToAll(given.context))
  },
  /** a room is its members' own, unless a protocol lets anybody in */
  mayNotEnter: (given: Given) => {
    const { asker } = read(given.event)
    if (asker === null || isOpenToAll(given.context) || isStaff(given)) return false
    return !given.context.members.has(asker.id) && asker.spaceRole === undefined
  },
  isMuted: (given: Given) => !isStaff(given) && inForce(muteOf(given), read(given.event).at),
  /** a locked room: staff and robots may still write */
  isClosedToAsker: (given: Given) => !isStaff(given) && roleOf(given) !== 'robot',
  isTooSoon: (given: Given) => !isStaff(given) && slowWaitMs(given) > 0,
  /** staff may quote what they moderate */
  isBlocked: (given: Given) => !isStaff(given) && blockOf(given) !== null,
  hasSameRules: ({ context, event }: Given) =>
    event.type === 'rules.set' && sameRules(context.rules.rules, event.rules),
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
  mayNotRemoveMember: (given: Given) =>
    !isSelf(given) && (!isStaff(given) || (targetIsStaff(given) && !isChief(given))),
  mayNotAddMember: (given: Given) =>
    read(given.event).role === 'member' ? !isStaff(given) && !isSelf(given) : !isChief(given),
  isNotMuted: (given: Given) => liftedOf(given) === undefined,
  /** lists show the account under the name it had then */
  isMutedAsAnother: ({ context, event }: Given) => {
    const mute = context.mutes.get(heldBy(event))
    return mute !== undefined && mute.name !== read(event).name
  },
  isNotBanned: ({ context, event }: Given) => !context.bans.has(read(event).user ?? ''),
  isNotMember: ({ context, event }: Given) => !context.members.has(read(event).user ?? ''),
  isNeitherMemberNorPresent: ({ context, event }: Given) => {
    const user = read(event).user ?? ''
    return !context.members.has(user) && !context.presence.has(user)
  },
  hasRoleAlready: ({ context, event }: Given) => context.members.get(read(event).user ?? '') === read(event).role,
  isPlainMember: ({ context, event }: Given) => context.members.get(read(event).user ?? '') === 'member',
  /** spaces hold rooms, and no space is in another */
  isSpaceWithin: ({ event }: Given) => event.type === 'room.open' && event.kind === 'space' && event.parent !== null,
  isBornTooFull: ({ event }: Given) => event.type === 'room.open' && event.members.length > MAX_MEMBERS_AT_BIRTH,
  isPaceInvalid: ({ event }: Given) =>
    event.type === 'room.change' && event.slowMs !== undefined && !isWhole(event.slowMs, MAX_SLOW_MS),
  changesNothing: (given: Given) => Object.keys(changesOf(given)).length === 0,
  isMemberAlready: ({ context, event }: Given) => context.members.has(read(event).user ?? ''),
  membersAreFull: ({ context }: Given) => context.members.size >= MAX_MEMBERS,
  mutesAreFull: ({ context, event }: Given) => context.mutes.size >= MAX_SANCTIONS && !context.mutes.has(heldBy(event)),
  bansAreFull: ({ context, event }: Given) =>
    context.bans.size >= MAX_SANCTIONS && !context.bans.has(read(event).user ?? ''),
  hasEntered: ({ context, event }: Given) => context.connections.has(read(event).connection ?? ''),
  isNotHere: ({ context, event }: Given) => !context.connections.has(read(event).leaving ?? ''),
  isUnknownMessage: ({ event }: Given) => !read(event).message,
  isRemovedMessage: ({ event }: Given) => read(event).message?.removed === true,
  isPresentMessage: ({ event }: Given) => read(event).message?.removed === false,
  hasSameText: ({ event }: Given) => event.type === 'message.edit' && event.message?.text === event.text,
  isNotAuthor: ({ event }: Given) => read(event).message?.author !== read(event).asker?.id,
  isNeitherAuthorNorStaff: (given: Given) =>
    !isStaff(given) && read(given.event).message?.author !== read(given.event).asker?.id,
  /** the timer was armed by a mute or ban that was replaced or lifted since */
  isNotThatMute: ({ context, event }: Given) => context.mutes.get(read(event).holds ?? '')?.until !== read(event).due,
  isNotThatBan: ({ context, event }: Given) => context.bans.get(read(event).user ?? '')?.until !== read(event).due,
}

const isDuration = (seconds: number | null | undefined): boolean =>
  seconds === null || seconds === undefined || isWhole(seconds, MAX_SANCTION_SECONDS)

const isWhole = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max

export type GuardName = keyof typeof guards
