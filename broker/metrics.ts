/**
 * What a broker counts about itself, for Prometheus. Counting is cheap and happens where things
 * happen; what can be looked up (log sizes, connections) is looked up when somebody scrapes.
 *
 * Labels are bounded: routes are templates, statuses are classes of the table, topics only the first
 * `TOPIC_LABELS_MAX` by name; the rest are summed under `(other)`. Nothing here listens or serves.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { CleanerTotals } from '../storage/compaction/cleaner.ts'
import { addCompactionMetrics } from './compaction-metrics.ts'
import { addGroupGauges, type GroupFigures } from './group-metrics.ts'

/** More topics than a dashboard shows; each costs three series. */
export const TOPIC_LABELS_MAX = 200

/** The label of topics beyond the limit. Not a legal topic name, so it is never one. */
const OTHER_TOPICS = '(other)'

/** From a cached read to a slow disk, in seconds. */
const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

/** One partition, as the gauges need it. */
export interface PartitionSizes {
  readonly topic: string
  readonly sizeBytes: number
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly isOffline: boolean
  readonly compaction: { readonly failure: string | undefined }
}

/** What is looked up at a scrape. */
export interface MetricSources {
  /** Empty while the broker is not ready. */
  partitions(): Iterable<PartitionSizes>
  /** What clients appended since the start. */
  appended(): { readonly records: number; readonly batches: number; readonly bytes: number }
  /** What compaction did since the start; `undefined` while the broker is not ready. */
  compaction(): CleanerTotals | undefined
  connections(): number
  queuedBytes(): number
  waitingRequests(): number
  streams(): StreamFigures
  /** How far groups are behind; empty while the broker is not ready. */
  groups: GroupFigures
  isReady(): boolean
}

/** What streams did since the start, and hold now. */
export interface StreamFigures {
  /** Streams under way. */
  readonly count: number
  /** Readings of tails that they share. */
  readonly feeds: number
  readonly heldBytes: number
  readonly totals: {
    readonly batchesRead: number
    readonly recordsSent: number
    readonly stalled: number
  }
}

