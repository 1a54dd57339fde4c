// Where a request comes from: its peer, or whoever a trusted proxy says it forwards. A proxy that is not trusted is one
// caller, also where it stands on this machine.

import type { IncomingMessage } from 'node:http'
import proxyAddress from '@fastify/proxy-addr'

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const

/** Of this machine itself: the peer is, and no proxy stands between. */
export const isLoopback = ({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): boolean =>
  /^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? '') &&
  FORWARDED.every((name) => headers[name] === undefined)

/** An address or a network, as a proxy is named by. */
export const isNetwork = (text: string): boolean => {
  try {
    return Boolean(proxyAddress.compile([text]))
  } catch {
    return false
  }
}

/** The address that limits count by; null: this machine's own, which they do not bind. */
export const addressesBehind = (trusted: readonly string[]): ((request: IncomingMessage) => string | null) => {
  const trust = proxyAddress.compile([...trusted])
  return (request) => (isLoopback(request) ? null : proxyAddress(request, trust))
}
