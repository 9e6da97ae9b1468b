/** Errors of the disk and of LevelDB, as errors of ours: by code where there is one, else by what LevelDB says. */

import { CarillonError } from '../errors.ts'

/** The CarillonError for what LevelDB or the file system threw; the innermost cause says what it was. */
export function storeError(error: unknown, what: string): CarillonError {
  let cause = error
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const text = `${what}: ${message}`
  if (/no space left on device|disk quota exceeded|not enough space on the disk/i.test(message)) {
    return new CarillonError('STORE_FULL', text, { cause: error })
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return new CarillonError('STORE_FULL', text, { cause: error })
  if (code === 'LEVEL_LOCKED') return new CarillonError('STORE_LOCKED', text, { cause: error })
  if (code === 'LEVEL_CORRUPTION' || /MANIFEST-\d+: No such file/.test(message)) {
    return new CarillonError('STORE_CORRUPT', text, { cause: error })
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
    return new CarillonError('CLOSED', text, { cause: error })
  }
  return new CarillonError('STORE_FAILED', text, { cause: error })
}
