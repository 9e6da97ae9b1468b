/** What `--join` talks to: the mesh itself, as an embedded client of it, in the place of a node's HTTP API. */

import type { LocalClient } from '../api/local-client.ts'
import { TOKEN_PREFIX } from '../api/mesh-settings.ts'
import { openClient } from '../api/open-client.ts'
import { CarillonError } from '../errors.ts'
import { endWithin, errorBody } from '../http/routes.ts'
import type { TaskOptions } from '../task/options.ts'
import type { OccurrenceSpec } from '../task/recurrence.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { ForgottenStore } from '../wire/mesh-calls.ts'
import { wrongUse } from './cli-error.ts'
import type { MeshEntry, RemoteNode, ScheduleAnswer } from './remote.ts'

export class MeshClient implements RemoteNode {
  readonly #client: LocalClient
  readonly #closing = new AbortController()

  /** Rejects as createClient does. A secret beside a join token is passed over: the environment may hold it for others. */
  static async join({ join, mesh: { secret, ...mesh } }: MeshEntry): Promise<MeshClient> {
    const isToken = join.some(each => each.startsWith(TOKEN_PREFIX))
    if (secret === undefined && !isToken)
      throw wrongUse(
        '--join needs the secret of the mesh: set CARILLON_SECRET (the file MESH_SECRET in the data directory of a member has it), or give a join token in place of the address (`carillon token` on a member prints one)',
      )
    return new MeshClient(
      await openClient({ join, mesh: isToken || secret === undefined ? mesh : { ...mesh, secret } }),
    )
  }

  private constructor(client: LocalClient) {
    this.#client = client
  }

  async schedule(tasks: readonly object[]): Promise<readonly ScheduleAnswer[]> {
    const answers = await this.#client.scheduleEach(tasks as readonly TaskOptions[])
    return answers.map(answer => (answer instanceof CarillonError ? errorBody(answer) : answer))
  }

  task(id: string): Promise<TaskView | null> {
    return this.#client.task(id)
  }

  tasks(filter: Parameters<RemoteNode['tasks']>[0]): AsyncIterable<TaskView> {
    return this.#client.tasks(filter)
  }

  runs(id: string, options: { readonly limit: number }): Promise<readonly RunView[]> {
    return this.#client.runs(id, options)
  }

  logs(id: string): ReturnType<RemoteNode['logs']> {
    return this.#client.logs(id)
  }

  cancel(id: string): Promise<boolean> {
    return this.#client.cancel(id)
  }

  pause(id: string): Promise<void> {
    return this.#client.pause(id)
  }

  resume(id: string): Promise<boolean> {
    return this.#client.resume(id)
  }

  trigger(id: string): Promise<string> {
    return this.#client.trigger(id)
  }

  retry(id: string): Promise<string> {
    return this.#client.retry(id)
  }

  async result(id: string, { waitMs }: { readonly waitMs: number }): Promise<RunView | undefined> {
    return (await endWithin(this.#client, id, waitMs, this.#closing.signal)) ?? undefined
  }

  async preview(spec: OccurrenceSpec, count: number): Promise<readonly number[]> {
    return this.#client.preview(spec, count)
  }

  status(): Promise<StatusView> {
    return this.#client.status()
  }

  token(options: { readonly ttl: string | undefined }): Promise<string> {
    return this.#client.token(options)
  }

  forget(who: string): Promise<readonly ForgottenStore[]> {
    return this.#client.forget(who)
  }

  async drain(): Promise<DrainView> {
    throw wrongUse(
      'drain takes the node away that it is sent to: run it on the machine of that node, without --join',
    )
  }

  ring(id: string | undefined): Promise<RingView> {
    return this.#client.ring(id)
  }

  close(): Promise<void> {
    this.#closing.abort()
    return this.#client.close({ graceMs: 0 })
  }
}
