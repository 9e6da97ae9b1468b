/** What `carillon up` prints: for people a line per run, for programs a JSON object per line. */

import type { EngineEvent } from '../wire/calls.ts'
import type { Context } from './context.ts'
import { printable } from './text-width.ts'
import { clockText, lengthText } from './times.ts'
import { outcomeText, paintState } from './waiting.ts'

export interface ReportOptions {
  /** Only what is wrong. */
  readonly quiet: boolean
  /** Names that this process runs: before they are announced the engine may miss them, and that is no news. */
  readonly own: ReadonlySet<string>
}

export class UpReport {
  readonly #context: Context
  readonly #options: ReportOptions
  /** What ends before the heading stands waits for it. */
  #waiting: string[] | undefined = []

  constructor(context: Context, options: ReportOptions) {
    this.#context = context
    this.#options = options
  }

  /** A line for people, now. */
  say(line: string): void {
    if (!this.#context.json) this.#print(line)
  }

  /** A line for people who did not ask for quiet. */
  chat(line: string): void {
    if (!this.#options.quiet) this.say(line)
  }

  /** An object for programs. */
  data(type: string, fields: object): void {
    if (this.#context.json) this.#print(JSON.stringify({ at: this.#context.now, type, ...fields }))
  }

  /** What was held back, and all that comes from now on. */
  release(): void {
    const held = this.#waiting ?? []
    this.#waiting = undefined
    for (const line of held) this.#print(line)
  }

  event(event: EngineEvent): void {
    const { type, ...fields } = event
    if (type === 'no-worker' && (event.waiting === 0 || this.#options.own.has(event.name))) return
    if (this.#context.json) return this.#later(JSON.stringify({ at: this.#context.now, type, ...fields }))
    const line = this.#lineOf(event)
    if (line !== undefined) this.#later(line)
  }

  #later(line: string): void {
    if (this.#waiting === undefined) this.#print(line)
    else this.#waiting.push(line)
  }

  #print(line: string): void {
    this.#context.world.stdout.write(`${line}\n`)
  }

  #lineOf(event: EngineEvent): string | undefined {
    const { zone } = this.#context
    const warn = (text: string): string => this.#context.paint('yellow', `  ${text}`)
    switch (event.type) {
      case 'run': {
        const isWell = event.run.state === 'completed' || event.run.state === 'cancelled'
        return this.#options.quiet && isWell ? undefined : this.#runLine(event.run)
      }
      case 'retry':
        return `${this.#runLine(event.run)}; attempt ${event.run.attempt + 1} at ${clockText(event.nextAt, zone)}`
      case 'missed':
        return warn(
          `caught up: ${printable(event.task)} passed over ${event.count} from ${clockText(event.from, zone)} to ${clockText(event.to, zone)} while nobody was here`,
        )
      case 'no-worker':
        return warn(`nobody runs '${printable(event.name)}': ${event.waiting} waiting`)
      case 'late-end':
        return warn(
          `${printable(event.run)} ${event.ended} after its attempt ${event.attempt} had been given up`,
        )
      case 'clock-jump':
        return warn(`the clock was set ${event.byMs > 0 ? 'forward' : 'back'} by ${lengthText(event.byMs)}`)
      case 'store-full':
        return warn(event.full ? 'the disk is full: no new work is taken' : 'the disk has room again')
      case 'member': {
        if (this.#options.quiet && event.state === 'live') return undefined
        const line = `node ${event.node.slice(-8)} is ${event.state}${event.addresses.length === 0 ? '' : `, at ${event.addresses.join(', ')}`}`
        return event.state === 'live' ? `  ${line}` : warn(line)
      }
      case 'drained':
        return warn('this node has left the mesh')
      case 'refused':
        return warn(`${event.code}: ${printable(event.line)}`)
      default:
        return undefined
    }
  }

  #runLine(run: Extract<EngineEvent, { type: 'run' }>['run']): string {
    const isFirst = run.startedAt !== null && run.attempt <= 1
    const late = isFirst ? `${Math.max(0, (run.startedAt as number) - run.scheduledAt).toFixed(0)} ms` : ''
    const isCron = /^(?:crontab|reboot):/.test(run.task)
    const attempt = run.state === 'retrying' || run.state === 'failed' ? ` (attempt ${run.attempt})` : ''
    const outcome = outcomeText(run, 120)
    // What a command wrote speaks for itself.
    const state =
      run.name === 'command' && run.state === 'completed' && outcome !== ''
        ? ''
        : ` ${paintState(this.#context, run.state)}${attempt}${run.error === undefined ? '' : ':'}`
    const name = isCron ? '$' : printable(run.name)
    const time = clockText(run.scheduledAt, this.#context.zone)
    return `  ${time}  ${late.padEnd(7)}  ${name}${state} ${outcome}`.trimEnd()
  }
}
