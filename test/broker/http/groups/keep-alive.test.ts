/** A request that waits keeps its member alive, for exactly as long as it waits. */

import { expect, test } from 'vitest'
import type { BrokerContext } from '../../../../broker/context.ts'
import type { MemberReply } from '../../../../broker/groups/group-event.ts'
import { keepAlive } from '../../../../broker/http/groups/keep-alive.ts'
import { ManualClock } from '../../../rigs/clock.ts'
import { settled } from '../../partition/serving.ts'

const MEMBER: MemberReply = {
  memberId: 'm',
  memberEpoch: 3,
  heartbeatIntervalMs: 300,
  assignment: [],
  assignmentEpochs: new Map(),
  isChanged: false,
}

function world() {
  const clock = new ManualClock()
  const answers: ((reply: MemberReply) => void)[] = []
  const subscribed = new Set<() => void>()
  const groups = {
    run: () => new Promise<MemberReply>((resolve) => answers.push(resolve)),
    subscribe(_group: string, _member: string, wake: () => void) {
      subscribed.add(wake)
      return () => void subscribed.delete(wake)
    },
  }
  const settings = { groupSessionMsMin: 1_000 }
  const context = { clock, groups, settings } as unknown as BrokerContext
  const gone = new AbortController()
  return { clock, answers, subscribed, gone, lease: keepAlive(context, 'g', MEMBER, gone.signal) }
}

test('a wait that ends while its heartbeat is under way is the last of it', async () => {
  const { clock, answers, subscribed, lease } = world()
  clock.advance(300)
  answers[0]!(MEMBER)
  await settled()
  clock.advance(300)
  expect(answers).toHaveLength(2)
  lease.end()
  answers[1]!(MEMBER)
  await settled()
  clock.advance(10_000)
  expect(answers).toHaveLength(2)
  expect([clock.pendingTimers, subscribed.size]).toEqual([0, 0])
})

test('it ends for what the member should hear, and when its client is gone', async () => {
  const raised = world()
  raised.clock.advance(300)
  raised.answers[0]!({ ...MEMBER, memberEpoch: 4 })
  await settled()
  expect(raised.lease.signal.aborted).toBe(true)

  const woken = world()
  for (const wake of woken.subscribed) wake()
  expect(woken.lease.signal.aborted).toBe(true)

  const left = world()
  left.gone.abort()
  expect([left.lease.signal.aborted, left.clock.pendingTimers]).toEqual([true, 0])
})
