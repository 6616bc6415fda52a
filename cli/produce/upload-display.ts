/** How far an upload has got: what counts is what is acknowledged, not what was read. */

import { basename } from 'node:path'
import { openDisplay, ProgressDisplay } from '../progress-display.ts'
import type { GlobalOptions } from '../verb.ts'
import type { Acknowledged } from './acknowledged.ts'
import type { Input } from './input.ts'
import type { ProducePlan } from './plan.ts'

export async function openUploadDisplay(
  { files, valueFile, showsProgress }: ProducePlan,
  inputs: readonly Input[],
  global: GlobalOptions,
  acknowledged: Acknowledged,
): Promise<ProgressDisplay> {
  if (valueFile !== undefined) return new ProgressDisplay()
  const sizes = inputs.map(({ sizeBytes }) => sizeBytes)
  const isSized = files.length > 0 && sizes.every((size) => size !== undefined)
  const total = isSized ? sizes.reduce((sum: number, size = 0) => sum + size, 0) : undefined
  const progress = () => {
    const { place } = acknowledged.reached
    const before = sizes.slice(0, place.file).reduce((sum: number, size = 0) => sum + size, 0)
    return { done: before + place.position, records: place.records }
  }
  const name = files.length === 1 ? basename(files[0]!) : undefined
  return openDisplay({ name, total, unit: 'bytes', progress }, global, {
    isAsked: showsProgress,
    mayDraw: true,
  })
}
