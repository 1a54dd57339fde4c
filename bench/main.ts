// npm run bench: what must be fast, beside bare alternatives in the same run. `npm run bench -- append idle` runs these
// only, `npm run bench -- PLIC` fan-out in this protocol. JSON goes to stdout and, bench by bench, into
// reports/bench.json, where what was not run stays.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { measureAppend } from './append.ts'
import { measureAsOf } from './as-of.ts'
import { measureFanOut, subjectNames } from './fan-out.ts'
import { measureIdle } from './idle.ts'
import { removeMillion } from './million.ts'
import { pinned, say } from './processes.ts'
import { measureRebuild } from './rebuild.ts'
import { measureStart } from './start.ts'

const REPORT = 'reports/bench.json'
const wanted = process.argv.slice(2)
const protocols = wanted.filter((name) => subjectNames.includes(name))
const benches: Readonly<Record<string, () => Promise<object>>> = {
  'fan-out': () => measureFanOut(protocols),
  append: measureAppend,
  idle: measureIdle,
  rebuild: measureRebuild,
  'as-of': measureAsOf,
  start: measureStart,
}
const unknown = wanted.find((name) => !(name in benches) && !protocols.includes(name))
if (unknown !== undefined) {
  say(`no bench ${unknown}: ${[...Object.keys(benches), ...subjectNames].join(', ')}`)
  process.exit(2)
}
const chosen = Object.keys(benches).filter(
  (name) => wanted.length === 0 || wanted.includes(name) || (name === 'fan-out' && protocols.length > 0),
)

const figures: Record<string, object> = {}
try {
  for (const name of chosen) {
    say(`bench ${name}`)
    figures[name] = { ...(await benches[name]?.()), measured: new Date().toISOString() }
  }
} finally {
  await removeMillion()
}
const machine = { pinned, node: process.version, cpu: cpus()[0]?.model, cores: cpus().length }
const kept = existsSync(REPORT) ? JSON.parse(readFileSync(REPORT, 'utf8')) : {}
mkdirSync('reports', { recursive: true })
writeFileSync(REPORT, `${JSON.stringify({ ...kept, machine, ...figures }, null, 2)}\n`)
process.stdout.write(`${JSON.stringify({ machine, ...figures }, null, 2)}\n`)
