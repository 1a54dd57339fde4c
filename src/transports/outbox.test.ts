// An outbox before a socket whose reader is as slow as the test wants.

import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import { Outbox } from './outbox.ts'
import { Batch, type Socket } from './transport.ts'

/** Takes what is written, and keeps it waiting until it is read. Sizes are those of the first frame's argument. */
class SlowSocket implements Socket {
  readonly id = 'c1'
  readonly transport = 'slow'
  readonly address = ''
  readonly writes: number[] = []
  waiting = 0

  write(batches: readonly Batch[]): number {
    const size = batches
      .flatMap(({ frames }) => frames)
      .reduce((sum, frame) => sum + (frame as unknown as { args: [number] }).args[0], 0)
    this.writes.push(size)
    this.waiting += size
    return size
  }

  read(bytes: number): void {
    this.waiting -= bytes
  }

  bufferedBytes(): number {
    return this.waiting
  }

  close(): void {}
}

const MIB = 1024 * 1024
let clock: VirtualClock
let socket: SlowSocket
let outbox: Outbox
let told: unknown[]

beforeEach(() => {
  clock = new VirtualClock()
  socket = new SlowSocket()
  told = []
  outbox = new Outbox(socket, clock, {
    flushLater: () => {},
    progressed: () => told.push(outbox.takeDelivered()),
    tooSlow: () => told.push('too slow'),
  })
})

const write = (bytes: number, revision: number) => {
  outbox.add(new Batch([{ event: 'x', args: [bytes] }]))
  outbox.reached('room', revision)
  outbox.flush()
}

it('writes what a turn brings as one, and nothing after its end', () => {
  outbox.add(new Batch([{ event: 'x', args: [1] }]))
  outbox.add(new Batch([{ event: 'x', args: [2] }]))
  outbox.flush()
  outbox.flush()
  outbox.add(new Batch([{ event: 'x', args: [4] }]))
  outbox.end([new Batch([{ event: 'x', args: [8] }])])
  outbox.add(new Batch([{ event: 'x', args: [16] }]))
  outbox.flush()
  outbox.end([])
  expect(socket.writes).toEqual([3, 12])
})

it('looks after nothing once it is closed', () => {
  write(10, 1)
  outbox.close()
  expect(clock.next()).toBe(Number.POSITIVE_INFINITY)
})

describe('what was surely handed over', () => {
  it('is what the network took', () => {
    write(10, 1)
    expect(outbox.takeDelivered()).toEqual({})
    socket.read(10)
    expect(outbox.takeDelivered()).toEqual({ room: 1 })
    expect(outbox.takeDelivered()).toEqual({})
    write(10, 2)
    socket.read(10)
    write(10, 3)
    expect(outbox.takeDelivered()).toEqual({ room: 2 })
  })

  it('does not count what still waits for this turn’s write', () => {
    outbox.add(new Batch([{ event: 'x', args: [1] }]))
    outbox.reached('room', 1)
    expect(outbox.takeDelivered()).toEqual({})
  })

  it('is told when a reader falls a second behind, and when it has caught up', () => {
    write(10, 1)
    socket.read(10)
    write(10, 2)
    clock.advance(999)
    expect(told).toEqual([])
    clock.advance(1)
    expect(told).toEqual([{ room: 1 }])
    write(10, 3)
    clock.advance(2_000)
    expect(told).toHaveLength(1)
    socket.read(20)
    clock.advance(1_000)
    expect(told).toEqual([{ room: 1 }, { room: 3 }])
  })

  it('is not told of a reader that keeps up', () => {
    for (let revision = 1; revision < 100; revision++) {
      write(10, revision)
      socket.read(10)
      clock.advance(100)
    }
    expect(told).toEqual([])
  })
})

describe('a reader is too slow', () => {
  it('with more than a MiB unread', () => {
    for (let written = 0; written <= MIB + 65_536; written += 65_536) write(65_536, written)
    expect(told).toEqual([])
    write(65_536, 0)
    expect(told).toEqual(['too slow'])
  })

  it('but not for one large snapshot', () => {
    write(3 * MIB, 1)
    write(100, 2)
    write(100, 3)
    expect(told).toEqual([])
    socket.read(3 * MIB + 200)
    for (let written = 0; written < 20; written++) write(65_536, written)
    expect(told).toContain('too slow')
  })

  it('with anything unread for twenty seconds', () => {
    write(100, 1)
    socket.read(99)
    clock.advance(19_999)
    expect(told).not.toContain('too slow')
    clock.advance(1_001)
    expect(told).toContain('too slow')
  })

  it('also while more is written', () => {
    for (let second = 0; second < 21; second++) {
      write(10, second)
      clock.advance(1_000)
    }
    expect(told).toContain('too slow')
  })

  it('but not while it reads on', () => {
    for (let second = 0; second < 120; second++) {
      write(1_000, second)
      if (second > 10) socket.read(1_000)
      clock.advance(1_000)
    }
    expect(told).not.toContain('too slow')
  })
})
