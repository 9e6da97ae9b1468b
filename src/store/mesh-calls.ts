/**
 * What replication asks of a task store, handed on to who does it: records of others (mesh-records.ts), and reading for
 * copies (index-reader.ts). Only a store of a mesh has these calls.
 */

import type { Context } from '../replication/context.ts'
import type { RangeState, RecordHead } from '../replication/host.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import type { Applied } from './fold.ts'
import type { IndexReader } from './index-reader.ts'
import type { MeshRecords } from './mesh-records.ts'

export abstract class MeshCalls<R extends Run> {
  protected abstract get mesh(): MeshRecords<R>
  protected abstract get reader(): IndexReader<R>

  /** The actor of this boot for the first call of a range, then fresh ones. */
  mintActor(range: number): number {
    return this.mesh.mintActor(range)
  }

  idOf(bytes: Uint8Array): string {
    return this.mesh.idOf(bytes)
  }

  apply(range: number, actor: number, n: number, bytes: Uint8Array): Applied<R> {
    return this.mesh.apply(range, actor, n, bytes)
  }

  adopt(range: number, bytes: Uint8Array): Applied<R> {
    return this.mesh.adopt(range, bytes)
  }

  drop(range: number, id: string): number {
    return this.mesh.drop(range, id)
  }

  stable(range: number, context: Context): void {
    this.mesh.stable(range, context)
  }

  sweepEnded(now: number): void {
    this.mesh.sweepEnded(now)
  }

  get endedDroppedEarly(): number {
    return this.mesh.endedDroppedEarly
  }

  saveState(range: number, state: RangeState): void {
    this.mesh.saveState(range, state)
  }

  deleteState(range: number): void {
    this.mesh.deleteState(range)
  }

  deleteRecords(range: number): void {
    this.mesh.deleteRecords(range)
  }

  rangeRecords(range: number): Iterable<TaskRecord<R>> {
    return this.mesh.rangeRecords(range)
  }

  endedIn(range: number): TaskRecord<R>[] {
    return this.mesh.endedIn(range)
  }

  outboxOf(range: number): Iterable<TaskRecord<R>> {
    return this.mesh.outboxOf(range)
  }

  loadIn(range: number, ids: readonly string[]): Promise<void> | undefined {
    return this.reader.loadIn(range, ids)
  }

  pageOf(
    range: number,
    after: string | undefined,
    limit: number,
  ): Promise<{ heads: RecordHead[]; isLast: boolean }> {
    return this.reader.pageOf(range, after, limit)
  }

  headOf(range: number, bytes: Uint8Array): RecordHead & { readonly isHere: boolean } {
    return this.mesh.headOf(range, bytes)
  }

  encodeRecord(range: number, id: string): Uint8Array | undefined {
    return this.mesh.encodeRecord(range, id)
  }

  encodeExtras(range: number): Uint8Array {
    return this.mesh.encodeExtras(range)
  }

  adoptExtras(range: number, bytes: Uint8Array): void {
    this.mesh.adoptExtras(range, bytes)
  }

  canonical(record: TaskRecord<R>, prunes = false): string {
    return this.mesh.canonical(record, prunes)
  }
}
