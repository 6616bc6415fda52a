/** Who waits for a member is woken when there is something for it: one look for all that moved, nothing left behind. */

import { expect, test } from 'vitest'
import { MemberWakes } from '../../../broker/groups/member-wakes.ts'
import { settled } from '../partition/serving.ts'

test('wakes those whose members have something to hear, with one look for many moves', async () => {
  let looks = 0
  const woken: string[] = []
  const wakes = new MemberWakes(() => {
    looks++
    return ['b', 'nobody']
  })
  const ends = ['a', 'b', 'b'].map((id) => wakes.subscribe('g', id, () => woken.push(id)))
  for (let move = 0; move < 100; move++) wakes.moved('g')
  wakes.moved('another group')
  await settled()
  expect({ looks, woken }).toEqual({ looks: 1, woken: ['b', 'b'] })
  ends[1]!()
  wakes.moved('g')
  await settled()
  expect({ looks, woken }).toEqual({ looks: 2, woken: ['b', 'b', 'b'] })
  for (const end of [...ends, ...ends]) end()
  expect(wakes.size).toBe(0)
  wakes.moved('g')
  await settled()
  expect(looks).toBe(2)
})
