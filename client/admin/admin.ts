/**
 * Topics, offsets, groups and the cluster: the routes that change or describe things, with the types of the
 * contract. Every method is one request; those that only ask are tried again for retriable errors until
 * `requestTimeoutMs` is up, those that change something never are.
 */

import type { Static } from '@sinclair/typebox'
import { ROUTES } from '../api/routes.ts'
import type { ClusterDescription } from '../api/schemas/cluster.ts'
import type {
  CommitOffsets,
  CommitReply,
  CommittedOffset,
  GroupDescription,
  GroupOffset,
  GroupOffsets,
  GroupSummary,
  ResetReply,
} from '../api/schemas/groups.ts'
import type {
  AlterTopic,
  CreateTopic,
  TopicDescription,
  TopicOffsets,
  TopicSummary,
  TrimmedPartition,
} from '../api/schemas/topics.ts'
import type { ClientContext } from '../client-context.ts'
import { pathOf } from '../paths.ts'
import type { ProducerIdentity } from '../producer/partition-line.ts'
import { type PositionLike, positionText } from '../reader/position-text.ts'
import { retried } from '../retry.ts'
import type { Answer, RequestOptions } from '../transport.ts'

export type TopicToCreate = Static<typeof CreateTopic>
export type TopicChange = Static<typeof AlterTopic>
export type Cluster = Static<typeof ClusterDescription>
export type Trimmed = Static<typeof TrimmedPartition>
export type OffsetToCommit = CommitOffsets['offsets'][number]
export type {
  CommittedOffset,
  GroupDescription,
  GroupOffset,
  GroupSummary,
  ResetReply,
  TopicDescription,
  TopicOffsets,
  TopicSummary,
}

export interface CallOptions {
  /** Aborted: the call rejects with the signal's reason. What was sent may still take effect. */
  readonly signal?: AbortSignal
}

export interface ListTopicsOptions extends CallOptions {
  /** True: also the broker's own topics. */
  readonly isInternal?: boolean
  /** Topics asked for at a time, 1 to 1,000; 100 when absent. */
  readonly pageSize?: number
}

export interface EnsuredTopic extends TopicDescription {
  /** False: it was there already, the same. */
  readonly isCreated: boolean
}

export interface ListGroupsOptions extends CallOptions {
  /** Groups asked for at a time, 1 to 1,000; 100 when absent. */
  readonly pageSize?: number
}

export interface GroupPartition {
  readonly topic: string
  readonly partition: number
}

export interface GroupReset extends CallOptions {
  /**
   * A position, so many records on (`{ shift: 100 }`) or back (`{ shift: -100 }`), or an offset for each
   * partition, as `from` and `to` of an earlier answer have it.
   */
  readonly to:
    | PositionLike
    | { readonly shift: number }
    | { readonly offsets: readonly (GroupPartition & { readonly offset: number | null })[] }
  /** All partitions of these; where neither is given, every partition the group reads or has committed. */
  readonly topics?: readonly string[]
  readonly partitions?: readonly GroupPartition[]
  /** True: say what it would do, and do nothing. */
  readonly dryRun?: boolean
}

export class Admin {
  readonly #context: ClientContext

  constructor(context: ClientContext) {
    this.#context = context
  }

  /** @throws SpoolError TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG … */
  createTopic(topic: TopicToCreate, options?: CallOptions): Promise<TopicDescription> {
    return this.#change('POST', pathOf(ROUTES.createTopic, {}), topic, options)
  }

  /**
   * Creates the topic, or confirms that it is as described; what is not named is not compared.
   *
   * @throws SpoolError TOPIC_ALREADY_EXISTS naming what differs.
   */
  async ensureTopic(topic: TopicToCreate, options?: CallOptions): Promise<EnsuredTopic> {
    const { name, ...rest } = topic
    const path = pathOf(ROUTES.putTopic, { topic: name })
    const answer = await this.#request({ method: 'PUT', path, document: rest }, options)
    return { ...(answer.document as TopicDescription), isCreated: answer.status === 201 }
  }

  /** All topics in the order of their names, a page at a time as the loop goes on. */
  async *listTopics(options: ListTopicsOptions = {}): AsyncGenerator<TopicSummary, void, void> {
    const path = pathOf(ROUTES.listTopics, {})
    const query = { limit: options.pageSize, internal: options.isInternal }
    let after: string | undefined
    do {
      const page = await this.#ask(path, options, { ...query, after })
      const { topics, next } = page as { topics: TopicSummary[]; next?: string }
      yield* topics
      after = next
    } while (after !== undefined)
  }

  /** @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION */
  describeTopic(name: string, options?: CallOptions): Promise<TopicDescription> {
    return this.#ask(pathOf(ROUTES.describeTopic, { topic: name }), options)
  }

  /** Changes settings (null puts one back to its default) or adds partitions. */
  async alterTopic(
    name: string,
    change: TopicChange,
    options?: CallOptions,
  ): Promise<TopicDescription> {
    const path = pathOf(ROUTES.alterTopic, { topic: name })
    const changed = await this.#change<TopicDescription>('PATCH', path, change, options)
    this.#context.metadata.forget(name)
    return changed
  }

