/**
 * The table of every setting a topic has: those of its logs (the engine's table) and those that only
 * the broker and its clients read. Reading and checking values is `topic-config.ts`.
 */

import { type ChoiceSetting, LOG_SETTINGS, type NumberSetting } from '../../storage/config.ts'

/** `producer`: whatever the batch came with; the HTTP face then uses lz4. */
export type CompressionType = 'producer' | 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type Partitioner = 'xxhash64' | 'murmur2'

export type TopicSetting =
  | (Omit<NumberSetting, 'field' | 'unit'> & { readonly unit: NumberSetting['unit'] | 'replicas' })
  | Omit<ChoiceSetting, 'field'>

/** More replicas than any cluster of ours has brokers. */
const MIN_INSYNC_REPLICAS_MAX = 32

export const COMPRESSION_TYPE = 'compression.type'
export const MIN_INSYNC_REPLICAS = 'min.insync.replicas'
export const PARTITIONER = 'spool.partitioner'

export const TOPIC_SETTINGS: readonly TopicSetting[] = [
  ...LOG_SETTINGS,
  {
    kind: 'choice',
    key: COMPRESSION_TYPE,
    choices: ['producer', 'none', 'gzip', 'snappy', 'lz4', 'zstd'],
    default: 'producer',
    sentence:
      'How batches that the broker builds are compressed (producer: lz4). A batch that arrives built is kept as it is.',
  },
  {
    kind: 'number',
    key: MIN_INSYNC_REPLICAS,
    unit: 'replicas',
    default: 1,
    min: 1,
    max: MIN_INSYNC_REPLICAS_MAX,
    sentence: 'A write with acks=all is refused while fewer replicas than this are in sync.',
  },
  {
    kind: 'choice',
    key: PARTITIONER,
    choices: ['xxhash64', 'murmur2'],
    default: 'xxhash64',
    sentence: 'The hash by which a key chooses its partition; murmur2 is that of Java producers.',
  },
]

const SETTING_BY_KEY: ReadonlyMap<string, TopicSetting> = new Map(
  TOPIC_SETTINGS.map((setting) => [setting.key, setting]),
)

/** The setting of that key, or `undefined`. */
export function topicSetting(key: string): TopicSetting | undefined {
  return SETTING_BY_KEY.get(key)
}
