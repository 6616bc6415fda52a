/** Anonymous memory (`RssAnon`) of a process in MiB: what it holds itself, without the code it maps (Linux). */

import { readFileSync } from 'node:fs'

export function processMemoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}
