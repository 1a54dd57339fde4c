// The right to listen ends while somebody listens: with the token, the roles and the standing it rests on.

import type { Host } from '../actors/host.ts'
import { userStream } from '../actors/user/user.facts.ts'
import type { Bearer } from './request.ts'

/** Tells of whoever loses what a door was opened with: of all tokens of an account (null), or of one. */
export const onRightsLost = (host: Host, hear: (stream: string, token: string | null) => void): void => {
  host.onAcknowledged(({ kind, stream, facts }) => {
    if (kind !== 'user') return
    for (const { type, data } of facts) {
      if (type === 'UserBanned' || type === 'RoleGranted' || type === 'RoleRevoked') hear(stream, null)
      else if (type === 'TokenRevoked') hear(stream, (data as { token: string }).token)
    }
  })
}

export interface Right {
  /** aborted when it is lost: whoever may still listen comes again */
  readonly lost: AbortSignal
  /** nobody listens by it any more */
  release(): void
}

export class Rights {
  readonly #held = new Set<{ stream: string; token: string | null; lost: AbortController }>()

  constructor(host: Host) {
    onRightsLost(host, (stream, token) => {
      for (const held of this.#held) {
        if (held.stream === stream && (token === null || held.token === token)) held.lost.abort()
      }
    })
  }

  hold({ account, token }: Bearer): Right {
    const held = { stream: userStream(account.id), token, lost: new AbortController() }
    this.#held.add(held)
    return { lost: held.lost.signal, release: () => this.#held.delete(held) }
  }
}