  /** Deletes the topic with all its records. */
  async deleteTopic(name: string, options?: CallOptions): Promise<void> {
    await this.#change('DELETE', pathOf(ROUTES.deleteTopic, { topic: name }), undefined, options)
    this.#context.metadata.forget(name)
  }

  /** Which offset a position means in each partition, now; the end when `at` is absent. */
  offsets(
    topic: string,
    { at = 'latest', ...options }: CallOptions & { readonly at?: PositionLike } = {},
  ): Promise<TopicOffsets> {
    const path = pathOf(ROUTES.topicOffsets, { topic })
    return this.#ask(path, options, { at: positionText(at, 'at') })
  }

  /** Removes the records of a partition below the offset `before`. */
  async trim(
    topic: string,
    partition: number,
    before: number,
    options?: CallOptions,
  ): Promise<Trimmed> {
    const path = pathOf(ROUTES.deleteRecords, { topic, partition })
    const answer = await this.#request({ method: 'DELETE', path, query: { before } }, options)
    return answer.document as Trimmed
  }

  /**
   * A producer id that nobody has: producers ask for their own; this is for those that `continues` in
   * another process.
   */
  async createProducer(options?: CallOptions): Promise<ProducerIdentity> {
    const path = pathOf(ROUTES.createProducer, {})
    // An id that was given to nobody is no loss.
    const ask = () => this.#request({ method: 'POST', path }, options)
    return (await this.#retried(ask, options)).document as ProducerIdentity
  }

  /** All consumer groups in the order of their names, a page at a time as the loop goes on. */
  async *listGroups(options: ListGroupsOptions = {}): AsyncGenerator<GroupSummary, void, void> {
    const path = pathOf(ROUTES.listGroups, {})
    let after: string | undefined
    do {
      const page = await this.#ask(path, options, { limit: options.pageSize, after })
      const { groups, next } = page as { groups: GroupSummary[]; next?: string }
      yield* groups
      after = next
    } while (after !== undefined)
  }

  /** @throws SpoolError GROUP_ID_NOT_FOUND */
  describeGroup(group: string, options?: CallOptions): Promise<GroupDescription> {
    return this.#ask(pathOf(ROUTES.describeGroup, { group }), options)
  }

  /**
   * Forgets a group without members, with all it has committed.
   *
   * @throws SpoolError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND
   */
  async deleteGroup(group: string, options?: CallOptions): Promise<void> {
    await this.#change('DELETE', pathOf(ROUTES.deleteGroup, { group }), undefined, options)
  }

  /**
   * Where the group stands in each partition it reads or has committed, with its lag in records and in
   * time; of one topic where `topic` is given.
   */
  async groupOffsets(
    group: string,
    { topic, ...options }: CallOptions & { readonly topic?: string } = {},
  ): Promise<GroupOffset[]> {
    const path = pathOf(ROUTES.groupOffsets, { group })
    return (await this.#ask<GroupOffsets>(path, options, { topic })).offsets
  }

  /**
   * Commits offsets on behalf of a group without members; each is the next to read.
   *
   * @throws SpoolError NON_EMPTY_GROUP while the group has members: they commit, or reset the group. With
   * `extensions.offsets` where some were committed and some were not.
   */
  async commitGroupOffsets(
    group: string,
    offsets: readonly OffsetToCommit[],
    options?: CallOptions,
  ): Promise<CommittedOffset[]> {
    const path = pathOf(ROUTES.commitOffsets, { group })
    return (await this.#change<CommitReply>('PUT', path, { offsets }, options)).offsets
  }

  /**
   * Makes the group go back, or forward, also while its members run: they go on from there, and what they
   * commit of before is refused. `from` of the answer undoes it.
   */
  resetGroupOffsets(group: string, reset: GroupReset): Promise<ResetReply> {
    const { to, topics, partitions, dryRun } = reset
    const isPosition = typeof to !== 'object' || to instanceof Date
    const document = { to: isPosition ? positionText(to, 'to') : to, topics, partitions, dryRun }
    return this.#change('POST', pathOf(ROUTES.resetOffsets, { group }), document, reset)
  }

  cluster(options?: CallOptions): Promise<Cluster> {
    return this.#ask(pathOf(ROUTES.cluster, {}), options)
  }

  #request(request: RequestOptions, options: CallOptions | undefined): Promise<Answer> {
    return this.#context.transport.request({ ...request, signal: options?.signal })
  }

  async #change<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    document: unknown,
    options: CallOptions | undefined,
  ): Promise<T> {
    return (await this.#request({ method, path, document }, options)).document as T
  }

  async #ask<T>(
    path: string,
    options: CallOptions | undefined,
    query?: RequestOptions['query'],
  ): Promise<T> {
    const ask = () => this.#request({ method: 'GET', path, query }, options)
    return (await this.#retried(ask, options)).document as T
  }

  #retried(ask: () => Promise<Answer>, options: CallOptions | undefined): Promise<Answer> {
    const { settings } = this.#context
    const retries = { backoff: settings, timeoutMs: settings.requestTimeoutMs }
    return retried(ask, { ...retries, signal: options?.signal })
  }
}
