// Who plays: an account of role robot for each nick. A name that is taken stays whose it is, and the nick gets a mark.

import { createHash } from 'node:crypto'

/** The API, asked as an admin. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>

/** The server does not take part, and says why. */
export class StageRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StageRefused'
  }
}

const MARK = '[demo]'
const LONGEST_NAME = 32
const AT_ONCE = 16

export class Cast {
  readonly #ask: Ask
  /** folded nick → token */
  readonly #tokens = new Map<string, string>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  token(folded: string): string {
    const token = this.#tokens.get(folded)
    if (token === undefined) throw new Error(`${folded} has no account`)
    return token
  }

  /** Accounts for whoever has none yet. `nicks`: folded → as written. @throws StageRefused */
  async engage(
    nicks: ReadonlyMap<string, string>,
    signal: AbortSignal,
    progress: (done: number, of: number) => void,
  ): Promise<void> {
    const without = [...nicks].filter(([folded]) => !this.#tokens.has(folded))
    let done = 0
    const next = without.values()
    const work = async () => {
      for (const [folded, nick] of next) {
        if (signal.aborted) return
        this.#tokens.set(folded, await this.#account(nick))
        progress(++done, without.length)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }

  async #account(nick: string): Promise<string> {
    const plain = `nick-${createHash('sha256').update(nick).digest('hex').slice(0, 8)}`
    let told: unknown
    for (const username of [nick, `${nick.slice(0, LONGEST_NAME - MARK.length)}${MARK}`, plain]) {
      const made = await this.#ask('POST', '/users', { username, role: 'robot' })
      if (made.status === 201) return (made.body as { token: string }).token
      if (made.status === 401 || made.status >= 500) throw new StageRefused(`${username}: ${detailOf(made.body)}`)
      told = made.body
      if (username === nick) continue
      // Marked, and a robot: of a demo before this one.
      const user = `/users/${encodeURIComponent(`@${username}`)}`
      const known = await this.#ask('GET', user)
      if (known.status !== 200 || (known.body as { role: string }).role !== 'robot') continue
      const issued = await this.#ask('POST', `${user}/tokens`)
      if (issued.status === 201) return (issued.body as { token: string }).token
      told = issued.body
    }
    throw new StageRefused(`no account for ${nick}: ${detailOf(told)}`)
  }
}

export const detailOf = (body: unknown): string =>
  (body as { detail?: string } | null)?.detail ?? 'the server gives no reason'
