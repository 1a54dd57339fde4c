// The Dockerfile's steps done by hand, without an engine: the same files, the same `npm ci`, the same command, as
// somebody who may write to nothing but the data directory. The health check is the Dockerfile's own.

import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n\s*/g, '')
const [, install = ''] = /^RUN (npm ci .*)$/m.exec(dockerfile) ?? []
const command = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[]
const [, , check = ''] = JSON.parse(/^HEALTHCHECK .* CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[]

it('starts with the dependencies of production alone, writes to its data only, is healthy, and stops in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hansard-production-'))
  const [app, data] = [join(folder, 'app'), join(folder, 'data')]
  try {
    mkdirSync(app)
    for (const name of ['package.json', 'package-lock.json', 'LICENSE']) cpSync(join(ROOT, name), join(app, name))
    cpSync(join(ROOT, 'src'), join(app, 'src'), { recursive: true, filter: (name) => !name.endsWith('.test.ts') })
    execFileSync('sh', ['-c', install], { cwd: app, stdio: 'pipe' })
    expect(existsSync(join(app, 'node_modules/node'))).toBe(false)
    expect(existsSync(join(app, 'node_modules/vitest'))).toBe(false)
    mkdirSync(data, { mode: 0o700 })
    if (isRoot) chownSync(data, NOBODY, NOBODY)
    execFileSync('chmod', ['-R', 'a+rX,a-w', app])
    execFileSync('chmod', ['a+rx', folder])
    const [program, ...args] = command
    expect(program).toBe('node')
    const child = spawn(process.execPath, args, {
      ...{ cwd: app, stdio: ['ignore', 'pipe', 'pipe'] as const },
      env: { NODE_ENV: 'production', HANSARD_DATA: data, HANSARD_PORT: '0', HOME: '/nowhere' },
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    })
    const exited = once(child, 'exit')
    let printed = ''
    const url = await new Promise<string>((resolve, reject) => {
      exited.then(([code]) => reject(new Error(`it ended with ${code}: ${printed}`)))
      const hear = (text: Buffer) => {
        printed += text
        const [, address] = /listening on (\S+)/.exec(printed) ?? []
        if (address) resolve(address)
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
    })
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ ready: true, problems: [] })
    const healthy = (script: string) => promisify(execFile)(process.execPath, ['-e', script])
    await healthy(check.replace('http://127.0.0.1:8080', url))
    child.kill('SIGTERM')
    expect((await exited)[0]).toBe(0)
    await expect(healthy(check.replace('http://127.0.0.1:8080', url))).rejects.toMatchObject({ code: 1 })
  } finally {
    execFileSync('chmod', ['-R', 'u+w', folder])
    rmSync(folder, { recursive: true, force: true })
  }
}, 300_000)
