/** What createNode's types infer. The checker judges; vitest runs this so that the calls are real ones. */

import { describe, expect, expectTypeOf, test } from 'vitest'
import type { createClient } from '../../src/api/create-client.ts'
import type { createNode } from '../../src/api/create-node.ts'
import type { Run } from '../../src/api/run.ts'
import type {
  Client,
  ClientEvents,
  Handler,
  Node,
  NodeEvents,
  Task,
  TaskFor,
  TasksOf,
} from '../../src/api/types.ts'

const handlers = {
  mail: async (run: Run<{ to: string; copies?: number }>) => ({ sent: run.payload.to }),
  count: (_run: Run<number>) => 7,
  ping: () => undefined,
  any: (_run: Run) => 'text',
}
type H = typeof handlers

/** A node that notes what it was asked to schedule, and nothing else. */
const asked: unknown[] = []
const node = {
  schedule: async (task: unknown) => {
    asked.push(task)
    return Array.isArray(task) ? task.map(() => ({})) : {}
  },
} as unknown as Node<H>

describe('createNode', () => {
  test('takes its handlers as they are, and gives a node of them', () => {
    type Made = (options: { handlers: H }) => ReturnType<typeof createNode<H>>
    expectTypeOf<ReturnType<Made>>().toEqualTypeOf<Promise<Node<H>>>()
    expectTypeOf<Awaited<ReturnType<typeof createNode>>>().toExtend<{ close(): Promise<void> }>()
    expect(Object.keys(handlers)).toEqual(['mail', 'count', 'ping', 'any'])
  })

  test('takes any handler, and nothing that is none', () => {
    expectTypeOf<(run: Run<{ a: 1 }>) => Promise<void>>().toExtend<Handler>()
    expectTypeOf<() => void>().toExtend<Handler>()
    expectTypeOf<string>().not.toExtend<Handler>()
    expectTypeOf<Parameters<Handler<Date>>[0]['payload']>().toEqualTypeOf<Date>()
    expect(handlers.count({} as Run<number>)).toBe(7)
  })
})

describe('createClient', () => {
  test("takes handlers as a node does, and gives a client of them, without what is a node's own", () => {
    type Made = (options: { join: string[]; handlers: H }) => ReturnType<typeof createClient<H>>
    expectTypeOf<ReturnType<Made>>().toEqualTypeOf<Promise<Client<H>>>()
    expectTypeOf<Client<H>['schedule']>().toEqualTypeOf<Node<H>['schedule']>()
    expectTypeOf<keyof ClientEvents>().toEqualTypeOf<
      Exclude<keyof NodeEvents, 'started' | 'drained' | 'stopped'>
    >()
    expectTypeOf<Client>().not.toHaveProperty('http')
    expectTypeOf<Client>().not.toHaveProperty('drain')
    expect(Object.keys(handlers)).toHaveLength(4)
  })
})

