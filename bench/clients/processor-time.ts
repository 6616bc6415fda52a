/** How long processors worked: for this process, and for another one by its id (Linux, `proc(5)`). */

import { readFileSync } from 'node:fs'

/** `USER_HZ`: what `/proc` counts in, on every Linux there is. */
const TICKS_PER_SECOND = 100
/** Of the fields after the command's name in parentheses: `utime` and `stime`. */
const USER_TIME_AT = 11
const SYSTEM_TIME_AT = 12

/** Seconds of all threads of this process since it began. */
export function ownProcessorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** The same of process `pid`, to a hundredth of a second. */
export function processorSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_TIME_AT]) + Number(fields[SYSTEM_TIME_AT])) / TICKS_PER_SECOND
}
