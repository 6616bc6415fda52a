/** Numbers as people read them: 12,345, 1.2 MiB, 3 min 20 s. For terminals only; programs get plain numbers. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1234567` as `1,234,567`, whatever the machine's language. */
export function countForPeople(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** A size in binary units, with one digit after the point below ten: `1.2 MiB`, `40 KiB`, `999 B`. */
export function bytesForPeople(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 1_024 && unit < UNITS.length - 1; unit++) value /= 1_024
  // 1023.9 KiB is better said as 1.0 MiB than as 1024 KiB.
  if (unit > 0 && unit < UNITS.length - 1 && Math.round(value) >= 1_024) {
    value /= 1_024
    unit++
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** `1 record`, `2 records`. */
export function counted(count: number, noun: string): string {
  return `${countForPeople(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `2.1 s`, `40 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationForPeople(ms: number): string {
  const seconds = ms / 1_000
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${countForPeople(Math.floor(minutes / 1_440))} d ${Math.floor((minutes % 1_440) / 60)} h`
}

/** Below this a rate is chance. */
const RATED_MS_MIN = 1_000

/** ` in 2.1 s, 863,000 a second`; nothing where it was too short to tell. */
export function paceForPeople(count: number, elapsedMs: number): string {
  if (elapsedMs < RATED_MS_MIN) return ''
  const rate = countForPeople(roundedRate(count, elapsedMs))
  return ` in ${durationForPeople(elapsedMs)}, ${rate} a second`
}

/** Three digits that mean something. */
function roundedRate(count: number, ms: number): number {
  const rate = (count / ms) * 1_000
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(rate || 1)) - 2)
  return Math.round(rate / unit) * unit
}
