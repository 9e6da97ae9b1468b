/** All commands of the CLI, as data; see command.ts. What it says here is what people read. */

import { TASK_STATES } from '../task/task.ts'
import type { Action, CommandSpec, OptionSpec } from './command.ts'

const JSON_OUT: OptionSpec = { flags: '--json', text: 'print JSON, for programs' }
const DATA: OptionSpec = {
  flags: '--data <dir>',
  text: 'data directory (CARILLON_DATA; default: ./carillon-data)',
  completion: 'directory',
}
/** How a command finds its node. */
const NODE: readonly OptionSpec[] = [
  {
    flags: '--join <address>',
    text: 'go through the mesh: HOST:PORT of a node of it, local, or mdns (its secret: CARILLON_SECRET), or a join token',
    many: true,
  },
  { flags: '--mesh <name>', text: 'name of the mesh of --join (default: carillon)' },
  { flags: '--url <url>', text: 'address of the node (CARILLON_URL); without it, the node of --data' },
  {
    flags: '--token-file <file>',
    text: 'file with its token (CARILLON_TOKEN is the token)',
    completion: 'file',
  },
  { ...DATA, text: 'data directory of the node (CARILLON_DATA; default: ./carillon-data)' },
  JSON_OUT,
]
const WAIT: readonly OptionSpec[] = [
  { flags: '--wait', text: 'wait for the end, print the result, fail if the run failed' },
  { flags: '--wait-max <duration>', text: 'wait no longer (default: 1h)' },
]
const TZ: OptionSpec = { flags: '--tz <zone>', text: 'IANA time zone', completion: 'zone' }
const DST: readonly OptionSpec[] = [
  {
    flags: '--dst-gap <policy>',
    text: 'local times that a night leaves out',
    choices: ['auto', 'skip', 'shift'],
  },
  {
    flags: '--dst-overlap <policy>',
    text: 'local times that a night has twice',
    choices: ['auto', 'first', 'second', 'both'],
  },
]
const LIMIT: OptionSpec = { flags: '-n, --limit <n>', text: 'at most that many' }
const TASK = { name: 'id', text: 'id of a task', completion: 'task' } as const
const TASKS = { name: 'ids', text: 'ids of tasks', completion: 'task', many: true } as const

