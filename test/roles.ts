// Who may do what over the native API: the source of docs/roles.md, and what roles.test.ts puts to a running server, row by
// row. A role is where somebody stands towards the room that the act is about.

export const ROLES = [
  'anonymous',
  'guest',
  'stranger',
  'robot',
  'member',
  'mod',
  'owner',
  'space member',
  'space mod',
  'space owner',
  'admin',
] as const
export type Role = (typeof ROLES)[number]

export const MEANS: Readonly<Record<Role, string>> = {
  anonymous: 'without a token',
  guest: 'took a name where guests may, and is in no room',
  stranger: 'an account with role member that does not belong to the room',
  robot: 'an account with role robot that does not belong to the room',
  member: 'belongs to the room',
  mod: 'keeps order in the room',
  owner: 'owns the room',
  'space member': 'belongs to the space that the room is in',
  'space mod': 'keeps order in that space',
  'space owner': 'owns that space',
  admin: 'an account with role admin, in no room',
}

const everybody: readonly Role[] = ROLES.slice(1)
const readers: readonly Role[] = ['member', 'mod', 'owner', 'space member', 'space mod', 'space owner', 'admin']
const writers = readers
const staff: readonly Role[] = ['mod', 'owner', 'space mod', 'space owner', 'admin']
const chiefs: readonly Role[] = ['owner', 'space owner', 'admin']
const admins: readonly Role[] = ['admin']

/** Names that stand for what the test makes for every try. */
export interface Act {
  readonly says: string
  /** `{room}`, `{open}`, `{space}`, `{message}`, `{own}`, `{removed}`, `{token}`, `{ownToken}`, `{code}`, `{connection}`,
   * `{ownConnection}` are made anew */
  readonly asks: `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`
  readonly body?: unknown
  readonly may: readonly Role[]
}

