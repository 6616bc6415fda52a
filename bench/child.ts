/**
 * Runs a measuring client, or another helper of a scenario, as a process of its own, so that it shares
 * neither event loop nor garbage collector with what is measured. It gets its task as JSON in its first
 * argument and answers with one line of JSON on stdout.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface ClientOptions {
  /** Ignored where the client is expected to lose its broker. */
  readonly stderr?: 'inherit' | 'ignore'
  /** Words before the script, and behind its task. */
  readonly nodeFlags?: readonly string[]
  readonly words?: readonly string[]
}

/** Runs `script` (a path inside `bench/`) with `task`; resolves to its answer. */
export async function runClient<Answer>(
  script: string,
  task: object,
  { stderr = 'inherit', nodeFlags = [], words = [] }: ClientOptions = {},
): Promise<Answer> {
  const command = [...nodeFlags, join(import.meta.dirname, script), JSON.stringify(task), ...words]
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', stderr],
    env: { ...process.env, UV_THREADPOOL_SIZE: '4' },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${output}`)
  return JSON.parse(output) as Answer
}

/** The task of a client, in the client. */
export function taskOfThisProcess<Task>(): Task {
  return JSON.parse(process.argv[2] ?? '{}') as Task
}

/** Starts a helper that prints one line when it is ready; the caller ends it with `kill`. */
export async function startPeer(
  script: string,
): Promise<{ child: ChildProcess; line: string; pid: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, script)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, line: line.toString().trim(), pid: child.pid ?? -1 }
}
