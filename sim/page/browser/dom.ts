/** The few things that the page asks of the document. Text is always set as text, never as markup. */

export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`)
  return found
}

export function made<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...children)
  return element
}

export function button(text: string, clicked: () => void, className = ''): HTMLButtonElement {
  const element = made('button', className, text)
  element.type = 'button'
  element.addEventListener('click', clicked)
  return element
}

/** The colours of page.css, as they are in the light or the dark. */
const colours = new Map<string, string>()

export function colourOf(tone: string): string {
  let colour = colours.get(tone)
  if (colour === undefined) {
    colour = getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim()
    colours.set(tone, colour)
  }
  return colour
}

export function onOtherColours(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.clear()
    changed()
  })
}

export interface Sheet {
  readonly context: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
}

/** The canvas in the size that it has on the page, sharp on any screen, and empty. */
export function sheetOf(canvas: HTMLCanvasElement, width: number, height: number): Sheet {
  const ratio = window.devicePixelRatio || 1
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))]
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide
    canvas.height = high
  }
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('this browser draws no canvas')
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  return { context, width, height }
}
