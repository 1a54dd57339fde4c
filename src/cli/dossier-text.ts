// The dossier of a connection as a page to read: newest knowledge first, one line a fact.

import { rows } from './commands.ts'
import type { Dossier, Step } from './dossier.ts'

const section = (title: string, body: string): string => `\n## ${title}\n\n${body === '' ? 'none\n' : body}`

const told = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const fields = (given: object): string => rows(Object.entries(given).map(([name, value]) => [name, told(value)]))

/** Timers that were not set before it. */
const newTimers = (step: Step, before: Step | undefined): string =>
  step.timers
    .filter(({ id, due }) => !before?.timers.some((other) => other.id === id && other.due === due))
    .map(({ id, due }) => `[${id} due ${due}]`)
    .join(' ')

const causeText = ({ cause }: Step): string =>
  cause?.name ? `by ${cause.kind === 'timer' ? 'timer ' : ''}${cause.name}` : ''

const lifeText = (life: readonly Step[]): string =>
  rows(
    life.map((step, index) => {
      const before = life[index - 1]
      const state = step.state === null ? '(unknown)' : step.state === before?.state ? '' : `→ ${step.state}`
      const after = [newTimers(step, before), step.type === 'ConnectionOpened' ? '(in force, above)' : told(step.data)]
        .filter((part) => part !== '')
        .join(' ')
      return [String(step.revision), step.at, step.type, causeText(step), state, after]
    }),
  )

export const dossierText = (dossier: Dossier): string => {
  const { connection, inForce, life, refusals, related, relatedCutOff, moderation } = dossier
  const { statechart, settings, version, opened } = inForce
  const isSame = statechart.inForce === statechart.foldedBy
  return [
    `# connection ${connection.id}\n\n`,
    fields(connection),
    section('in force', fields({ ...opened, version: version ?? 'not on record', statechart: statechart.inForce })),
    isSame ? '' : `\nThe states below are those of a later statechart, ${statechart.foldedBy}.\n`,
    section('life: facts, what each was decided for, the state after it, timers set', lifeText(life)),
    section('refused', refusals.map(({ revision, at, data }) => rows([[String(revision), at, told(data)]])).join('')),
    section(
      'in rooms and its account',
      rows(related.map(({ at, stream, revision, type, data }) => [at, `${stream}@${revision}`, type, told(data)])),
    ),
    relatedCutOff ? '\nThere is more of these.\n' : '',
    section('what staff did to its account', moderation.map((act) => rows([[told(act)]])).join('')),
    section('settings of its server', settings === null ? 'not on record\n' : fields(settings)),
  ].join('')
}
