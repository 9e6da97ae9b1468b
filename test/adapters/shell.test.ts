import { describe, expect, test } from 'vitest'
import {
  CommandFailed,
  type CommandResult,
  type CommandSpec,
  runCommand,
  shellHandler,
} from '../../src/adapters/shell.ts'

const never = new AbortController().signal

const run = (spec: CommandSpec, signal = never): Promise<CommandResult> => runCommand(spec, signal)

function handle(allow: boolean | readonly string[], payload: unknown): Promise<CommandResult> {
  return shellHandler({ allow })({ payload, signal: never })
}

async function rejection(promise: Promise<unknown>): Promise<Error & { retryable?: boolean }> {
  return promise.then(
    () => {
      throw new Error('it should have been refused')
    },
    (error: Error) => error,
  )
}

/** A command says by this signal to its parent, which is us, that it is where it should be. */
const READY = 'kill -USR2 $PPID'

function abortWhenReady(): AbortSignal {
  const abort = new AbortController()
  process.once('SIGUSR2', () => abort.abort())
  return abort.signal
}

describe('a command', () => {
  test('gives its output, its exit code and how long it took', async () => {
    const from = performance.now()
    const result = await run({ command: 'echo out; echo err >&2' })
    const { durationMs, ...rest } = result
    expect(rest).toEqual({
      exitCode: 0,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      stdoutTruncated: false,
      stderrTruncated: false,
    })
    expect(Number.isInteger(durationMs)).toBe(true)
    expect(durationMs).toBeGreaterThanOrEqual(0)
    expect(durationMs).toBeLessThanOrEqual(Math.ceil(performance.now() - from))
  })

  test('that fails resolves with its exit code', async () => {
    expect(await run({ command: 'exit 7' })).toMatchObject({ exitCode: 7, signal: null })
  })

  test('that is not found is 127 of the shell, which says what', async () => {
    const { exitCode, stderr } = await run({ command: 'no-such-command-here --now' })
    expect(exitCode).toBe(127)
    expect(stderr).toContain('no-such-command-here')
  })

  test('that dies by a signal says by which', async () => {
    expect(await run({ command: 'kill -9 $$' })).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  })

  test('gets its input, also none, and need not read it', async () => {
    expect((await run({ command: 'cat', stdin: 'é\nlast' })).stdout).toBe('é\nlast')
    expect((await run({ command: 'cat' })).stdout).toBe('')
    expect((await run({ command: 'true', stdin: 'x'.repeat(1_000_000) })).exitCode).toBe(0)
  })

  test('has its own environment on top of ours, its folder and its shell', async () => {
    const { stdout } = await run({
      command: 'echo "$GREETING in $PWD, $(test -n "$PATH" && echo path)"',
      env: { GREETING: 'hi' },
      cwd: '/',
    })
    expect(stdout).toBe('hi in /, path\n')
    expect((await run({ command: 'ignored', shell: '/bin/echo' })).stdout).toBe('-c ignored\n')
  })

  test('whose shell or folder is not there is refused, and said', async () => {
    expect((await rejection(run({ command: 'ls', shell: '/no/such/shell' }))).message).toMatch(
      /^\/no\/such\/shell can't be started: /,
    )
    expect((await rejection(run({ command: 'ls', cwd: '/no/such/folder' }))).message).toMatch(
      /can't be started in \/no\/such\/folder/,
    )
  })
})

describe('output', () => {
  test('beyond the cap keeps its two ends, of each stream by itself', async () => {
    const command = 'printf "begin"; head -c 300000 /dev/zero | tr "\\0" x; printf "end"; echo short >&2'
    const result = await run({ command, outputMaxBytes: 100 })
    expect(result).toMatchObject({ stdoutTruncated: true, stderrTruncated: false, stderr: 'short\n' })
    expect(result.stdout).toBe(`begin${'x'.repeat(45)}\n[...]\n${'x'.repeat(47)}end`)
  })

  test.each([
    [9, false],
    [10, false],
    [11, true],
  ])('of %d bytes with a cap of 10 is cut: %s', async (length, cut) => {
    const text = 'abcdefghijk'.slice(0, length)
    const { stdout, stdoutTruncated } = await run({ command: `printf ${text}`, outputMaxBytes: 10 })
    expect(stdoutTruncated).toBe(cut)
    expect(stdout).toBe(cut ? 'abcde\n[...]\nghijk' : text)
  })

  test('that fits is whole, also where its halves meet within a character', async () => {
    const result = await run({ command: 'printf abcdéfg', outputMaxBytes: 10 })
    expect([result.stdout, result.stdoutTruncated]).toEqual(['abcdéfg', false])
  })

  test('that a child keeps open does not hold the end up', async () => {
    const { stdout, exitCode, durationMs } = await run({ command: 'sleep 30 & echo $!' })
    process.kill(Number(stdout))
    expect(exitCode).toBe(0)
    expect(durationMs).toBeLessThan(5000)
  })
})

