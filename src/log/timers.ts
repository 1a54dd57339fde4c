// Time, as the log's adapters need it. Whoever opens a log gives the clock of the node, or of a test.

export interface Timers {
  /** ms, growing */
  now(): number
  /** Calls `run` once `now()` has reached `due`; returns what cancels it. */
  at(due: number, run: () => void): () => void
}

/** This process's own. */
export const processTimers: Timers = {
  now: () => performance.now(),
  at: (due, run) => {
    const timeout = setTimeout(run, Math.max(due - performance.now(), 0))
    return () => clearTimeout(timeout)
  },
}

/** Resolves after `ms`, or when `signal` says so. */
export const pause = (timers: Timers, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const over = () => {
      cancel()
      signal?.removeEventListener('abort', over)
      resolve()
    }
    const cancel = timers.at(timers.now() + ms, over)
    signal?.addEventListener('abort', over)
    if (signal?.aborted) over()
  })
