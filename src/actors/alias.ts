// `moneypot:18`: where a dialect sees a room, by the number its clients know.

export const ALIAS = /^[a-z]{2,16}:[0-9]{1,9}$/

/**
 * Protocols in which any account may enter a room that has an alias there: a Moneypot lobby is read even without one, and
 * a topic of drivers.uz may be joined for a while without subscribing.
 */
export const OPEN_DIALECTS: readonly string[] = ['moneypot', 'drivers']

/** May whoever is no member enter this room and read its record? */
export const isOpenToAll = ({ aliases }: { readonly aliases: readonly string[] }): boolean =>
  aliases.some((alias) => OPEN_DIALECTS.includes(alias.slice(0, alias.indexOf(':'))))
