// `hansard rebuild`: of the server that runs on the data directory, or here where none runs.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Clock, pause } from '../actors/ports.ts'
import { type Config, ConfigError } from '../config.ts'
import { lockDirectory } from '../log/directory-lock.ts'
import { isServerAddress } from '../log/server-address.ts'
import type { AtPoison, Building } from '../projections/generations.ts'
import { ThreadedReadModels } from '../projections/read-models.ts'
import { WallClock } from '../wall-clock.ts'
import { progressOn, type Task } from './commands.ts'
import { openDoor, runningServer } from './door.ts'

const LOOK_EVERY_MS = 200

/** Whoever wants to hear how far it is. */
interface Watcher {
  readonly clock: Clock
  told(building: Building | null): void
}

/** @throws ConfigError, DirectoryLocked, LogUnavailable; PoisonFact naming the position it cannot go beyond */
export const rebuildCommand = async (task: Task): Promise<void> => {
  const clock = new WallClock()
  const started = clock.now()
  const show = progressOn(task, 'making the read models anew', 'positions')
  const told = (building: Building | null) => {
    if (building) show(building.position, building.head)
  }
  const watcher = { clock, told }
  try {
    const runs = (await runningServer(task)) !== null
    const position = runs ? await ofServer(task, watcher) : await here(task.config, watcher)
    show(position, position)
    task.print(`rebuilt up to position ${position} in ${((clock.now() - started) / 1_000).toFixed(1)} s\n`)
  } finally {
    clock.stop()
  }
}

const ofServer = async (task: Task, { clock, told }: Watcher): Promise<number> => {
  const door = await openDoor(task, { running: true })
  let status = await door.ask('POST', '/read-models/rebuild', { atPoison: task.config.REBUILD_POISON })
  while (status.building) {
    told(status.building)
    const { stopped } = status.building
    if (stopped !== null) throw new ConfigError(`the read models in force are kept: ${stopped}`)
    await pause(clock, LOOK_EVERY_MS)
    status = await door.ask('GET', '/read-models')
  }
  return Number(status.position.split('-').at(-1))
}

const here = async (config: Config, watcher: Watcher): Promise<number> => {
  const directory = resolve(config.DATA)
  const address = isServerAddress(config.LOG) ? config.LOG : null
  if (!address && !existsSync(join(directory, 'log.db')))
    throw new ConfigError(`no log in ${directory}; give its directory with --data`)
  const lock = lockDirectory(directory)
  try {
    return await rebuild(directory, address, config.REBUILD_POISON, watcher)
  } finally {
    lock.close()
  }
}

/** Makes them anew where no server runs; those that are there stay until it is done. Returns how far they are. */
export const rebuild = async (
  directory: string,
  address: string | null = null,
  atPoison: AtPoison = 'stop',
  watcher: Watcher | null = null,
): Promise<number> => {
  const readModels = new ThreadedReadModels(directory, address, atPoison)
  let cancel = () => {}
  const look = ({ clock, told }: Watcher): void => {
    cancel = clock.at(clock.now() + LOOK_EVERY_MS, () => {
      look({ clock, told })
      readModels.status().then(
        ({ building }) => told(building),
        () => {},
      )
    })
  }
  if (watcher) look(watcher)
  try {
    await readModels.rebuild(atPoison)
    return (await readModels.settled()).position
  } finally {
    cancel()
    await readModels.close()
  }
}
