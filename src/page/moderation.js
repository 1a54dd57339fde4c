// What staff do from a person's menu, and why somebody is muted, over REST: a reason has a place there, and every name can
// be spelled. What comes of it both wires tell.

import { sentence } from './words.js'

const mutesUrl = '/api/v1/rooms/moneypot:2/mutes'
const answerWithinMs = 10_000

/** Resolves with the answer's body. Throws an Error whose message can be shown. */
async function ask(token, method, path = '', body) {
  let response
  try {
    response = await fetch(mutesUrl + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerWithinMs),
    })
  } catch {
    throw new Error('The server did not answer. Try again in a moment.')
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(sentence(answer.detail ?? answer.title ?? `refused (HTTP ${response.status})`))
  return answer
}

export const mute = (token, name, minutes, reason) =>
  ask(token, 'POST', '', { user: `@${name}`, seconds: minutes * 60, ...(reason && { reason }) })

export const unmute = (token, name) => ask(token, 'DELETE', `/${encodeURIComponent(`@${name}`)}`)

/** Who muted this person, and why: names, or null. */
export async function whyMuted(token, name) {
  const { items } = await ask(token, 'GET', '?limit=500')
  const found = items.find(({ user }) => user.username.toLowerCase() === name.toLowerCase())
  return { by: found?.by?.username ?? null, reason: found?.reason ?? null }
}
