// One entity's life as far as it is looked at: pages of its timeline, the moment that is shown, and what comes live.
// 'Now' is only the right end: there the newest fact is shown, and each that comes takes its place.

import { computed, effect, type ReadonlySignal, signal } from '@preact/signals'
import { get, listen, type Person, params, visible } from './server.ts'

export type Kind = 'connection' | 'room' | 'user'

export interface Step {
  readonly id: string
  readonly revision: number
  readonly position: string
  readonly at: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly by: string | null
  readonly connection: string | null
  readonly correlation: string
  readonly cause: { readonly kind: 'command' | 'timer'; readonly name: string | null; readonly id: string }
  readonly arrow: string | null
  readonly state: string
  readonly value: unknown
  readonly changed: Readonly<Record<string, unknown>>
  readonly timers: readonly { readonly timer: string; readonly due: string }[]
  /** of rooms and users: what they refused while they stood here */
  readonly refused?: readonly Refusal[]
}

export interface Refusal {
  readonly position: string
  readonly at: string
  readonly connection: string
  readonly user: Person | null
  readonly command: string
  readonly code: string
  readonly guard: string | null
  readonly state: string
  readonly count: number
}

export interface Mark {
  readonly revision: number
  readonly mark: string
  readonly type: string
  readonly at: string
}

export interface LifeAnswer {
  readonly stream: string
  readonly machine: string | null
  readonly fault: { readonly revision: number; readonly error: string } | null
  readonly facts: number
  readonly first: string | null
  readonly last: string | null
  readonly revision: number
  readonly buckets: readonly number[]
  readonly marks: readonly Mark[]
  readonly arrows: Readonly<Record<string, number>>
}

interface Page {
  readonly context: Readonly<Record<string, unknown>>
  readonly items: readonly Step[]
}

interface TimelineAnswer {
  readonly before: { readonly context: Readonly<Record<string, unknown>> }
  readonly items: readonly Step[]
}

export const PAGE = 100
const AGAIN_AFTER_MS = 5_000
const LOAD_AFTER_MS = 80
/** Playing: a fact stays for at least so long at 1×, and for at most so long where idle times are skipped. */
const LEAST_MS = 250
const MOST_MS = 1_000
/** what a browser's timer can wait: 24 days */
const LONGEST_MS = 2 ** 31 - 1
export const SPEEDS: readonly number[] = [1, 4, 16]

export class LifeStore {
  readonly life = signal<LifeAnswer | null>(null)
  readonly error = signal<string | null>(null)
  readonly connected = signal(false)
  readonly revision = signal(-1)
  /** shows the newest, whatever comes */
  readonly live = signal(true)
  readonly playing = signal(false)
  /** times as fast as it was */
  readonly speed = signal<number>(1)
  /** nothing happening is not waited for */
  readonly skipsIdle = signal(true)
  readonly pages = signal<ReadonlyMap<number, Page>>(new Map())
  readonly step: ReadonlySignal<Step | null>
  readonly context: ReadonlySignal<Readonly<Record<string, unknown>> | null>
  readonly #path: string
  readonly #asked = new Set<number>()
  #close: (() => void) | null = null
  #unfollow: (() => void) | null = null
  #refresh: ReturnType<typeof setTimeout> | null = null
  #loading: ReturnType<typeof setTimeout> | null = null
  #player: ReturnType<typeof setTimeout> | undefined
  #ended = false

  constructor(path: string) {
    this.#path = path
    this.step = computed(() => {
      return this.#at(this.revision.value)
    })
    this.context = computed(() => {
      const page = this.pages.value.get(Math.floor(this.revision.value / PAGE))
      if (!page) return null
      const seen = page.items.filter(({ revision }) => revision <= this.revision.value)
      return Object.assign({}, page.context, ...seen.map(({ changed }) => changed))
    })
  }

