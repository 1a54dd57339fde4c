// What this process really holds in memory: what is on the heap after a collection, and in buffers outside it.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export const heapBytes = (): number => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
