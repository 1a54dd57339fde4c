// The lobby's page: which view is shown, who this tab is, and the wires between the connection and what is on screen
// (messages.js, people.js). Text reaches the document through textContent only. At / it speaks hansard's own protocol
// (native.js), at /moneypot that of 2015 (moneypot.js): both have the same face.

import { canSignIn, hashToken, keepIdentity, recallIdentity, takeName } from './identity.js'
import { messageList } from './messages.js'
import { peoplePanel, timeLeft } from './people.js'

const overMoneypot = location.pathname === '/moneypot'
const { commandCanName, inWords, longestText, openLobby } = await import(overMoneypot ? './moneypot.js' : './native.js')
/** Moneypot's credential is the token's hash, which browsers make in secure contexts only. */
const maySignIn = () => !overMoneypot || canSignIn()

const counterFrom = longestText - 50
const backShownMs = 5_000

const byId = (id) => document.getElementById(id)
const box = byId('message')

let lobby = null
/** `{ username, token }`, a token alone until its name is known, or `{}` for a reader. */
let identity = null
/** none, connecting, live, busy, away or refused */
let connection = 'none'
let backTimer
/** when others were last told that this person is writing; 0: they are not */
let told = 0
const typingAgainMs = 4_000
const writing = new Set()
/** Names in commands of ours under way: the system_message answers them, so no second line is written. */
const commanded = new Set()

const messages = messageList({
  retry: (entry) => {
    if (!mayWrite()) return announce(whyNot())
    box.focus()
    send(entry)
  },
  discarded: () => box.focus(),
  missed: (count) => {
    document.title = count ? `(${count}) hansard` : 'hansard'
  },
})
const people = peoplePanel({ command, commandCanName, changed: showComposer })

// ── who this tab is ─────────────────────────────────────────────────────────────────────────────────────────────────

function showEntry(field = 'name', fault = '') {
  byId('entry').hidden = false
  byId('chat').hidden = true
  byId('chat-actions').hidden = true
  byId('insecure').hidden = maySignIn()
  byId('insecure').textContent =
    'Browsers let a page sign you in only on a secure address: open this server as ' +
    `http://localhost:${location.port || 80}/ on its own machine, or through https. Reading works here too.`
  if (field === 'token') byId('token-details').open = true
  say(field, fault)
}

function say(field, fault) {
  byId(`${field}-error`).textContent = fault
  byId(field).ariaInvalid = String(fault !== '')
  byId(field).focus()
}

byId('name-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = byId('name-form').querySelector('button')
  const name = byId('name').value.trim()
  if (button.ariaDisabled === 'true') return
  if (name === '') return say('name', 'Write the name you want to be called by.')
  if (!maySignIn()) return say('name', byId('insecure').textContent)
  button.ariaDisabled = 'true'
  try {
    await enter(await takeName(name))
  } catch (fault) {
    say('name', fault.message)
  } finally {
    button.ariaDisabled = null
  }
})

byId('token-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const token = byId('token').value.trim()
  if (token === '') return say('token', 'Paste your token here.')
  if (!maySignIn()) return say('token', byId('insecure').textContent)
  byId('token').value = ''
  await enter({ token })
})

byId('read').addEventListener('click', () => enter({}))
byId('take-name').addEventListener('click', () => leave())
byId('leave').addEventListener('click', () => leave())
byId('connect-again').addEventListener('click', () => lobby.again())
byId('copy-token').addEventListener('click', async () => {
  const copied = await navigator.clipboard.writeText(identity.token).then(
    () => true,
    () => false,
  )
  byId('account-hint').textContent = copied ? 'Copied.' : `The browser did not let us copy. It is ${identity.token}`
})

async function enter(someone) {
  if (overMoneypot && !globalThis.io)
    return showEntry('name', 'The chat client did not load from this server. Reload the page.')
  identity = someone
  keepIdentity(someone)
  byId('name-error').textContent = ''
  byId('token-error').textContent = ''
  byId('entry').hidden = true
  byId('chat').hidden = false
  byId('chat-actions').hidden = false
  byId('composer').hidden = !someone.token
  byId('reading').hidden = Boolean(someone.token)
  showAccount()
  lobby?.close()
  const credential = overMoneypot && someone.token ? await hashToken(someone.token) : someone.token
  lobby = openLobby(credential, hear)
  if (someone.token) box.focus()
}

function leave(field, fault) {
  lobby?.close()
  lobby = null
  identity = null
  keepIdentity(null)
  showConnection('none')
  box.value = ''
  messages.clear()
  people.reset({ users: {}, muteList: {} }, null)
  if (byId('account').matches(':popover-open')) byId('account').hidePopover()
  showEntry(field, fault)
}

function showAccount() {
  byId('account-name').textContent = identity.token ? (identity.username ?? 'Signing in') : 'Reading'
  const role = people.role() ?? 'member'
  byId('account-role').textContent = role === 'member' ? '' : role
  byId('copy-token').hidden = !identity.token
  byId('account-hint').hidden = !identity.token
}

byId('account').addEventListener('beforetoggle', () => {
  byId('account-hint').textContent = 'Only your token brings this name back. Keep it if you want to return.'
})

// ── what the lobby tells ────────────────────────────────────────────────────────────────────────────────────────────

