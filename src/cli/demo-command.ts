// `hansard demo`: a log of an IRC channel played as life, against a server of the demo's own or one that is named.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { pause } from '../actors/ports.ts'
import { ConfigError, type SettingName } from '../config.ts'
import { type Ask, Cast, detailOf } from '../demo/cast.ts'
import { moneypotPerformers, nativePerformers } from '../demo/performers.ts'
import { type PlayedFile, type Progress, play, type Report } from '../demo/play.ts'
import { channelOf, readIrcLog } from '../import/irc-log.ts'
import { WallClock } from '../wall-clock.ts'
import { rows, type Task } from './commands.ts'
import { TOKEN_FILE } from './door.ts'
import { dayOf } from './import-command.ts'
import { openServer } from './serve-command.ts'

const SAMPLE = join(import.meta.dirname, '../demo/sample/2026-03-14.log')
/** the room of the page at / */
const LOBBY = 'moneypot:2'
const DIALECTS = ['native', 'moneypot']
const BAR = 24
/** of a cut-short text of a refused line */
const SHOWN = 60

interface Stage {
  readonly url: string
  readonly token: string
  /** where its token is, for the commands that are printed */
  readonly tokenFile: string | null
  close(): Promise<void>
}

/** @throws ConfigError, DirectoryLocked, StageRefused */
export const demoCommand = async (task: Task): Promise<void> => {
  const { own: flags, print, say } = task
  const speed = flags.speed === 'max' ? Number.POSITIVE_INFINITY : Number(flags.speed ?? 60)
  if (!(speed > 0)) throw new ConfigError(`--speed ${flags.speed}: how many times faster, e.g. 60, or max`)
  const dialect = flags.dialect ?? 'native'
  if (!DIALECTS.includes(dialect)) throw new ConfigError(`--dialect ${dialect}: ${DIALECTS.join(' or ')}`)
  const url = flags.url ?? task.environment.HANSARD_URL
  if (url !== undefined && flags.room === undefined)
    throw new ConfigError(`${url} is a server of its own: say where to play with --room, e.g. --room moneypot:100`)
  const room = flags.room ?? LOBBY
  if (!/^moneypot:[0-9]{1,9}$/.test(room))
    throw new ConfigError(`--room ${room}: an alias that any account may enter by, e.g. moneypot:100`)
  const read = (task.words.length === 0 ? [SAMPLE] : task.words).map(fileOf)
  read.sort((one, other) => one.day.localeCompare(other.day))

  const signal = task.interrupted()
  const stage = await (url === undefined ? ownStage(task) : namedStage(url, task))
  const clock = new WallClock()
  try {
    const ask = asking(stage)
    await openRoom(ask, room, flags.name ?? read[0]?.channel ?? room)
    print(`playing in ${room} on ${stage.url}${room === LOBBY ? '/, where you can watch and join in' : ''}\n`)
    const enter = dialect === 'native' ? nativePerformers(stage.url, room) : await moneypotPerformers(stage.url, room)
    const report = await play({ files: read, cast: new Cast(ask), enter, clock, speed, signal, progress: bar(say) })
    print(reported(report, room))
    print(whereToLook(stage, room))
    if (url === undefined && !signal.aborted) {
      print('The server goes on until Ctrl-C.\n')
      await new Promise((ended) => signal.addEventListener('abort', ended, { once: true }))
    }
  } finally {
    // What the last clients left behind is told before the server goes.
    await pause(clock, 50)
    clock.stop()
    await stage.close()
  }
}

const fileOf = (path: string): PlayedFile & { readonly day: string; readonly channel: string | null } => {
  const { name, day } = dayOf(path)
  const text = readFileSync(path, 'utf8')
  return { name, day, channel: channelOf(text), lines: readIrcLog(text, day) }
}

