// HTML and SVG elements as functions, with their attributes checked. Instead of JSX, which would need a build.

import { type ComponentChildren, type FunctionComponent, h, type JSX, type VNode } from 'preact'

type Name = keyof JSX.IntrinsicElements
type Attributes<T extends Name> = JSX.IntrinsicElements[T] & Readonly<Record<`data-${string}`, string | undefined>>

const element =
  <T extends Name>(name: T) =>
  (attributes: Attributes<T> | null, ...children: ComponentChildren[]): VNode =>
    h(name as string, attributes as object | null, ...children)

/** A component with its properties. */
export const part = <P extends object>(component: FunctionComponent<P>, properties: P & { key?: string | number }) =>
  h(component as FunctionComponent<object>, properties as object)

export const a = element('a')
export const button = element('button')
export const code = element('code')
export const dd = element('dd')
export const dialog = element('dialog')
export const div = element('div')
export const dl = element('dl')
export const dt = element('dt')
export const fieldset = element('fieldset')
export const form = element('form')
export const h1 = element('h1')
export const h2 = element('h2')
export const h3 = element('h3')
export const header = element('header')
export const input = element('input')
export const kbd = element('kbd')
export const label = element('label')
export const legend = element('legend')
export const li = element('li')
export const main = element('main')
export const nav = element('nav')
export const ol = element('ol')
export const option = element('option')
export const p = element('p')
export const section = element('section')
export const select = element('select')
export const span = element('span')
export const strong = element('strong')
export const table = element('table')
export const tbody = element('tbody')
export const td = element('td')
export const th = element('th')
export const thead = element('thead')
export const time = element('time')
export const tr = element('tr')
export const ul = element('ul')

export const svg = element('svg')
export const g = element('g')
export const path = element('path')
export const rect = element('rect')
export const text = element('text')
export const title = element('title')
export const marker = element('marker')
export const defs = element('defs')
