// Which web pages may connect. Clients without an origin (not browsers) may; a browser's is compared after
// normalising: old Node clients send `127.0.0.1:8080` without a scheme, React Native sends a trailing slash.

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** host and port, lower case, without the scheme's own port; null when it is no origin at all */
const normalised = (origin: string): { host: string; hostname: string } | null => {
  try {
    const { host, hostname } = new URL(/^[a-z]+:\/\//i.test(origin) ? origin : `http://${origin}`)
    return { host: host.toLowerCase(), hostname: hostname.toLowerCase() }
  } catch {
    return null
  }
}

export const isOrigin = (text: string): boolean => normalised(text) !== null

export const allowedOrigin = (
  allowed: readonly string[],
  publicUrl: string,
): ((origin: string | undefined, host: string | undefined) => boolean) => {
  const any = allowed.includes('*')
  const hosts = new Set(
    [...allowed, publicUrl].map((origin) => normalised(origin)?.host).filter((host) => host !== undefined),
  )
  return (origin, host) => {
    if (origin === undefined || any) return true
    const asked = normalised(origin)
    if (!asked) return false
    return asked.host === host?.toLowerCase() || LOOPBACK.test(asked.hostname) || hosts.has(asked.host)
  }
}
