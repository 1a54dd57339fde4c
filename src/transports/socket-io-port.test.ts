import { EventEmitter } from 'node:events'
import type { Socket as IoSocket } from 'socket.io'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { IoPort } from './socket-io-port.ts'
import { Batch } from './transport.ts'

/** As much of engine.io as a port meets: what is written answers the poll that waits. */
class Engine extends EventEmitter {
  readonly transport = Object.assign(new EventEmitter(), { name: 'polling', protocol: 4, writable: true })
  readonly readyState = 'open'
  readonly answers: string[] = []

  write(data: string): void {
    this.transport.writable = false
    this.answers.push(data)
  }

  poll(): void {
    this.transport.writable = true
    this.transport.emit('ready')
  }
}

let engine: Engine
let port: IoPort
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  engine = new Engine()
  port = new IoPort({ conn: engine } as unknown as IoSocket, 'c1', null)
})
afterEach(() => vi.useRealTimers())

const said = (text: string) => new Batch([{ event: 'said', args: [text] }])
const answered = () => new Batch([{ ack: 7, args: [] }])

describe('over polling', () => {
  it('what is told after a pause leaves at once, and what follows is gathered for a while', () => {
    port.write([said('one')])
    expect(engine.answers).toEqual(['2["said","one"]'])
    engine.poll()
    port.write([said('two')])
    port.write([said('three')])
    vi.advanceTimersByTime(11)
    expect(engine.answers).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(engine.answers[1]).toBe('2["said","two"]\x1e42["said","three"]')
  })

  it('the answer to what its client asked takes along what was gathered, and waits for nothing but a poll', () => {
    port.write([said('one')])
    port.write([said('two')])
    port.write([answered()])
    expect(engine.answers).toHaveLength(1)
    engine.poll()
    expect(engine.answers[1]).toBe('2["said","two"]\x1e437[]')
    engine.poll()
    port.write([said('three')])
    expect(engine.answers).toHaveLength(2)
  })
})
