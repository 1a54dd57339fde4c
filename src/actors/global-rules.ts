// The rules for all rooms. Their stream has no statechart; what they say of a text travels in the command, as the
// verdict of the rate does, so that a replay decides as life did.

import type { Ledger } from './ledger.ts'
import type { NodeFact } from './node.facts.ts'
import { type Blocked, blockedBy, NO_RULES, type Rule, type RuleSet, sameRules } from './rules.ts'

const STREAM = 'rules'

export class GlobalRules {
  readonly #ledger: Ledger
  #current: RuleSet = NO_RULES

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** @throws LogUnavailable */
  async load(): Promise<void> {
    const last = (await this.#ledger.last(STREAM)) as Extract<NodeFact, { type: 'RulesSet' }> | null
    if (last) this.#current = last.data
  }

  get current(): RuleSet {
    return this.#current
  }

  verdictOn(text: string): Blocked | null {
    return blockedBy(this.#current, 'all', text)
  }

  /** @throws LogUnavailable */
  async set(rules: readonly Rule[], cause: { by: string; correlationId: string }): Promise<RuleSet> {
    const stored = (await this.#ledger.append(
      STREAM,
      (last) => {
        const before = (last as Extract<NodeFact, { type: 'RulesSet' }> | null)?.data ?? NO_RULES
        // What is on record is in force, also where the answer to its append was lost, or another node wrote it.
        this.#current = before
        return sameRules(before.rules, rules)
          ? null
          : { type: 'RulesSet', data: { version: before.version + 1, rules: [...rules] } }
      },
      cause,
    )) as Extract<NodeFact, { type: 'RulesSet' }> | null
    if (stored) this.#current = stored.data
    return this.#current
  }
}
