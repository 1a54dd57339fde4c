// What holds for every statechart, whatever it is about: walks over the charts as written, and properties over
// random stories.

import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AnyStateNode, EventObject } from 'xstate'
import { connectionFacts } from '../src/actors/connection/connection.facts.ts'
import { Decider } from '../src/actors/decide.ts'
import { definitions } from '../src/actors/definitions.ts'
import type { CommandFields } from '../src/actors/fact.ts'
import { nodeFacts } from '../src/actors/node.facts.ts'
import { roomFacts } from '../src/actors/room/room.facts.ts'
import { userFacts } from '../src/actors/user/user.facts.ts'
import { type Answer, Situation, T0 } from './chart-specification.ts'
import { charts, type Wished } from './chart-stories.ts'

/** A command is `noun.verb`, or the event of an `after`; a fact is one word. */
const isCommand = (type: string): boolean => type.includes('.')

const nodesOf = (node: AnyStateNode): AnyStateNode[] => [node, ...Object.values(node.states).flatMap(nodesOf)]
const transitionsOf = (node: AnyStateNode) =>
  [...node.transitions.entries()].flatMap(([type, transitions]) =>
    transitions.map((transition) => ({ type, transition, where: `${node.id}: ${type}` })),
  )
const commandsIn = (node: AnyStateNode) =>
  new Set(nodesOf(node).flatMap((inner) => [...inner.transitions.keys()].filter(isCommand)))

describe('a summary', () => {
  it('is good for one source of all that folds it: each file of its chart', () => {
    for (const { kind, sources } of definitions) {
      const files = readdirSync(new URL(`../src/actors/${kind}`, import.meta.url)).filter(
        (file) => !/\.test\.ts$/.test(file),
      )
      const own = sources.filter(({ pathname }) => pathname.includes(`/${kind}/`))
      expect(own.map(({ pathname }) => basename(pathname)).sort()).toEqual(files.sort())
    }
  })
})

describe('a fact type', () => {
  it('belongs to one kind', () => {
    const tables = { connectionFacts, userFacts, roomFacts, nodeFacts }
    const owners = Object.entries(tables).flatMap(([table, facts]) =>
      Object.keys(facts).map((type) => `${type} ${table}`),
    )
    const types = owners.map((owner) => owner.split(' ')[0])
    expect(types.filter((type, index) => types.indexOf(type) !== index)).toEqual([])
  })
})

