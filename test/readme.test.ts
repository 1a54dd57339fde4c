// The README's commands, as a newcomer pastes them.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runServer, type TestServer } from './running-server.ts'

let server: TestServer
let directory: string
beforeAll(async () => {
  server = await runServer()
  directory = await mkdtemp(join(tmpdir(), 'hansard-readme-'))
  await mkdir(join(directory, 'data'))
  await writeFile(join(directory, 'data', 'admin-token'), `${server.ownerTokenText}\n`)
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

it('the first five minutes run as they stand', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, script] = /```sh\n([\s\S]*?)```/.exec(readme) ?? []
  const commands = (script ?? '').replaceAll('http://127.0.0.1:8080', server.url)
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], { cwd: directory })
  for (const said of [
    '"RoomOpened"',
    '"username":"ana"',
    '"text":"welcome"',
    '"reason":"trying it"',
    '"dialect":"rest"',
  ]) {
    expect(stdout).toContain(said)
  }
})

it('every file it links to is there', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  for (const [, link] of readme.matchAll(/\]\((?!http)([^)#]+)[^)]*\)/g)) {
    await expect(readFile(join(import.meta.dirname, '..', link as string))).resolves.toBeDefined()
  }
})