/** One finished request. */
export interface FinishedRequest {
  readonly method: string
  /** The route's template, such as `/v1/topics/{topic}`; `(none)` when no route matched. */
  readonly route: string
  readonly status: number
  readonly seconds: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export class BrokerMetrics {
  readonly #registry = new Registry()
  readonly #requests: Counter
  readonly #seconds: Histogram
  readonly #malformed: Counter
  readonly #refusedConnections: Counter
  /** Totals of the hot path: plain numbers, handed to Prometheus when it asks. */
  readonly #totals = { bytesIn: 0, bytesOut: 0 }
  readonly #flushSeconds: Histogram
  #hasDefaults = false

  constructor(sources: MetricSources) {
    const registers = [this.#registry]
    const labelNames = ['method', 'route', 'status']
    const counter = (name: string, help: string, labels: string[] = []) =>
      new Counter({ name, help, registers, labelNames: labels })

    this.#requests = counter('spool_http_requests_total', 'HTTP requests answered.', labelNames)
    this.#seconds = new Histogram({
      name: 'spool_http_request_seconds',
      help: 'From the request head to the end of the answer; streams last as long as they are read.',
      registers,
      labelNames: ['method', 'route'],
      buckets: SECONDS_BUCKETS,
    })
    this.#malformed = counter('spool_http_malformed_total', 'Connections that did not speak HTTP.')
    this.#refusedConnections = counter(
      'spool_http_refused_connections_total',
      'Connections closed because there were connections.max already.',
    )
    this.#flushSeconds = new Histogram({
      name: 'spool_flush_seconds',
      help: 'How long syncing a log to stable storage took.',
      registers,
      buckets: SECONDS_BUCKETS,
    })
    this.#addTotals(sources)
    this.#addGauges(sources)
    addGroupGauges(this.#registry, sources.groups)
    addCompactionMetrics(this.#registry, () => sources.compaction())
  }

  requestFinished(request: FinishedRequest): void {
    const { method, route } = request
    this.#requests.inc({ method, route, status: String(request.status) })
    this.#seconds.observe({ method, route }, request.seconds)
    this.#totals.bytesIn += request.bytesIn
    this.#totals.bytesOut += request.bytesOut
  }

  connectionMalformed(): void {
    this.#malformed.inc()
  }

  connectionRefused(): void {
    this.#refusedConnections.inc()
  }

  flushed(seconds: number): void {
    this.#flushSeconds.observe(seconds)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The text that Prometheus scrapes. */
  render(): Promise<string> {
    // These start a watcher of the event loop, which a broker nobody scrapes does not need.
    if (!this.#hasDefaults) collectDefaultMetrics({ register: this.#registry })
    this.#hasDefaults = true
    return this.#registry.metrics()
  }

  #addTotals(sources: MetricSources): void {
    const totals = this.#totals
    const total = (name: string, help: string, value: () => number) =>
      new Counter({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.reset()
          this.inc(value())
        },
      })
    total('spool_http_received_bytes_total', 'Bytes that clients sent.', () => totals.bytesIn)
    total('spool_http_sent_bytes_total', 'Bytes sent to clients.', () => totals.bytesOut)
    total(
      'spool_appended_records_total',
      'Records appended by clients.',
      () => sources.appended().records,
    )
    total(
      'spool_appended_batches_total',
      'Batches appended by clients.',
      () => sources.appended().batches,
    )
    total(
      'spool_appended_bytes_total',
      'Bytes of batches appended.',
      () => sources.appended().bytes,
    )
    total(
      'spool_stream_read_batches_total',
      'Batches read from logs for streams: once for all readers at a tail.',
      () => sources.streams().totals.batchesRead,
    )
    total(
      'spool_stream_sent_records_total',
      'Records handed to streams.',
      () => sources.streams().totals.recordsSent,
    )
    total(
      'spool_stream_stalled_total',
      'Streams cut because their readers took nothing.',
      () => sources.streams().totals.stalled,
    )
  }

  #addGauges(sources: MetricSources): void {
    const registers = [this.#registry]
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value())
        },
      })
    gauge('spool_connections', 'Open connections.', () => sources.connections())
    gauge('spool_queued_bytes', 'Bytes of request bodies held.', () => sources.queuedBytes())
    gauge('spool_waiting_requests', 'Requests waiting.', () => sources.waitingRequests())
    gauge('spool_streams', 'Streams under way.', () => sources.streams().count)
    gauge(
      'spool_stream_feeds',
      'Readings of tails that streams share.',
      () => sources.streams().feeds,
    )
    gauge(
      'spool_stream_bytes',
      'Bytes of records held for streams.',
      () => sources.streams().heldBytes,
    )
    gauge('spool_ready', '1 once the logs are recovered.', () => Number(sources.isReady()))
    this.#addTopicGauges(sources)
  }

  #addTopicGauges(sources: MetricSources): void {
    const sums = [
      ['spool_log_bytes', 'Bytes of all segments.', (it: PartitionSizes) => it.sizeBytes],
      [
        'spool_log_records',
        'Offsets between log start and log end.',
        (it: PartitionSizes) => it.logEndOffset - it.logStartOffset,
      ],
      [
        'spool_offline_partitions',
        'Partitions whose disk failed.',
        (it: PartitionSizes) => Number(it.isOffline),
      ],
      [
        'spool_uncompacted_partitions',
        'Partitions whose last compaction failed: the broker’s log says why, and the topic’s description.',
        (it: PartitionSizes) => Number(it.compaction.failure !== undefined),
      ],
    ] as const
    for (const [name, help, sizeOf] of sums) {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        labelNames: ['topic'],
        collect() {
          this.reset()
          for (const [topic, sum] of sumByTopic(sources.partitions(), sizeOf)) {
            this.set({ topic }, sum)
          }
        },
      })
    }
  }
}

/** Sums over the partitions of each topic; topics beyond the limit share one sum. */
export function sumByTopic(
  partitions: Iterable<PartitionSizes>,
  sizeOf: (partition: PartitionSizes) => number,
): Map<string, number> {
  const sums = new Map<string, number>()
  for (const partition of partitions) {
    sums.set(partition.topic, (sums.get(partition.topic) ?? 0) + sizeOf(partition))
  }
  if (sums.size <= TOPIC_LABELS_MAX) return sums
  const names = [...sums.keys()].sort()
  const capped = new Map(names.slice(0, TOPIC_LABELS_MAX).map((name) => [name, sums.get(name)!]))
  let others = 0
  for (const name of names.slice(TOPIC_LABELS_MAX)) others += sums.get(name)!
  return capped.set(OTHER_TOPICS, others)
}
