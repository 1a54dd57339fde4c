// Who is here, who is muted and for how long, and for staff the small menu on each person.

const shownPeople = 300
const dayMs = 86_400_000
/** The wire's way to say that a mute has no end. */
const endless = Date.parse('9999-12-31T23:59:59.999Z')

const byId = (id) => document.getElementById(id)
const rank = { owner: 0, admin: 0, mod: 1, member: 2 }
const staff = (user) => user !== null && user.role !== 'member'
/** Mutes are kept by folded name, people by the name as written. */
const fold = (name) => name.normalize('NFKC').toLowerCase()

/** What is left of a mute: `9:58`, `1:02:03`, `3 d 4 h`. */
export function timeLeft(expiresAt, now = Date.now()) {
  const end = Date.parse(expiresAt)
  if (end === endless) return 'no end'
  const seconds = Math.max(0, Math.ceil((end - now) / 1000))
  if (seconds === 0) return 'any moment'
  const two = (number) => String(number).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  if (seconds * 1000 >= dayMs) return `${Math.floor(hours / 24)} d ${hours % 24} h`
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`
}

/** Puts `items` into `list` in this order, moving only what is out of place, so that focus stays where it is. */
function arrange(list, items) {
  const wanted = new Set(items)
  for (const item of [...list.children]) if (!wanted.has(item)) item.remove()
  for (const [index, item] of items.entries()) {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null)
  }
}

/** `mute` and `unmute` are a moderator's; `changed()` is called after each change and each second of a mute. */
export function peoplePanel({ mute: muteFor, unmute: endMute, changed }) {
  let me = null
  const people = new Map()
  const mutes = new Map()
  const rows = new Map()
  const muteRows = new Map()
  const menu = byId('moderate')
  let subject = ''

  const fromTemplate = (rowsByName, template, name, prepare) => {
    let item = rowsByName.get(name)
    if (!item) {
      item = byId(template).content.firstElementChild.cloneNode(true)
      item.querySelector('.name').textContent = name
      prepare(item)
      rowsByName.set(name, item)
    }
    return item
  }

  function personRow(user) {
    const item = fromTemplate(rows, 'person-row', user.uname, (fresh) => {
      const more = fresh.querySelector('.more')
      more.setAttribute('aria-label', `Moderate ${user.uname}`)
      more.popoverTargetElement = menu
      more.addEventListener('click', () => aim(user.uname, more))
    })
    const mine = user.uname === me?.uname
    item.querySelector('.you').textContent = mine ? '(you)' : ''
    item.querySelector('.role').textContent = user.role === 'member' ? '' : user.role
    item.querySelector('.muted-mark').hidden = !mutes.has(fold(user.uname))
    item.querySelector('.more').hidden = !staff(me) || mine || staff(user)
    return item
  }

  function muteRow(mute) {
    const item = fromTemplate(muteRows, 'mute-row', mute.uname, (fresh) => {
      const unmute = fresh.querySelector('.unmute')
      unmute.setAttribute('aria-label', `Unmute ${mute.uname}`)
      unmute.addEventListener('click', () => endMute(mute.uname))
    })
    item.querySelector('.unmute').hidden = !staff(me)
    item.querySelector('.left').textContent = timeLeft(mute.expires_at)
    return item
  }

  function aim(name, button) {
    subject = name
    byId('moderate-name').textContent = name
    byId('moderate-reason').value = ''
    byId('moderate-unmute').hidden = !mutes.has(fold(name))
    const { top, bottom, right } = button.getBoundingClientRect()
    const upward = bottom > innerHeight / 2
    menu.style.inset = upward
      ? `auto ${innerWidth - right}px ${innerHeight - top + 4}px auto`
      : `${bottom + 4}px ${innerWidth - right}px auto auto`
  }

  menu.addEventListener('click', ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return
    const { minutes } = target.dataset
    menu.hidePopover()
    if (minutes) muteFor(subject, Number(minutes), byId('moderate-reason').value.trim())
    else endMute(subject)
  })

  function render() {
    const sorted = [...people.values()].sort(
      (one, other) => (rank[one.role] ?? 2) - (rank[other.role] ?? 2) || one.uname.localeCompare(other.uname),
    )
    arrange(byId('people-list'), sorted.slice(0, shownPeople).map(personRow))
    for (const name of rows.keys()) if (!people.has(name)) rows.delete(name)
    for (const name of muteRows.keys()) if (!mutes.has(name)) muteRows.delete(name)
    arrange(byId('mute-list'), [...mutes.values()].map(muteRow))
    byId('mutes').hidden = mutes.size === 0
    byId('people-count').textContent = people.size
    byId('people-total').textContent = people.size
    byId('people-none').hidden = people.size > 0
    byId('people-more').hidden = sorted.length <= shownPeople
    byId('people-more').textContent = `and ${sorted.length - shownPeople} more`
    changed()
  }

  setInterval(() => {
    if (mutes.size === 0) return
    for (const mute of mutes.values()) muteRow(mute)
    changed()
  }, 1_000)

  return {
    reset(room, self) {
      me = self
      people.clear()
      mutes.clear()
      for (const user of Object.values(room.users)) people.set(user.uname, user)
      for (const mute of Object.values(room.muteList)) mutes.set(fold(mute.uname), mute)
      render()
    },
    joined(user) {
      people.set(user.uname, user)
      render()
    },
    left(user) {
      people.delete(user.uname)
      render()
    },
    /** A message carries its author's role of now: the only news of a changed role that this protocol has. */
    spoke({ uname, role }) {
      const known = people.get(uname)
      if (!known || known.role === role) return
      people.set(uname, { ...known, role })
      if (me?.uname === uname) me = { ...me, role }
      render()
    },
    muted(mute) {
      mutes.set(fold(mute.uname), mute)
      render()
    },
    unmuted(name) {
      mutes.delete(fold(name))
      render()
    },
    /** The mute that keeps this person from writing, if any: staff are never stopped by one. */
    ownMute: () => (me === null || staff(me) ? undefined : mutes.get(fold(me.uname))),
    role: () => me?.role,
    isStaff: () => staff(me),
    isMe: (name) => me !== null && fold(me.uname) === fold(name),
  }
}
