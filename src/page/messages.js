// The message list: history and live messages, quiet lines, the mark of what came unseen, and below them the outbox of
// what was written here and is not yet (or was never) confirmed.
//
// Moneypot has no reference of the client's, so an outgoing text is settled by its own echo, by its ack, or, when the
// connection broke between, by finding it in the fresh history.

const keptRows = 1_000
const bottomSlackPx = 48
const runMs = 5 * 60_000

const log = document.getElementById('log')
const history = document.getElementById('history')
const outbox = document.getElementById('outbox')
const empty = document.getElementById('empty')
const pill = document.getElementById('new-messages')
const clockTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

const row = (template) => document.getElementById(template).content.firstElementChild.cloneNode(true)

/**
 * `retry(entry)` and `discarded()` are called when a failed text is sent again or given up; `missed(count)` when the
 * count of unseen messages changes.
 */
export function messageList({ retry, discarded, missed }) {
  let me = null
  let lastId = 0
  let following = true
  let below = 0
  let unseen = 0
  let markedId = null
  /** Message id → when it came. Moneypot tells no times: there, only what arrived live has one. */
  const arrivals = new Map()
  const outgoing = new Set()

  let scrolling = 0
  /** Once a frame: each look at the height lays the whole list out. */
  const toBottom = () => {
    showBelow(0)
    if (scrolling) return
    scrolling = requestAnimationFrame(() => {
      scrolling = 0
      log.scrollTop = log.scrollHeight
    })
  }
  const showBelow = (count) => {
    below = count
    pill.hidden = count === 0
    pill.textContent = `${count} new ${count === 1 ? 'message' : 'messages'}`
  }
  const showUnseen = (count) => {
    unseen = count
    missed(count)
  }
  const timeOf = (message) => message.at ?? arrivals.get(message.id)
  const isMine = (message) => me !== null && message.user.uname === me.uname

  log.addEventListener('scroll', () => {
    following = log.scrollHeight - log.scrollTop - log.clientHeight < bottomSlackPx
    if (following) showBelow(0)
  })
  pill.addEventListener('click', () => {
    toBottom()
    log.focus()
  })
  new ResizeObserver(() => following && toBottom()).observe(log)
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) unmark()
    else showUnseen(0)
  })

  function unmark() {
    markedId = null
    history.querySelector('.mark')?.remove()
  }

  function line(text, kind = '') {
    const item = row('line-row')
    item.textContent = text
    if (kind) item.classList.add(kind)
    return item
  }

  /** One author's messages in a row show the name once; the others keep it for screen readers. */
  function continuesRun(message, previous) {
    if (previous?.dataset.author !== message.user.uname || previous.dataset.role !== message.user.role) return false
    return (timeOf(message) ?? 0) - Number(previous.dataset.at ?? 0) < runMs
  }

  function messageRow(message, previous) {
    const item = row('message-row')
    const { uname, role } = message.user
    const at = timeOf(message)
    item.querySelector('.name').textContent = uname
    item.querySelector('.text').textContent = message.text
    if (role !== 'member') item.querySelector('.role').textContent = role
    if (isMine(message)) item.querySelector('.you').textContent = '(you)'
    item.classList.toggle('own', isMine(message))
    item.classList.toggle('follows', continuesRun(message, previous))
    const time = item.querySelector('time')
    if (at) {
      time.dateTime = new Date(at).toISOString()
      time.textContent = clockTime.format(at)
    } else time.remove()
    Object.assign(item.dataset, { id: message.id, author: uname, role, at: at ?? 0 })
    return item
  }

  function append(parent, message) {
    if (message.id === markedId) parent.append(line('New', 'mark'))
    parent.append(messageRow(message, parent.lastElementChild))
  }

  function show(change, counts) {
    const wasFollowing = following
    change()
    while (history.childElementCount > keptRows) history.firstElementChild.remove()
    history.firstElementChild?.classList.remove('follows')
    empty.hidden = history.childElementCount > 0
    if (wasFollowing) toBottom()
    else if (counts) showBelow(below + 1)
  }

  function settle(entry) {
    outgoing.delete(entry)
    entry.item.remove()
  }

  /** An own message settles the oldest entry with its text that is on its way or was never answered. */
  function settleByText(message) {
    for (const entry of outgoing) {
      if (!entry.refused && entry.text === message.text && message.id > entry.after) return settle(entry)
    }
  }

  return {
    /** Replaces everything by a fresh history; what came since the last one is marked as new. */
    reset(messages, self) {
      me = self
      const since = lastId
      const missedHere = since ? messages.filter((message) => message.id > since && !isMine(message)) : []
      lastId = messages.at(-1)?.id ?? lastId
      if (missedHere.length > 0 && (markedId === null || !document.hidden)) markedId = missedHere[0].id
      if (document.hidden) showUnseen(unseen + missedHere.length)

      const ids = new Set(messages.map((message) => message.id))
      for (const id of arrivals.keys()) if (!ids.has(id)) arrivals.delete(id)
      const fresh = document.createDocumentFragment()
      for (const message of messages) append(fresh, message)

      // A whole history is not news to be read aloud.
      log.setAttribute('aria-live', 'off')
      show(() => history.replaceChildren(fresh))
      setTimeout(() => log.setAttribute('aria-live', 'polite'), 500)
      for (const message of messages) if (isMine(message)) settleByText(message)
    },

    add(message) {
      lastId = message.id
      arrivals.set(message.id, Date.now())
      const mine = isMine(message)
      if (document.hidden && !mine) {
        markedId ??= message.id
        showUnseen(unseen + 1)
      }
      show(() => {
        if (mine) settleByText(message)
        append(history, message)
      }, !mine)
    },

    edited(id, text) {
      const item = history.querySelector(`[data-id="${Number(id)}"]`)
      if (item) item.querySelector('.text').textContent = text
    },

    removed(id) {
      show(() => history.querySelector(`[data-id="${Number(id)}"]`)?.remove())
    },

    line: (text) => show(() => history.append(line(text))),

    /** What stands where nothing has been said, or nothing can be read. */
    instead(text) {
      empty.textContent = text
      empty.hidden = text === '' || history.childElementCount > 0
    },

    /** Forgets what belonged to the person who has left. */
    clear() {
      unmark()
      lastId = 0
      arrivals.clear()
      for (const entry of outgoing) settle(entry)
      history.replaceChildren()
      empty.hidden = true
      showBelow(0)
      showUnseen(0)
    },

    /** Shows `text` as on its way. `failed` and `stored` settle it later. */
    outgoing(text) {
      const entry = { text, after: lastId, refused: false, item: row('outgoing-row') }
      entry.item.querySelector('.text').textContent = text
      entry.item.querySelector('.retry').addEventListener('click', () => retry(entry))
      entry.item.querySelector('.discard').addEventListener('click', () => {
        settle(entry)
        discarded()
      })
      outgoing.add(entry)
      outbox.append(entry.item)
      following = true
      this.sending(entry)
      toBottom()
      return entry
    },

    sending(entry) {
      entry.refused = false
      entry.item.classList.remove('failed')
      entry.item.querySelector('.way').hidden = false
      entry.item.querySelector('.fate').hidden = true
    },

    stored: settle,

    /** `unknown`: no answer came, so it may stand in the log all the same and an echo still settles it. */
    failed(entry, words, unknown) {
      entry.refused = !unknown
      entry.item.classList.add('failed')
      entry.item.querySelector('.words').textContent = `Not sent. ${words}`
      entry.item.querySelector('.way').hidden = true
      entry.item.querySelector('.fate').hidden = false
      outgoing.add(entry)
      // Its echo may have been another tab's same text; then the refusal brings it back.
      show(() => entry.item.isConnected || outbox.append(entry.item))
    },
  }
}