/** `@self` is whoever asks, `@member2` a plain member, `@mod2` another mod, `@muted` and `@banned` what they say. */
export const ACTS: Readonly<Record<string, readonly Act[]>> = {
  'Reading a room': [
    { says: 'list rooms: those that one may read', asks: 'GET /rooms', may: everybody },
    { says: 'see the room', asks: 'GET /rooms/{room}', may: readers },
    { says: 'see a room that a protocol opens to all', asks: 'GET /rooms/{open}', may: everybody },
    { says: 'read its messages', asks: 'GET /rooms/{room}/messages', may: readers },
    { says: 'read the messages of a room open to all', asks: 'GET /rooms/{open}/messages', may: everybody },
    { says: 'search in it', asks: 'GET /rooms/{room}/search?q=said', may: readers },
    { says: 'search in all that one may read', asks: 'GET /search?q=said', may: everybody },
    { says: 'list its members', asks: 'GET /rooms/{room}/members', may: readers },
    { says: 'see how far everybody has read', asks: 'GET /rooms/{room}/reads', may: readers },
    { says: 'see its mute list', asks: 'GET /rooms/{room}/mutes', may: readers },
    { says: 'see its bans', asks: 'GET /rooms/{room}/bans', may: staff },
    { says: 'see its blocking rules', asks: 'GET /rooms/{room}/rules', may: staff },
  ],
  Messages: [
    { says: 'say something', asks: 'POST /rooms/{room}/messages', body: { text: 'hi' }, may: writers },
    {
      says: 'say something where all may read',
      asks: 'POST /rooms/{open}/messages',
      body: { text: 'hi' },
      may: admins,
    },
    {
      says: 'change an own message',
      asks: 'PATCH /rooms/{room}/messages/{own}',
      body: { text: 'new' },
      may: everybody,
    },
    {
      says: 'change another’s message',
      asks: 'PATCH /rooms/{room}/messages/{message}',
      body: { text: 'new' },
      may: [],
    },
    { says: 'remove an own message', asks: 'DELETE /rooms/{room}/messages/{own}', may: everybody },
    { says: 'remove another’s message', asks: 'DELETE /rooms/{room}/messages/{message}', may: staff },
    { says: 'read removed messages', asks: 'GET /rooms/{room}/messages?removed=read', may: staff },
    { says: 'restore a removed message', asks: 'POST /rooms/{room}/messages/{removed}/restore', may: staff },
  ],
  Order: [
    { says: 'mute a member', asks: 'POST /rooms/{room}/mutes', body: { user: '@member2', seconds: 9 }, may: staff },
    { says: 'lift a mute', asks: 'DELETE /rooms/{room}/mutes/@muted', may: staff },
    { says: 'put a member out', asks: 'POST /rooms/{room}/kicks', body: { user: '@member2' }, may: staff },
    { says: 'put a mod out', asks: 'POST /rooms/{room}/kicks', body: { user: '@mod2' }, may: chiefs },
    { says: 'ban a member from the room', asks: 'POST /rooms/{room}/bans', body: { user: '@member2' }, may: staff },
    { says: 'ban a mod from the room', asks: 'POST /rooms/{room}/bans', body: { user: '@mod2' }, may: chiefs },
    { says: 'lift a ban from the room', asks: 'DELETE /rooms/{room}/bans/@banned', may: staff },
    { says: 'set blocking rules', asks: 'PUT /rooms/{room}/rules', body: { rules: [] }, may: chiefs },
  ],
  'The room and who belongs to it': [
    { says: 'rename it, slow it, lock it', asks: 'PATCH /rooms/{room}', body: { mode: 'locked' }, may: chiefs },
    { says: 'archive it', asks: 'DELETE /rooms/{room}', may: chiefs },
    { says: 'add a member', asks: 'PUT /rooms/{room}/members/@stranger2', may: staff },
    { says: 'make somebody a mod', asks: 'PUT /rooms/{room}/members/@member2', body: { role: 'mod' }, may: chiefs },
    { says: 'become an owner', asks: 'PUT /rooms/{room}/members/@self', body: { role: 'owner' }, may: chiefs },
    { says: 'come in unasked', asks: 'PUT /rooms/{room}/members/@self', may: readers },
    { says: 'come in where all may read', asks: 'PUT /rooms/{open}/members/@self', may: everybody },
    { says: 'come in by an invite', asks: 'POST /invites/{code}', may: everybody },
    { says: 'make an invite', asks: 'POST /rooms/{room}/invites', may: staff },
    { says: 'leave', asks: 'DELETE /rooms/{room}/members/@self', may: readers },
    { says: 'take a member out', asks: 'DELETE /rooms/{room}/members/@member2', may: staff },
    { says: 'take a mod out', asks: 'DELETE /rooms/{room}/members/@mod2', may: chiefs },
    { says: 'open a room', asks: 'POST /rooms', body: { name: 'new' }, may: admins },
  ],
  Accounts: [
    { says: 'list accounts', asks: 'GET /users', may: everybody },
    { says: 'see one', asks: 'GET /users/@member2', may: everybody },
    { says: 'make an account', asks: 'POST /users', body: { username: '{new}' }, may: admins },
    { says: 'rename oneself', asks: 'PATCH /users/@self', body: { username: '{new}' }, may: everybody },
    { says: 'rename another', asks: 'PATCH /users/@stranger2', body: { username: '{new}' }, may: admins },
    { says: 'give an account a role', asks: 'PATCH /users/@stranger2', body: { role: 'robot' }, may: admins },
    { says: 'give oneself a role', asks: 'PATCH /users/@self', body: { role: 'admin' }, may: [] },
    { says: 'see and issue own tokens', asks: 'POST /users/@self/tokens', may: everybody },
    { says: 'revoke an own token', asks: 'DELETE /users/@self/tokens/{ownToken}', may: everybody },
    { says: 'see own roles', asks: 'GET /users/@self/roles', may: everybody },
    { says: 'see another’s tokens', asks: 'GET /users/@member2/tokens', may: admins },
    { says: 'issue a token for another', asks: 'POST /users/@member2/tokens', may: admins },
    { says: 'revoke another’s token', asks: 'DELETE /users/@member2/tokens/{token}', may: admins },
    { says: 'see another’s roles', asks: 'GET /users/@member2/roles', may: admins },
  ],
  Everywhere: [
    { says: 'ban from everywhere', asks: 'POST /users/@stranger2/bans', body: { seconds: 9 }, may: admins },
    { says: 'ban oneself', asks: 'POST /users/@self/bans', may: [] },
    { says: 'lift a ban from everywhere', asks: 'DELETE /users/@outcast/bans', may: admins },
    { says: 'close every connection of an account', asks: 'POST /users/@stranger2/kicks', may: admins },
    { says: 'see who is banned from everywhere', asks: 'GET /bans', may: admins },
    { says: 'see whether somebody is', asks: 'GET /users/@stranger2/bans', may: admins },
    { says: 'see the rules for all rooms', asks: 'GET /rules', may: admins },
    { says: 'set the rules for all rooms', asks: 'PUT /rules', body: { rules: [] }, may: admins },
    { says: 'read the moderation log', asks: 'GET /moderation', may: admins },
    { says: 'read a message’s whole story', asks: 'GET /rooms/{room}/messages/{message}/story', may: admins },
    { says: 'read the facts', asks: 'GET /facts?limit=1', may: admins },
    { says: 'see own connections', asks: 'GET /connections?user=@self', may: everybody },
    { says: 'see all connections', asks: 'GET /connections', may: admins },
    { says: 'see an own connection', asks: 'GET /connections/{ownConnection}', may: everybody },
    { says: 'see when an own connection did what', asks: 'GET /connections/{ownConnection}/life', may: everybody },
    { says: 'read what an own connection did', asks: 'GET /connections/{ownConnection}/timeline', may: everybody },
    { says: 'see another’s connection', asks: 'GET /connections/{connection}', may: admins },
    { says: 'see when another’s did what', asks: 'GET /connections/{connection}/life', may: admins },
    { says: 'read what another’s did', asks: 'GET /connections/{connection}/timeline', may: admins },
    { says: 'see when a room did what', asks: 'GET /rooms/{open}/life', may: admins },
    { says: 'read what a room did', asks: 'GET /rooms/{open}/timeline', may: admins },
    { says: 'see when an account did what', asks: 'GET /users/@self/life', may: admins },
    { says: 'read what an account did', asks: 'GET /users/@self/timeline', may: admins },
    { says: 'see how far the read models are', asks: 'GET /read-models', may: admins },
    { says: 'have the read models made anew', asks: 'POST /read-models/rebuild', may: admins },
    { says: 'see the statecharts', asks: 'GET /machines/room', may: everybody },
  ],
}

