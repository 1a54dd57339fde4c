// The image and the composition as text: no engine is here to run them. What they rest on is looked at for real: names
// and values of settings, files that are copied, paths and ports that must be the same in two places.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { catalogue } from '../src/cli/catalogue.ts'
import { readConfig, settings } from '../src/config.ts'

const ROOT = join(import.meta.dirname, '..')
const text = (name: string): string => readFileSync(join(ROOT, name), 'utf8')

interface Service {
  readonly image?: string
  readonly user?: string
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly restart?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly networks?: Readonly<Record<string, { readonly ipv4_address?: string } | null>>
  readonly stop_grace_period?: string
}

const compose = parse(text('docker-compose.yml')) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, null>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>
}
const { proxy, hansard, kurrentdb } = compose.services as Record<'proxy' | 'hansard' | 'kurrentdb', Service>

/** Instructions with their lines joined, as the builder reads them. */
const instructions = text('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split(/ (.*)/s) as [instruction: string, rest: string])
const given = (name: string): string[] => instructions.flatMap(([word, rest]) => (word === name ? [rest] : []))
const lastStage = instructions.slice(instructions.findLastIndex(([word]) => word === 'FROM'))
const imageEnvironment = Object.fromEntries(
  given('ENV').flatMap((line) => [...line.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value])),
)

const filled = (environment: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      `${value}`.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll(/\$\{\w+:\?[^}]*\}/g, 'k'.repeat(32)),
    ]),
  )

describe('the composition', () => {
  it.each(Object.entries(compose.services))(
    '%s is pinned, comes back, is watched and keeps its data',
    (_name, service) => {
      expect(service.image).toMatch(/^[\w./-]+:\d[\w.-]*$/)
      expect(service.restart).toBe('unless-stopped')
      expect(service.healthcheck?.test[0]).toBe('CMD')
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('./')) expect(existsSync(join(ROOT, source))).toBe(true)
        else expect(Object.keys(compose.volumes)).toContain(source)
      }
      for (const needed of Object.keys(service.depends_on ?? {})) expect(compose.services).toHaveProperty(needed)
      for (const network of Object.keys(service.networks ?? {})) expect(compose.networks).toHaveProperty(network)
    },
  )

  it('lets the proxy alone be reached from outside, and the log by hansard alone', () => {
    expect(proxy.ports).toEqual(['80:80', '443:443', '443:443/udp'])
    expect([hansard.ports, kurrentdb.ports]).toEqual([undefined, undefined])
    expect(Object.keys(kurrentdb.networks ?? {})).toEqual(['store'])
    expect(Object.keys(proxy.networks ?? {})).not.toContain('store')
    expect([compose.networks.inside?.internal, compose.networks.store?.internal]).toEqual([true, true])
  })

  it('starts in order: log, server, proxy', () => {
    expect(hansard.depends_on).toEqual({ kurrentdb: { condition: 'service_healthy' } })
    expect(proxy.depends_on).toEqual({ hansard: { condition: 'service_healthy' } })
  })

  it('gives hansard settings that it knows and takes, with no secret in the file', () => {
    const environment = filled(hansard.environment ?? {})
    const { config } = readConfig({ ...imageEnvironment, ...environment }, {})
    expect(config).toMatchObject({ DATA: '/data', HOST: '0.0.0.0', PORT: 8080, PUBLIC_URL: 'https://localhost' })
    expect(config.TRUST_PROXY).toEqual([proxy.networks?.inside?.ipv4_address])
    expect(config.LOG).toBe('kurrentdb://kurrentdb:2113?tls=false')
    for (const [name, setting] of Object.entries(settings))
      if ('secret' in setting) expect(hansard.environment?.[`HANSARD_${name}`] ?? '${').toMatch(/^\$\{/)
  })

  it('gives hansard nothing to write to but its data', () => {
    const { read_only, user, tmpfs, cap_drop, security_opt, volumes } = hansard
    expect({ read_only, user, tmpfs, cap_drop, security_opt }).toEqual({
      ...{ read_only: true, user: 'node', tmpfs: ['/tmp'], cap_drop: ['ALL'] },
      security_opt: ['no-new-privileges:true'],
    })
    expect(volumes).toEqual([`data:${imageEnvironment.HANSARD_DATA}`])
  })

  it('waits longer than a stop takes', () => {
    const [, drain = ''] = /DRAIN_MS = ([\d_]+)/.exec(text('src/cli/serve-command.ts')) ?? []
    expect(Number.parseInt(hansard.stop_grace_period ?? '', 10) * 1_000).toBeGreaterThan(Number(drain.replace('_', '')))
  })

  it('has the proxy send everything to where hansard listens, and figures to nobody', () => {
    const caddy = text('Caddyfile')
    expect(caddy).toContain('reverse_proxy hansard:8080')
    expect(caddy).toMatch(/@inside path \/metrics \/readyz \/healthz\n\s*respond @inside 404/)
    expect(caddy).toContain('{$SITE:localhost}')
    expect(proxy.environment?.SITE).toMatch(/^\$\{SITE:-localhost\}$/)
  })
})