describe('schedule', () => {
  test('infers the result from the handler, awaited', async () => {
    const mail = await node.schedule({ name: 'mail', payload: { to: 'a' } })
    expectTypeOf(mail).toEqualTypeOf<Task<{ sent: string }>>()
    expectTypeOf(mail.result).returns.resolves.toEqualTypeOf<{ sent: string }>()
    const count = await node.schedule({ name: 'count', payload: 1, after: '5s' })
    expectTypeOf(count).toEqualTypeOf<Task<number>>()
    const ping = await node.schedule({ name: 'ping', every: '1m' })
    expectTypeOf(ping).toEqualTypeOf<Task<undefined>>()
    expect(asked.splice(0)).toHaveLength(3)
  })

  test('of a name without a handler stays possible, untyped', async () => {
    const other = await node.schedule({ name: 'elsewhere', payload: { what: 'ever' } })
    expectTypeOf(other).toEqualTypeOf<Task<unknown>>()
    const named = 'a' as string
    expectTypeOf(await node.schedule({ name: named, payload: 5 })).toEqualTypeOf<Task<unknown>>()
    const command = await node.schedule({ command: 'ls' })
    expectTypeOf(command).toEqualTypeOf<Task<unknown>>()
    expect(asked.splice(0)).toHaveLength(3)
  })

  test('refuses a payload that the handler does not take', async () => {
    // @ts-expect-error a number is no address
    await node.schedule({ name: 'mail', payload: { to: 5 } })
    // @ts-expect-error a text is no number
    await node.schedule({ name: 'count', payload: 'one' })
    // @ts-expect-error no such option
    await node.schedule({ name: 'ping', everyMs: 5 })
    // @ts-expect-error a task has a name or a command
    await node.schedule({ payload: 5 })
    expect(asked.splice(0)).toHaveLength(4)
  })

  test('of a list infers a tuple, position by position', async () => {
    const list = await node.schedule([
      { name: 'mail', payload: { to: 'a' } },
      { name: 'count', payload: 1 },
      { name: 'elsewhere' },
      { command: 'ls' },
    ])
    expectTypeOf(list).toEqualTypeOf<[Task<{ sent: string }>, Task<number>, Task<unknown>, Task<unknown>]>()
    const [mail, count] = list
    expectTypeOf(mail.result).returns.resolves.toEqualTypeOf<{ sent: string }>()
    expectTypeOf(count.result).returns.resolves.toEqualTypeOf<number>()
    // @ts-expect-error there is no fifth
    expect(list[4]).toBeUndefined()
    expect(list).toHaveLength(4)
    expect(asked.splice(0)).toHaveLength(1)
  })

  test('of a list that was made elsewhere gives a list', async () => {
    const tasks = [1, 2, 3].map(payload => ({ name: 'count' as const, payload }))
    const made = await node.schedule(tasks)
    expectTypeOf(made).toEqualTypeOf<Task<number>[]>()
    expect(made).toHaveLength(3)
    expect(asked.splice(0)).toHaveLength(1)
  })
})

describe('the types by themselves', () => {
  test('TaskFor knows the payload of a name', () => {
    expectTypeOf<TaskFor<H, 'count'>['payload']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<TaskFor<H, 'mail'>['name']>().toEqualTypeOf<'mail'>()
    expectTypeOf<TaskFor<H, 'elsewhere'>['payload']>().toEqualTypeOf<unknown>()
    const task: TaskFor<H, 'count'> = { name: 'count', payload: 1 }
    expect(task.payload).toBe(1)
  })

  test('TasksOf keeps order and length', () => {
    type Made = TasksOf<H, readonly [{ name: 'count' }, { command: 'x' }, { name: 'any' }]>
    expectTypeOf<Made>().toEqualTypeOf<[Task<number>, Task, Task<string>]>()
    expectTypeOf<TasksOf<H, []>>().toEqualTypeOf<[]>()
    const none: TasksOf<H, []> = []
    expect(none).toEqual([])
  })

  test('a listener gets the event of its type', () => {
    expectTypeOf<Parameters<NodeEvents['clock-jump']>[0]['byMs']>().toEqualTypeOf<number>()
    expectTypeOf<Parameters<NodeEvents['missed']>[0]>().toHaveProperty('count')
    const heard: number[] = []
    const listener: NodeEvents['clock-jump'] = event => heard.push(event.byMs)
    listener({ type: 'clock-jump', byMs: 5 })
    expect(heard).toEqual([5])
  })

  test("a run's payload is what its handler says", () => {
    expectTypeOf<Run<{ a: number }>['payload']>().toEqualTypeOf<{ a: number }>()
    expectTypeOf<Run['payload']>().toEqualTypeOf<unknown>()
    expectTypeOf<Node['schedule']>().toBeCallableWith({ name: 'anything', payload: 1 })
    expect(handlers.any({} as Run)).toBe('text')
  })
})
