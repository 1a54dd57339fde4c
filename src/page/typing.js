// Who is writing, and telling others that this person is.

const typingAgainMs = 4_000
const line = document.getElementById('typing')

/** `tell(on)` goes out to others. */
export function typingLine(tell) {
  /** when others were last told that this person is writing; 0: they are not */
  let told = 0
  const writing = new Set()

  return {
    /** Told again every few seconds while somebody writes, and once when the text is gone. */
    own(on) {
      const now = Date.now()
      if (on === told > 0 && now - told < typingAgainMs) return
      told = on ? now : 0
      tell(on)
    },

    /** What was written is sent, which tells that nothing more is being written. */
    sent() {
      told = 0
    },

    show(name, on) {
      if (on) writing.add(name)
      else writing.delete(name)
      const names = [...writing].slice(0, 3).join(', ')
      const many = writing.size > 3 ? 'Several people are' : writing.size > 1 ? `${names} are` : `${names} is`
      line.textContent = writing.size === 0 ? '' : `${many} writing…`
    },

    clear() {
      writing.clear()
      line.textContent = ''
    },
  }
}
