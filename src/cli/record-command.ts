// `hansard log record`: a conversation on a running server, written as a dialogue that can be played again.

import { writeFileSync } from 'node:fs'
import { ConfigError } from '../config.ts'

export interface RecordOptions {
  readonly file: string
  /** the running server's */
  readonly url: string
  readonly token: string
  /** null: until it is stopped */
  readonly seconds: number | null
  readonly dialect?: string | undefined
  readonly user?: string | undefined
  /** ends the recording */
  readonly signal: AbortSignal
  say(text: string): void
}

interface Line {
  readonly cast?: object
  readonly error?: string
  readonly who?: string
}

/** @throws ConfigError where the server cannot be reached, or lets nobody record */
export const record = async (options: RecordOptions): Promise<void> => {
  const { file, url, token, seconds, dialect, user, say } = options
  const query = new URLSearchParams({ ...(dialect ? { dialect } : {}), ...(user ? { user } : {}) })
  const signal = AbortSignal.any([options.signal, ...(seconds === null ? [] : [AbortSignal.timeout(seconds * 1_000)])])
  const response = await fetch(`${url}/api/v1/recording?${query}`, {
    headers: { authorization: `Bearer ${token}` },
    signal,
  }).catch((error: Error) => {
    throw new ConfigError(
      `no server answers at ${url} (${(error.cause as Error | undefined)?.message ?? error.message}); name it with --url`,
    )
  })
  if (!response.ok || !response.body) {
    const { detail = response.statusText } = (await response.json().catch(() => ({}))) as { detail?: string }
    throw new ConfigError(`the server refuses: ${detail}`)
  }
  say(`recording what happens on connections opened from now on; Ctrl-C ends it\n`)
  let cast: object = { cast: {} }
  const steps: string[] = []
  const take = (line: Line) => {
    if (line.error !== undefined) say(`\n${line.error}\n`)
    else if (line.cast !== undefined) cast = line
    else steps.push(JSON.stringify(line))
    say(`\r${steps.length} lines`)
  }
  try {
    let rest = ''
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(JSON.parse(line))
    }
  } catch (error) {
    if (!signal.aborted) say(`\nthe server went away: ${(error as Error).message}\n`)
  }
  const purpose = `# recorded ${new Date().toISOString()}`
  writeFileSync(file, `${[purpose, JSON.stringify(cast), ...steps].join('\n')}\n`)
  say(
    `\n${file}: ${steps.length} lines. Say on its first line what it shows, and put it into test/dialogues/ to play it.\n`,
  )
}