describe('an abort', () => {
  test('ends the whole process group', async () => {
    // A child that lived on would keep the output open, and the end would wait a second for it.
    const command = `sh -c "trap : INT; sleep 30" & sleep 30 & ${READY}; wait`
    const result = await run({ command }, abortWhenReady())
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
    expect(result.durationMs).toBeLessThan(900)
  })

  test('kills what does not want to end', async () => {
    const command = `trap "" TERM; ${READY}; sleep 30; sleep 30`
    const result = await run({ command, killAfterMs: 50 }, abortWhenReady())
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
    expect(result.durationMs).toBeGreaterThanOrEqual(50)
  })

  test('that came before the start ends it at once', async () => {
    expect(await run({ command: 'sleep 30', killAfterMs: 200 }, AbortSignal.abort())).toMatchObject({
      exitCode: null,
    })
  })

  test('after the end does nothing', async () => {
    const abort = new AbortController()
    const result = await run({ command: 'true' }, abort.signal)
    abort.abort()
    expect(result.exitCode).toBe(0)
  })
})

describe('the handler', () => {
  test('gives the result of a command that succeeds', async () => {
    expect(await handle(true, { command: 'echo hi', env: { A: 'b' } })).toMatchObject({
      exitCode: 0,
      stdout: 'hi\n',
    })
  })

  test('fails with what the command said last, and is tried again', async () => {
    const error = await rejection(handle(true, { command: 'echo first >&2; echo "the last" >&2; exit 3' }))
    expect(error).toBeInstanceOf(CommandFailed)
    expect(error.message).toBe('exit code 3: the last')
    expect((error as CommandFailed).result.exitCode).toBe(3)
    expect(error.retryable).toBeUndefined()
    expect((await rejection(handle(true, { command: 'kill -9 $$' }))).message).toBe('signal SIGKILL')
  })

  test.each<[boolean | readonly string[], string, boolean]>([
    [true, 'true', true],
    [false, 'true', false],
    [[], 'true', false],
    [['true', 'echo hi'], 'true', true],
    [['echo hi'], 'echo hi there', false],
    [['echo *'], 'echo hi there', true],
    [['echo *'], 'echo', false],
    [['true'], ' true', false],
  ])('if %j is allowed: does %j run? %s', async (allow, command, runs) => {
    if (runs) return expect(await handle(allow, { command })).toMatchObject({ exitCode: 0 })
    const error = await rejection(handle(allow, { command }))
    expect(error.message).toContain(`the command ${JSON.stringify(command)} is not allowed`)
    expect(error.retryable).toBe(false)
  })

  test.each<[unknown, RegExp]>([
    [undefined, /needs a command/],
    [{}, /needs a command/],
    [{ command: '' }, /needs a command/],
    [{ command: ['ls'] }, /needs a command/],
    [{ command: 'ls', cwd: 5 }, /cwd of a shell task is a text, not number/],
    [{ command: 'ls', shell: null }, /shell of a shell task is a text/],
    [{ command: 'ls', stdin: {} }, /stdin of a shell task is a text/],
    [{ command: 'ls', env: 'A=b' }, /env of a shell task/],
    [{ command: 'ls', env: { A: 1 } }, /env of a shell task/],
  ])('refuses the payload %j for good', async (payload, why) => {
    const error = await rejection(handle(true, payload))
    expect(error.message).toMatch(why)
    expect(error.retryable).toBe(false)
  })
})