const MARKS = { yes: '●', no: '·' } as const

export const rolesPage = (): string => {
  const lines = [
    '# Who may do what',
    '',
    'Printed from `test/roles.ts` (`UPDATE_ROLES=1 npx vitest run test/roles.test.ts`), where every cell is put to a running',
    'server. ● may, · is refused: 401 without a token, 404 where the room does not exist for whoever asks, 403 else; a 403 is on',
    'the record of whoever tried. The room of the table is in a space, and no protocol opens it to all (Moneypot’s lobbies are',
    'open so). What was said is still one’s own after leaving. A muted member may not write, and neither change a message; whoever',
    'is banned may read nothing, and is told so when they write.',
    '',
    ...ROLES.map((role) => `- **${role}**: ${MEANS[role]}`),
  ]
  for (const [title, acts] of Object.entries(ACTS)) {
    lines.push(
      '',
      `## ${title}`,
      '',
      `| | ${ROLES.join(' | ')} | over REST |`,
      `|---|${ROLES.map(() => ':-:|').join('')}---|`,
    )
    for (const { says, asks, body, may } of acts) {
      const cells = ROLES.map((role) => (may.includes(role) ? MARKS.yes : MARKS.no))
      const shown = body === undefined ? '' : ` ${JSON.stringify(body)}`
      lines.push(`| ${says} | ${cells.join(' | ')} | \`${asks}${shown}\` |`)
    }
  }
  return `${lines.join('\n')}\n`
}
