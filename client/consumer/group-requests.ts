/**
 * What a member asks of the broker: join, heartbeat, leave, commit; each one request, once, its answer
 * checked as far as it is relied on. When to ask, and what to do about a refusal, is for its callers.
 */

import { SpoolError } from '../api/errors.ts'
import type { Route } from '../api/route.ts'
import { ROUTES } from '../api/routes.ts'
import type {
  AssignedPartition,
  CommitOffsets,
  CommitReply,
  CommittedOffset,
  HeartbeatReply,
  JoinedGroup,
  JoinGroup,
} from '../api/schemas/groups.ts'
import { pathOf } from '../paths.ts'
import type { Transport } from '../transport.ts'

export interface AskOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface OwnedPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

export class GroupRequests {
  readonly group: string
  readonly #transport: Transport

  constructor(transport: Transport, group: string) {
    this.#transport = transport
    this.group = group
  }

  async join(document: JoinGroup, options: AskOptions): Promise<JoinedGroup> {
    const { group } = this
    const path = pathOf(ROUTES.joinGroup, { group })
    const joined = await this.#ask(ROUTES.joinGroup, path, options, { document })
    return checked<JoinedGroup>(joined, (it) => isMember(it) && isCount(it.sessionTimeoutMs))
  }

  async heartbeat(
    memberId: string,
    memberEpoch: number,
    owned: readonly OwnedPartition[],
    options: AskOptions,
  ): Promise<HeartbeatReply> {
    const path = pathOf(ROUTES.heartbeat, { group: this.group, memberId })
    const document = { memberEpoch, owned }
    const reply = await this.#ask(ROUTES.heartbeat, path, options, { document })
    return checked<HeartbeatReply>(reply, isMember)
  }

  async leave(memberId: string, isTemporary: boolean, options: AskOptions): Promise<void> {
    const path = pathOf(ROUTES.leaveGroup, { group: this.group, memberId })
    const query = isTemporary ? { temporary: true } : undefined
    await this.#ask(ROUTES.leaveGroup, path, options, { query })
  }

  /** Rejects where one of them was refused, with `extensions.offsets` saying of each what became of it. */
  async commit(document: CommitOffsets, options: AskOptions): Promise<readonly CommittedOffset[]> {
    const path = pathOf(ROUTES.commitOffsets, { group: this.group })
    const reply = await this.#ask(ROUTES.commitOffsets, path, options, { document })
    return checked<CommitReply>(reply, ({ offsets }) => Array.isArray(offsets)).offsets
  }

  async #ask(
    { method }: Route,
    path: string,
    options: AskOptions,
    parts: { readonly document?: unknown; readonly query?: Record<string, boolean> | undefined },
  ): Promise<unknown> {
    return (await this.#transport.request({ method, path, ...parts, ...options })).document
  }
}

/** True where the error says that the partition, or the whole member, was taken away. */
export function isFenced({ code }: SpoolError): boolean {
  return FENCED.has(code)
}

const FENCED = new Set(['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID', 'GROUP_ID_NOT_FOUND'])

/** True where the answer says nothing of the group: it may be another one in a moment, as of a proxy's error page. */
export function isNoAnswer({ code }: SpoolError): boolean {
  return code === 'UNKNOWN_SERVER_ERROR'
}

/** @throws SpoolError UNKNOWN_SERVER_ERROR for what no broker answers. */
function checked<T>(document: unknown, isRight: (document: Partial<T>) => boolean): T {
  if (typeof document === 'object' && document !== null && isRight(document as Partial<T>)) {
    return document as T
  }
  throw new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'the group answers what this client does not understand: is this a Spool broker, and not a newer one?',
  )
}

function isMember(it: Partial<HeartbeatReply>): boolean {
  return (
    typeof it.memberId === 'string' &&
    isCount(it.memberEpoch) &&
    isCount(it.heartbeatIntervalMs) &&
    Array.isArray(it.assignment) &&
    it.assignment.every(isAssigned)
  )
}

function isAssigned(place: unknown): boolean {
  const { topic, topicId, partition, offset } = (place ?? {}) as Partial<AssignedPartition>
  return (
    typeof topic === 'string' &&
    typeof topicId === 'string' &&
    isCount(partition) &&
    (offset === undefined || isCount(offset))
  )
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