const fromTasks =
  (name: 'ls' | 'show' | 'runs' | 'logs' | 'cancel' | 'pause' | 'resume' | 'trigger' | 'retry') =>
  async (): Promise<Action> =>
    (await import('./tasks.ts'))[name] as Action

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'up',
    summary: 'start a node: run handlers and crontabs until a signal',
    details: `A handlers file (TypeScript or JavaScript) exports its handlers: functions by their
names, or \`export default { 'email.send': fn }\`, or \`export const handlers = {...}\`.
It may export \`tasks\`, a list of task options that is scheduled at each start: give
each an id, then a start changes nothing.

A crontab is taken as \`import crontab --prune\` takes it: the file is the truth. Its
commands are allowed to run, and no others (of an import, say) unless --commands says
so. @reboot lines run once at each start. SIGHUP reads the crontabs again, not the handlers.

A node with --listen or --join is one of a mesh. Who is let in has the mesh's secret: of
CARILLON_SECRET, else of the file MESH_SECRET in the data directory, which the first node
of a mesh makes.

With --join local the nodes of this host find each other by port 7400 of its loopback
(local:PORT is another): one of them holds it, and founds the mesh if there is none. They
listen on 127.0.0.1, and have their HTTP APIs at free ports, unless --listen and --http
say otherwise. With --join mdns nodes of the LAN find each other by multicast DNS; none
founds a mesh, unless --expect says how many do. Give all of them one CARILLON_SECRET.

With --slots, processes that are started alike (by PM2, say) share the data directory:
each takes the lowest free slot in it, and adds to each port what its slot is above 1.
The secret is that of CARILLON_SECRET; other commands find a living node in DIR.

SIGINT or SIGTERM: no new runs, --grace for those that run, then they are aborted
(and run again at the next start), all is synced, exit code 0. A second signal ends
the process at once (130, 143). A handler that blocks the thread delays signals.`,
    words: [],
    options: [
      DATA,
      { flags: '--memory', text: 'keep nothing on disk' },
      { flags: '--handlers <file>', text: 'handlers to run', many: true, completion: 'file' },
      { flags: '--crontab <file>', text: 'crontab to run', many: true, completion: 'file' },
      { ...TZ, text: 'zone of the crontabs without CRON_TZ (default: UTC)' },
      { flags: '--http <address>', text: 'HOST:PORT of the HTTP API, or off (default: 127.0.0.1:7410)' },
      {
        flags: '--commands [patterns...]',
        text: 'let tasks run shell commands: all, or these (a trailing * stands for anything)',
      },
      {
        flags: '--listen <address>',
        text: 'be a node of a mesh, that others reach at HOST:PORT; at HOST, port 7400 or a free one (with --join: 0.0.0.0)',
      },
      {
        flags: '--join <address>',
        text: 'HOST:PORT of a node of the mesh; local: those of this host; mdns: those of the LAN; or a join token',
        many: true,
      },
      { flags: '--advertise <address>', text: 'where others reach this node, if not where it listens' },
      { flags: '--mesh <name>', text: 'name of the mesh (default: carillon)' },
      { flags: '--expect <n>', text: 'nodes that found the mesh together, where each joins the others' },
      { flags: '--slots <n>', text: 'processes that may share the data directory, each a node in a slot' },
      { flags: '--zone <zone>', text: 'where this node stands: copies go to distinct zones first' },
      { flags: '--grace <duration>', text: 'for running handlers at the end (default: 10s)' },
      { flags: '--concurrency <n>', text: 'runs of one handler at a time (default: 100)' },
      {
        flags: '--profile <profile>',
        text: 'what tasks are that say nothing else',
        choices: ['performance', 'balanced', 'economy'],
      },
      { flags: '--durability <kind>', text: 'sync each task, or each second', choices: ['sync', 'interval'] },
      { flags: '--repair', text: 'set broken parts of the data directory aside; once, after STORE_CORRUPT' },
      { flags: '--for <duration>', text: 'end by itself after that long' },
      { flags: '--quiet', text: 'print only what is wrong' },
      JSON_OUT,
    ],
    examples: [
      'carillon up --handlers handlers.ts',
      'carillon up --crontab /etc/crontab --tz Europe/Paris --data /var/lib/carillon',
      "carillon up --commands 'uname -s' 'backup *' --http off",
      'carillon up --handlers handlers.ts --listen 10.0.0.1:7400',
      'carillon up --handlers handlers.ts --join 10.0.0.1:7400',
      'carillon up --handlers handlers.ts --join local --slots 8',
      'carillon up --handlers handlers.ts --join mdns --expect 3',
    ],
    load: async () => (await import('./up.ts')).up as Action,
  },
  {
    name: 'schedule',
    summary: 'schedule a task: now, once, or again and again',
    details: `Durations are like 500ms, 10m, 1h30m, PT10M; instants are ISO 8601 or epoch
milliseconds. An instant without an offset is in --tz, else in this machine's zone.
An id that exists has its schedule replaced; the same again changes nothing.`,
    words: [{ name: 'name', text: 'handler that runs it', optional: true, completion: 'handler' }],
    options: [
      { flags: '--command <command>', text: 'run a shell command instead of a handler' },
      {
        flags: '--file <file>',
        text: 'tasks as a JSON array, or one on each line; - is stdin',
        completion: 'file',
      },
      { flags: '--payload <json>', text: 'what the handler gets' },
      { flags: '--payload-file <file>', text: 'the same from a file; - is stdin', completion: 'file' },
      { flags: '--id <id>', text: 'id of the task; without it one is made' },
      { flags: '--after <duration>', text: 'once, that long from now' },
      { flags: '--at <instant>', text: 'once, at 2030-01-31T09:00 or 2030-01-31T09:00:00Z' },
      { flags: '--every <duration>', text: 'again and again' },
      { flags: '--cron <pattern>', text: 'by a cron pattern of 5 or 6 fields (seconds first), or @daily' },
      { ...TZ, text: 'zone of --cron (default: UTC) and of instants without offset' },
      { flags: '--start <instant>', text: 'not before' },
      { flags: '--end <instant>', text: 'not after' },
      { flags: '--max <n>', text: 'at most that many times' },
      { flags: '--jitter <duration>', text: 'each time later by the same share of this' },
      { flags: '--anchor <instant>', text: 'phase zero of --every' },
      { flags: '--from <what>', text: '--every counts from', choices: ['phase', 'completion'] },
      { flags: '--retry <n>', text: 'attempts in all, or off for one (default: 5)' },
      {
        flags: '--retry-kind <kind>',
        text: 'how delays grow',
        choices: ['immediate', 'fixed', 'exponential'],
      },
      { flags: '--retry-base <duration>', text: 'first delay (default: 1s)' },
      { flags: '--retry-max-delay <duration>', text: 'longest delay (default: 1h)' },
      { flags: '--timeout <duration>', text: 'of each attempt (default: none)' },
      {
        flags: '--guarantee <guarantee>',
        text: 'what is promised',
        choices: ['at-least-once', 'at-most-once', 'exactly-once'],
      },
      { flags: '--precision <precision>', text: '100 ms, 1 s, 10 s', choices: ['high', 'normal', 'low'] },
      { flags: '--priority <n>', text: 'higher first, -100 to 100' },
      {
        flags: '--overlap <policy>',
        text: 'while the run before goes on',
        choices: ['allow', 'skip', 'queue-one', 'cancel-old'],
      },
      { flags: '--misfire <policy>', text: 'of missed times', choices: ['once', 'all', 'skip'] },
      ...DST,
      { flags: '--tag <tag>', text: 'tag, may be given again', many: true },
      { flags: '--key <key>', text: 'idempotency key: a task of this name and key is made once' },
      { flags: '--key-ttl <duration>', text: 'how long a key counts after the end (default: 24h)' },
      { flags: '--anyway', text: 'also if nobody runs that handler yet' },
      ...WAIT,
      ...NODE,
    ],
    examples: [
      `carillon schedule email.send --payload '{"to":"a@example.com"}' --after 10m`,
      "carillon schedule report --id nightly --cron '30 2 * * *' --tz Europe/Paris",
      "carillon schedule --command 'uname -s' --wait",
      'carillon schedule --file tasks.jsonl',
    ],
    load: async () => (await import('./schedule.ts')).schedule as Action,
  },
  {
    name: 'ls',
    summary: 'list tasks',
    words: [],
    options: [
      { flags: '--state <state>', text: 'only tasks in this state', choices: TASK_STATES },
      { flags: '--name <name>', text: 'only tasks of this handler', completion: 'handler' },
      { flags: '--tag <tag>', text: 'only tasks with this tag' },
      LIMIT,
      ...NODE,
    ],
    examples: ['carillon ls', 'carillon ls --state dead', 'carillon ls --json | head -n 20'],
    load: fromTasks('ls'),
  },
  {
    name: 'show',
    summary: 'show all of a task: schedule, policies, runs, last error',
    words: [TASK],
    options: NODE,
    examples: ['carillon show nightly', 'carillon show nightly --json'],
    load: fromTasks('show'),
  },
  {
    name: 'runs',
    summary: 'list the runs of a task, newest first',
    words: [TASK],
    options: [LIMIT, ...NODE],
    examples: ['carillon runs nightly', 'carillon runs nightly --limit 5'],
    load: fromTasks('runs'),
  },
  {
    name: 'logs',
    summary: 'print what run.log() wrote',
    words: [{ ...TASK, text: 'id of a task, or of a run' }],
    options: [{ flags: '-f, --follow', text: 'go on until the task has ended' }, ...NODE],
    examples: ['carillon logs nightly', 'carillon logs nightly --follow'],
    load: fromTasks('logs'),
  },
  {
    name: 'cancel',
    summary: 'end tasks, or runs by their ids; aborts what runs',
    words: [{ ...TASKS, text: 'ids of tasks or runs' }],
    options: NODE,
    examples: [
      'carillon cancel nightly',
      'carillon ls --tag old --json | jq -r .[].id | xargs carillon cancel',
    ],
    load: fromTasks('cancel'),
  },
  {
    name: 'pause',
    summary: 'hold tasks: no scheduled run starts',
    words: [TASKS],
    options: NODE,
    examples: ['carillon pause nightly'],
    load: fromTasks('pause'),
  },
  {
    name: 'resume',
    summary: 'let paused tasks go on',
    words: [TASKS],
    options: NODE,
    examples: ['carillon resume nightly'],
    load: fromTasks('resume'),
  },
  {
    name: 'trigger',
    summary: 'run tasks now, once more than their schedule says',
    words: [TASKS],
    options: [...WAIT, ...NODE],
    examples: ['carillon trigger nightly', 'carillon trigger nightly --wait'],
    load: fromTasks('trigger'),
  },
  {
    name: 'retry',
    summary: 'drive failed runs again',
    words: [{ ...TASKS, text: 'ids of tasks (the latest failed run) or of runs' }],
    options: [...WAIT, ...NODE],
    examples: ['carillon ls --state dead', 'carillon retry order-17 --wait'],
    load: fromTasks('retry'),
  },
  {
    name: 'preview',
    summary: 'show when a schedule fires next; a pattern needs no node',
    words: [{ name: 'pattern', text: 'cron pattern, in quotes', optional: true }],
    options: [
      { flags: '--every <duration>', text: 'an interval instead of a pattern' },
      { flags: '--id <id>', text: 'the schedule of a task on the node', completion: 'task' },
      { ...TZ, text: 'zone of the pattern (default: UTC)' },
      { flags: '--count <n>', text: 'that many instants (default: 5)' },
      ...DST,
      ...NODE,
    ],
    examples: [
      "carillon preview '0 9 * * 1-5' --tz Europe/Paris",
      "carillon preview '30 2 * * *' --tz Europe/Paris --dst-gap skip --count 200",
      'carillon preview --id nightly',
    ],
    load: async () => (await import('./preview.ts')).preview as Action,
  },
  {
    name: 'status',
    summary: 'show how the node is',
    words: [],
    options: NODE,
    examples: ['carillon status', 'carillon status --url http://127.0.0.1:7410'],
    load: async () => (await import('./status.ts')).status as Action,
  },
  {
    name: 'peers',
    summary: 'list the nodes of the mesh, as one of them sees them',
    words: [],
    options: NODE,
    examples: ['carillon peers', 'carillon peers --json'],
    load: async () => (await import('./peers.ts')).peers as Action,
  },
  {
    name: 'token',
    summary: 'print a token with which one other node joins the mesh',
    details: `It is good once, and for --ttl. Who has it is let in, and is told the mesh's secret.`,
    words: [],
    options: [{ flags: '--ttl <duration>', text: 'how long it is good (default: 10m)' }, ...NODE],
    examples: ['carillon token', 'carillon token --ttl 1h'],
    load: async () => (await import('./token.ts')).token as Action,
  },
  {
    name: 'ring',
    summary: 'show which node acts for how much, and keeps how much',
    details: `With an id: the range of that task, which nodes keep it, and which one acts for it.`,
    words: [{ ...TASK, optional: true }],
    options: NODE,
    examples: ['carillon ring', 'carillon ring nightly', 'carillon ring --json'],
    load: async () => (await import('./ring.ts')).ring as Action,
  },
  {
    name: 'drain',
    summary: 'have the node leave its mesh for good, with nothing lost, and close',
    details: `Others take over what it acts for, its runs end, others copy all that it holds, and
it leaves. That takes as long as its longest run, and as its copies. The node goes on
with it if you stop waiting; ask again to see how far it is. Until it has left, a node
that is closed or dies is a member still. Started again later, it joins as a new one.`,
    words: [],
    options: [{ flags: '--timeout <duration>', text: 'wait no longer (default: without end)' }, ...NODE],
    examples: ['carillon drain', 'carillon drain --timeout 10m --data /var/lib/carillon'],
    load: async () => (await import('./drain.ts')).drain as Action,
  },
  {
    name: 'forget',
    summary: 'remove a dead store, or all dead ones of a node, from the mesh for ever',
    details: `The id is that of a node or of a store, as peers and ring --json print it, or the end
of a node's and the beginning of a store's. What is live is not forgotten: drain it.
What only a forgotten store had is lost. One that comes back after all is told so; started
once more, it joins as a new store with all that it holds.`,
    words: [{ name: 'id', text: 'a node or a store' }],
    options: NODE,
    examples: ['carillon forget Qk3vXz8T', 'carillon forget 5f0c2a9b'],
    load: async () => (await import('./forget.ts')).forget as Action,
  },
  {
    name: 'import crontab',
    summary: 'take the lines of a crontab as tasks',
    details: `A line is known again by its user and command: importing again adds what is new and
changes what has another time. What is no longer in the file stays, unless --prune.
Lines that can't be taken are named with the reason; that alone is no failure, unless
--strict, and a task that such a line had before stays. The node must allow the
commands: carillon up --commands. One with --crontab alone allows those of its own
file, and refuses any other when it is due.`,
    words: [{ name: 'file', text: 'the crontab; - is stdin', completion: 'file' }],
    options: [
      { flags: '--dry-run', text: 'change nothing, print what would be done' },
      { flags: '--prune', text: 'remove tasks of this import whose line is gone' },
      { flags: '--name <name>', text: 'name of the import (default: name of the file)' },
      { ...TZ, text: 'zone until a CRON_TZ (default: UTC)' },
      {
        flags: '--form <form>',
        text: 'with a user field (system) or without (default: auto)',
        choices: ['auto', 'user', 'system'],
      },
      { flags: '--strict', text: 'exit code 1 if a line is not taken' },
      ...NODE,
    ],
    examples: [
      'carillon import crontab /etc/crontab --dry-run',
      'crontab -l | carillon import crontab - --name mine --prune',
    ],
    load: async () => (await import('./import-command.ts')).importCrontab as Action,
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    details: `bash   carillon completion bash > ~/.local/share/bash-completion/completions/carillon
zsh    carillon completion zsh > "\${fpath[1]}/_carillon"
fish   carillon completion fish > ~/.config/fish/completions/carillon.fish

Then start a new shell. Task ids and handler names come from the running node.`,
    words: [{ name: 'shell', text: 'the shell', choices: ['bash', 'zsh', 'fish'] }],
    options: [],
    examples: ['carillon completion bash', 'source <(carillon completion bash)'],
    load: async () => (await import('./completion.ts')).completion as Action,
  },
]
