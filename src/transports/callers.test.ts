import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { addressesBehind } from './callers.ts'

const from = (remoteAddress: string, headers: IncomingMessage['headers'] = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage

it('limits count by address of IPv4 and by network of IPv6, and bind nobody on this machine', () => {
  const addressOf = addressesBehind(['10.0.0.1'])
  expect(addressOf(from('203.0.113.7'))).toBe('203.0.113.7')
  expect(addressOf(from('::ffff:203.0.113.7'))).toBe('203.0.113.7')
  expect(addressOf(from('2001:db8:1:2::5'))).toBe(addressOf(from('2001:db8:1:2:ffff:1:1:1')))
  expect(addressOf(from('2001:db8:1:2::5'))).not.toBe(addressOf(from('2001:db8:1:3::5')))
  for (const own of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) expect(addressOf(from(own))).toBeNull()
  expect(addressOf(from('127.0.0.1', { via: '1.1 proxy' }))).toBe('127.0.0.1')
  const forwarded = { 'x-forwarded-for': '2001:db8:1:2::5' }
  expect(addressOf(from('10.0.0.1', forwarded))).toBe(addressOf(from('2001:db8:1:2::9')))
  expect(addressOf(from('10.0.0.2', forwarded))).toBe('10.0.0.2')
})
