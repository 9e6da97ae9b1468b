/** Writes docs/cli.md from the CLI's own help; run it after a change of src/cli/commands.ts. A test tells when it is due. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reference } from '../src/cli/reference.ts'

writeFileSync(join(import.meta.dirname, '..', 'docs', 'cli.md'), reference())
