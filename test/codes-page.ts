// Prints docs/protocols/codes.md from the tables that the code uses: close codes of every dialect, and all refusals.

import { closeCause } from '../src/actors/connection/connection.facts.ts'
import { refusals } from '../src/actors/refusals.ts'
import { dialects } from '../src/dialects/dialects.ts'
import { closeCodes } from '../src/dialects/native/close-codes.ts'

const comeBack: Readonly<Record<string, string>> = {
  disconnect: 'not by itself',
  drop: 'at once, by its library',
}

export const codesPage = (): string => {
  const raw = dialects.filter(({ path }) => path !== null)
  const events = dialects.filter(({ path }) => path === null)
  const untold = { code: null, reason: null }
  const rows = closeCause.options.map((cause) => {
    const codes = raw.map((dialect) => {
      const { code, reason } = dialect.closing(cause, untold)
      return `${code}${reason ? ` ${reason}` : ''}`
    })
    const { comeBackAfterMs } = closeCodes[cause]
    const after = comeBackAfterMs === null ? 'no' : `after ${comeBackAfterMs / 1_000} s and jitter`
    const io = events.map((dialect) => comeBack[dialect.closing(cause, untold).how])
    return `| ${[cause, ...codes, ...io, after].join(' | ')} |`
  })
  const heads = [
    'Cause',
    ...raw.map(({ name }) => name),
    ...events.map(({ name }) => `${name} (socket.io)`),
    'Come back?',
  ]
  return `# Codes

Printed from the tables in the code (\`UPDATE_CODES=1 npx vitest run test/protocol-pages.test.ts\`).

## Why a connection ended

The cause stands in the fact ConnectionClosed, with the code that the dialect closes with. The last column is what the
native protocol tells its clients; the clients of the others decide by their own rules, which their pages name.

| ${heads.join(' | ')} |
|${heads.map(() => '---').join('|')}|
${rows.join('\n')}

## Why a command was refused

The code stands in the fact CommandRefused, in the native protocol's \`refused\`, and in the API's problem+json. 'Again' says
whether the very same command may succeed later by itself.

| Code | HTTP | Again | Meaning |
|---|---|---|---|
${Object.entries(refusals)
  .map(([code, { status, retryable, title }]) => `| ${code} | ${status} | ${retryable ? 'yes' : 'no'} | ${title} |`)
  .join('\n')}
`
}
