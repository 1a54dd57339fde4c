// What the disk itself does: 4 KiB written over and synced, one after another, and after a rest, which makes a disk slower.

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { quantile } from './processes.ts'

const BLOCK = Buffer.alloc(4096, 1)
const BLOCKS = 256

const syncing = (directory: string) => {
  const path = join(directory, 'fsync')
  const file = openSync(path, 'w')
  let count = 0
  return {
    sync: (): void => {
      writeSync(file, BLOCK, 0, BLOCK.length, (count++ % BLOCKS) * BLOCK.length)
      fdatasyncSync(file)
    },
    close: (): void => {
      closeSync(file)
      rmSync(path)
    },
  }
}

/** A second, one right after another. */
export const fsyncRate = (directory: string, seconds: number): number => {
  const { sync, close } = syncing(directory)
  const until = performance.now() + seconds * 1_000
  let count = 0
  for (; performance.now() < until; count++) sync()
  close()
  return count / seconds
}

/** Median ms of one, `perSecond` of them with rests between. */
export const restingFsyncMs = async (directory: string, perSecond: number, seconds: number): Promise<number> => {
  const { sync, close } = syncing(directory)
  const took: number[] = []
  for (let count = 0; count < perSecond * seconds; count++) {
    await pause(1_000 / perSecond)
    const from = performance.now()
    sync()
    took.push(performance.now() - from)
  }
  close()
  return quantile(took, 0.5)
}
