/**
 * Readings of sensors that are offline now and then: JSON events whose timestamps come out of order, some
 * by seconds, some by hours, as when a gateway sends what it kept. For reading from a time.
 *
 *     node bench/loads/sensor-events.ts --lines 100000 --seed 1 > sensors.ndjson
 */

import { SeededRandom } from '../../test/rigs/random.ts'
import { runGenerator } from './generator-command.ts'

const FIRST_READING_AT_MS = Date.UTC(2025, 2, 3)
const SENSORS = 500
const GAP_MS = 250
const LATE_SECONDS_MAX = 30
const OUTAGE_HOURS_MAX = 6

/** The lines, without their newlines: `{"id","sensor","at","kind","value","late"}`, `at` in ms. */
export function* sensorEvents(lines: number, seed: number): Generator<string> {
  const random = new SeededRandom(seed)
  for (let line = 0; line < lines; line++) {
    const delayMs = delayOf(random)
    yield JSON.stringify({
      id: line,
      sensor: `s-${String(random.below(SENSORS)).padStart(3, '0')}`,
      at: FIRST_READING_AT_MS + line * GAP_MS - delayMs,
      kind: random.pick(['temperature', 'humidity', 'door']),
      value: Math.round(random.next() * 1000) / 10,
      late: delayMs > 0,
    })
  }
}

/** Nine in ten are on time, most of the rest a little late, one in a hundred comes after an outage. */
function delayOf(random: SeededRandom): number {
  const draw = random.next()
  if (draw < 0.9) return 0
  if (draw < 0.99) return random.between(1, LATE_SECONDS_MAX * 1_000)
  return random.between(60_000, OUTAGE_HOURS_MAX * 3_600_000)
}

if (import.meta.main) runGenerator(sensorEvents)
