import type { Command } from './commands.ts'

const demo: Omit<Command, 'usage' | 'words' | 'says'> = {
  more: [
    'Every nick is a client that comes, talks and leaves. On a server of its own, in a directory that goes with it; or on another, as --url or HANSARD_URL says.',
  ],
  options: {
    speed: 'N|max  times faster than it was (60)',
    dialect: 'NAME  native or moneypot (native); Moneypot refuses what is longer than 350 characters',
    room: 'ALIAS  where, as moneypot:100 (moneypot:2, the room of the page at /); opened when it is not there',
    name: 'NAME  the name of a room that is opened (the channel’s)',
    data: 'DIRECTORY  keeps the demo’s log there',
    url: 'URL  the server to play on, else HANSARD_URL',
    token: 'TOKEN  an admin’s on that server, else HANSARD_TOKEN',
  },
  run: async (task) => (await import('./demo-command.ts')).demoCommand(task),
}

export const demoCommands: Readonly<Record<string, Command>> = {
  demo: { ...demo, usage: 'demo', says: 'plays a log that comes with it as life, to have something to look at' },
  'demo irc': {
    ...demo,
    usage: 'demo irc FILE…',
    says: 'plays logs of an IRC channel as life, one file a day (2006-06-01.log)',
    words: [1, Number.POSITIVE_INFINITY],
  },
}
