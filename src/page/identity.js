// Who this tab is: a name and its token, kept in sessionStorage so that a second tab is a second person.

import { sentence } from './words.js'

const storageKey = 'hansard.identity'
const answerWithinMs = 10_000

/** The kept `{ username?, token? }` (neither: a reader), or null. Storage may be forbidden: then nothing is kept. */
export function recallIdentity() {
  try {
    return JSON.parse(sessionStorage.getItem(storageKey))
  } catch {
    return null
  }
}

export function keepIdentity(identity) {
  try {
    if (identity) sessionStorage.setItem(storageKey, JSON.stringify(identity))
    else sessionStorage.removeItem(storageKey)
  } catch {
    // A tab without storage is signed in until it is reloaded.
  }
}

/** Browsers hand out SHA-256 in secure contexts only, and the protocol never sends the token itself. */
export const canSignIn = () => globalThis.crypto?.subtle !== undefined

/** The credential of the Moneypot dialect: lower-case hex SHA-256 of the token's text. */
export async function hashToken(token) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Registers a guest. Throws an Error whose message can be shown under the field. */
export async function takeName(username) {
  let response
  try {
    response = await fetch('/api/v1/guests', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username }),
      signal: AbortSignal.timeout(answerWithinMs),
    })
  } catch {
    throw new Error('The server did not answer. Try again in a moment.')
  }
  const body = await response.json().catch(() => ({}))
  if (response.status !== 201) {
    throw new Error(sentence(body.detail ?? body.title ?? `the server refused the name (HTTP ${response.status})`))
  }
  return { username: body.username, token: body.token }
}
