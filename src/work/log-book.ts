/** What handlers wrote with run.log(): the latest lines of the latest tasks, in memory only. */

export interface LogLine {
  readonly run: string
  readonly at: number
  readonly line: string
}

export class LogBook {
  readonly #tasksMax: number
  readonly #linesMax: number
  /** Oldest use first: a Map keeps the order in which keys were set. */
  readonly #byTask = new Map<string, LogLine[]>()

  constructor(tasksMax: number, linesMax: number) {
    this.#tasksMax = tasksMax
    this.#linesMax = linesMax
  }

  add(taskId: string, line: LogLine): void {
    const lines = this.#byTask.get(taskId) ?? []
    this.#byTask.delete(taskId)
    lines.push(line)
    if (lines.length > this.#linesMax) lines.shift()
    this.#byTask.set(taskId, lines)
    if (this.#byTask.size <= this.#tasksMax) return
    const [oldest] = this.#byTask.keys()
    if (oldest !== undefined) this.#byTask.delete(oldest)
  }

  /** Of a task, or of one of its runs; oldest first. */
  of(taskId: string, runId: string | undefined): LogLine[] {
    const lines = this.#byTask.get(taskId) ?? []
    return runId === undefined ? [...lines] : lines.filter(each => each.run === runId)
  }
}
