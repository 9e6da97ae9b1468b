/** Files that are there whole or not at all, at any moment and after any crash; readable by their owner only. */

import { randomUUID } from 'node:crypto'
import { open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes a file so that under its name there is, at any moment and after any crash, all of it or none. */
export async function writeWhole(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `${name}.${randomUUID()}.tmp`)
  try {
    await writeFile(temporary, text, { mode: 0o600, flush: true })
    await rename(temporary, join(directory, name))
    await syncDirectory(directory)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

/** Makes the names in a directory durable; without effect on Windows, which can't. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}
