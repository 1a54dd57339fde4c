// Adds up the reports of the test runs into the gate's closing line, and exits with what it means.
// A report that is missing (a run cut off by its time limit) and a failed check count as one failure each.

import { readFileSync } from 'node:fs'

const [failedEarlier, ...reports] = process.argv.slice(2)
let passed = 0
let failed = 0
let skipped = 0
for (const file of reports) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    passed += report.numPassedTests
    failed += report.numFailedTests + (report.numFailedTests === 0 && !report.success ? 1 : 0)
    skipped += report.numPendingTests + (report.numTodoTests ?? 0)
  } catch {
    console.log(`no report ${file}: its run did not finish`)
    failed++
  }
}
if (failedEarlier !== '0' && failed === 0) failed++
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
