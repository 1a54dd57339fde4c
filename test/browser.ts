import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const EXECUTABLE = '/usr/bin/chromium'

/** Debian's Chromium. Where it is missing the tests that need it say so, and fail in CI. */
export const hasBrowser = (): boolean => {
  if (existsSync(EXECUTABLE)) return true
  if (process.env.CI) throw new Error(`${EXECUTABLE} is missing: apt-get install chromium`)
  process.stderr.write(`SKIPPED: tests in a real browser need ${EXECUTABLE} (apt-get install chromium)\n`)
  return false
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: EXECUTABLE,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