  #at(revision: number): Step | null {
    return this.pages.value.get(Math.floor(revision / PAGE))?.items.find((step) => step.revision === revision) ?? null
  }

  async open(at: string | null): Promise<void> {
    try {
      const life = await get<LifeAnswer>(`${this.#path}/life${params({ at })}`)
      if (this.#ended) return
      this.life.value = life
      this.live.value = at === null
      this.revision.value = Math.max(life.revision, Math.min(0, life.facts - 1))
      await this.load(Math.floor(this.revision.value / PAGE))
      if (!this.#ended && !life.fault) this.#follow()
    } catch (error) {
      this.error.value = (error as Error).message
    }
  }

  /** While somebody looks. */
  #follow(): void {
    this.#unfollow = effect(() => {
      if (visible.value) this.#listen(this.life.peek()?.facts ?? 0)
      else this.#close?.()
    })
  }

  #listen(from: number): void {
    this.#close?.()
    this.#close = listen(
      `${this.#path}/timeline${params({ from })}`,
      { step: (step: Step) => this.#came(step) },
      (open) => {
        this.connected.value = open
      },
    )
  }

  #came(step: Step): void {
    const life = this.life.value
    if (!life || step.revision < life.facts) return
    const number = Math.floor(step.revision / PAGE)
    const page = this.pages.value.get(number)
    if (page) {
      if ((page.items.at(-1)?.revision ?? -1) < step.revision)
        this.#keep(number, { ...page, items: [...page.items, step] })
    } else if (step.revision % PAGE === 0) {
      const before = this.pages.value.get(number - 1)
      if (before) {
        const context = Object.assign({}, before.context, ...before.items.map(({ changed }) => changed))
        this.#asked.add(number)
        this.#keep(number, { context, items: [step] })
      }
    }
    const arrows =
      step.arrow === null ? life.arrows : { ...life.arrows, [step.arrow]: (life.arrows[step.arrow] ?? 0) + 1 }
    this.life.value = { ...life, facts: step.revision + 1, last: step.at, arrows }
    if (this.live.value) this.show(step.revision, true)
    // The bar is drawn anew now and then, not with every fact.
    this.#refresh ??= setTimeout(() => void this.#drawAnew(), AGAIN_AFTER_MS)
  }

  async #drawAnew(): Promise<void> {
    this.#refresh = null
    const fresh = await get<LifeAnswer>(`${this.#path}/life`).catch(() => null)
    const life = this.life.value
    if (!fresh || !life || this.#ended) return
    const { buckets, marks, first, last } = fresh
    this.life.value = { ...life, buckets, marks, first, last: fresh.facts >= life.facts ? last : life.last }
  }

  async load(number: number): Promise<void> {
    const life = this.life.value
    if (!life || number < 0 || number * PAGE >= life.facts || this.#asked.has(number)) return
    this.#asked.add(number)
    try {
      const answer = await get<TimelineAnswer>(`${this.#path}/timeline${params({ from: number * PAGE, limit: PAGE })}`)
      this.#keep(number, { context: answer.before.context, items: answer.items })
      // What came while this page was on its way is on it now, or asked for again.
      const { facts } = this.life.value ?? life
      const full = Math.min(facts, (number + 1) * PAGE) - number * PAGE
      if (answer.items.length < full && !life.fault) {
        this.#asked.delete(number)
        await this.load(number)
      }
    } catch (error) {
      this.#asked.delete(number)
      this.error.value = (error as Error).message
    }
  }

  #keep(number: number, page: Page): void {
    this.pages.value = new Map(this.pages.value).set(number, page)
  }

  /** Shows the moment after this fact. */
  show(revision: number, live = false): void {
    const life = this.life.value
    if (!life) return
    const wanted = Math.min(Math.max(revision, 0), life.facts - 1)
    this.live.value = live
    this.revision.value = wanted
    // Pulled along the bar it passes many pages, and stops at one.
    if (this.#loading !== null) clearTimeout(this.#loading)
    this.#loading = setTimeout(() => this.#loadAround(wanted), this.step.value ? 0 : LOAD_AFTER_MS)
  }

  /** What is next to it is asked for early, so that stepping does not wait. */
  #loadAround(revision: number): void {
    this.#loading = null
    const number = Math.floor(revision / PAGE)
    void this.load(number)
    if (revision % PAGE > PAGE - 15) void this.load(number + 1)
    if (revision % PAGE < 15) void this.load(number - 1)
  }

  move(by: number): void {
    this.show(this.revision.value + by)
  }

  /** From the moment shown to the newest, as it went; or stops. */
  play(): void {
    const life = this.life.value
    if (this.playing.value || !life) {
      this.#stop()
      return
    }
    // From the end there is nothing to play: then the whole life.
    if (this.revision.value >= life.facts - 1) this.show(0)
    this.playing.value = true
    this.#playOn()
  }

  /** Waits as long as it took from this fact to the next, by speed; one that is on its way is waited for. */
  #playOn(): void {
    clearTimeout(this.#player)
    const [step, next] = [this.#at(this.revision.value), this.#at(this.revision.value + 1)]
    if (!next) void this.load(Math.floor((this.revision.value + 1) / PAGE))
    const took = step && next ? Date.parse(next.at) - Date.parse(step.at) : 0
    const shown = next ? Math.max(took, LEAST_MS) / this.speed.value : LEAST_MS
    this.#player = setTimeout(
      () => {
        if (next) this.show(next.revision)
        if (this.revision.value >= (this.life.value?.facts ?? 0) - 1) this.#stop()
        else this.#playOn()
      },
      Math.min(shown, this.skipsIdle.value ? MOST_MS : LONGEST_MS),
    )
  }

  /** Also while it plays. */
  playAt(speed: number, skipsIdle = this.skipsIdle.value): void {
    this.speed.value = speed
    this.skipsIdle.value = skipsIdle
    if (this.playing.value) this.#playOn()
  }

  #stop(): void {
    this.playing.value = false
    clearTimeout(this.#player)
  }

  toLive(): void {
    this.show((this.life.value?.facts ?? 1) - 1, true)
  }

  end(): void {
    this.#ended = true
    this.#stop()
    this.#unfollow?.()
    this.#close?.()
    if (this.#refresh !== null) clearTimeout(this.#refresh)
    if (this.#loading !== null) clearTimeout(this.#loading)
  }
}
