/** Puts the page together: one file with its style, its script and its data, which asks nobody for anything. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.ts'
import { type Detail, type PageData, packed, type Recording } from './recording.ts'
import { violationsOf } from './violations.ts'

export interface PageParts {
  readonly title: string
  readonly facts: readonly Detail[]
  readonly recording: Recording
  /** What the checkers said. */
  readonly faults: readonly string[]
}

export function pageOf({ title, facts, recording, faults }: PageParts): string {
  const data: PageData = {
    title,
    facts,
    recording: packed(recording),
    violations: violationsOf(faults, recording),
  }
  return filled(read('page.html'), {
    PAGE_TITLE: escapedText(title),
    '/* page.css */': `${read('colours.css')}${read('page.css')}`,
    '// browser/main.ts': bundle(here('browser/main.ts')),
    '"PAGE_DATA"': escapedJson(data),
  })
}

/** Each place of the template is filled; what is filled in is not looked at again. */
function filled(template: string, parts: Readonly<Record<string, string>>): string {
  const places = Object.keys(parts).map(place => place.replaceAll(/[.*]/g, '\\$&'))
  return template.replaceAll(new RegExp(places.join('|'), 'g'), place => parts[place] ?? '')
}

/** JSON inside a script element: the only thing that ends one is a `<`. */
export function escapedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

function escapedText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function read(name: string): string {
  return readFileSync(here(name), 'utf8')
}

function here(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