describe('the image', () => {
  it('is made of Node 24, in two stages, with the dependencies of production alone', () => {
    expect(given('FROM').map((from) => from.split(' ')[0])).toEqual(['node:24-slim', 'node:24-slim'])
    expect(given('RUN')[0]).toContain('npm ci --omit=dev --ignore-scripts')
    const { dependencies, devDependencies } = JSON.parse(text('package.json'))
    expect([dependencies.node, devDependencies.node]).toEqual([undefined, expect.stringContaining('24')])
    expect(lastStage.map(([word]) => word)).not.toContain('ADD')
  })

  it('copies files that are there, and its context holds no others', () => {
    const copied = given('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1))
    expect(copied).toContain('src')
    for (const name of copied) expect(existsSync(join(ROOT, name)), name).toBe(true)
    const ignored = text('.dockerignore').split('\n')
    const let_in = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    expect(ignored).toContain('*')
    expect(let_in.sort()).toEqual([...new Set(copied)].sort())
  })

  it('runs as no root, with a data directory of its own, and stops by signal', () => {
    const words = lastStage.map(([word]) => word)
    expect(given('USER')).toEqual(['node'])
    expect(words.indexOf('USER')).toBeGreaterThan(words.lastIndexOf('RUN'))
    expect(given('VOLUME')).toEqual([imageEnvironment.HANSARD_DATA])
    expect(given('RUN').at(-1)).toContain(`install -d -o node -g node -m 0700 ${imageEnvironment.HANSARD_DATA}`)
    expect(given('EXPOSE')).toEqual([settings.PORT.fallback])
    // The exec form: a shell would swallow SIGTERM. The command is that of `npm start`.
    const { scripts } = JSON.parse(text('package.json')) as { readonly scripts: { readonly start: string } }
    expect(['exec', ...(JSON.parse(given('CMD')[0] as string) as string[])]).toEqual(scripts.start.split(' '))
  })

  it('asks its own health without curl, as the composition does', () => {
    const [, check = ''] = / CMD (.*)$/.exec(given('HEALTHCHECK')[0] as string) ?? []
    const command = JSON.parse(check)
    expect(command.slice(0, 2)).toEqual(['node', '-e'])
    expect(command[2]).toContain(`http://127.0.0.1:${settings.PORT.fallback}/readyz`)
    expect(hansard.healthcheck?.test).toEqual(['CMD', ...command])
  })
})

it('docs/operations.md names settings, metrics and commands that there are', () => {
  const page = text('docs/operations.md')
  const names = (form: RegExp) => [...new Set([...page.matchAll(form)].map(([, name]) => name as string))]
  const known = [...Object.keys(settings), 'URL', 'TOKEN']
  expect(names(/HANSARD_([A-Z_]+)/g).filter((name) => !known.includes(name))).toEqual([])
  const health = text('src/api/health.ts')
  const metrics = names(/`(hansard_\w+)/g)
  expect(metrics.length).toBeGreaterThan(4)
  expect(metrics.filter((name) => !health.includes(`'${name}'`))).toEqual([])
  const commands = names(/npm run hansard -- ([a-z]+(?: connection| list| export)?)/g)
  expect(commands.filter((name) => name !== 'help' && !Object.hasOwn(catalogue, name))).toEqual([])
  expect(commands).toContain('restore')
})
