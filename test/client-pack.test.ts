// What `npm pack` ships, used elsewhere: plain JavaScript with types, and no dependency of the server's.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runServer, type TestServer } from './running-server.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const tsc = join(root, 'node_modules/.bin/tsc')

let server: TestServer
let directory: string
beforeAll(async () => {
  server = await runServer()
  directory = await mkdtemp(join(tmpdir(), 'hansard-pack-'))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: root })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }]
  await mkdir(join(directory, 'node_modules/hansard'), { recursive: true })
  const archive = join(directory, packed.filename)
  await run('tar', ['-xzf', archive, '-C', join(directory, 'node_modules/hansard'), '--strip-components=1'])
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
}, 60_000)
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

const SCRIPT = `import { connect } from 'hansard/client'
const chat = await connect({ url: process.argv[2], token: process.argv[3] })
const room = await chat.join('moneypot:2')
const id = await room.post('from the pack')
console.log(JSON.stringify({ id, texts: room.messages.map((message) => message.text) }))
chat.close()
`

describe('the packed client', () => {
  it('chats where nothing else of hansard is installed', async () => {
    await writeFile(join(directory, 'chat.js'), SCRIPT)
    const { token } = await server.account('packer')
    const url = `${server.url.replace('http', 'ws')}/native`
    const { stdout } = await run(process.execPath, ['chat.js', url, token], { cwd: directory })
    expect(JSON.parse(stdout)).toEqual({ id: expect.any(Number), texts: ['from the pack'] })
  })

  it('is typed', async () => {
    const typed = SCRIPT.replaceAll('process.argv[2]', "'ws://x'").replaceAll('process.argv[3]', "'t'")
    await writeFile(join(directory, 'good.ts'), typed)
    await writeFile(join(directory, 'bad.ts'), typed.replace("post('from the pack')", 'post(5)'))
    const check = (file: string) =>
      run(
        tsc,
        [
          '--noEmit',
          '--strict',
          '--target',
          'es2024',
          '--module',
          'nodenext',
          '--types',
          '',
          '--lib',
          'es2024,dom',
          file,
        ],
        {
          cwd: directory,
        },
      )
    await check('good.ts')
    await expect(check('bad.ts')).rejects.toMatchObject({ stdout: expect.stringContaining('TS2345') })
  }, 60_000)
})
