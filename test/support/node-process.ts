/** Nodes of createNode as processes of their own, that can be killed, and what they say of themselves. */

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const NODE_PROGRAM = join(import.meta.dirname, 'node-program.ts')

export interface Report {
  readonly slot?: number | undefined
  readonly address?: string | undefined
  readonly store?: string
  readonly url?: string | undefined
  /** Of the mesh that it belongs to. */
  readonly mesh?: string | undefined
  /** Stores that it holds for live. */
  readonly live?: number | undefined
  readonly refused?: readonly string[]
  /** Why there is no node. */
  readonly error?: { readonly code: string; readonly message: string }
}

export class NodeProcess {
  readonly child: ChildProcess
  /** What it said last. */
  said: Report = {}

  constructor(options: object) {
    this.child = spawn(process.execPath, [NODE_PROGRAM, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    reportsOf(this.child, report => {
      this.said = report
    })
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }
}

export function reportsOf(child: ChildProcess, heard: (report: Report) => void): void {
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', line => {
    if (line.startsWith('{')) heard(JSON.parse(line) as Report)
  })
}
