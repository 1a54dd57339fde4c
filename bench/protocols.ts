// What the load says in each protocol until messages come, and how it says a message. Text of a message: `n` and nine
// digits, by which its sender knows it again.

import { createHash } from 'node:crypto'
import { SignJWT } from 'jose'

export interface Account {
  readonly id: string
  readonly token: string
}

export interface Step {
  /** in what came so far; empty: at once */
  readonly waitFor: string
  /** null: messages come from now on */
  readonly send: string | null
}

export interface Protocol {
  /** null: nobody in particular */
  path(account: Account | null): Promise<string> | string
  steps(account: Account | null): readonly Step[]
  post(number: number, text: string): string
}

export const JWT_SECRET = 'a secret of the bench, long enough'
const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket'

const json = (value: unknown): string => JSON.stringify(value)

/** engine.io's open packet, then socket.io's connect, then the protocol's own first event and its answer */
const overSocketIo = (signIn: string, answer: string): Step[] => [
  { waitFor: '0{"sid"', send: '40' },
  { waitFor: '40{"sid"', send: signIn },
  { waitFor: answer, send: null },
]

const ayaka = (encoding: string, answer: string): Protocol => ({
  path: () => '/ayaka',
  steps: (account) => [
    { waitFor: '', send: json({ session_id: account?.token, encoding }) },
    { waitFor: answer, send: null },
  ],
  post: () => {
    throw new Error('Ayaka speaks over REST')
  },
})

const moneypot: Protocol = {
  path: () => SOCKET_IO,
  steps: (account) => {
    const hashed = account && { hashed_token: createHash('sha256').update(account.token).digest('hex') }
    return overSocketIo(`420${json(['auth', { app_id: 2, ...hashed }])}`, '430[')
  },
  post: (number, text) => `42${number}${json(['new_message', text])}`,
}

export const protocols = {
  /** the bare server's, which says nothing first */
  ws: {
    path: () => '/',
    steps: () => [{ waitFor: '', send: null }],
    post: (_number, text) => text,
  },
  'socket.io': moneypot,
  native: {
    path: () => '/native',
    steps: (account) => [
      { waitFor: '"hello"', send: json({ do: 'sign-in', token: account?.token ?? null }) },
      { waitFor: '"signed-in"', send: json({ do: 'join', room: 'moneypot:2' }) },
      { waitFor: '"joined"', send: null },
    ],
    post: (number, text) => json({ do: 'post', ref: number, room: 'moneypot:2', text }),
  },
  drivers: {
    path: () => SOCKET_IO,
    steps: (account) =>
      overSocketIo(`42${json(['signin_request', { token: account?.token }])}`, '42["signin_response"'),
    post: (_number, text) => `42${json(['message_events', { topic_id: 49, stamp_id: text, body: text }])}`,
  },
  plic: {
    path: async (account) => {
      const signed = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(account?.id ?? '')
      return `/plic?token=${await signed.setExpirationTime('1h').sign(Buffer.from(JWT_SECRET))}`
    },
    // It tells of no success: whoever is heard of is in.
    steps: () => [{ waitFor: '', send: null }],
    post: (_number, text) => json({ type: 'SendMessage', data: { room_id: 7, message: text, message_temp_id: text } }),
  },
  maint: {
    path: () => '/maint',
    steps: (account) => [
      { waitFor: '"t":1', send: json({ fulfill: `Bot ${account?.token}` }) },
      { waitFor: '"t":2', send: null },
    ],
    post: (_number, text) => json({ send: { room: 1, text, nonce: text } }),
  },
  ayaka: ayaka('json', '"GUILD_INIT"'),
  // The head of its stream is all that can be read without an inflater.
  'ayaka-zlib': ayaka('zlib', '\x78\x9c'),
} as const satisfies Record<string, Protocol>

export type ProtocolName = keyof typeof protocols
