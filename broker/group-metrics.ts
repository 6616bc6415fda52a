/**
 * What Prometheus is told of consumer groups: how many there are, and how far each is behind in each of its
 * partitions. Each place is two series, so only the first `GROUP_PLACES_MAX` are told, and how many were
 * not. Looked up at a scrape; counts nothing itself.
 */

import { Gauge, type Registry } from 'prom-client'

/** A hundred groups of ten partitions: more than that is for `GET /v1/groups`. */
export const GROUP_PLACES_MAX = 1_000

/** Where one group stands in one partition. */
export interface GroupPlaceFigures {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly lagRecords: number
  /** `null` where the next record can not be read. */
  readonly lagSeconds: number | null
}

export interface GroupFigures {
  count(): number
  members(): number
  /** About what all of them take in memory. */
  bytes(): number
  /** The first `max` places, by group, topic and partition, and about how many more there are. */
  places(
    max: number,
  ): Promise<{ readonly told: readonly GroupPlaceFigures[]; readonly untold: number }>
}

export function addGroupGauges(registry: Registry, figures: GroupFigures): void {
  const registers = [registry]
  new Gauge({
    name: 'spool_groups',
    help: 'Consumer groups.',
    registers,
    collect() {
      this.set(figures.count())
    },
  })
  new Gauge({
    name: 'spool_group_members',
    help: 'Members of all consumer groups.',
    registers,
    collect() {
      this.set(figures.members())
    },
  })
  new Gauge({
    name: 'spool_group_bytes',
    help: 'About what consumer groups take in memory; groups.max.bytes bounds it.',
    registers,
    collect() {
      this.set(figures.bytes())
    },
  })
  addLagGauges(registry, figures)
}

function addLagGauges(registry: Registry, figures: GroupFigures): void {
  const registers = [registry]
  // The gauges of one scrape are asked at once, and share one look.
  let looking: ReturnType<GroupFigures['places']> | undefined
  const look = () => {
    looking ??= figures.places(GROUP_PLACES_MAX).finally(() => {
      looking = undefined
    })
    return looking
  }
  const lagGauge = (
    name: string,
    help: string,
    lagOf: (place: GroupPlaceFigures) => number | null,
  ) =>
    new Gauge({
      name,
      help,
      registers,
      labelNames: ['group', 'topic', 'partition'],
      async collect() {
        const { told } = await look()
        this.reset()
        for (const place of told) {
          const { group, topic, partition } = place
          const lag = lagOf(place)
          if (lag !== null) this.set({ group, topic, partition: String(partition) }, lag)
        }
      },
    })
  lagGauge(
    'spool_group_lag_records',
    'Records that a group has not committed, in partitions that it committed or that its members have.',
    ({ lagRecords }) => lagRecords,
  )
  lagGauge(
    'spool_group_lag_seconds',
    'How old the next record is that a group has to read; 0 where there is none.',
    ({ lagSeconds }) => lagSeconds,
  )
  new Gauge({
    name: 'spool_group_lag_untold',
    help: 'Places of groups whose lag is not told here, because there are too many.',
    registers,
    async collect() {
      const { untold } = await look()
      this.set(untold)
    },
  })
}
