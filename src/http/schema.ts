/**
 * The shapes of the API's answers and of what only it takes, as JSON Schema; what a task is, is in task/schema. They
 * check what comes in, their types are those of what goes out (a test holds them against task/views), and the OpenAPI
 * file will be made of them.
 */

import { type Schema, type Static, Type } from '../lib/json-schema.ts'
import { TASK_SCHEMA } from '../task/schema.ts'
import { RUN_STATES, TASK_STATES } from '../task/task.ts'

/** Tasks in one request. */
export const TASKS_MAX = 10_000
const PAGE_MAX = 1000
const COUNT_MAX = 1000
/** A wait ends before common proxies give up. */
export const WAIT_MS_MAX = 60_000

const orNull = <T>(schema: Schema<T>): Schema<T | null> => Type.Union([schema, Type.Null()])
const oneOf = Type.Enum
const instant = (description: string) => Type.Number({ description: `${description}, epoch ms` })
const limit = (max: number, text: string) =>
  Type.Optional(
    Type.Integer({ minimum: 1, maximum: max, description: `a whole number from 1 to ${max}: ${text}` }),
  )

export const ERROR = Type.Object({
  error: Type.Object({
    code: Type.String({ description: 'stable; see the README' }),
    message: Type.String({ description: 'for people' }),
    field: Type.Optional(Type.String({ description: 'the argument that was refused, as a path' })),
  }),
})

export const RUN = Type.Object({
  id: Type.String({ description: 'the run id, which is the idempotency key' }),
  task: Type.String(),
  name: Type.String({ description: 'of the handler' }),
  state: oneOf(RUN_STATES),
  scheduledAt: instant('its scheduled instant'),
  manual: Type.Boolean({ description: 'triggered by hand' }),
  attempt: Type.Integer({ description: 'attempts started so far' }),
  startedAt: orNull(instant('start of the latest attempt')),
  endedAt: orNull(instant('its end')),
  retryAt: orNull(instant('start of the next attempt')),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(
    Type.Object({
      name: Type.String(),
      message: Type.String(),
      code: Type.Optional(Type.String()),
      stack: Type.Optional(Type.String()),
    }),
  ),
  progress: Type.Optional(Type.Unknown()),
})

export const TASK_VIEW = Type.Object({
  id: Type.String(),
  name: Type.String({ description: 'of the handler' }),
  state: oneOf(TASK_STATES),
  schedule: Type.Object({ kind: oneOf(['at', 'every', 'cron']) }, { additionalProperties: true }),
  policy: Type.Object(
    {
      guarantee: Type.String(),
      precision: Type.String(),
      priority: Type.Number(),
      tags: Type.Array(Type.String()),
    },
    { additionalProperties: true },
  ),
  payload: Type.Optional(Type.Unknown()),
  createdAt: instant('made'),
  nextAt: orNull(instant('the next scheduled instant')),
  lastAt: orNull(instant('the latest scheduled instant that was reached')),
  occurrences: Type.Integer({ description: 'scheduled occurrences so far' }),
  open: Type.Array(RUN, { description: 'runs that have not ended, oldest first' }),
})

const STATE = oneOf(['live', 'away', 'gone'])

export const DRAIN = Type.Object({
  step: oneOf(['ranges', 'runs', 'copies', 'leaving', 'left']),
  acting: Type.Integer({ description: 'ranges for which it acts still' }),
  running: Type.Integer({ description: 'attempts that run here still' }),
  holding: Type.Integer({ description: 'ranges of which it has copies still' }),
})

export const RING = Type.Object({
  view: Type.String({ description: 'equal on all nodes that see the same' }),
  ranges: Type.Integer(),
  replicas: Type.Integer(),
  nodes: Type.Array(
    Type.Object({
      node: Type.String(),
      stores: Type.Array(Type.Object({ store: Type.String(), state: STATE })),
      weight: Type.Integer(),
      owned: Type.Integer({ description: 'ranges for which it acts' }),
      kept: Type.Integer({ description: 'ranges in whose lists it is' }),
      share: Type.Number({ description: 'of all ranges those for which it acts, 0 to 1' }),
    }),
  ),
  unowned: Type.Integer({ description: 'ranges for which nobody acts' }),
  range: orNull(
    Type.Object({
      id: Type.String(),
      range: Type.Integer(),
      list: Type.Array(
        Type.Object({
          store: Type.String(),
          node: Type.String(),
          state: STATE,
          acts: Type.Boolean(),
          ready: orNull(Type.Boolean({ description: 'it has all that it should' })),
        }),
      ),
    }),
  ),
})

export const MESH = Type.Object({
  id: orNull(Type.String()),
  admitted: Type.Boolean(),
  view: Type.String({ description: 'equal on all nodes that see the same' }),
  quorum: orNull(Type.Integer()),
  ranges: Type.Object({
    owned: Type.Integer(),
    unsure: Type.Integer(),
    kept: Type.Integer(),
    of: Type.Integer(),
    belowReplicas: Type.Integer({ description: 'with fewer live copies than there should be' }),
    belowQuorum: Type.Integer({ description: 'with so few that no change is acknowledged' }),
    copying: Type.Integer({ description: 'copies that come here or go out' }),
  }),
  stores: Type.Array(
    Type.Object({
      store: Type.String(),
      node: Type.String(),
      boot: Type.Integer(),
      state: STATE,
      suspect: Type.Boolean(),
      zone: Type.String(),
      weight: Type.Integer(),
      addresses: Type.Array(Type.String()),
      skewMs: orNull(Type.Integer({ description: 'how far its clock is ahead of that of the asked node' })),
    }),
  ),
  draining: orNull(DRAIN),
  refusals: Type.Array(Type.Object({ code: Type.String(), line: Type.String() })),
})

