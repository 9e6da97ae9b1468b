/**
 * Task order: calls about one task are carried out in the order in which they came. One that has to read the disk first is
 * under way until it is carried out; what comes about its tasks meanwhile waits for it. There is an entry only for tasks of
 * which something is under way, so in the usual case this costs a look into an empty map.
 */

/** What names its task by `id`. */
type OfTask = { readonly id: string }

export class TaskOrder {
  /** By task: the last of what is under way. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** Carries out what changes these tasks, at once if it can be. */
  change<T>(tasks: readonly OfTask[], carryOut: () => T | Promise<T>): T | Promise<T> {
    const result = this.after(tasks, carryOut)
    if (!(result instanceof Promise)) return result
    const over = (): void => {
      for (const { id } of tasks) if (this.#last.get(id) === result) this.#last.delete(id)
    }
    for (const { id } of tasks) this.#last.set(id, result)
    result.then(over, over)
    return result
  }

  /** Does what only looks at these tasks after the changes before it. */
  after<T>(tasks: readonly OfTask[], look: () => T | Promise<T>): T | Promise<T> {
    if (this.#last.size === 0) return look()
    const before = new Set<Promise<unknown>>()
    for (const { id } of tasks) {
      const last = this.#last.get(id)
      if (last !== undefined) before.add(last)
    }
    // How those have ended is for who asked for them.
    return before.size === 0 ? look() : Promise.allSettled(before).then(look)
  }
}
