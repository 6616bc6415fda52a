/**
 * Every setting of a broker in one table: its key (Kafka's where Kafka has one), unit, default, bounds
 * and a sentence. The flag, the environment variable, `spool serve --help`, `docs/configuration.md` and
 * the typed `BrokerSettings` all follow from it. Reading values from anywhere is `sources.ts`.
 *
 * The defaults of a topic's own settings are in `topic-defaults.ts`: they follow from the topics' table.
 */

import { GROUP_SETTINGS } from './group-settings.ts'
import type { BrokerField, BrokerSettings, SettingFor } from './settings.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** In the order of the documentation. Headings are in `SECTIONS`. */
export const BROKER_SETTINGS: {
  readonly [Field in BrokerField]: SettingFor<BrokerSettings[Field]>
} = {
  nodeId: {
    kind: 'number',
    key: 'node.id',
    unit: 'id',
    default: 1,
    min: 0,
    max: 2 ** 31 - 1,
    sentence: 'The number of this broker, kept in its data directory: it must not change later.',
  },
  dataDir: {
    kind: 'text',
    key: 'log.dir',
    flag: 'data-dir',
    placeholder: 'DIR',
    default: './spool-data',
    sentence: 'Where everything is kept. One broker at a time may use it.',
  },
  host: {
    kind: 'text',
    key: 'host',
    placeholder: 'HOST',
    default: '127.0.0.1',
    sentence: 'The address to listen on. Anything but loopback needs auth.token.file, or insecure.',
  },
  port: {
    kind: 'number',
    key: 'port',
    unit: 'port',
    default: 7766,
    min: 0,
    max: 65_535,
    sentence: 'The TCP port to listen on; 0 takes a free one.',
  },

  insecure: {
    kind: 'switch',
    key: 'insecure',
    default: false,
    sentence: 'Serve other machines without a token. Everyone who reaches the port may do all.',
  },
  authTokenFile: {
    kind: 'text',
    key: 'auth.token.file',
    placeholder: 'FILE',
    default: undefined,
    sentence:
      'A file whose only line is the token that requests must carry (Authorization: Bearer). Refused when everyone may read it.',
  },
  allowedHosts: {
    kind: 'list',
    key: 'allowed.hosts',
    placeholder: 'NAME,…',
    default: [],
    sentence:
      'Host header names, beside loopback ones, that a broker on loopback answers to (DNS rebinding).',
  },
  corsAllowedOrigins: {
    kind: 'list',
    key: 'cors.allowed.origins',
    placeholder: 'ORIGIN,…',
    default: [],
    sentence: 'Origins whose pages may call this broker from a browser; none by default.',
  },

  connectionsMax: {
    kind: 'number',
    key: 'connections.max',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    sentence: 'Connections at once; one more is told 503 and closed.',
  },
  waitingRequestsMax: {
    kind: 'number',
    key: 'waiting.requests.max',
    unit: 'count',
    default: 4_096,
    min: 1,
    max: 1_000_000,
    sentence: 'Reads that wait for records, and streams, at once; more get 429.',
  },
  queuedBytesMax: {
    kind: 'number',
    key: 'queued.max.bytes',
    unit: 'bytes',
    default: 256 * MIB,
    min: MIB,
    max: 64 * GIB,
    sentence: 'Bytes of request bodies and unwritten records held in memory; beyond it 503.',
  },
  httpBodyBytesMax: {
    kind: 'number',
    key: 'http.body.bytes.max',
    unit: 'bytes',
    default: 32 * MIB,
    min: KIB,
    max: GIB,
    sentence:
      'The largest request body, but for NDJSON and lines uploads, which have no limit of their own.',
  },
  decompressedBytesMax: {
    kind: 'number',
    key: 'decompressed.bytes.max',
    unit: 'bytes',
    default: 64 * MIB,
    min: MIB,
    max: GIB,
    sentence: 'The most one record batch may hold once decompressed.',
  },
  fetchBytesMax: {
    kind: 'number',
    key: 'fetch.max.bytes',
    unit: 'bytes',
    default: 64 * MIB,
    min: KIB,
    max: GIB,
    sentence: 'The most one reply to a reader holds, but always one whole batch.',
  },
  lingerMs: {
    kind: 'number',
    key: 'linger.ms',
    unit: 'ms',
    default: 5,
    min: 0,
    max: 10_000,
    sentence: 'How long a line of an upload may wait for others to share its batch.',
  },
  httpHeadersMsMax: {
    kind: 'number',
    key: 'http.headers.ms.max',
    unit: 'ms',
    default: 15_000,
    min: 100,
    max: HOUR_MS,
    sentence: 'How long a client may take to send the headers of a request.',
  },
  httpIdleMsMax: {
    kind: 'number',
    key: 'http.idle.ms.max',
    unit: 'ms',
    default: MINUTE_MS,
    min: 100,
    max: DAY_MS,
    sentence: 'How long a request body may pause without a byte.',
  },
  httpRequestMsMax: {
    kind: 'number',
    key: 'http.request.ms.max',
    unit: 'ms',
    default: 2 * MINUTE_MS,
    min: 100,
    max: DAY_MS,
    sentence: 'How long a whole request body may take, but for NDJSON and lines uploads.',
  },
  httpKeepAliveMsMax: {
    kind: 'number',
    key: 'http.keep.alive.ms.max',
    unit: 'ms',
    default: 72_000,
    min: 0,
    max: DAY_MS,
    sentence: 'How long an idle connection is kept open for its next request.',
  },
  streamBytesMax: {
    kind: 'number',
    key: 'stream.max.bytes',
    unit: 'bytes',
    default: 256 * MIB,
    min: 4 * MIB,
    max: 64 * GIB,
    sentence:
      'Bytes of records that all streams together hold in memory; beyond it they wait for each other.',
  },
  streamStalledMsMax: {
    kind: 'number',
    key: 'stream.stalled.ms.max',
    unit: 'ms',
    default: MINUTE_MS,
    min: 100,
    max: DAY_MS,
    sentence: 'A reader that takes no byte of its reply for this long is cut off.',
  },

  numPartitions: {
    kind: 'number',
    key: 'num.partitions',
    unit: 'count',
    default: 1,
    min: 1,
    max: 100_000,
    sentence: 'Partitions of a topic created without saying how many.',
  },
  defaultReplicationFactor: {
    kind: 'number',
    key: 'default.replication.factor',
    unit: 'count',
    default: 1,
    min: 1,
    max: 32,
    sentence: 'Replicas of a topic created without saying how many.',
  },
  topicsMax: {
    kind: 'number',
    key: 'topics.max',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    sentence: 'Topics at most, the broker’s own not counted; creating another is refused.',
  },
  partitionsMax: {
    kind: 'number',
    key: 'partitions.max',
    unit: 'count',
    default: 20_000,
    min: 1,
    max: 1_000_000,
    sentence: 'Partitions at most, over all topics but the broker’s own.',
  },

  ...GROUP_SETTINGS,

  retentionCheckIntervalMs: {
    kind: 'number',
    key: 'log.retention.check.interval.ms',
    unit: 'ms',
    default: 5 * MINUTE_MS,
    min: 100,
    max: DAY_MS,
    sentence: 'How often segments are looked at for deletion.',
  },
  producerIdExpirationMs: {
    kind: 'number',
    key: 'producer.id.expiration.ms',
    unit: 'ms',
    default: DAY_MS,
    min: 1_000,
    max: 365 * DAY_MS,
    sentence:
      'How long after its last append a partition remembers an idempotent producer: repeats after that may duplicate.',
  },
  producerIdsPerPartitionMax: {
    kind: 'number',
    key: 'producer.ids.per.partition.max',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    sentence:
      'Idempotent producers one partition remembers; beyond it the one that has appended nothing for longest is forgotten, and a late repeat of its would be appended again.',
  },
  appendGroupBytesMax: {
    kind: 'number',
    key: 'append.group.bytes.max',
    unit: 'bytes',
    default: 8 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    sentence: 'The most that is written to one log with one sync, but always one whole batch.',
  },
  diskReserveBytes: {
    kind: 'number',
    key: 'disk.reserve.bytes',
    unit: 'bytes',
    default: 256 * MIB,
    min: 0,
    max: 2 ** 50,
    sentence: 'Writes are refused (507) while the disk has less room than this; reads go on.',
  },
  openFilesMax: {
    kind: 'number',
    key: 'open.files.max',
    unit: 'count',
    default: 8_192,
    min: 64,
    max: 1_000_000,
    sentence:
      'Files of the log kept open at once, and never more than the process may open less 1,024.',
  },

  cleanerEnabled: {
    kind: 'switch',
    key: 'log.cleaner.enable',
    default: true,
    sentence: 'Compact the logs of topics whose cleanup.policy has compact.',
  },
  cleanerThreads: {
    kind: 'number',
    key: 'log.cleaner.threads',
    unit: 'count',
    default: 1,
    min: 1,
    max: 16,
    sentence: 'Logs compacted at once, the dirtiest first; they share the memory for keys.',
  },
  cleanerMapBytesMax: {
    kind: 'number',
    key: 'log.cleaner.dedupe.buffer.size',
    unit: 'bytes',
    default: 128 * MIB,
    min: MIB,
    max: 4 * GIB,
    sentence:
      'Memory for the keys of one compaction, 32 bytes each; held only while one runs. With more keys than fit, a log is compacted in several goes.',
  },
  cleanerBufferBytes: {
    kind: 'number',
    key: 'log.cleaner.io.buffer.size',
    unit: 'bytes',
    default: 512 * KIB,
    min: 16 * KIB,
    max: 64 * MIB,
    sentence: 'What compaction reads and writes at once, but always one whole batch.',
  },
  cleanerBytesPerSecond: {
    kind: 'number',
    key: 'log.cleaner.io.max.bytes.per.second',
    unit: 'bytes',
    default: -1,
    min: KIB,
    max: 2 ** 50,
    minusOne: 'no limit',
    sentence: 'The most that compaction reads and writes in a second, over all logs.',
  },
  cleanerBackoffMs: {
    kind: 'number',
    key: 'log.cleaner.backoff.ms',
    unit: 'ms',
    default: 15_000,
    min: 100,
    max: DAY_MS,
    sentence: 'How long compaction rests when nothing is dirty enough, before it looks again.',
  },

  logLevel: {
    kind: 'choice',
    key: 'log.level',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace'],
    default: 'info',
    sentence: 'The least important lines to write to stderr.',
  },
  shutdownTimeoutMs: {
    kind: 'number',
    key: 'shutdown.timeout.ms',
    unit: 'ms',
    default: 30_000,
    min: 0,
    max: HOUR_MS,
    sentence:
      'How long requests may still run after SIGTERM or SIGINT; what was acknowledged is kept in any case.',
  },
}

/** Headings of the documentation, each before the field it names. */
export const SECTIONS: Readonly<Partial<Record<BrokerField, string>>> = {
  nodeId: 'Where it runs',
  insecure: 'Who may reach it',
  connectionsMax: 'Requests and their limits',
  numPartitions: 'Topics',
  groupsMax: 'Consumer groups',
  retentionCheckIntervalMs: 'The log',
  cleanerEnabled: 'Compaction',
  logLevel: 'Operation',
}
