// Coming in: a name, or a token.

import { takeName } from './identity.js'

const byId = (id) => document.getElementById(id)

/** `enter(someone)` is called with `{ username, token }` or a token alone; `maySignIn()` says whether this browser can. */
export function entryForms({ enter, maySignIn }) {
  function show(field = 'name', fault = '') {
    byId('entry').hidden = false
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

  return {
    /** Shows the forms, with a fault beneath one of the fields. */
    show,
    hide() {
      byId('entry').hidden = true
      byId('name-error').textContent = ''
      byId('token-error').textContent = ''
    },
  }
}
