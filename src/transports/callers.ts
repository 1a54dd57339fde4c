// Where a request comes from: its peer, or whoever a trusted proxy says it forwards. A proxy that is not trusted is one
// caller, also where it stands on this machine.

import type { IncomingMessage } from 'node:http'
import proxyAddress from '@fastify/proxy-addr'
import { normalizeIP } from '@fastify/rate-limit'

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

/** A subscriber of IPv6 has a whole network of this many bits (RFC 6177), and any address in it. */
const NETWORK_BITS = 64

/**
 * What limits count by: an address of IPv4, a network of IPv6, as those of requests do; null: this machine's own, which
 * they do not bind.
 */
export const addressesBehind = (trusted: readonly string[]): ((request: IncomingMessage) => string | null) => {
  const trust = proxyAddress.compile([...trusted])
  return (request) => (isLoopback(request) ? null : normalizeIP(proxyAddress(request, trust), NETWORK_BITS))
}