describe.each(charts)(
  'the chart of a $kind',
  ({ kind, machine, facts, commands, stories, summarise, restoreContext }) => {
    const nodes = nodesOf(machine.root)
    const transitions = nodes.flatMap(transitionsOf)

    it('starts in absent, without timers', () => {
      expect(machine.root.initial.target.map(({ key }) => key)).toEqual(['absent'])
      expect(new Situation(new Decider(machine), []).armed).toEqual({})
    })

    it('knows every fact of its table and every command of its union, and no others', () => {
      const known = new Set(transitions.map(({ type }) => type).filter((type) => !type.startsWith('xstate.')))
      expect([...known].sort()).toEqual([...Object.keys(facts), ...commands].sort())
      for (const { kind: owner } of Object.values(facts)) expect(owner).toBe(kind)
    })

    it('changes state by facts only, and emits by commands only', () => {
      for (const { type, transition, where } of transitions) {
        const kinds = transition.actions.map((action) => (action as unknown as { type?: string }).type)
        if (isCommand(type)) {
          expect(transition.target, where).toBeUndefined()
          for (const action of kinds) expect(['xstate.emit', 'xstate.enqueueActions'], where).toContain(action)
          expect(kinds.length, where).toBeGreaterThan(0)
        } else {
          expect(kinds, where).not.toContain('xstate.emit')
        }
      }
    })

    it('lets the last branch of a command stand without a guard, unless its parent answers the rest', () => {
      for (const node of nodes) {
        for (const [type, branches] of node.transitions) {
          if (!isCommand(type) || branches.at(-1)?.guard === undefined) continue
          let parent = node.parent
          while (parent && !parent.transitions.has(type)) parent = parent.parent
          expect(parent, `${node.id}: ${type} has no answer when no guard holds`).toBeDefined()
        }
      }
    })

    it('decides each command in one region', () => {
      for (const node of nodes.filter(({ type }) => type === 'parallel')) {
        const regions = Object.values(node.states).map(commandsIn)
        const own = new Set([...node.transitions.keys()].filter(isCommand))
        const handled = [...own, ...regions.flatMap((region) => [...region])]
        expect(handled.filter((type, index) => handled.indexOf(type) !== index)).toEqual([])
      }
    })

    it('says in words what each state and transition is', () => {
      const mute = nodes.filter(
        ({ description, key, parent }) =>
          parent && !description && !['presence', 'standing', 'activity', 'registered'].includes(key),
      )
      expect(mute.map(({ id }) => id)).toEqual([])
      expect(transitions.filter(({ transition }) => !transition.description).map(({ where }) => where)).toEqual([])
    })

    it('never ends: a stopped actor would drop later facts', () => {
      expect(nodes.filter(({ type }) => type === 'final')).toEqual([])
    })

    // --- random stories ---

    /** Acts that are told each time, and notes of what happened outside: a second one is another one. */
    const repeatable = new Set([
      'message.post', // without a reference there is nothing to know a repeat by
      'mute.set',
      'member.ban',
      'user.ban', // replaces the earlier one, announced again
      'member.kick',
      'user.kick',
      'invite.create',
      'profile.set',
      'status.set',
      'auth.fail',
      'history.note',
      'delivery.note',
      'refusal.note',
      'message.edit',
      'message.remove',
      'message.restore', // the host brings the row, which has changed by then
      'removed.read',
    ])

    const decider = new Decider(machine)

    const live = (
      story: readonly Wished[],
      see: (
        before: Situation<CommandFields>,
        answer: Answer<CommandFields>,
        wished: Wished,
        again: () => Answer<CommandFields>,
      ) => void = () => {},
    ) => {
      let situation = new Situation<CommandFields>(decider, [])
      let now = T0
      let newId = 1
      for (const { wait, ...wished } of story) {
        now += wait
        const before = situation
        const [timer] = Object.entries(before.armed).sort(([, a], [, b]) => a - b)
        let command: EventObject & CommandFields
        if (wished.type === 'timer') {
          if (!timer) continue
          now = Math.max(now, timer[1])
          command = before.timerCommand(timer[0], now)
        } else {
          command = {
            commandId: 'c',
            correlationId: 'c',
            by: null,
            connection: null,
            ...wished,
            newId: newId++,
            at: now,
          } as never
        }
        const answer = before.decide(command)
        situation = answer.after
        const after = situation
        see(before, answer, { ...wished, ...command, wait } as Wished, () => after.decide(command))
      }
      return situation
    }

    it('is told of by stories that reach every fact', () => {
      const reached = new Set(
        fc.sample(stories, { numRuns: 150, seed: 1 }).flatMap((story) => live(story).facts.map(({ type }) => type)),
      )
      expect(Object.keys(facts).filter((type) => !reached.has(type))).toEqual([])
    })

    it('answers a repeated wish with nothing new, or a refusal', () => {
      fc.assert(
        fc.property(stories, (story) => {
          live(story, (_before, answer, wished, again) => {
            if (answer.facts.length === 0 || repeatable.has(wished.type)) return
            expect(again().facts, wished.type).toEqual([])
          })
        }),
        { numRuns: 150 },
      )
    })

    it('answers every command in every state, with facts of its own table only', () => {
      fc.assert(
        fc.property(stories, (story) => {
          live(story, (before, answer) => {
            for (const { type } of answer.facts) expect(Object.keys(facts), before.state).toContain(type)
          })
        }),
        { numRuns: 100 },
      )
    })

    it('changes nothing by deciding', () => {
      fc.assert(
        fc.property(stories, (story) => {
          live(story, (before) => {
            const untouched = new Situation(decider, before.facts)
            expect(before.state).toBe(untouched.state)
            expect(before.context).toEqual(untouched.context)
            expect(before.armed).toEqual(untouched.armed)
          })
        }),
        { numRuns: 50 },
      )
    })

    it('is where it was when its facts are folded in again: state, context and timers', () => {
      fc.assert(
        fc.property(stories, (story) => {
          // the fork, evolved by each decision in turn, as the host does before the log has acknowledged
          let fork = new Situation<CommandFields>(decider, []).snapshot
          const situation = live(story)
          for (const { type, data, at, id, revision } of situation.facts) {
            const before = fork as { context?: unknown }
            const then = JSON.stringify(summarise(before.context))
            fork = decider.evolve(fork, { type, data, at, id, revision, by: null, connection: null } as EventObject)
            expect(JSON.stringify(summarise(before.context)), `an assign on ${type} mutates`).toBe(then)
          }
          const again = new Situation(decider, situation.facts)
          expect(again.state).toBe(situation.state)
          expect(again.armed).toEqual(situation.armed)
          expect(again.context).toEqual(situation.context)
          expect((fork as { context?: unknown }).context).toEqual(situation.context)
          expect((fork as { value?: unknown }).value).toEqual((situation.snapshot as { value?: unknown }).value)
        }),
        { numRuns: 100 },
      )
    })

    it('comes back from a summary as it was', () => {
      fc.assert(
        fc.property(stories, (story) => {
          const { context } = live(story)
          expect(restoreContext(JSON.parse(JSON.stringify(summarise(context))))).toEqual(context)
        }),
        { numRuns: 100 },
      )
    })

    it('has no timer left once there is nothing for it to end', () => {
      fc.assert(
        fc.property(stories, (story) => {
          let situation = live(story)
          for (let fired = 0; Object.keys(situation.armed).length > 0; fired++) {
            expect(fired, 'timers must come to an end').toBeLessThan(100)
            const [id] = Object.keys(situation.armed) as [string]
            const answer = situation.whenDue(id)
            expect(answer.facts.length, `${id} in ${situation.state}`).toBeGreaterThan(0)
            situation = answer.after
          }
        }),
        { numRuns: 100 },
      )
    })
  },
)
