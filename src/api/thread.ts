/** Starts the thread of a node or a client, and waits until it says that it is up. */

import { extname } from 'node:path'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker as Thread } from 'node:worker_threads'
import type { ClientThreadData } from '../adapters/client-thread.ts'
import type { EngineThreadData, EngineThreadReady } from '../adapters/engine-thread.ts'
import { MessagePortChannel } from '../adapters/message-port-channel.ts'
import { CarillonError } from '../errors.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import { rebuiltError } from '../wire/frame.ts'

/** By the file that a thread runs. */
interface ThreadData {
  readonly 'engine-thread': EngineThreadData
  readonly 'client-thread': ClientThreadData
}

export interface StartedThread {
  readonly channel: WorkerChannel
  readonly thread: Thread
  /** Of the data directory, where it has slots. */
  readonly slot: number | undefined
  /** Where the node listens for others. */
  readonly address: string | undefined
  /** Rejects when the thread has ended. */
  readonly died: Promise<never>
}

/** Rejects with why it is not up, or with ABORTED; then the thread has ended, or is about to. */
export async function startThread<File extends keyof ThreadData>(
  file: File,
  dataWith: (port: MessagePort) => ThreadData[File],
  signal?: AbortSignal,
): Promise<StartedThread> {
  const { port1, port2 } = new MessageChannel()
  const thread = newThread(file, dataWith(port2), port2)
  const started = ready(port1, thread)
  const died = new Promise<never>((_, reject) => {
    thread.once('error', error => reject(threadDied(file, error)))
    thread.once('exit', code =>
      reject(threadDied(file, new Error(`its thread ended with exit code ${code}`))),
    )
  })
  died.catch(() => undefined)
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(abortError(signal as AbortSignal))
  })
  signal?.addEventListener('abort', abort)
  try {
    const { slot, address } = await Promise.race([started, died, aborted])
    return { channel: new MessagePortChannel(port1), thread, slot, address, died }
  } catch (error) {
    if (signal?.aborted === true) void thread.terminate()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

export function abortError(signal: AbortSignal): CarillonError {
  return new CarillonError('ABORTED', 'the start was aborted by its signal', { cause: signal.reason })
}

/**
 * Of a thread's heap, what is new lies in this much at most, MB. More: it is cleared up less often under load, and what was taken
 * once is kept when there is nothing to do.
 */
const YOUNG_MB = 16

function newThread(file: string, workerData: object, port: MessagePort): Thread {
  const entry = new URL(`../adapters/${file}${extname(import.meta.url)}`, import.meta.url)
  // A thread inherits this process's flags, and can't be started from a file with the flag of a text (`node -e`).
  const isText = process.execArgv.some(flag => flag.startsWith('--input-type'))
  return new Thread(entry, {
    workerData,
    transferList: [port],
    name: 'carillon',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    ...(isText ? { execArgv: [] } : {}),
  })
}

/**
 * The thread's first message: whether it could start. A thread that could not ends at once, and on a busy machine its end
 * is told before what it said: then the message is still in the port.
 */
function ready(port: MessagePort, thread: Thread): Promise<EngineThreadReady & { readonly ready: true }> {
  return new Promise((resolve, reject) => {
    const hear = (message: EngineThreadReady): void => {
      if (message.ready) resolve(message)
      else reject(rebuiltError(message.error))
    }
    const ended = (): void => {
      const left = receiveMessageOnPort(port) as { message: EngineThreadReady } | undefined
      if (left !== undefined) hear(left.message)
    }
    thread.once('exit', ended)
    port.once('message', (message: EngineThreadReady) => {
      thread.off('exit', ended)
      hear(message)
    })
  })
}

function threadDied(file: keyof ThreadData, cause: unknown): CarillonError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const what = file === 'engine-thread' ? 'engine' : 'client'
  return new CarillonError('ENGINE_STOPPED', `the ${what} died: ${why}`, { cause })
}
