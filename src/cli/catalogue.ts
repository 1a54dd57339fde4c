// Every command: what `hansard help` prints and what is run are the same table. What a command needs is loaded when it
// runs, so that one that only asks a server starts at once.

import type { Command } from './commands.ts'
import { debugCommand } from './debug-command.ts'
import { demoCommands } from './demo-commands.ts'
import { logCommands } from './log-commands.ts'
import { fileCommands } from './log-files.ts'
import { orderCommands } from './order-commands.ts'
import { roomCommands } from './room-commands.ts'
import { userCommands } from './user-commands.ts'

export const catalogue: Readonly<Record<string, Command>> = {
  serve: {
    usage: 'serve',
    says: 'runs the server, until SIGTERM or Ctrl-C (the default)',
    run: async (task) => {
      // From the first moment on: process 1 of a container has no other ear for signals.
      const told = task.interrupted()
      await (await import('./serve-command.ts')).serve(task, told)
    },
  },
  config: {
    usage: 'config',
    says: 'every setting, its value and where it comes from; of a secret, that it is set',
    options: { json: 'prints JSON' },
    run: async ({ origins, own, print }) => {
      const { configJson, configText } = await import('./config-command.ts')
      print('json' in own ? `${JSON.stringify(configJson(origins))}\n` : configText(origins))
    },
  },
  ...userCommands,
  ...roomCommands,
  ...orderCommands,
  ...logCommands,
  'debug connection': debugCommand,
  'import irc': {
    usage: 'import irc FILE… [--room ALIAS] [--name NAME]',
    says: 'puts logs of an IRC channel, one file a day (2006-06-01.log), into the log with their own times; the server must not be running',
    more: [
      'A line is stored once however often it is given, and a run that was cut off goes on where it was. Nobody can sign in as the people of an import.',
    ],
    words: [1, Number.POSITIVE_INFINITY],
    options: {
      room: 'ALIAS  where, as moneypot:100, opened when it is not there; without it, a room of the channel’s own',
      name: 'NAME  the name of a room that is opened (the channel’s)',
    },
    run: async (task) => (await import('./import-command.ts')).importCommand(task),
  },
  ...demoCommands,
  ...fileCommands,
}
