// A client of Engine.IO's long polling, as lean as may be: one request waits, and what was said meanwhile leaves as one.

import { Agent, request } from 'node:http'
import type { Account, Protocol } from './protocols.ts'

const SEPARATOR = '\x1e'
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

export class PollingClient {
  readonly #address: string
  readonly #protocol: Protocol
  readonly #account: Account | null
  readonly #count: (bytes: number) => void
  readonly #read: ((text: string) => void) | null
  #waiting: string[] = []
  #posting = false

  constructor(
    url: string,
    protocol: Protocol,
    account: Account | null,
    count: (bytes: number) => void,
    read: ((text: string) => void) | null,
  ) {
    this.#address = `${url}/socket.io/?EIO=4&transport=polling`
    this.#protocol = protocol
    this.#account = account
    this.#count = count
    this.#read = read
  }

  /** Resolves when messages come. */
  async signIn(): Promise<void> {
    const steps = [...this.#protocol.steps(this.#account)]
    let heard = ''
    let address = this.#address
    while (steps[0]) {
      heard += await ask(address)
      const [, sid] = /0\{"sid":"([^"]+)/.exec(heard) ?? []
      address = `${this.#address}&sid=${sid}`
      while (steps[0] && heard.includes(steps[0].waitFor)) {
        const next = steps.shift()?.send
        if (next) await ask(address, next)
      }
    }
    this.#sid = address
    void this.#poll()
  }

  #sid = ''

  async #poll(): Promise<void> {
    for (;;) {
      for (const packet of (await ask(this.#sid)).split(SEPARATOR)) {
        if (packet === '2') this.say('3')
        else {
          this.#count(packet.length)
          this.#read?.(packet)
        }
      }
    }
  }

  say(packet: string): void {
    this.#waiting.push(packet)
    if (!this.#posting) void this.#post()
  }

  async #post(): Promise<void> {
    this.#posting = true
    while (this.#waiting.length > 0) await ask(this.#sid, this.#waiting.splice(0).join(SEPARATOR))
    this.#posting = false
  }
}

const ask = (address: string, body?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'text/plain;charset=UTF-8' }
    const asking = request(address, { agent, method: body === undefined ? 'GET' : 'POST', headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part) => {
        text += part
      })
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(text)
        else reject(new Error(`${answer.statusCode}: ${text}`))
      })
    })
    asking.on('error', reject)
    asking.end(body)
  })
