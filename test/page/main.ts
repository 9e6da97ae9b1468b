/**
 * `node test/page/main.ts`: the page of a failing run in a real browser, as an engineer uses it: it opens at the
 * violation, shows the story of its task, and can be zoomed, searched and walked through; and a page of 20 nodes with
 * 100,000 events, which answers as fast. Needs Chromium (`apt-get install chromium`).
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MUTANTS } from '../../sim/mutants/index.ts'
import { type Item, inOrder, type Recording } from '../../sim/page/recording.ts'
import { pageOf } from '../../sim/page/write.ts'
import { runSeed } from '../../sim/world.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { Chromium, chromiumPath } from '../support/chromium.ts'

const HOSTILE = 'a</script><script>document.title="taken"</script>'
/** On two busy cores; it takes a small part of it. */
const FRAME_MS_MAX = 500

/** Rows that the list has room for. */
const rows = `(document.getElementById('events-spacer').offsetHeight / 20)`
const span = `(() => {
  const told = new URLSearchParams(location.hash.slice(1))
  return (told.get('to') - told.get('from')) * 1000
})()`

const scratch = mkdtempSync(join(tmpdir(), 'carillon-page-'))
let browser: Chromium | undefined
let looks = 0
try {
  if (chromiumPath === undefined) throw new Error('Chromium is not there: install it')
  browser = await Chromium.open(chromiumPath)
  await failingRun(browser)
  await largeRun(browser)
  assert.deepEqual(browser.complaints, [])
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.stack : String(error)}`)
  process.exitCode = 1
} finally {
  await browser?.close()
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
}
console.log(`${looks} looks at 2 pages in a browser`)

async function failingRun(page: Chromium): Promise<void> {
  const mutant = MUTANTS.find(({ name }) => name === 'early-clock')
  const run = { seed: 7, minutes: 0.5, mix: 'calm', mutant, recorded: true }
  const { recording, faults } = await runSeed(run)
  assert.ok(recording !== undefined && faults.length > 0)
  await show(page, pageOf({ title: 'failing', facts: [], recording, faults }))
  await holds(page, `document.getElementById('verdict').textContent === 'FAILED'`)
  await holds(page, `document.querySelectorAll('.violation').length === ${faults.length}`)
  await holds(page, `document.getElementById('search').value.startsWith('task:')`)
  await holds(page, `${rows} > 2 && ${rows} < 200`)
  await holds(page, `${inked('lanes')} > 20 && ${inked('overview')} > 5`)
  const atViolation = await spanOf(page)
  await page.press('0')
  await holds(page, `document.querySelectorAll('.event').length > 2`)
  const whole = await spanOf(page)
  assert.ok(whole > atViolation * 2, `${whole} ms are more than ${atViolation} ms`)
  await page.mouse('mouseWheel', 500, 400, { deltaX: 0, deltaY: -600 })
  await page.until(`${span} < ${whole} * 0.6`)
  looks++
  // Walk to an event of the story: all of it is told.
  await page.press('v')
  await page.press('n')
  await holds(page, `document.querySelectorAll('#details dt').length > 3`)
  await page.evaluate(`document.querySelectorAll('.event')[1].click()`)
  await holds(page, `document.querySelector('.event.selected') !== null`)
  await page.press('Escape')
  await page.press('Escape')
  await holds(page, `document.getElementById('search').value === '' && ${rows} > 5`)
  await type(page, 'kind:call')
  await holds(
    page,
    `[...document.querySelectorAll('.event .lane')].every(each => each.textContent.startsWith('client'))`,
  )
}

async function largeRun(page: Chromium): Promise<void> {
  const recording = largeRecording()
  const faults = [`durability: ${HOSTILE} was lost at 300.000 s on n3`]
  await show(page, pageOf({ title: 'large', facts: [], recording, faults }))
  await holds(page, `document.title === 'large' && document.querySelectorAll('script').length === 2`)
  await holds(page, `document.querySelector('.violation .words').textContent.includes('</script>')`)
  const ms = await page.evaluate(`(async () => {
    const from = performance.now()
    for (let n = 0; n < 10; n++) {
      document.dispatchEvent(new KeyboardEvent('keydown', { key: ['0', '+', 'ArrowRight', '-', 'd'][n % 5] }))
      await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    }
    return (performance.now() - from) / 10
  })()`)
  assert.ok(Number(ms) < FRAME_MS_MAX, `${ms} ms from a key to what is drawn`)
  await page.press('0')
  await holds(page, `${inked('lanes')} > 100`)
  await type(page, 'n7 kind:killed')
  await holds(
    page,
    `${rows} > 1 && [...document.querySelectorAll('.event .lane')].every(each => each.textContent === 'n7')`,
  )
}

function largeRecording(): Recording {
  const random = new SeededRandom('large')
  const names = ['mesh', 'users', ...Array.from({ length: 20 }, (_, node) => `n${node}`)]
  const items = Array.from({ length: 100_000 }, (_, n): Item => {
    const from = random.float() * 600_000
    const [lane, range] = [2 + Math.floor(random.float() * 20), n % 16]
    const of = { lane, from, range, task: n % 1000 === 0 ? HOSTILE : `task-${n >> 3}`, text: `event ${n}` }
    const dice = random.float()
    if (dice < 0.4) return { ...of, kind: 'send' }
    const to = from + random.float() ** 3 * 3000
    return { ...of, to, kind: dice < 0.9 ? 'completed' : dice < 0.97 ? 'failed' : 'killed' }
  })
  return {
    lanes: names.map(name => ({ name, title: name })),
    items: inOrder(items, 0, 600_000),
    from: 0,
    to: 600_000,
    wallOffset: 0,
    ranges: 16,
  }
}

// --- what is asked of the page

/** How many colours a canvas shows. */
function inked(id: string): string {
  return `(() => {
    const canvas = document.getElementById('${id}')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const colours = new Set()
    for (let at = 0; at < data.length; at += 4 * 7) colours.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2])
    return colours.size
  })()`
}

async function show(page: Chromium, html: string): Promise<void> {
  const file = join(scratch, 'run.html')
  writeFileSync(file, html)
  await page.show(`file://${file}`)
}

async function holds(page: Chromium, condition: string): Promise<void> {
  await page.until(condition)
  looks++
}

/** The address follows a moment later. */
async function spanOf(page: Chromium): Promise<number> {
  await page.evaluate('new Promise(resolve => setTimeout(resolve, 500))')
  return Number(await page.evaluate(span))
}

async function type(page: Chromium, text: string): Promise<void> {
  await page.evaluate(`(() => {
    const search = document.getElementById('search')
    search.value = ${JSON.stringify(text)}
    search.dispatchEvent(new Event('input'))
  })()`)
}
