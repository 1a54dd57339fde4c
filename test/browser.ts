import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'

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

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds that somebody could not use. Schemes differ in colours alone. */
export const violations = async (page: Page, scheme: 'light' | 'dark' = 'light'): Promise<string[]> => {
  await page.evaluate(axe)
  const rules = scheme === 'light' ? '' : `{ runOnly: ['color-contrast', 'link-in-text-block'] }`
  const { violations: found } = (await page.evaluate(`axe.run(${rules})`)) as {
    violations: { id: string; nodes: { html: string }[] }[]
  }
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** As somebody signs in to the console, which is open. */
export const enterConsole = async (page: Page, token: string): Promise<void> => {
  await page.getByLabel('Your token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}
