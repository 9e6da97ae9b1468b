/** Carillon's front door. */

import './check-node.ts'

export { createClient } from './api/create-client.ts'
export { createNode } from './api/create-node.ts'
export { NonRetryableError } from './api/handler-error.ts'
export type { Run } from './api/run.ts'
export type {
  CallOptions,
  Client,
  ClientEvents,
  CommandOptions,
  CreateClientOptions,
  CreateNodeOptions,
  Duration,
  Handler,
  Handlers,
  Instant,
  MeshOptions,
  MisfireOptions,
  Node,
  NodeEvents,
  NoHandlers,
  OpenApi,
  RetryOptions,
  Task,
  TaskFor,
  TaskOptions,
  TasksFilter,
  TasksOf,
  TokenOptions,
} from './api/types.ts'
export { CarillonError, type ErrorCode, isCarillonError } from './errors.ts'
export { type Crontab, type CrontabEntry, type CrontabOptions, parseCrontab } from './task/crontab.ts'
export type { Guarantee, Overlap, Policy, Precision } from './task/policy.ts'
export type { Profile } from './task/profile.ts'
export {
  type CronOccurrences,
  type EveryOccurrences,
  type OccurrenceSpec,
  occurrences,
} from './task/recurrence.ts'
export type { DstPolicy, Schedule } from './task/schedule.ts'
export type { RunState, TaskState } from './task/task.ts'
export type { DrainView, RingView, RunView, StatusView, TaskView } from './task/views.ts'
export type { EngineEvent } from './wire/calls.ts'