/** In a directory that is given, or in one that is gone with the demo. */
const ownStage = async ({ config, own, origins }: Task): Promise<Stage> => {
  const directory = own.data === undefined ? mkdtempSync(join(tmpdir(), 'hansard-demo-')) : resolve(own.data)
  const tokenFile = join(directory, TOKEN_FILE)
  const given = (name: SettingName): boolean => origins[name].from === 'flag'
  const settings = Object.keys(config) as SettingName[]
  const listeners = settings.filter((name) => name.startsWith('LISTEN_') && !given(name))
  const { server, clock, token } = await openServer({
    ...config,
    ...Object.fromEntries(listeners.map((name) => [name, null])),
    DATA: directory,
    ...{ LOG: 'sqlite:', WEBHOOK_URL: '' },
    ...(given('HOST') ? {} : { HOST: '127.0.0.1' }),
    ...(given('PORT') ? {} : { PORT: 0 }),
    ...(given('RATE_MESSAGES') ? {} : { RATE_MESSAGES: 'off' as const }),
    ...(given('RATE_ACTS') ? {} : { RATE_ACTS: 'off' as const }),
    ...(given('LOG_LEVEL') ? {} : { LOG_LEVEL: 'warn' as const }),
  })
  return {
    url: server.url,
    token,
    tokenFile: existsSync(tokenFile) ? tokenFile : null,
    close: async () => {
      await server.close('the demo is over')
      clock.stop()
      if (own.data === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
}

const namedStage = async (url: string, { config, own, environment }: Task): Promise<Stage> => {
  const token = own.token || environment.HANSARD_TOKEN || config.ADMIN_TOKEN
  if (!token) throw new ConfigError(`no token for ${url}: give --token, or HANSARD_TOKEN, an admin's`)
  return { url: url.replace(/\/+$/, ''), token, tokenFile: null, close: async () => {} }
}

const asking =
  ({ url, token }: Stage): Ask =>
  async (method, path, body) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...json },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new ConfigError(
        `no server answers at ${url}: ${(error.cause as Error | undefined)?.message ?? error.message}`,
      )
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) }
  }

const openRoom = async (ask: Ask, alias: string, name: string): Promise<void> => {
  const known = await ask('GET', `/rooms/${encodeURIComponent(alias)}`)
  if (known.status === 200) return
  if (known.status !== 404) throw new ConfigError(`the server refuses: ${detailOf(known.body)}`)
  const opened = await ask('POST', '/rooms', { name, aliases: [alias] })
  if (opened.status !== 201) throw new ConfigError(`the server refuses: ${detailOf(opened.body)}`)
}

const bar = (say: (text: string) => void) => {
  let shown = Number.NEGATIVE_INFINITY
  return (told: Progress): void => {
    const { file, done, of } = told
    if (done < of && performance.now() - shown < 200) return
    shown = performance.now()
    const full = Math.floor((BAR * done) / of)
    const rest =
      told.stage === 'accounts'
        ? `${done} of ${of} accounts`
        : `${new Date(told.at).toISOString().slice(5, 16).replace('T', ' ')}  ${told.said} said  ${told.here} here`
    const line = `${file} [${'#'.repeat(full)}${'-'.repeat(BAR - full)}] ${Math.floor((100 * done) / of)} %  ${rest}`
    say(`\r${line.padEnd(100)}${done === of ? '\n' : ''}`)
  }
}

const reported = (report: Report, room: string): string => {
  const { lines, said, entered, trimmed, refused, bans, passedOver, whole } = report
  const parts = [
    `${whole ? 'Played' : 'Stopped after'} ${lines} lines in ${room}: ${said} messages, ${entered} entries`,
    ...(trimmed > 0 ? [`${trimmed} said without the blanks at their ends`] : []),
    ...(bans > 0 ? [`bans noted without a target, since a mask names nobody here: ${bans}`] : []),
    ...(passedOver > 0 ? [`${passedOver} passed over (modes, topics, notices)`] : []),
    ...(refused.length > 0 ? [`${refused.length} refused:`] : []),
  ]
  const listed = refused.map(({ file, line, nick, code, text }) => [
    `  ${basename(file)}:${line}`,
    nick,
    code,
    `${[...text].length} characters`,
    text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text,
  ])
  return `\n${parts.join('\n')}\n${rows(listed)}`
}

const whereToLook = ({ url, tokenFile }: Stage, room: string): string => {
  const bearer = tokenFile ? `$(cat ${tokenFile})` : '<token>'
  const asked = `curl -H "Authorization: Bearer ${bearer}" ${url}/api/v1`
  return [
    '',
    ...(room === LOBBY ? [`  the page      ${url}/`] : []),
    `  the messages  ${asked}/rooms/${room}/messages`,
    `  connections   ${asked}/connections`,
    `  every fact    ${asked}/facts`,
    '',
    '',
  ].join('\n')
}
