// The lobby's page: which view is shown, who this tab is, and the wires between the connection and what is on screen
// (messages.js, people.js). Text reaches the document through textContent only. At / it speaks hansard's own protocol
// (native.js), at /moneypot that of 2015 (moneypot.js): both have the same face.

import { canSignIn, hashToken, keepIdentity, recallIdentity, takeName } from './identity.js'
import { messageList } from './messages.js'
import { mute, unmute, whyMuted } from './moderation.js'
import { peoplePanel, timeLeft } from './people.js'
import { ended, when } from './words.js'

const overMoneypot = location.pathname === '/moneypot'
const { inWords, longestText, openLobby } = await import(overMoneypot ? './moneypot.js' : './native.js')
/** Moneypot's credential is the token's hash, which browsers make in secure contexts only. */
const maySignIn = () => !overMoneypot || canSignIn()

const counterFrom = longestText - 50
const backShownMs = 5_000
const nothingYet = 'Nothing has been said here yet. Open this page in a second tab, and you are two.'

const byId = (id) => document.getElementById(id)
const box = byId('message')

let lobby = null
/** `{ username, token }`, a token alone until its name is known, or `{}` for a reader. */
let identity = null
/** none, connecting, live, busy, away or refused */
let connection = 'none'
let backTimer
/** of the room: open, slow, locked or archived; Moneypot tells none */
let mode = 'open'
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
const people = peoplePanel({
  mute: (name, minutes, reason) => act(`${name} is not muted`, mute(identity.token, name, minutes, reason)),
  unmute: (name) => act(`${name} is muted still`, unmute(identity.token, name)),
  changed: showComposer,
})

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
  const other = field === 'name' ? 'token' : 'name'
  byId(`${other}-error`).textContent = ''
  byId(other).ariaInvalid = 'false'
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
byId('connect-again').addEventListener('click', () => {
  // The button is about to go, and the focus with it.
  ;(identity.token ? box : byId('log')).focus()
  lobby.again()
})
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
    mode = room.mode ?? 'open'
    people.reset(room, user ?? null)
    messages.reset(room.history, user ?? null)
    showConnection('live')
    showAccount()
    explainMute()
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
    explainMute()
    if (commanded.has(mute.uname)) return
    const who = people.isMe(mute.uname) ? 'You were' : `${mute.uname} was`
    const by = mute.by ? ` by ${mute.by}` : ''
    const length = mute.mins === null ? '' : ` for ${mute.mins} ${mute.mins === 1 ? 'minute' : 'minutes'}`
    messages.line(mute.reason ? `${who} muted${by}${length}: ${ended(mute.reason)}` : `${who} muted${by}${length}.`)
  },

  unmuted(name) {
    people.unmuted(name)
    if (commanded.has(name)) return
    messages.line(people.isMe(name) ? 'Your mute is over: you can write again.' : `${name} is no longer muted.`)
  },

  mode(now) {
    mode = now
    messages.line(modes[now] ?? '')
    showComposer()
  },

  system: messages.line,
}

const modes = {
  open: 'Everybody can write here again.',
  slow: 'The room is slow now: a message each now and then.',
  locked: 'The room is locked now: only staff can write.',
  archived: 'The room is closed for good: it can be read and nothing more be said.',
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
  messages.instead(state === 'live' ? nothingYet : state === 'refused' ? words : '')
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

const isShut = () => mode === 'archived' || (mode === 'locked' && !people.isStaff())
const mayWrite = () => connection === 'live' && !people.ownMute() && !isShut()
function whyNot() {
  if (connection !== 'live') return byId('status').textContent
  return people.ownMute() ? inWords('MUTED') : byId('mode-notice').textContent
}

function showComposer() {
  const mute = people.ownMute()
  const left = longestText - box.value.trim().length
  byId('muted-notice').hidden = !mute || connection !== 'live'
  byId('muted-why').textContent = mute ? muteWhy(mute) : ''
  byId('muted-left').textContent = mute ? muteEnd(mute) : ''
  byId('mode-notice').hidden = !isShut() || connection !== 'live' || !identity?.token
  byId('mode-notice').textContent = mode === 'archived' ? modes.archived : 'The room is locked: only staff can write.'
  setText('counter', left < 0 ? `${-left} too many` : left <= longestText - counterFrom ? `${left} left` : '')
  byId('counter').classList.toggle('over', left < 0)
  byId('send').ariaDisabled = String(!mayWrite() || left < 0)
}

function muteWhy({ by, reason }) {
  const who = by ? `You are muted by ${by}` : 'You are muted'
  return reason ? `${who}: ${ended(reason)}` : `${who}.`
}

function muteEnd({ expires_at }) {
  const left = timeLeft(expires_at)
  if (left === 'no end') return 'You can write again when a moderator lifts it.'
  if (left === 'any moment') return 'You can write again any moment.'
  return `You can write again in ${left}, at ${when(Date.parse(expires_at))}.`
}

/** Who muted this person, and why, where the wire did not say. */
async function explainMute() {
  const mute = people.ownMute()
  if (!mute || mute.by !== undefined) return
  mute.by = null
  try {
    Object.assign(mute, await whyMuted(identity.token, mute.uname))
  } catch {
    // It holds all the same.
  }
  showComposer()
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

/** What a moderator does from a menu: its failure is a line, since there is no text to send again. */
function act(failed, done) {
  done.catch((fault) => messages.line(`${failed}. ${fault.message}`))
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
