/**
 * The keys of the metadata and the shape of the values under them, with the check that a value read
 * back is what it should be: an entry written by something else is reported, never believed.
 *
 *   cluster                 the cluster's id
 *   broker-epochs/<node>    how often that broker has started
 *   brokers/<node>          a broker that is there now (ephemeral)
 *   topics/<name>           a topic
 *   producer-ids            the end of the last block of producer ids handed out
 */

import type { ConfigValues } from '../topics/topic-config.ts'

export const CLUSTER_KEY = 'cluster'
export const PRODUCER_IDS_KEY = 'producer-ids'
export const BROKERS_PREFIX = 'brokers/'
export const TOPICS_PREFIX = 'topics/'

export const brokerEpochKey = (nodeId: number): string => `broker-epochs/${nodeId}`
export const brokerKey = (nodeId: number): string => `${BROKERS_PREFIX}${nodeId}`
export const topicKey = (name: string): string => `${TOPICS_PREFIX}${name}`

export interface ClusterEntry {
  readonly clusterId: string
  /** Only in the file of a single broker: whose data directory this is. */
  readonly nodeId?: number
}

export interface BrokerEntry {
  /** Raised at every start, so that a broker that came back is not taken for the one that left. */
  readonly brokerEpoch: number
  /** Where clients reach it over HTTP, such as `http://127.0.0.1:7766`. */
  readonly url: string
}

/**
 * `creating` and `deleting` are promises to finish: the directories may be there or not.
 * `growingTo` is the same for partitions being added.
 */
export interface TopicEntry {
  readonly topicId: string
  readonly state: 'creating' | 'active' | 'deleting'
  readonly partitions: number
  readonly growingTo?: number
  readonly replicationFactor: number
  /** Only what was set. */
  readonly config: ConfigValues
}

/** The value of an entry, or `undefined` when it is not one: not JSON, a field missing or of another type. */
export function parseTopicEntry(text: string): TopicEntry | undefined {
  const value = parseObject(text)
  if (value === undefined) return undefined
  const isValid =
    typeof value.topicId === 'string' &&
    (value.state === 'creating' || value.state === 'active' || value.state === 'deleting') &&
    isCount(value.partitions) &&
    (value.growingTo === undefined || isCount(value.growingTo)) &&
    isCount(value.replicationFactor) &&
    isConfig(value.config)
  return isValid ? (value as unknown as TopicEntry) : undefined
}

export function parseBrokerEntry(text: string): BrokerEntry | undefined {
  const value = parseObject(text)
  if (value === undefined || !isCount(value.brokerEpoch)) return undefined
  return typeof value.url === 'string' ? (value as unknown as BrokerEntry) : undefined
}

export function parseClusterEntry(text: string): ClusterEntry | undefined {
  const value = parseObject(text)
  if (typeof value?.clusterId !== 'string') return undefined
  const isValid = value.nodeId === undefined || Number.isSafeInteger(value.nodeId)
  return isValid ? (value as unknown as ClusterEntry) : undefined
}

/** A number kept under a key of its own: a broker epoch, the end of a block of ids. */
export function parseCounter(text: string): number | undefined {
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function isConfig(value: unknown): boolean {
  if (!isObject(value)) return false
  return Object.values(value).every((one) => typeof one === 'number' || typeof one === 'string')
}
