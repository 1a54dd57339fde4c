// `hansard log …`: the facts themselves, and conversations as they happen.

import { ConfigError } from '../config.ts'
import type { Door } from './door.ts'
import { record } from './record-command.ts'

export const logUsages = [
  ['log export [--type TYPES] [--stream PREFIX]', 'every fact as a line of JSON, in the order of the log'],
  ['log tail [--type TYPES] [--stream PREFIX]', 'the same from now on, until it is stopped'],
  [
    'log record FILE [--seconds N] [--user NAME] [--dialect NAME]',
    'what happens on connections opened from now on, both ways, and what is asked over REST, as a dialogue that plays again; credentials are not in it',
  ],
] as const

export const LOG_FLAGS: Readonly<Record<string, readonly string[]>> = {
  export: ['type', 'stream'],
  tail: ['type', 'stream'],
  record: ['seconds', 'user', 'dialect'],
}

export interface LogRun {
  readonly door: Door
  readonly verb: string
  readonly words: readonly string[]
  readonly flags: Readonly<Record<string, string>>
  /** ends what goes on */
  readonly signal: AbortSignal
  print(text: string): void
  say(text: string): void
}

export const runLog = async ({ door, verb, words, flags, signal, print, say }: LogRun): Promise<void> => {
  if (verb === 'record') {
    const [file] = words
    if (file === undefined) throw new ConfigError('usage: hansard log record FILE; see hansard help')
    const seconds = flags.seconds === undefined ? null : Number(flags.seconds)
    if (seconds !== null && !(seconds > 0)) throw new ConfigError(`--seconds ${flags.seconds}: a number above 0`)
    const { user, dialect } = flags
    await record({ file, url: door.url, token: door.token, seconds, user, dialect, signal, say })
    return
  }
  const { position } = await door.ask('GET', '/facts?limit=1')
  const query = new URLSearchParams({
    ...(flags.type === undefined ? {} : { type: flags.type }),
    ...(flags.stream === undefined ? {} : { stream: flags.stream }),
    ...(verb === 'tail' ? { from: position } : {}),
  })
  for await (const event of events(door, query, signal)) {
    if (event.type === 'fact') print(`${event.data}\n`)
    else if (verb === 'export' && event.type === 'caught-up') return
  }
}

/** Server-sent events until the signal. */
async function* events(door: Door, query: URLSearchParams, signal: AbortSignal) {
  const response = await fetch(`${door.url}/api/v1/facts?${query}`, {
    headers: { authorization: `Bearer ${door.token}`, accept: 'text/event-stream' },
    signal,
  })
  if (!response.ok || !response.body) throw new ConfigError(`the server refuses: ${response.statusText}`)
  let rest = ''
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)))
        yield { type: fields.event as string, data: fields.data as string }
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
