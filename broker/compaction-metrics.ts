/**
 * What Prometheus is told of compaction: what was done since the start, and how much there is to do. Looked
 * up at a scrape; counts nothing itself. Which partitions failed is among the figures of topics.
 */

import { Counter, Gauge, type Registry } from 'prom-client'
import type { CleanerTotals } from '../storage/compaction/cleaner.ts'

const TOTALS = [
  ['compactions', 'Compactions of logs that came to their end.', 'compactions'],
  ['compaction_failures', 'Compactions that failed; the log stayed as it was.', 'failures'],
  ['compaction_read_bytes', 'Bytes of segments that compaction read.', 'readBytes'],
  ['compaction_written_bytes', 'Bytes of segments that compaction wrote.', 'writtenBytes'],
  ['compaction_removed_records', 'Records that compaction removed.', 'recordsRemoved'],
  ['compaction_seconds', 'Time that compactions took.', 'seconds'],
] as const

const GAUGES = [
  [
    'compaction_dirty_ratio_max',
    'The dirty part of the dirtiest log, 0 to 1, when they were last looked at.',
    'dirtyRatioMax',
  ],
  ['compactions_running', 'Compactions that run now.', 'running'],
] as const

/** `totals` is `undefined` while the broker is not ready. */
export function addCompactionMetrics(
  registry: Registry,
  totals: () => CleanerTotals | undefined,
): void {
  const registers = [registry]
  for (const [name, help, field] of TOTALS) {
    new Counter({
      name: `spool_${name}_total`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(totals()?.[field] ?? 0)
      },
    })
  }
  for (const [name, help, field] of GAUGES) {
    new Gauge({
      name: `spool_${name}`,
      help,
      registers,
      collect() {
        this.set(totals()?.[field] ?? 0)
      },
    })
  }
}
