/** The kinds of what a recording has, and where and how the page draws each. Pure: it runs in Node and in the page. */

/** The rows of a lane, from top to bottom; a lane has those that it has items of. */
export const ROWS = ['phases', 'faults', 'owners', 'state', 'view', 'acts', 'calls', 'runs', 'marks'] as const
export type Row = (typeof ROWS)[number]

export interface KindOf {
  readonly row: Row
  /** A colour of page.css: `--TONE`. */
  readonly tone: string
  /** What the legend and the details call it. */
  readonly title: string
  /** It says what the nodes and links went through: a story is told with it around. */
  readonly isContext?: true
  /** One strip for each range. */
  readonly isStrip?: true
  /** How the list tells the end of a span; without it the end is not told. */
  readonly ends?: string
  /** Where two want one pixel the higher one has it. Default 1. */
  readonly weight?: number
}

const DRAWN = {
  phase: { row: 'phases', tone: 'quiet', title: 'phase of the run' },
  fault: { row: 'faults', tone: 'fault', title: 'fault: process', isContext: true, ends: 'ends' },
  'fault-net': { row: 'faults', tone: 'net', title: 'fault: links', isContext: true, ends: 'ends' },
  'fault-disk': { row: 'faults', tone: 'disk', title: 'fault: disk', isContext: true, ends: 'ends' },
  'fault-clock': { row: 'faults', tone: 'clock', title: 'fault: clock', isContext: true, ends: 'ends' },
  'fault-member': {
    row: 'faults',
    tone: 'member',
    title: 'fault: who belongs',
    isContext: true,
    ends: 'ends',
  },
  unowned: {
    row: 'owners',
    tone: 'unowned',
    title: 'nobody acts for the range',
    isStrip: true,
    ends: 'is over',
  },
  double: { row: 'owners', tone: 'double', title: 'two act for the range', isStrip: true, ends: 'is over' },
  apart: { row: 'state', tone: 'apart', title: 'not part of the mesh' },
  down: { row: 'state', tone: 'down', title: 'down', isContext: true },
  starting: { row: 'state', tone: 'starting', title: 'starting', isContext: true },
  up: { row: 'state', tone: 'up', title: 'up', isContext: true },
  'cut-off': { row: 'state', tone: 'net', title: 'cut off from a majority', isContext: true },
  paused: { row: 'state', tone: 'paused', title: 'stands still', isContext: true },
  stopping: { row: 'state', tone: 'stopping', title: 'stopping or leaving', isContext: true },
  view: { row: 'view', tone: 'view', title: 'view' },
  acts: { row: 'acts', tone: 'acts', title: 'acts for a range', isStrip: true, ends: 'no longer' },
  takeover: { row: 'acts', tone: 'takeover', title: 'takes a range over', weight: 3 },
  call: { row: 'calls', tone: 'call', title: 'call, until it is acknowledged', ends: 'acknowledged' },
  refused: {
    row: 'calls',
    tone: 'warn',
    title: 'call that ended in an error',
    ends: 'acknowledged',
    weight: 2,
  },
  unanswered: { row: 'calls', tone: 'bad', title: 'call that was never answered', weight: 3 },
  send: { row: 'calls', tone: 'call', title: 'sending of a call' },
  answer: { row: 'calls', tone: 'ok', title: 'answer to a call' },
  'no-answer': { row: 'calls', tone: 'warn', title: 'no answer, or an error', weight: 2 },
  completed: { row: 'runs', tone: 'ok', title: 'attempt that completed', ends: 'completed' },
  failed: { row: 'runs', tone: 'warn', title: 'attempt that failed', ends: 'failed', weight: 2 },
  killed: {
    row: 'runs',
    tone: 'bad',
    title: 'attempt that died with its process',
    ends: 'is killed',
    weight: 3,
  },
  orphaned: {
    row: 'runs',
    tone: 'orphan',
    title: 'attempt that ended when nobody listened',
    ends: 'ends, and nobody hears of it',
    weight: 3,
  },
  running: { row: 'runs', tone: 'call', title: 'attempt that runs to the end', weight: 2 },
  abort: { row: 'runs', tone: 'orphan', title: 'attempt is told to stop', weight: 2 },
  due: { row: 'marks', tone: 'accent', title: 'falls due' },
  ended: { row: 'marks', tone: 'ok', title: 'end of a run, as reported' },
  alarm: { row: 'marks', tone: 'warn', title: 'holds a member for away or gone', weight: 2 },
  suspicion: { row: 'marks', tone: 'quiet', title: 'suspects a member' },
  member: { row: 'marks', tone: 'member', title: 'founded, refused, let in' },
  worker: { row: 'marks', tone: 'fault', title: 'loses its worker', isContext: true, weight: 2 },
  clock: { row: 'marks', tone: 'clock', title: 'its wall clock is set', isContext: true, weight: 2 },
  note: { row: 'marks', tone: 'note', title: 'note of the trace', isContext: true },
} as const satisfies Record<string, KindOf>

export type Kind = keyof typeof DRAWN
export const KINDS: Readonly<Record<Kind, KindOf>> = DRAWN
export const KIND_NAMES = Object.keys(DRAWN) as Kind[]
