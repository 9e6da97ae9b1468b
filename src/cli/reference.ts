/** docs/cli.md: the reference of the CLI, made from its own help. scripts/cli-reference.ts writes it, a test compares. */

import { COMMANDS } from './commands.ts'
import { helpOf } from './program.ts'

const HEAD = `# The command line

Made by \`node scripts/cli-reference.ts\` from the program's own help: don't edit it.

## Where a command finds its node

1. \`--join HOST:PORT\`, which may be given again: any node of a mesh, and no HTTP API. The command is a client of the mesh
   then, let in with the secret of \`CARILLON_SECRET\`, or with a join token in place of the address. A task that says
   nothing else is \`balanced\`, whatever profile the nodes have.
2. \`--url URL\`. Its token: \`--token-file FILE\`, else \`CARILLON_TOKEN\`, else the one in the data directory if that
   directory's node has the same address.
3. \`CARILLON_URL\`, with a token from the same places.
4. The data directory: \`--data DIR\`, else \`CARILLON_DATA\`, else \`./carillon-data\`. A node writes address and token of
   its HTTP API there, readable by its own user alone.

## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | refused or failed: no such task, a conflict, a run that was waited for failed, lines that a node did not take |
| 2 | wrong usage or input: an unknown flag, a value that is not allowed, a file that can't be read |
| 3 | no node could be reached, or it did not let us in |
| 130, 143 | a second SIGINT or SIGTERM ended \`up\` at once |

What is wrong is one line on stderr, \`carillon: ...\`; with \`--json\` it is \`{"error":{"code","message"}}\`.

## Environment

| variable | meaning |
|---|---|
| \`CARILLON_URL\`, \`CARILLON_TOKEN\`, \`CARILLON_DATA\` | the node, see above |
| \`NO_COLOR\` | no colour, also in a terminal |
| \`FORCE_COLOR\` | colour, also where there is no terminal |
| \`CARILLON_SECRET\` | the mesh's secret, for \`--join\`, and for \`carillon up --listen\` |
| \`CARILLON_DEBUG=1\` | after an error, where in the program it arose |
`

export function reference(): string {
  const sections = ['', ...COMMANDS.map(({ name }) => name)].map(name => {
    const title = name === '' ? 'carillon' : `carillon ${name}`
    return `## ${title}\n\n\`\`\`\n${helpOf(name)}\n\`\`\`\n`
  })
  return [HEAD, ...sections].join('\n')
}
