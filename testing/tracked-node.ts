/**
 * A node as the test gets it: the shipped one, whose calls let virtual time go on until they are answered. A proxy, so that
 * whatever the node can do goes through it.
 */

import type { Handler, Node, Task } from '../src/api/types.ts'
import type { EngineEvent } from '../src/wire/calls.ts'

export interface Tracker {
  /** A call is under way. */
  call<T>(promise: Promise<T>): Promise<T>
  /** Somebody waits for an end, however far off. */
  wait<T>(promise: Promise<T>, what: string): Promise<T>
  recorded(handler: Handler): Handler
  /** How far the node's clock is ahead of the true one. */
  skewMs(): number
}

/** A step of the clock that is not worth telling, as the engine has it; ms. */
const JUMP_MS = 1000

type Listener = (event: EngineEvent) => void

export function trackedNode(node: Node, tracker: Tracker): Node {
  const listeners = new Map<Listener, Listener>()

  /** Jumps over idle time look to the engine like steps of its clock: only those of the test's skew() are told. */
  const steps = (listener: Listener): Listener => {
    const known = listeners.get(listener)
    if (known !== undefined) return known
    let toldMs = tracker.skewMs()
    const hear = (event: EngineEvent): void => {
      const byMs = tracker.skewMs() - toldMs
      toldMs += byMs
      if (Math.abs(byMs) > JUMP_MS) listener({ ...event, byMs } as EngineEvent)
    }
    listeners.set(listener, hear)
    return hear
  }

  const special: Readonly<Record<string, (...args: never[]) => unknown>> = {
    handle(name: string, handler: Handler, options?: { readonly concurrency?: number }) {
      node.handle(name, typeof handler === 'function' ? tracker.recorded(handler) : handler, options)
    },
    on(type: EngineEvent['type'], listener: Listener) {
      node.on(type, type === 'clock-jump' ? steps(listener) : listener)
      return proxy
    },
    off(type: EngineEvent['type'], listener: Listener) {
      node.off(type, type === 'clock-jump' ? steps(listener) : listener)
      return proxy
    },
    async schedule(...args: Parameters<Node['schedule']>) {
      const made = (await tracker.call(node.schedule(...args))) as unknown
      return Array.isArray(made) ? made.map(tracked) : tracked(made as Task)
    },
    async *tasks(...args: Parameters<Node['tasks']>) {
      const tasks = node.tasks(...args)[Symbol.asyncIterator]()
      for (;;) {
        const { done, value } = await tracker.call(tasks.next())
        if (done === true) return
        yield value
      }
    },
  }

  const tracked = (task: Task): Task => ({
    id: task.id,
    name: task.name,
    status: task.status,
    copies: task.copies,
    result: options => tracker.wait(task.result(options), `the result of ${task.id} (${task.name})`),
  })

  const proxy: Node = new Proxy(node, {
    get(_, property) {
      if (typeof property === 'string' && Object.hasOwn(special, property)) return special[property]
      const value: unknown = Reflect.get(node, property, node)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        const result: unknown = value.apply(node, args)
        return result instanceof Promise ? tracker.call(result) : result
      }
    },
  })
  return proxy
}