const hear = {
  connection: showConnection,

  entered({ user, room }) {
    if (identity.token && !user) {
      const restored = identity.username !== undefined
      if (restored) leave('name', 'This server no longer knows your name. Take one again.')
      else leave('token', 'Nobody here has this token.')
      return
    }
    if (user) {
      identity = { ...identity, username: user.uname }
      keepIdentity(identity)
    }
    writing.clear()
    byId('typing').textContent = ''
    people.reset(room, user ?? null)
    messages.reset(room.history, user ?? null)
    showConnection('live')
    showAccount()
  },

  message(message) {
    messages.add(message)
    people.spoke(message.user)
    showAccount()
  },
  edited: messages.edited,
  removed: messages.removed,
  typing: showTyping,
  joined: people.joined,
  left(user) {
    showTyping(user.uname, false)
    people.left(user)
  },

  muted(mute) {
    people.muted(mute)
    if (commanded.has(mute.uname)) return
    const who = people.isMe(mute.uname) ? 'You were' : `${mute.uname} was`
    const length = mute.mins === null ? '' : ` for ${mute.mins} ${mute.mins === 1 ? 'minute' : 'minutes'}`
    messages.line(`${who} muted${length}.`)
  },

  unmuted(name) {
    people.unmuted(name)
    if (commanded.has(name)) return
    messages.line(people.isMe(name) ? 'Your mute is over: you can write again.' : `${name} is no longer muted.`)
  },

  system: messages.line,
}

function showConnection(state, words = '') {
  const back = state === 'live' && connection === 'away'
  // Attempts to come back are one absence: the line is not read aloud again at each.
  if (state === 'connecting' && connection === 'away') return
  connection = state
  document.body.dataset.connection = state
  const signedIn = identity?.username ? 'Connected' : 'Connected, reading only'
  const texts = {
    connecting: 'Connecting…',
    live: back ? 'Back: connected again.' : signedIn,
    busy: 'The server is busy. Trying again in a moment…',
    away: identity?.token
      ? 'The server is away; your text is kept. Reconnecting…'
      : 'The server is away. Reconnecting…',
    refused: words,
  }
  setText('status', texts[state] ?? '')
  byId('connect-again').hidden = state !== 'refused'
  clearTimeout(backTimer)
  if (back) backTimer = setTimeout(() => setText('status', signedIn), backShownMs)
  showComposer()
}

/** A live region speaks at every write, so the same text is not written twice. */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const mayWrite = () => connection === 'live' && !people.ownMute()
const whyNot = () => (connection === 'live' ? inWords('MUTED') : byId('status').textContent)

function showComposer() {
  const mute = people.ownMute()
  const left = longestText - box.value.trim().length
  byId('muted-notice').hidden = !mute || connection !== 'live'
  byId('muted-left').textContent = mute ? muteEnd(mute) : ''
  byId('status').classList.toggle('visually-hidden', !byId('muted-notice').hidden)
  setText('counter', left < 0 ? `${-left} too many` : left <= longestText - counterFrom ? `${left} left` : '')
  byId('counter').classList.toggle('over', left < 0)
  byId('send').ariaDisabled = String(!mayWrite() || left < 0)
}

function muteEnd(mute) {
  const left = timeLeft(mute.expires_at)
  return left === 'no end' ? 'when a moderator lifts it.' : left === 'any moment' ? 'any moment.' : `in ${left}.`
}

function announce(text) {
  byId('announcer').textContent = ''
  setTimeout(() => setText('announcer', text), 50)
}

box.addEventListener('input', () => {
  showComposer()
  tellTyping(box.value.trim() !== '')
})
box.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  byId('composer').requestSubmit()
})

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = box.value.trim()
  if (text === '') return
  if (text.length > longestText) return announce(inWords('INVALID_TEXT'))
  if (!mayWrite()) return announce(whyNot())
  box.value = ''
  box.focus()
  told = 0
  showComposer()
  send(messages.outgoing(text))
})

/** Told again every few seconds while somebody writes, and once when the text is gone. */
function tellTyping(on) {
  const now = Date.now()
  if (on === told > 0 && now - told < typingAgainMs) return
  told = on ? now : 0
  lobby?.typing?.(on)
}

function showTyping(name, on) {
  if (on) writing.add(name)
  else writing.delete(name)
  const names = [...writing].slice(0, 3).join(', ')
  const many = writing.size > 3 ? 'Several people are' : writing.size > 1 ? `${names} are` : `${names} is`
  byId('typing').textContent = writing.size === 0 ? '' : `${many} writing…`
}

function send(entry) {
  messages.sending(entry)
  post(entry.text, (refusal) => {
    if (refusal === null) return messages.stored(entry)
    messages.failed(entry, inWords(refusal), refusal === 'UNANSWERED')
    announce(`Not sent. ${inWords(refusal)}`)
  })
}

/** A moderator's command from a menu: no text of anybody's, so a failure is a line and not a thing to retry. */
function command(text) {
  post(text, (refusal) => refusal && messages.line(`${text}: ${inWords(refusal)}`))
}

function post(text, answered) {
  const named = /^\/(?:un)?mute\s+(\S+)/i.exec(text)?.[1].toLowerCase()
  if (named) commanded.add(named)
  lobby.send(text, (refusal) => {
    commanded.delete(named)
    answered(refusal)
  })
}

// ── small things of the page ────────────────────────────────────────────────────────────────────────────────────────

function openPeople(open) {
  byId('people').classList.toggle('open', open)
  byId('people-toggle').ariaExpanded = String(open)
}

byId('people-toggle').addEventListener('click', () => openPeople(!byId('people').classList.contains('open')))
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !byId('people').classList.contains('open') || document.querySelector(':popover-open')) {
    return
  }
  openPeople(false)
  byId('people-toggle').focus()
})
document.addEventListener('click', ({ target }) => {
  if (!target.closest('#people, #people-toggle, [popover]')) openPeople(false)
})

const kept = recallIdentity()
if (kept && (maySignIn() || !kept.token)) enter(kept)
else showEntry()
