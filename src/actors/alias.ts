// `moneypot:18`: where a dialect sees a room, by the number its clients know.

export const ALIAS = /^[a-z]{2,16}:[0-9]{1,9}$/

/** Protocols in which anybody may enter a room that has an alias there: Moneypot's lobbies are read without an account. */
export const OPEN_DIALECTS: readonly string[] = ['moneypot']

/** May whoever is no member read this room's record? */
export const isOpenToAll = ({ aliases }: { readonly aliases: readonly string[] }): boolean =>
  aliases.some((alias) => OPEN_DIALECTS.includes(alias.slice(0, alias.indexOf(':'))))