export const STATUS = Type.Object({
  store: Type.String(),
  boot: Type.Integer(),
  startedAt: instant('start of this boot'),
  now: instant('the clock of the node'),
  durable: Type.Boolean({ description: 'false: in memory only' }),
  durability: oneOf(['sync', 'interval']),
  takesWork: Type.Boolean({ description: 'false while the disk is full' }),
  tasks: Type.Object({ inMemory: Type.Integer(), armed: Type.Integer(), dead: Type.Integer() }),
  runs: Type.Object({ queued: Type.Integer(), running: Type.Integer() }),
  counters: Type.Object({
    created: Type.Integer(),
    completed: Type.Integer(),
    failed: Type.Integer(),
    retried: Type.Integer(),
    missed: Type.Integer(),
    commits: Type.Integer(),
  }),
  latenessMs: Type.Object({ p50: Type.Number(), p99: Type.Number(), max: Type.Number() }),
  wakeUps: Type.Integer(),
  handlers: Type.Array(Type.String()),
  withoutWorker: Type.Array(Type.Object({ name: Type.String(), waiting: Type.Integer() })),
  journalBytes: Type.Number(),
  freeBytes: orNull(Type.Number()),
  mesh: orNull(MESH),
})

export const SCHEDULED = Type.Object({
  id: Type.String(),
  name: Type.String(),
  status: oneOf(['created', 'replaced', 'exists']),
  copies: Type.Integer({ description: 'stores that have synced it' }),
})
export type Scheduled = Static<typeof SCHEDULED>

export const SCHEDULED_ALL = Type.Object({
  tasks: Type.Array(Type.Union([SCHEDULED, ERROR]), { description: 'in the order of the request' }),
})
export const TASKS = Type.Object({
  tasks: Type.Array(TASK_VIEW),
  after: orNull(Type.String({ description: 'the cursor of the next page; null: this is the last' })),
})
export const RUNS = Type.Object({ runs: Type.Array(RUN) })
export const LOGS = Type.Object({
  logs: Type.Array(Type.Object({ run: Type.String(), at: Type.Number(), line: Type.String() })),
})
export const RESULT = Type.Object({ run: orNull(RUN) })
export const CANCELLED = Type.Object({ id: Type.String(), cancelled: Type.Boolean() })
export const PAUSED = Type.Object({ id: Type.String(), paused: Type.Boolean() })
export const RESUMED = Type.Object({ id: Type.String(), resumed: Type.Boolean() })
export const STARTED_RUN = Type.Object({ id: Type.String(), run: Type.String() })
const text = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description }))

export const TOKEN_QUERY = Type.Object(
  { ttl: Type.Optional(Type.String({ description: 'a duration up to 7 days; ten minutes by default' })) },
  { additionalProperties: false },
)
export const TOKEN = Type.Object({ token: Type.String() })
export const RING_QUERY = Type.Object({ id: text(200, 'the id of a task') }, { additionalProperties: false })
export const FORGET_QUERY = Type.Object(
  {
    who: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'a node or a store, or a piece of its id',
    }),
  },
  { additionalProperties: false },
)
export const FORGOTTEN = Type.Object({
  forgotten: Type.Array(Type.Object({ store: Type.String(), node: Type.String() })),
})
export const INSTANTS = Type.Object({ instants: Type.Array(Type.Number()) })

/** One task, or many: each is checked as node.schedule() checks it. */
export const TASKS_BODY = Type.Union([
  TASK_SCHEMA,
  Type.Array(TASK_SCHEMA, { minItems: 1, maxItems: TASKS_MAX }),
])

export const TASKS_QUERY = Type.Object(
  {
    state: Type.Optional(Type.Enum(TASK_STATES, { description: `one of ${TASK_STATES.join(', ')}` })),
    name: text(200, 'the name of a handler'),
    tag: text(100, 'a tag of 1 to 100 characters'),
    limit: limit(PAGE_MAX, 'tasks in the page, 100 by default'),
    after: text(300, 'the cursor that the page before came with'),
  },
  { additionalProperties: false },
)
export const RUNS_QUERY = Type.Object(
  { limit: limit(PAGE_MAX, 'runs, 100 by default') },
  { additionalProperties: false },
)
export const RESULT_QUERY = Type.Object(
  { wait: text(40, `a duration up to ${WAIT_MS_MAX / 1000} s, like 30s`) },
  { additionalProperties: false },
)
const { cron, every, tz, dst, start, end, max, anchor } = TASK_SCHEMA.properties
export const PREVIEW_BODY = Type.Object(
  { cron, every, tz, dst, start, end, max, anchor, count: limit(COUNT_MAX, 'instants, 5 by default') },
  { additionalProperties: false, description: 'an object of a schedule, and count' },
)
export const NO_QUERY = Type.Object({}, { additionalProperties: false })
