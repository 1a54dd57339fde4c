import type { Host, Submitted } from '../actors/host.ts'
import type { Outcome } from '../actors/outcome.ts'
import { pause } from '../actors/ports.ts'
import { isAway } from '../actors/refusals.ts'

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 10_000

/**
 * Sends what must come to stand in the log although the log may be away: how a socket ended, and who left with it.
 * The command keeps its id, so that one whose answer got lost is not decided twice. Gives up when the node stops:
 * the next start repairs what is missing.
 */
export const untilStored = async (
  host: Host,
  stopping: () => boolean,
  stream: string,
  command: Submitted,
): Promise<Outcome> => {
  const commandId = host.chance.uuid()
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const outcome = await host.send(stream, { ...command, commandId })
    if (outcome.ok || !isAway(outcome.refusal.code) || stopping()) return outcome
    await pause(host.clock, wait)
  }
}
