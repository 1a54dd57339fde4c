// A batch of commands decided in one go on a fork of an actor's snapshot, each on what the ones before it would leave.
// Nothing here is stored, told or scheduled; the facts are appended together, and the answers hold once they are.

import type { EventObject } from 'xstate'
import { MAX_APPEND_BYTES, MAX_FACTS } from '../log/event-log.ts'
import type { Actor, ActorSurroundings, WaitingCommand } from './actor.ts'
import { type DecidedFact, type Decider, refusalOf, stateName } from './decide.ts'
import type { CommandFields, Fact, FactEvent } from './fact.ts'
import { checkFact } from './fact-codec.ts'
import { type Outcome, refused } from './outcome.ts'

export interface Fork {
  readonly facts: Fact[]
  /** in the order of the batch: what each command gets once the facts are acknowledged */
  readonly answers: { waiting: WaitingCommand; answer: (revision: number) => Outcome }[]
  /** decided no more: the append was full */
  readonly left: WaitingCommand[]
}

type Command = EventObject & CommandFields

/** What a fact takes in an append at most: its envelope, and its data if every character were three bytes. */
const sizeOf = (facts: readonly Fact[]): number =>
  facts.reduce((sum, { data }) => sum + 400 + JSON.stringify(data).length * 3, 0)

export const decideBatch = (actor: Actor, around: ActorSurroundings, batch: readonly WaitingCommand[]): Fork => {
  const { decider } = actor.kind
  const facts: Fact[] = []
  const answers: Fork['answers'] = []
  let fork = actor.snapshot as Parameters<Decider['evolve']>[0]
  let bytes = 0
  let index = 0
  for (; index < batch.length; index++) {
    const waiting = batch[index] as WaitingCommand
    // The clock of a stream never goes back, whatever the node's does.
    const event = { ...waiting.event, at: Math.max(around.clock.now(), actor.lastAt) }
    const revision = actor.revision + facts.length
    try {
      const decision = decider.decide(fork, event)
      if (decision.kind === 'refused') {
        const refusal = refusalOf(decision, fork, actor.stream, revision)
        answers.push({ waiting, answer: () => ({ ok: false, refusal }) })
      } else if (decision.kind === 'nothing') {
        const { values } = decision
        answers.push({ waiting, answer: (acknowledged) => ({ ok: true, facts: [], revision: acknowledged, values }) })
      } else {
        const own = decision.facts.map((decided, offset) =>
          recordable(decided, event, actor.stream, revision + 1 + offset, around.chance.uuid()),
        )
        const size = sizeOf(own)
        if (facts.length > 0 && (facts.length + own.length > MAX_FACTS || bytes + size > MAX_APPEND_BYTES)) break
        bytes += size
        fork = own.reduce((next, fact) => decider.evolve(next, factEvent(fact)), fork)
        facts.push(...own)
        answers.push({
          waiting,
          answer: (acknowledged) => ({ ok: true, facts: own, revision: acknowledged, values: {} }),
        })
      }
    } catch (error) {
      // A guard or a shape that fails is a fault of the chart on this command alone; the fork is as before it.
      around.fault(actor, error)
      const state = stateName(fork)
      answers.push({ waiting, answer: () => refused('faulted', { state }) })
    }
  }
  return { facts, answers, left: batch.slice(index) }
}

/** @throws ZodError when the chart emitted data that its type's table does not allow */
const recordable = (decided: DecidedFact, event: Command, stream: string, revision: number, id: string): Fact => ({
  id,
  stream,
  revision,
  type: decided.type,
  v: checkFact(decided.type, decided.data).v,
  data: decided.data,
  // In the log's canonical order of keys, as what is written most (MessagePosted) has them too: it need not be made then.
  metadata: {
    $causationId: event.commandId,
    $correlationId: event.correlationId,
    at: event.at,
    by: event.by,
    connection: event.connection,
  },
})

/** A fact as its statechart receives it, on a fork and in life. */
export const factEvent = ({ type, id, revision, data, metadata }: Fact): FactEvent & EventObject => ({
  type,
  id,
  revision,
  at: metadata.at,
  data,
  by: metadata.by,
  connection: metadata.connection,
})
