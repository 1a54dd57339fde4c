// The lobby's page: which view is shown, who this tab is, and the wires between the connection and what is on screen
// (messages.js, people.js). Text reaches the document through textContent only. At / it speaks hansard's own protocol
// (native.js), at /moneypot that of 2015 (moneypot.js): both have the same face.

import { entryForms } from './entry.js'
import { canSignIn, hashToken, keepIdentity, recallIdentity } from './identity.js'
import { messageList } from './messages.js'
import { mute, unmute, whyMuted } from './moderation.js'
import { modes, muteEnd, muteWhy } from './notices.js'
import { peoplePanel } from './people.js'
import { typingLine } from './typing.js'
import { ended } from './words.js'

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
const typing = typingLine((on) => lobby?.typing?.(on))
const people = peoplePanel({
  mute: (name, minutes, reason) => act(`${name} is not muted`, mute(identity.token, name, minutes, reason)),
  unmute: (name) => act(`${name} is muted still`, unmute(identity.token, name)),
  changed: showComposer,
})

// ── who this tab is ─────────────────────────────────────────────────────────────────────────────────────────────────

const entry = entryForms({ enter, maySignIn })

function showEntry(field, fault) {
  byId('chat').hidden = true
  byId('chat-actions').hidden = true
  entry.show(field, fault)
}

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
  entry.hide()
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
    typing.clear()
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
  typing: typing.show,
  joined: people.joined,
  left(user) {
    typing.show(user.uname, false)
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
    // The room may have another name only.
    if (now === mode) return
    mode = now
    messages.line(modes[now])
    showComposer()
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
  typing.own(box.value.trim() !== '')
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
  typing.sent()
  showComposer()
  send(messages.outgoing(text))
})

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
