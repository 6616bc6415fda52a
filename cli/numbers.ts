/** Numbers as people read them: 12,345 and 1.2 MiB. For terminals only; programs get plain numbers. Pure. */

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
