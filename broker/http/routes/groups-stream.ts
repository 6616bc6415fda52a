/** A worker in one request: a stream whose connection is a member of the group (`groups/worker.ts`). */

import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import type { JoinEvent } from '../../groups/group-event.ts'
import { checkTopicName } from '../../topics/topic-name.ts'
import { addRoute, type Call } from '../add-route.ts'
import { Instances, memberIdOf } from '../groups/instances.ts'
import { memberDetails, startAt } from '../groups/joining.ts'
import { GroupWorker } from '../groups/worker.ts'
import { type WorkerLook, workerFormat } from '../groups/worker-format.ts'
import { filterKeyOf, recordFilter } from '../records/record-filter.ts'

/**
 * The broker itself says three times a second that such a member is there, and that it left when the
 * connection ends. Only a broker that crashed leaves one behind, and that no connection will come back to:
 * a worker's usual 45 s would leave its partitions to nobody for as long. Less could fence living ones
 * where a disk takes seconds to sync.
 *
 * A member with an instance id comes back: its session is how long its partitions wait for that, and is the
 * usual one.
 */
const CONNECTION_SESSION_MS = 10_000

export function registerGroupStream(app: FastifyInstance, context: BrokerContext): void {
  const instances = new Instances()
  addRoute(app, context, ROUTES.readGroup, {
    handle: async (call) => {
      const { params, query, answerType: type, reply } = call
      const look: WorkerLook = {
        type,
        as: query.as ?? 'auto',
        filter: recordFilter(query),
        filterKey: filterKeyOf(query),
      }
      const { instanceId } = query
      const release =
        instanceId === undefined ? () => {} : instances.connect(params.group, instanceId)
      let worker: GroupWorker | undefined
      try {
        const join = await joinOf(context, call)
        await app.face.streams.send({
          manner: {
            limit: Number.POSITIVE_INFINITY,
            hasControl: true,
            format: workerFormat(type),
            outOfRange: 'earliest',
          },
          reply,
          stalledMsMax: context.settings.groupPollMsMax,
          begin: async (surroundings) => {
            worker = await GroupWorker.join({
              context,
              groupId: params.group,
              join,
              look,
              surroundings,
            })
            return worker
          },
          onStream: (stream) => {
            if (worker !== undefined) worker.stream = stream
          },
        })
      } finally {
        await worker?.leave()
        release()
      }
      return undefined
    },
  })
}

async function joinOf(
  context: BrokerContext,
  { params, query, request }: Call<typeof ROUTES.readGroup>,
): Promise<JoinEvent> {
  const topics = query.topics?.split(',')
  for (const topic of topics ?? []) checkName(topic)
  const subscription = { ...query, topics }
  const { instanceId } = query
  const details = memberDetails(subscription, request)
  const start = await startAt(context, params.group, subscription)
  if (instanceId !== undefined) {
    return { kind: 'join', memberId: memberIdOf(instanceId), instanceId, details, ...start }
  }
  const { groupSessionMs, groupSessionMsMin } = context.settings
  const shortMs = Math.min(groupSessionMs, CONNECTION_SESSION_MS)
  const sessionTimeoutMs = Math.max(groupSessionMsMin, shortMs)
  return {
    kind: 'join',
    memberId: randomUUID(),
    details: { ...details, sessionTimeoutMs },
    ...start,
  }
}

function checkName(topic: string): void {
  try {
    checkTopicName(topic)
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error
    const detail = `query parameter topics: ${error.detail}`
    throw new SpoolError(error.code, detail, { extensions: { field: 'topics' } })
  }
}
