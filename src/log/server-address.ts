// Connection strings of logs that a server keeps, apart from the clients that dial them.

export const isServerAddress = (setting: string): boolean => /^(esdb|kurrentdb)(\+discover)?:\/\//.test(setting)

/** The address as it may be shown. */
export const withoutPassword = (address: string): string =>
  address.replace(/^([a-z+]+:\/\/)[^@/?]*@/, (_, scheme) => `${scheme}…@`)
